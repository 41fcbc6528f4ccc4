// Added tokens are found in the text before anything else looks at it: at each place the longest
// one that begins there, from left to right. They stand in a trie, so that a text of many `<` meets
// hundreds of tokens in one walk.
//
// What a person wrote into a chat may spell a special token. It must not become one: whoever could
// write `<|im_end|>` could speak as another. So stretches of a text may be guarded, and a special
// token that touches a guarded stretch is not found there: its spelling stays text.

/// Tokens to be cut out of a text, verbatim.
struct AddedTokens: Sendable {
  struct Token: Sendable {
    let id: Int32
    let content: [UInt8]
    let isSpecial: Bool
    /// Takes the white space before it, or after it, along.
    let stripsLeft: Bool
    let stripsRight: Bool
  }

  enum Part {
    case token(Int32)
    /// A stretch of the text.
    case text(Range<Int>)
  }

  private struct Edge: Hashable {
    let node: Int32
    let byte: UInt8
  }

  private let tokens: [Token]
  private var edges: [Edge: Int32] = [:]
  /// By node: the token that ends there.
  private var ends: [Int32: Int] = [:]
  private var beginsHere = [Bool](repeating: false, count: 256)

  init(_ tokens: [Token]) {
    self.tokens = tokens
    var nodes: Int32 = 1
    for (index, token) in tokens.enumerated() {
      beginsHere[Int(token.content[0])] = true
      var node: Int32 = 0
      for byte in token.content {
        let edge = Edge(node: node, byte: byte)
        if let known = edges[edge] {
          node = known
        } else {
          edges[edge] = nodes
          node = nodes
          nodes += 1
        }
      }
      ends[node] = index
    }
  }

  var hasSpecial: Bool { tokens.contains(where: \.isSpecial) }

  /// The tokens and the stretches between them of a part of the text, in order; no stretch is
  /// empty. `guarded` are stretches of the text in order.
  func forEachPart(
    of text: [UInt8], in range: Range<Int>, guarded: [Range<Int>], _ body: (Part) -> Void
  ) {
    var done = range.lowerBound
    var place = range.lowerBound
    while !tokens.isEmpty, place < range.upperBound {
      guard beginsHere[Int(text[place])],
        let token = longest(text, at: place, before: range.upperBound, guarded: guarded)
      else {
        place += 1
        continue
      }
      var start = place
      var end = place + token.content.count
      if token.stripsLeft { start = WhiteSpace.start(in: text, before: start, notBefore: done) }
      if token.stripsRight {
        end = WhiteSpace.end(in: text, after: end, notAfter: range.upperBound)
      }
      if done < start { body(.text(done..<start)) }
      body(.token(token.id))
      done = end
      place = end
    }
    if done < range.upperBound { body(.text(done..<range.upperBound)) }
  }

  private func longest(
    _ text: [UInt8], at place: Int, before end: Int, guarded: [Range<Int>]
  ) -> Token? {
    var node: Int32 = 0
    var found: Token?
    for index in place..<end {
      guard let next = edges[Edge(node: node, byte: text[index])] else { break }
      node = next
      guard let last = ends[node] else { continue }
      let token = tokens[last]
      if token.isSpecial, Self.touches(guarded, place..<index + 1) { continue }
      found = token
    }
    return found
  }

  private static func touches(_ guarded: [Range<Int>], _ range: Range<Int>) -> Bool {
    // The first stretch that ends after the range begins, by halving.
    var (low, high) = (0, guarded.count)
    while low < high {
      let middle = (low + high) / 2
      if guarded[middle].upperBound > range.lowerBound { high = middle } else { low = middle + 1 }
    }
    return low < guarded.count && guarded[low].lowerBound < range.upperBound
  }
}

/// Runs of Unicode white space around a place.
private enum WhiteSpace {
  static func start(in text: [UInt8], before place: Int, notBefore least: Int) -> Int {
    var start = place
    while start > least {
      var lead = start - 1
      while lead > least, text[lead] & 0xc0 == 0x80 { lead -= 1 }
      guard let (scalar, width) = UTF8Text.scalar(text[lead..<start]), width == start - lead,
        scalar.properties.isWhitespace
      else { break }
      start = lead
    }
    return start
  }

  static func end(in text: [UInt8], after place: Int, notAfter most: Int) -> Int {
    var end = place
    while let (scalar, width) = UTF8Text.scalar(text[end..<most]), scalar.properties.isWhitespace {
      end += width
    }
    return end
  }
}
