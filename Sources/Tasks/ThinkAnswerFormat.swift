// The format `<think>...</think><answer>...</answer>`: one think block, then one answer block, and
// nothing besides but white space. It is read over bytes, since a combining mark after a tag would
// change what a search by characters finds.

/// What a completion looks like under the format.
public struct ThinkAnswerFormat: Equatable, Sendable {
  public static let thinkOpen = "<think>"
  public static let thinkClose = "</think>"
  public static let answerOpen = "<answer>"
  public static let answerClose = "</answer>"
  public static let tags = [thinkOpen, thinkClose, answerOpen, answerClose]

  /// A longer text is not read: a verifier has a bound. No completion of 131,072 tokens, the most
  /// that settings allow, comes near it unless its tokens are long ones.
  public static let maximumByteCount = 1 << 20

  /// What is within each complete answer block, in order.
  public let answers: [String]
  /// What departs from the format first, in words; nil where nothing does.
  public let flaw: String?

  public var isExact: Bool { flaw == nil }

  public init(_ text: String, isTruncated: Bool) {
    guard text.utf8.count <= Self.maximumByteCount else {
      answers = []
      flaw = "\(text.utf8.count) bytes, more than the \(Self.maximumByteCount) that are read"
      return
    }
    let pieces = Self.pieces(of: Array(text.utf8))
    answers = pieces.indices.compactMap { index in
      guard pieces[index] == .tag(2), index + 1 < pieces.count else { return nil }
      if pieces[index + 1] == .tag(3) { return "" }
      guard case .text(let bytes) = pieces[index + 1], index + 2 < pieces.count,
        pieces[index + 2] == .tag(3)
      else { return nil }
      return String(decoding: bytes, as: UTF8.self)
    }
    flaw = Self.flaw(in: pieces) ?? (isTruncated ? "the length limit cut it before its end" : nil)
  }

  private enum Piece: Equatable {
    /// An index into `tags`.
    case tag(Int)
    case text(ArraySlice<UInt8>)

    var isBlank: Bool {
      guard case .text(let bytes) = self else { return false }
      return bytes.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }
  }

  private static let tagBytes = tags.map { Array($0.utf8) }

  /// The tags in the text and what stands between them; linear in its length.
  private static func pieces(of bytes: [UInt8]) -> [Piece] {
    var pieces: [Piece] = []
    var textStart = 0
    var index = 0
    while index < bytes.count {
      let rest = bytes[index...]
      guard bytes[index] == UInt8(ascii: "<"),
        let tag = tagBytes.firstIndex(where: { rest.starts(with: $0) })
      else {
        index += 1
        continue
      }
      if textStart < index { pieces.append(.text(bytes[textStart..<index])) }
      pieces.append(.tag(tag))
      index += tagBytes[tag].count
      textStart = index
    }
    if textStart < bytes.count { pieces.append(.text(bytes[textStart...])) }
    return pieces
  }

  /// The four tags must come in order. Text may stand within a block; outside only white space.
  private static func flaw(in pieces: [Piece]) -> String? {
    let outside = [
      0: "before the think block", 2: "between the blocks", 4: "after the answer block",
    ]
    var expected = 0
    for piece in pieces {
      switch piece {
      case .text:
        if let place = outside[expected], !piece.isBlank { return "text \(place)" }
      case .tag(let tag):
        if tag == expected {
          expected += 1
        } else if expected == tags.count {
          return "\(tags[tag]) after the answer block"
        } else {
          return "\(tags[tag]) where \(tags[expected]) was due"
        }
      }
    }
    guard expected < tags.count else { return nil }
    return [
      "no think block", "the think block has no end", "no answer block",
      "the answer block has no end",
    ][expected]
  }
}
