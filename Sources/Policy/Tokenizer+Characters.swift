// The vocabulary of a task that is read letter by letter. It is an ordinary tokenizer.json, a
// byte-pair model without merges, so that `tokenizers` and transformers open what is trained here.

import Documents

extension Tokenizer {
  /// A vocabulary of single characters: `<pad>`, `<bos>`, `<eos>` and `<unk>` are ids 0 to 3, then
  /// come the words, each one token wherever it stands (`<think>`), then the alphabet.
  ///
  /// Any other character encodes as `<unk>`. `<bos>` stands before a prompt, `<eos>` ends a
  /// completion. Words and characters are all distinct, and a character is one Unicode scalar.
  public static func characters(_ alphabet: [Character], words: [String] = []) -> Tokenizer {
    let letters = alphabet.map { letter in
      precondition(
        letter.unicodeScalars.count == 1,
        "\(letter) has \(letter.unicodeScalars.count) scalars; a character of a vocabulary has 1")
      return String(letter)
    }
    let spellings = specials + words + letters
    // By bytes: equal to Swift is not equal to a vocabulary.
    let distinct = Set(spellings.map { Array($0.utf8) })
    precondition(
      distinct.count == spellings.count,
      "\(spellings.count) tokens with \(distinct.count) spellings; each may stand there once")
    let json = JSON.writeBytes(document(spellings, wordCount: words.count), pretty: true)
    do {
      return try Tokenizer(json: json, source: "characters")
    } catch {
      preconditionFailure("a vocabulary made here does not read: \(error)")
    }
  }

  private static let specials = ["<pad>", "<bos>", "<eos>", "<unk>"]

  private static func document(_ spellings: [String], wordCount: Int) -> Document {
    let added = spellings.prefix(specials.count + wordCount).enumerated().map { id, spelling in
      addedToken(id: id, spelling, isSpecial: id < specials.count)
    }
    let vocabulary = spellings.enumerated().map { ($1, Document.integer($0)) }
    return .object([
      ("version", "1.0"), ("truncation", nil), ("padding", nil),
      ("added_tokens", .array(added)),
      ("normalizer", nil), ("pre_tokenizer", nil),
      ("post_processor", template(beginID: 1)),
      ("decoder", .object([("type", "Fuse")])),
      (
        "model",
        .object([
          ("type", "BPE"), ("dropout", nil), ("unk_token", "<unk>"),
          ("continuing_subword_prefix", nil), ("end_of_word_suffix", nil), ("fuse_unk", false),
          ("byte_fallback", false), ("ignore_merges", false),
          ("vocab", .object(vocabulary)), ("merges", []),
        ])
      ),
    ])
  }

  private static func addedToken(id: Int, _ spelling: String, isSpecial: Bool) -> Document {
    .object([
      ("id", .integer(id)), ("content", .string(spelling)), ("single_word", false),
      ("lstrip", false), ("rstrip", false), ("normalized", false), ("special", .bool(isSpecial)),
    ])
  }

  /// `<bos>` before a text, and before the first of two.
  private static func template(beginID: Int) -> Document {
    func token() -> Document {
      .object([("SpecialToken", .object([("id", "<bos>"), ("type_id", 0)]))])
    }
    func text(_ name: String, type: Int) -> Document {
      .object([("Sequence", .object([("id", .string(name)), ("type_id", .integer(type))]))])
    }
    return .object([
      ("type", "TemplateProcessing"),
      ("single", [token(), text("A", type: 0)]),
      ("pair", [token(), text("A", type: 0), text("B", type: 1)]),
      (
        "special_tokens",
        .object([
          (
            "<bos>",
            .object([
              ("id", "<bos>"), ("ids", [.integer(beginID)]), ("tokens", ["<bos>"]),
            ])
          )
        ])
      ),
    ])
  }
}
