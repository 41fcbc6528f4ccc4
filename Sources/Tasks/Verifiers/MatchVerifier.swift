// The answer letter by letter, or normalized: case, white space and a last period aside.

import Documents

/// Compares texts. Strictly: the place holds the answer and nothing else does. Leniently: the text
/// said last is the answer, normalized.
public struct MatchVerifier: Verifier {
  public let isNormalized: Bool
  public let place: AnswerPlace
  public let accepts: Acceptance

  public init(
    isNormalized: Bool, place: AnswerPlace = .whole, accepts: Acceptance = .strict
  ) {
    self.isNormalized = isNormalized
    self.place = place
    self.accepts = accepts
  }

  public func find(_ submission: Submission) -> Finding {
    let said = place.answers(in: submission.completion)
    let expected = form(submission.answer)
    let isStrict = !said.isEmpty && said.allSatisfy { form($0) == expected }
    let wanted = Self.normalized(submission.answer)
    let candidates = [
      said.last, AnswerPlace.said.answers(in: submission.completion).last,
      AnswerPlace.line.answers(in: submission.completion).last,
    ]
    let isLenient = isStrict || candidates.contains { $0.map(Self.normalized) == wanted }
    let reason =
      if isStrict {
        "right: \(clipped(submission.answer))"
      } else if let last = said.last {
        "wrong: \"\(clipped(last))\" is not \"\(clipped(submission.answer))\""
      } else {
        place.absence
      }
    return .answer(strictly: isStrict, leniently: isLenient, accepts: accepts, reason: reason)
  }

  /// Bytes: strings are equal to Swift where they only look alike (a letter with its mark may be
  /// one character or two). Blanks at the ends belong to the place rather than to the answer.
  private func form(_ text: String) -> [UInt8] {
    isNormalized ? Array(Self.normalized(text).utf8) : Self.trimmed(text)
  }

  /// Without blanks at the ends.
  static func trimmed(_ text: String) -> [UInt8] {
    var bytes = Array(text.utf8)[...]
    while let last = bytes.last, QuantityReader.isBlank(last) { bytes.removeLast() }
    return Array(bytes.drop(while: QuantityReader.isBlank))
  }

  /// Lower case, single spaces, no blanks, quotes, emphasis or period at the ends.
  static func normalized(_ text: String) -> String {
    let words = text.lowercased().utf8.split(whereSeparator: QuantityReader.isBlank)
    var bytes = Array(words.joined(separator: [0x20]))[...]
    let around = Set("\"'`* ".utf8)
    while let last = bytes.last, around.contains(last) || last == UInt8(ascii: ".") {
      bytes.removeLast()
    }
    while let first = bytes.first, around.contains(first) { bytes.removeFirst() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
