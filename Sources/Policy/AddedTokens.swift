// Added tokens are found in the text before anything else looks at it: at each place the longest
// one that begins there, from left to right. They stand in a trie, so that a text of many `<` meets
// hundreds of tokens in one walk.

/// Tokens to be cut out of a text, verbatim.
struct AddedTokens: Sendable {
  struct Token: Sendable {
    let id: Int32
    let content: [UInt8]
    /// Takes the white space before it, or after it, along.
    let stripsLeft: Bool
    let stripsRight: Bool
  }

  enum Part {
    case token(Int32)
    case text([UInt8])
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

  /// The text's tokens and the stretches between them, in order; no stretch is empty.
  func forEachPart(of text: [UInt8], _ body: (Part) -> Void) {
    var done = 0
    var place = 0
    while place < text.count {
      guard beginsHere[Int(text[place])], let token = longest(text, at: place) else {
        place += 1
        continue
      }
      var start = place
      var end = place + token.content.count
      if token.stripsLeft { start = WhiteSpace.start(in: text, before: start, notBefore: done) }
      if token.stripsRight { end = WhiteSpace.end(in: text, after: end) }
      if done < start { body(.text(Array(text[done..<start]))) }
      body(.token(token.id))
      done = end
      place = end
    }
    if done < text.count { body(.text(done == 0 ? text : Array(text[done...]))) }
  }

  private func longest(_ text: [UInt8], at place: Int) -> Token? {
    var node: Int32 = 0
    var found: Token?
    for index in place..<text.count {
      guard let next = edges[Edge(node: node, byte: text[index])] else { break }
      node = next
      if let end = ends[node] { found = tokens[end] }
    }
    return found
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

  static func end(in text: [UInt8], after place: Int) -> Int {
    var end = place
    while let (scalar, width) = UTF8Text.scalar(text[end...]), scalar.properties.isWhitespace {
      end += width
    }
    return end
  }
}
