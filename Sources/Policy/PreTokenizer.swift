// Splits a text into the pieces that merges do not cross. Each step of the file splits the pieces
// of the step before, each piece for itself: a pattern's look-ahead ends with its piece.

import Patterns

/// The steps of a tokenizer.json that cut a text into pieces.
struct PreTokenizer: Sendable {
  enum Separator: Sendable {
    case pattern(Pattern)
    case literal([UInt8])
    /// Unicode digits and numerals, one by one or in runs.
    case digits(oneByOne: Bool)
  }

  /// What becomes of a match.
  enum Behavior: String, Sendable, CaseIterable {
    case isolated = "Isolated"
    case removed = "Removed"
    case contiguous = "Contiguous"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
  }

  /// Where `Metaspace` puts its mark before a text.
  enum Prepending: String, Sendable, CaseIterable {
    case always, never
    /// Only where the whole text begins, not after an added token.
    case first
  }

  enum Step: Sendable {
    case split(Separator, Behavior, isInverted: Bool)
    /// A space is put before a piece that begins with none.
    case spaceBefore
    /// Spaces become the mark (▁), and pieces begin with it.
    case metaspace(mark: [UInt8], Prepending)
  }

  let steps: [Step]
}

/// A text in pieces: spaces put in where the file says so; the pieces in order, none empty.
///
/// Kept from text to text for its memory.
struct TextPieces {
  private(set) var bytes: [UInt8] = []
  private(set) var ranges: [Range<Int>] = []
  private var nextRanges: [Range<Int>] = []
  private var parts: [SplitPart] = []

  /// Cuts a text; `isFirst` says that nothing stands before it in what is encoded.
  mutating func cut(_ text: ArraySlice<UInt8>, by splitter: PreTokenizer, isFirst: Bool) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: text)
    ranges.removeAll(keepingCapacity: true)
    if !bytes.isEmpty { ranges.append(0..<bytes.count) }
    for step in splitter.steps {
      switch step {
      case .spaceBefore: putSpaces()
      case .metaspace(let mark, let prepending):
        markSpaces(mark, prepending, isFirst: isFirst)
      case .split(let separator, let behavior, let isInverted):
        split(by: separator, behavior, isInverted: isInverted)
      }
    }
  }

  private mutating func putSpaces() {
    let space = UInt8(ascii: " ")
    var result: [UInt8] = []
    for index in ranges.indices {
      let piece = ranges[index]
      let start = result.count
      if bytes[piece.lowerBound] != space { result.append(space) }
      result += bytes[piece]
      ranges[index] = start..<result.count
    }
    bytes = result
  }

  private mutating func markSpaces(
    _ mark: [UInt8], _ prepending: PreTokenizer.Prepending, isFirst: Bool
  ) {
    var result: [UInt8] = []
    for index in ranges.indices {
      let piece = ranges[index]
      let start = result.count
      let isMarked = bytes[piece].starts(with: mark) || bytes[piece.lowerBound] == 0x20
      let mayPrepend =
        prepending == .always || prepending == .first && isFirst && piece.lowerBound == 0
      if mayPrepend, !isMarked { result += mark }
      for byte in bytes[piece] {
        if byte == 0x20 { result += mark } else { result.append(byte) }
      }
      ranges[index] = start..<result.count
    }
    bytes = result
  }

  private mutating func split(
    by separator: PreTokenizer.Separator, _ behavior: PreTokenizer.Behavior, isInverted: Bool
  ) {
    var cut = nextRanges
    var parts = parts
    (nextRanges, self.parts) = ([], [])
    cut.removeAll(keepingCapacity: true)
    bytes.withUnsafeBufferPointer { bytes in
      for piece in ranges {
        let own = UnsafeBufferPointer(rebasing: bytes[piece])
        if behavior == .isolated {
          Self.isolate(own, at: piece.lowerBound, separator, &cut)
        } else {
          Self.separate(own, separator, &parts)
          if isInverted { for index in parts.indices { parts[index].isMatch.toggle() } }
          for range in behavior.join(parts) where !range.isEmpty {
            cut.append(
              piece.lowerBound + range.lowerBound..<piece.lowerBound + range.upperBound)
          }
        }
      }
    }
    nextRanges = ranges
    ranges = cut
    self.parts = parts
  }

  /// The common case, where a match and a stretch between matches are pieces alike.
  private static func isolate(
    _ piece: UnsafeBufferPointer<UInt8>, at start: Int, _ separator: PreTokenizer.Separator,
    _ cut: inout [Range<Int>]
  ) {
    let before = cut.count
    var done = 0
    let isWhole = separator.forEachMatch(in: piece) { match in
      if done < match.lowerBound { cut.append(start + done..<start + match.lowerBound) }
      if !match.isEmpty { cut.append(start + match.lowerBound..<start + match.upperBound) }
      done = match.upperBound
    }
    if !isWhole {
      cut.removeLast(cut.count - before)
      done = 0
    }
    if done < piece.count { cut.append(start + done..<start + piece.count) }
  }

  /// Matches and what lies between them, covering the bytes in order.
  private static func separate(
    _ piece: UnsafeBufferPointer<UInt8>, _ separator: PreTokenizer.Separator,
    _ parts: inout [SplitPart]
  ) {
    parts.removeAll(keepingCapacity: true)
    var done = 0
    let isWhole = separator.forEachMatch(in: piece) { match in
      if done < match.lowerBound {
        parts.append(SplitPart(range: done..<match.lowerBound, isMatch: false))
      }
      parts.append(SplitPart(range: match, isMatch: true))
      done = match.upperBound
    }
    if !isWhole {
      parts.removeAll(keepingCapacity: true)
      done = 0
    }
    if done < piece.count { parts.append(SplitPart(range: done..<piece.count, isMatch: false)) }
  }
}

/// A stretch of a piece: a match, or what lies between matches.
struct SplitPart {
  var range: Range<Int>
  var isMatch: Bool
}

extension PreTokenizer.Separator {
  /// False, whatever was said before, where a pattern exceeds its limits: such a text is not split
  /// and keeps all its bytes that way.
  fileprivate func forEachMatch(
    in piece: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void
  ) -> Bool {
    switch self {
    case .pattern(let pattern):
      do {
        try pattern.forEachMatch(in: piece, body)
      } catch {
        return false
      }
    case .literal(let literal): Self.forEachOccurrence(of: literal, in: piece, body)
    case .digits(let oneByOne): Self.forEachNumber(in: piece, oneByOne: oneByOne, body)
    }
    return true
  }

  private static func forEachOccurrence(
    of literal: [UInt8], in piece: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void
  ) {
    guard let lead = literal.first else { return }
    var place = 0
    while place + literal.count <= piece.count {
      if piece[place] == lead, piece[place..<place + literal.count].elementsEqual(literal) {
        body(place..<place + literal.count)
        place += literal.count
      } else {
        place += 1
      }
    }
  }

  private static func forEachNumber(
    in piece: UnsafeBufferPointer<UInt8>, oneByOne: Bool, _ body: (Range<Int>) -> Void
  ) {
    var place = 0
    var start: Int?
    while place < piece.count {
      let (scalar, width) = UTF8Text.scalar(in: piece, at: place)
      if isNumeric(scalar) {
        if oneByOne { body(place..<place + width) } else { start = start ?? place }
      } else if let begun = start {
        body(begun..<place)
        start = nil
      }
      place += width
    }
    if let start { body(start..<piece.count) }
  }

  private static func isNumeric(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return "0"..."9" ~= scalar }
    switch scalar.properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: return true
    default: return false
    }
  }
}

extension PreTokenizer.Behavior {
  /// The pieces these parts make.
  fileprivate func join(_ parts: [SplitPart]) -> [Range<Int>] {
    switch self {
    case .isolated: parts.map(\.range)
    case .removed: parts.filter { !$0.isMatch }.map(\.range)
    case .contiguous:
      Self.fuse(parts) { before, part in before == part.isMatch }
    case .mergedWithPrevious:
      Self.fuse(parts) { before, part in part.isMatch && before == false }
    case .mergedWithNext:
      Self.fuse(parts.reversed()) { before, part in part.isMatch && before == false }.reversed()
    }
  }

  /// Joins each part to the one before it where `joins` (was that a match, this part) says so.
  private static func fuse(
    _ parts: [SplitPart], joins: (Bool?, SplitPart) -> Bool
  ) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var before: Bool?
    for part in parts {
      if let last = pieces.last, joins(before, part) {
        pieces[pieces.count - 1] =
          min(
            last.lowerBound, part.range.lowerBound)..<max(
            last.upperBound, part.range.upperBound)
      } else {
        pieces.append(part.range)
      }
      before = part.isMatch
    }
    return pieces
  }
}
