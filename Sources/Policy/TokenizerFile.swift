// tokenizer.json, taken apart. The file comes from outside: lengths, ids and nesting are bounded, a
// repeated spelling, id or merge is refused, and so is every kind of step this tokenizer has not.

import Documents

/// The largest a tokenizer.json is believed to be; the greatest published are near half of these.
enum TokenizerLimit {
  static let fileBytes = 64 << 20
  static let tokens = 1 << 21
  /// Ids that no token has: tables are as long as the greatest id, so a short file with one
  /// great id would make long ones.
  static let holes = 1 << 16
  static let spellingBytes = 4096
  static let patternBytes = 8192
  /// The longest text split by a pattern known to take linear time; others keep `Pattern`'s bound.
  static let knownSubjectBytes = 64 << 20
  static let addedTokens = 1 << 16
  /// Steps of a normalizer, pre-tokenizer or post-processor, sequences within sequences included.
  static let steps = 32
  static let sequenceDepth = 4
}

/// What a tokenizer.json says.
struct TokenizerFile: Sendable {
  let vocabulary: Vocabulary
  let specialTokens: Set<Int32>
  let stopTokens: Set<Int32>
  let beginToken: Int32?
  /// Looked for in the text as it comes, and in the normalized text.
  let rawTokens: AddedTokens
  let normalizedTokens: AddedTokens
  let normalizer: Normalizer
  let preTokenizer: PreTokenizer
  let model: BytePairModel
  let decoder: TokenDecoder

  /// Names of special tokens that end a text, over the families there are.
  private static let stopNames: Set<String> = [
    "<eos>", "</s>", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>",
  ]

  init(json: [UInt8], source: String) throws(DocumentError) {
    let document = try JSON.parse(json, source: source, maximumByteCount: TokenizerLimit.fileBytes)
    let fields = try Fields(document, source: source)
    let modelFields = try fields.section("model")
    normalizer = try Self.normalizer(fields)
    let splitting = try Self.preTokenizer(fields)
    preTokenizer = PreTokenizer(steps: splitting.steps)
    decoder = try Self.decoder(fields)

    let added = try Self.addedTokens(fields)
    var ids = try Self.modelVocabulary(modelFields)
    try Self.enter(added, into: &ids, fields)
    let greatest = ids.values.max() ?? 0
    guard Int(greatest) < ids.count + TokenizerLimit.holes else {
      throw fields.error(
        "model.vocab",
        "\(ids.count) tokens have ids up to \(greatest), expected below "
          + "\(ids.count + TokenizerLimit.holes)")
    }
    vocabulary = Vocabulary(ids)
    model = try Self.model(
      modelFields, vocabulary: vocabulary, isByteLevel: splitting.isByteLevel)

    let special = added.filter(\.isSpecial)
    specialTokens = Set(special.map(\.id))
    stopTokens = Set(special.filter { Self.stopNames.contains($0.content) }.map(\.id))
    rawTokens = AddedTokens(added.filter { !$0.isNormalized }.map { $0.matched() })
    normalizedTokens = try Self.normalized(added, by: normalizer, fields)
    beginToken = try Self.beginToken(fields, vocabulary: vocabulary)
  }
}

// Added tokens.
extension TokenizerFile {
  fileprivate struct Added {
    let id: Int32
    let content: String
    let isSpecial: Bool
    let isNormalized: Bool
    let stripsLeft: Bool
    let stripsRight: Bool

    func matched(by normalizer: Normalizer = Normalizer(steps: [])) -> AddedTokens.Token {
      let bytes = Array(content.utf8)
      return AddedTokens.Token(
        id: id, content: normalizer.normalize(bytes[...]) ?? bytes, isSpecial: isSpecial,
        stripsLeft: stripsLeft, stripsRight: stripsRight)
    }
  }

  private static func addedTokens(_ fields: Fields) throws(DocumentError) -> [Added] {
    var tokens: [Added] = []
    for entry in try fields.sections("added_tokens", maximumCount: TokenizerLimit.addedTokens) {
      let content = try entry.string("content", maximumLength: TokenizerLimit.spellingBytes)
      guard !content.isEmpty else {
        throw entry.error("content", "an empty token matches anywhere")
      }
      if try entry.bool("single_word", default: false) {
        throw entry.error("single_word", "true is not supported")
      }
      let isSpecial = try entry.bool("special", default: false)
      tokens.append(
        Added(
          id: Int32(try entry.integer("id", in: 0...TokenizerLimit.tokens - 1)), content: content,
          isSpecial: isSpecial,
          isNormalized: try entry.bool("normalized", default: !isSpecial),
          stripsLeft: try entry.bool("lstrip", default: false),
          stripsRight: try entry.bool("rstrip", default: false)))
    }
    return tokens
  }

  private static func normalized(
    _ added: [Added], by normalizer: Normalizer, _ fields: Fields
  ) throws(DocumentError) -> AddedTokens {
    var tokens: [AddedTokens.Token] = []
    for token in added where token.isNormalized {
      let matched = token.matched(by: normalizer)
      guard !matched.content.isEmpty else {
        throw fields.error(
          "added_tokens",
          "the normalizer leaves nothing of \"\(token.content)\", and an empty token matches "
            + "anywhere")
      }
      tokens.append(matched)
    }
    return AddedTokens(tokens)
  }

  /// An added token stands in the model's vocabulary under the same id, or takes a free one.
  private static func enter(
    _ added: [Added], into ids: inout [Spelling: Int32], _ fields: Fields
  ) throws(DocumentError) {
    var owners = Dictionary(uniqueKeysWithValues: ids.map { ($1, $0) })
    var seen: Set<Spelling> = []
    for token in added {
      let spelling = Spelling(Array(token.content.utf8))
      guard seen.insert(spelling).inserted else {
        throw fields.error("added_tokens", "\(token.content) stands there twice")
      }
      if let known = ids[spelling], known != token.id {
        throw fields.error(
          "added_tokens",
          "\(token.content) has id \(token.id), in the vocabulary it has \(known)")
      }
      if let owner = owners[token.id], owner != spelling {
        throw fields.error(
          "added_tokens",
          "\(token.content) has id \(token.id), which "
            + "\(String(decoding: owner.bytes, as: UTF8.self)) has too")
      }
      owners[token.id] = spelling
      ids[spelling] = token.id
    }
  }
}

// The model: vocabulary and merges.
extension TokenizerFile {
  private static func modelVocabulary(_ model: Fields) throws(DocumentError) -> [Spelling: Int32] {
    // Files older than the key hold byte-pair models.
    let type = try model.string("type", default: "BPE")
    guard type == "BPE" else { throw model.error("type", "\(type) is not supported; expected BPE") }
    if try model.number("dropout", default: 0, in: 0...1) != 0 {
      throw model.error("dropout", "ids drawn at random are not supported; expected 0 or null")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      guard try model.string(key, default: "").isEmpty else {
        throw model.error(key, "not supported; expected null")
      }
    }
    guard case .object(let members)? = model.document("vocab")?.value else {
      throw model.error("vocab", "expected a mapping of spellings to ids")
    }
    guard members.count <= TokenizerLimit.tokens else {
      throw model.error(
        "vocab", "\(members.count) tokens, expected at most \(TokenizerLimit.tokens)")
    }
    return try modelVocabulary(members, model)
  }

  private static func modelVocabulary(
    _ members: [Document.Member], _ model: Fields
  ) throws(DocumentError) -> [Spelling: Int32] {
    var ids: [Spelling: Int32] = [:]
    ids.reserveCapacity(members.count)
    var taken = Set<Int32>(minimumCapacity: members.count)
    for member in members {
      guard case .integer(let id) = member.value.value, 0..<TokenizerLimit.tokens ~= id else {
        throw model.error(
          "vocab", "\(member.key) has no id from 0 to \(TokenizerLimit.tokens - 1)")
      }
      guard 1...TokenizerLimit.spellingBytes ~= member.key.utf8.count else {
        throw model.error(
          "vocab",
          "token \(id) is spelled in \(member.key.utf8.count) bytes, "
            + "expected 1 to \(TokenizerLimit.spellingBytes)")
      }
      guard taken.insert(Int32(id)).inserted else {
        throw model.error("vocab", "\(member.key) has id \(id), which another token has too")
      }
      ids[Spelling(Array(member.key.utf8))] = Int32(id)
    }
    guard !ids.isEmpty else { throw model.error("vocab", "there are no tokens") }
    return ids
  }

  private static func model(
    _ model: Fields, vocabulary: Vocabulary, isByteLevel: Bool
  ) throws(DocumentError) -> BytePairModel {
    var unknown: Int32?
    if model.has("unk_token") {
      let name = try model.string("unk_token", maximumLength: TokenizerLimit.spellingBytes)
      unknown = vocabulary.id(of: Array(name.utf8))
      guard unknown != nil else {
        throw model.error("unk_token", "\(name) is not in the vocabulary")
      }
    }
    let ignoresMerges = try model.bool("ignore_merges", default: false)
    var bytes: [Int32]?
    if try model.bool("byte_fallback", default: false) {
      guard !isByteLevel else {
        throw model.error("byte_fallback", "true beside ByteLevel is not supported")
      }
      bytes = try byteTokens(model, vocabulary)
    }
    return BytePairModel(
      symbols: symbols(vocabulary, isByteLevel: isByteLevel, bytes: bytes),
      merges: try merges(model, vocabulary: vocabulary),
      unknown: unknown,
      fusesUnknown: try model.bool("fuse_unk", default: false),
      wholePieces: ignoresMerges ? vocabulary : nil)
  }

  /// A byte without a token would be lost where the file promises that none is.
  private static func byteTokens(
    _ model: Fields, _ vocabulary: Vocabulary
  ) throws(DocumentError) -> [Int32] {
    var tokens: [Int32] = []
    for byte in UInt8.min...UInt8.max {
      let spelling = ByteFallback.spelling(of: byte)
      guard let id = vocabulary.id(of: spelling) else {
        throw model.error(
          "byte_fallback",
          "true, and the vocabulary has no \(String(decoding: spelling, as: UTF8.self))")
      }
      tokens.append(id)
    }
    return tokens
  }

  private static func symbols(
    _ vocabulary: Vocabulary, isByteLevel: Bool, bytes: [Int32]?
  ) -> BytePairModel.Symbols {
    if isByteLevel {
      return .bytes(
        ByteAlphabet.scalars.map { vocabulary.id(of: Array(String($0).utf8)) ?? -1 })
    }
    var table: [Unicode.Scalar: Int32] = [:]
    for id in 0..<Int32(vocabulary.size) where vocabulary.contains(id) {
      let spelling = vocabulary.spelling(of: id)
      guard let (scalar, width) = UTF8Text.scalar(spelling), width == spelling.count else {
        continue
      }
      table[scalar] = id
    }
    return .characters(table, bytes: bytes)
  }

  private static func merges(
    _ model: Fields, vocabulary: Vocabulary
  ) throws(DocumentError) -> MergeTable {
    guard case .array(let entries)? = model.document("merges")?.value else {
      throw model.error("merges", "expected a sequence of pairs")
    }
    guard entries.count <= TokenizerLimit.tokens else {
      throw model.error(
        "merges", "\(entries.count) merges, expected at most \(TokenizerLimit.tokens)")
    }
    var merges = MergeTable(count: entries.count)
    for (rank, entry) in entries.enumerated() {
      guard let (left, right) = pair(entry) else {
        throw model.error("merges", "merge \(rank) is not a pair of spellings")
      }
      guard let leftID = vocabulary.id(of: left), let rightID = vocabulary.id(of: right),
        let result = vocabulary.id(of: left + right)
      else {
        let shown =
          String(decoding: left, as: UTF8.self) + " " + String(decoding: right, as: UTF8.self)
        throw model.error("merges", "merge \(rank), \(shown), is of or makes an unknown token")
      }
      guard merges.insert(leftID, rightID, rank: Int32(rank), result: result) else {
        throw model.error("merges", "merge \(rank) repeats an earlier one")
      }
    }
    return merges
  }

  /// Both spellings of a merge: `"a b"`, and since tokenizers 0.20 `["a", "b"]`.
  private static func pair(_ entry: Document) -> ([UInt8], [UInt8])? {
    switch entry.value {
    case .string(let text):
      let parts = Array(text.utf8).split(
        separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
    case .array(let parts):
      guard parts.count == 2, case .string(let left) = parts[0].value,
        case .string(let right) = parts[1].value
      else { return nil }
      return (Array(left.utf8), Array(right.utf8))
    default: return nil
    }
  }
}
