import Documents
import Glibc
import Policy
import Testing

/// The vocabulary of the arithmetic task's kind.
private let letters = Tokenizer.characters(
  Array("0123456789+-*=? \nabcé"), words: ["<think>", "</think>", "<answer>", "</answer>"])

@Suite struct `A vocabulary of characters` {
  @Test func `comes back as the text that went in, one token a character and a word`() {
    let text = "12+34=?\n<think>2+4=6 é</think><answer>46</answer>"
    let ids = letters.encode(text)
    #expect(ids.count == 8 + 1 + 7 + 1 + 1 + 2 + 1)
    #expect(letters.decode(ids) == text)
  }

  @Test func `begins with pad, bos, eos, unk, then words, then letters`() {
    #expect(letters.beginToken == 1)
    #expect(letters.stopTokens == [2])
    #expect(letters.encode("<pad><bos><eos><unk><think>0") == [0, 1, 2, 3, 4, 8])
    #expect(letters.vocabularySize == 4 + 4 + 21)
  }

  @Test func `has one unknown token for each character it lacks`() {
    #expect(letters.encode("1z\u{1F600}2") == [9, 3, 3, 10])
    // A letter and its combining accent are two characters of a vocabulary, whatever Swift calls
    // equal.
    #expect(letters.encode("e\u{301}") == [3, 3])
    #expect(letters.encode("\u{e9}") == [28])
  }

  @Test func `leaves special tokens out of a text, but not words`() {
    let ids: [Int32] = [1, 4, 8, 2, 999, -1]
    #expect(letters.decode(ids) == "<think>0")
    #expect(letters.decode(ids, includingSpecial: true) == "<bos><think>0<eos>")
  }

  @Test func `is shown with visible spaces and newlines`() {
    #expect(letters.encode("\n 1<think>").map(letters.display) == ["⏎", "␣", "1", "<think>"])
    #expect(letters.display(2) == "<eos>")
    #expect(letters.display(999) == "#999")
  }

  @Test func `is the tokenizer its own file makes`() throws {
    let again = try Tokenizer(json: letters.json, source: "again")
    let text = "9*9=<answer>81</answer><eos>x"
    #expect(again.encode(text) == letters.encode(text))
    #expect(again.json == letters.json)
    #expect(again.stopTokens == letters.stopTokens && again.beginToken == letters.beginToken)
  }
}

/// One text and what `tokenizers` made of it.
private struct Expectation {
  let text: String?
  let ids: [Int32]
  let decoded: String
  let decodedSpecial: String?

  init(_ fields: Fields) throws {
    text = fields.has("text") ? try fields.string("text", maximumLength: 1 << 16) : nil
    ids = try fields.integers("ids", maximumCount: 1 << 16, in: 0...1 << 20).map(Int32.init)
    decoded = try fields.string("decoded", maximumLength: 1 << 16)
    decodedSpecial =
      fields.has("decodedSpecial")
      ? try fields.string("decodedSpecial", maximumLength: 1 << 16) : nil
  }

  static func all(_ name: String) throws -> [Expectation] {
    let path = Fixtures.path("tokenizers/expected.json")
    let document = try JSON.parse(Fixtures.bytes(path), source: path)
    return try Fields(document, source: path).sections(name, maximumCount: 1000)
      .map(Expectation.init)
  }
}

@Suite struct `The library tokenizers` {
  static let names = [
    "gpt2", "qwen2", "starcoder", "llama3", "llama2", "mistral", "metaspace", "characters",
  ]

  static func tokenizer(_ name: String) throws -> Tokenizer {
    let path = Fixtures.path("tokenizers/\(name).json")
    return try Tokenizer(json: Fixtures.bytes(path), source: path)
  }

  @Test(arguments: names) func `gives the same ids`(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    for expected in try Expectation.all(name) {
      guard let text = expected.text else { continue }
      #expect(tokenizer.encode(text) == expected.ids, "\(text.debugDescription)")
    }
  }

  @Test(arguments: names) func `gives the same texts`(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    for expected in try Expectation.all(name) {
      // By scalars: Swift's == would not tell a composed letter from its parts.
      let decoded = tokenizer.decode(expected.ids)
      #expect(decoded.unicodeScalars.elementsEqual(expected.decoded.unicodeScalars))
      guard let special = expected.decodedSpecial else { continue }
      let whole = tokenizer.decode(expected.ids, includingSpecial: true)
      #expect(whole.unicodeScalars.elementsEqual(special.unicodeScalars))
    }
  }

  @Test func `reads the vocabulary of characters as it is made here`() {
    #expect(letters.json == Fixtures.bytes(Fixtures.path("tokenizers/characters.json")))
  }

  @Test func `puts the template's token before a prompt`() throws {
    let llama = try Self.tokenizer("llama3")
    #expect(llama.beginToken == llama.token(spelled: "<|begin_of_text|>"))
    #expect(llama.stopTokens == [try #require(llama.token(spelled: "<|eot_id|>"))])
    #expect(try Self.tokenizer("qwen2").beginToken == nil)
  }
}

@Suite struct `A tokenizer` {
  @Test func `puts marks in Unicode's order, those that come apart too`() throws {
    let tokenizer = try `The library tokenizers`.tokenizer("qwen2")
    // U+0F81 is U+0F71 U+0F80, of classes 129 and 130; U+0F84 is of class 9.
    let text = tokenizer.decode(tokenizer.encode("\u{f40}\u{f80}\u{f81}\u{f82}\u{f84}"))
    #expect(text.unicodeScalars.map(\.value) == [0xf40, 0xf84, 0xf71, 0xf80, 0xf80, 0xf82])
  }

  @Test func `shows broken UTF-8 byte by byte`() throws {
    let tokenizer = try `The library tokenizers`.tokenizer("gpt2")
    let ids = tokenizer.encode("\u{1F600}\u{1b}")
    #expect(ids.map(tokenizer.display).joined() == "\\xf0\\x9f\\x98\\x80\\x1b")
  }

  // 200,000 symbols: a scan of all pairs for every merge would take minutes.
  @Test(.timeLimit(.minutes(1))) func `merges a long piece without spaces`() throws {
    let tokenizer = try `The library tokenizers`.tokenizer("gpt2")
    let text = String(repeating: "the", count: 70_000)
    let ids = tokenizer.encode(text)
    #expect(ids.count < 100_000)
    #expect(tokenizer.decode(ids) == text)
  }

  @Test func `keeps every byte where a pattern exceeds its limits`() throws {
    let tokenizer = try Tokenizer(json: file(pattern: "(?:a+)+$"), source: "hostile")
    let text = String(repeating: "a", count: 5000) + "b"
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
  }

  @Test func `is the same whether a word was met before, or is met again when all are known`()
    throws
  {
    let tokenizer = try `The library tokenizers`.tokenizer("qwen2")
    // More words than are kept, each twice, against a tokenizer that has met none.
    var chance = Chance(seed: 23)
    let letters = Array("abcdefghijklmnopqrstuvwxyz'é数")
    let words = (0..<80_000).map { _ in
      String(
        (0..<Int.random(in: 1...9, using: &chance)).map { _ in
          letters.randomElement(using: &chance)!
        })
    }
    let together = tokenizer.encode(words.joined(separator: " "))
    #expect(tokenizer.encode(words.joined(separator: " ")) == together)
    let fresh = try `The library tokenizers`.tokenizer("qwen2")
    #expect(words.suffix(2000).map(tokenizer.encode) == words.suffix(2000).map(fresh.encode))
    #expect(tokenizer.decode(together) == words.joined(separator: " "))
  }

  private func file(pattern: String) throws -> [UInt8] {
    let path = Fixtures.path("tokenizers/gpt2.json")
    let document = try JSON.parse(Fixtures.bytes(path), source: path)
    guard case .object(let members) = document.value else { return [] }
    let split: Document = .object([
      ("type", "Split"), ("pattern", .object([("Regex", .string(pattern))])),
      ("behavior", "Isolated"), ("invert", false),
    ])
    let bytes: Document = .object([
      ("type", "ByteLevel"), ("add_prefix_space", false), ("use_regex", false),
    ])
    let steps: Document = .object([("type", "Sequence"), ("pretokenizers", [split, bytes])])
    return JSON.writeBytes(
      .object(members.map { ($0.key, $0.key == "pre_tokenizer" ? steps : $0.value) }))
  }
}

@Suite struct `A tokenizer's file` {
  /// A small file with one thing changed.
  private func read(_ old: String, _ new: String) throws {
    let text = """
      {"added_tokens": [{"id": 4, "content": "<eos>", "special": true}], "normalizer": null,
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
       "decoder": {"type": "ByteLevel"}, "post_processor": null,
       "model": {"type": "BPE", "unk_token": null, "vocab": {"a": 0, "b": 1, "ab": 2, "ba": 3},
                 "merges": ["a b", ["b", "a"]]}}
      """
    let parts = text.split(separator: old, omittingEmptySubsequences: false)
    precondition(parts.count == 2, "\(old) stands \(parts.count - 1) times in the file")
    _ = try Tokenizer(json: Array(parts.joined(separator: new).utf8), source: "small")
  }

  @Test(arguments: [
    (#""ab": 2"#, #""ab": 1"#, "has id 1, which another token has too"),
    (#""ab": 2"#, #""ab": -1"#, "has no id"),
    (#""ab": 2"#, #""ab": 2097152"#, "has no id"),
    (#""ab": 2"#, #""ab": 2.5"#, "has no id"),
    (#""ab": 2"#, #""a": 2"#, "duplicate"),
    (#""ab": 2"#, #""": 2"#, "spelled in 0 bytes"),
    (#""ab": 2, "#, "", "unknown token"),
    (#"["b", "a"]"#, #""a b""#, "repeats"),
    (#"["b", "a"]"#, #""b  a""#, "not a pair"),
    (#"["b", "a"]"#, #"["b"]"#, "not a pair"),
    (#""id": 4"#, #""id": 2"#, "which ab has too"),
    (#""content": "<eos>""#, #""content": "ab""#, "in the vocabulary it has 2"),
    (#""content": "<eos>""#, #""content": """#, "matches anywhere"),
    (#""type": "BPE""#, #""type": "Unigram""#, "Unigram is not supported"),
    (
      #""special": true}], "normalizer": null"#,
      #""normalized": true}], "normalizer": {"type": "Replace", "pattern": {"String": "<eos>"}, "#
        + #""content": ""}"#, "leaves nothing of \"<eos>\""
    ),
    (#""unk_token": null"#, #""unk_token": "?""#, "not in the vocabulary"),
    (#""unk_token": null"#, #""byte_fallback": true"#, "byte_fallback"),
    (#""unk_token": null"#, #""dropout": 0.1"#, "dropout"),
    (#""unk_token": null"#, #""end_of_word_suffix": "</w>""#, "end_of_word_suffix"),
    (#""normalizer": null"#, #""normalizer": {"type": "Lowercase"}"#, "Lowercase"),
    (
      #""normalizer": null"#,
      #""normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}"#, "Regex"
    ),
    (
      #""normalizer": null"#,
      #""normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "b"}"#, "String"
    ),
    (
      #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
      #"{"type": "Metaspace", "replacement": "__"}"#, "not one character"
    ),
    (
      #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
      #"{"type": "Metaspace", "prepend_scheme": "last"}"#, "prepend_scheme"
    ),
    (
      #""post_processor": null"#, #""post_processor": {"type": "BertProcessing"}"#, "BertProcessing"
    ),
    (#""decoder": {"type": "ByteLevel"}"#, #""decoder": {"type": "WordPiece"}"#, "WordPiece"),
    (#"{"type": "ByteLevel", "add"#, #"{"type": "WhitespaceSplit", "add"#, "WhitespaceSplit"),
    (
      #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
      #"{"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "("}}"#, "pattern ("
    ),
    (
      #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
      String(repeating: #"{"type": "Sequence", "pretokenizers": ["#, count: 9)
        + String(repeating: "]}", count: 9), "nested deeper"
    ),
  ]) func `is refused by name`(_ old: String, _ new: String, _ reason: String) {
    #expect {
      try read(old, new)
    } throws: { error in
      "\(error)".contains(reason) && "\(error)".contains("small")
    }
  }

  @Test func `is read when nothing is wrong`() throws {
    try read(#""ab": 2"#, #""ab": 2"#)
  }

  @Test(arguments: ["llama3", "qwen2", "llama2", "characters"])
  func `is read or refused, whatever is done to it`(_ name: String) throws {
    let path = Fixtures.path("tokenizers/\(name).json")
    let bytes = Fixtures.bytes(path)
    let document = try JSON.parse(bytes, source: path)
    var chance = Chance(seed: 3)
    var readCount = 0
    for round in 0..<600 {
      let changed =
        round % 3 == 0
        ? Mutation.change(bytes, &chance)
        : JSON.writeBytes(Mutation.change(document, &chance))
      guard let tokenizer = try? Tokenizer(json: changed, source: "changed") else { continue }
      readCount += 1
      let ids = tokenizer.encode("The 12 =\u{e9}\n<|im_start|> <think>ab-*")
      #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
      _ = tokenizer.decode(ids)
      _ = ids.map(tokenizer.display)
    }
    // Both sides must be met for this to say anything.
    #expect(readCount > 30 && readCount < 570, "\(readCount) of 600 were read")
  }
}
