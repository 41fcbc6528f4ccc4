// The files of a model that somebody downloaded: config.json and tokenizer.json.

import Documents
import Policy

extension FuzzTarget {
  static let config = FuzzTarget("config", .text) {
    try ["llama", "llama3", "qwen2", "qwen3"].map {
      try Corpus.read("\(Corpus.root)/Tests/PolicyTests/Fixtures/\($0)/config.json")
    }
  } attempt: { bytes in
    let shape = try ModelConfiguration(configJSON: bytes, source: "fuzz")
    try expectStable("a config.json", [Array(shape.configJSON.utf8)]) {
      [Array(try ModelConfiguration(configJSON: $0[0], source: "fuzz").configJSON.utf8)]
    }
    return true
  }

  /// Texts every accepted tokenizer must get through; what it makes of them is its own affair.
  private static let texts = ["12+34=", "l'été  naïve\n\t\u{0}", "日本🐟", "", "<s>a</s>"]

  static let tokenizer = FuzzTarget("tokenizer", .text) {
    let byteLevel = """
      {"version":"1.0","added_tokens":[{"id":4,"content":"<é>","single_word":false,"lstrip":true,
      "rstrip":false,"normalized":false,"special":true}],"normalizer":{"type":"NFC"},
      "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":
      {"Regex":"\\\\p{N}{1,3}|\\\\s+(?!\\\\S)|\\\\s+"},"behavior":"Isolated","invert":false},
      {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},
      "post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE",
      "ignore_merges":true,"vocab":{"a":0,"b":1,"ab":2,"é":3,"<é>":4},"merges":["a b"]}}
      """
    let characters = try Corpus.read(
      "\(Corpus.root)/Tests/PolicyTests/Fixtures/tokenizers/characters.json")
    return [Array(byteLevel.utf8), characters]
  } attempt: { bytes in
    let tokenizer = try Tokenizer(json: bytes, source: "fuzz")
    for text in texts {
      let tokens = tokenizer.encode(text)
      guard tokens.allSatisfy({ 0..<Int32(tokenizer.vocabularySize) ~= $0 }) else {
        throw FuzzFinding("\(tokens) of a vocabulary of \(tokenizer.vocabularySize)")
      }
      _ = tokenizer.decode(tokens)
      _ = tokenizer.decode(tokens, includingSpecial: true)
      for token in tokens { _ = tokenizer.display(token) }
    }
    return true
  }.with {
    $0.cost = 4
    // Ids may have holes, up to a limit (`TokenizerFile`); PCRE2 compiles for its own machine.
    $0.bytesBeside = 8 << 20
  }
}
