// Text in pieces against text as a whole, over vocabularies of every kind and tokens at random.

import Policy
import Testing

@Suite struct TextStreamTests {
  static let names = ["gpt2", "llama2", "llama3", "metaspace", "mistral", "qwen2", "starcoder"]

  static func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(
      json: Fixtures.bytes(Fixtures.path("tokenizers/\(name).json")), source: name)
  }

  @Test(arguments: names)
  func `all pieces together are the whole text, whatever the tokens`(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    var chance = Chance(seed: 5)
    for _ in 0..<200 {
      let count = Int.random(in: 1...60, using: &chance)
      let tokens = (0..<count).map { _ in
        Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &chance)
      }
      var stream = TextStream(tokenizer)
      let pieces = tokens.map { stream.take($0) } + [stream.finish()]
      #expect(pieces.joined() == tokenizer.decode(tokens), "\(tokens)")
    }
  }

  @Test(arguments: names)
  func `a character in many tokens comes whole, and a text comes as it grows`(_ name: String) throws
  {
    let tokenizer = try Self.tokenizer(name)
    let text = "Grüße, 世界! 🦊🦊 and so on"
    let tokens = tokenizer.encode(text)
    let whole = tokenizer.decode(tokens)
    var stream = TextStream(tokenizer)
    var told = ""
    var pieces = 0
    for token in tokens {
      let piece = stream.take(token)
      told += piece
      pieces += piece.isEmpty ? 0 : 1
      #expect(whole.unicodeScalars.starts(with: told.unicodeScalars))
      #expect(whole.contains("\u{fffd}") || !piece.unicodeScalars.contains("\u{fffd}"))
    }
    #expect(told + stream.finish() == whole)
    #expect(pieces > tokens.count / 4)
  }
}
