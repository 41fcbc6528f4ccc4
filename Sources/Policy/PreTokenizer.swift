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

  enum Step: Sendable {
    case split(Separator, Behavior, isInverted: Bool)
    /// A space is put before a piece that begins with none.
    case spaceBefore
  }

  /// The text, spaces put in where the file says so, and its pieces in order, none empty.
  struct Pieces {
    var bytes: [UInt8]
    var ranges: [Range<Int>]
  }

  let steps: [Step]

  func pieces(of text: [UInt8]) -> Pieces {
    var pieces = Pieces(bytes: text, ranges: text.isEmpty ? [] : [0..<text.count])
    for step in steps {
      switch step {
      case .spaceBefore: pieces = Self.puttingSpaces(pieces)
      case .split(let separator, let behavior, let isInverted):
        var ranges: [Range<Int>] = []
        for piece in pieces.ranges {
          let own = pieces.ranges.count == 1 && piece.count == pieces.bytes.count
          let bytes = own ? pieces.bytes : Array(pieces.bytes[piece])
          var parts = separator.parts(of: bytes)
          if isInverted { for index in parts.indices { parts[index].isMatch.toggle() } }
          for range in behavior.join(parts) where !range.isEmpty {
            let start = piece.lowerBound
            ranges.append(start + range.lowerBound..<start + range.upperBound)
          }
        }
        pieces.ranges = ranges
      }
    }
    return pieces
  }

  private static func puttingSpaces(_ pieces: Pieces) -> Pieces {
    var result = Pieces(bytes: [], ranges: [])
    for range in pieces.ranges {
      let start = result.bytes.count
      let space = UInt8(ascii: " ")
      if pieces.bytes[range.lowerBound] != space { result.bytes.append(space) }
      result.bytes += pieces.bytes[range]
      result.ranges.append(start..<result.bytes.count)
    }
    return result
  }
}

/// A stretch of a piece: a match, or what lies between matches.
struct SplitPart {
  var range: Range<Int>
  var isMatch: Bool
}

extension PreTokenizer.Separator {
  /// Matches and what lies between them, covering the bytes in order.
  fileprivate func parts(of bytes: [UInt8]) -> [SplitPart] {
    var parts: [SplitPart] = []
    var done = 0
    for match in matches(in: bytes) {
      if done < match.lowerBound {
        parts.append(SplitPart(range: done..<match.lowerBound, isMatch: false))
      }
      parts.append(SplitPart(range: match, isMatch: true))
      done = match.upperBound
    }
    if done < bytes.count { parts.append(SplitPart(range: done..<bytes.count, isMatch: false)) }
    return parts
  }

  private func matches(in bytes: [UInt8]) -> [Range<Int>] {
    switch self {
    // A pattern that exceeds its limits splits nothing: the text keeps all its bytes that way.
    case .pattern(let pattern): (try? pattern.matches(in: bytes)) ?? []
    case .literal(let literal): Self.occurrences(of: literal, in: bytes)
    case .digits(let oneByOne): Self.digits(in: bytes, oneByOne: oneByOne)
    }
  }

  private static func occurrences(of literal: [UInt8], in bytes: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var place = 0
    while !literal.isEmpty, place + literal.count <= bytes.count {
      if bytes[place..<place + literal.count] == literal[...] {
        found.append(place..<place + literal.count)
        place += literal.count
      } else {
        place += 1
      }
    }
    return found
  }

  private static func digits(in bytes: [UInt8], oneByOne: Bool) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var place = 0
    while let (scalar, width) = UTF8Text.scalar(bytes[place...]) {
      if isNumeric(scalar) {
        if !oneByOne, found.last?.upperBound == place {
          found[found.count - 1] = found[found.count - 1].lowerBound..<place + width
        } else {
          found.append(place..<place + width)
        }
      }
      place += width
    }
    return found
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
