// The steps around a model: normalizer, pre-tokenizer, decoder and post-processor, sequences laid
// flat. A step of a kind that is not here is refused by name.

import Documents
import Patterns

extension TokenizerFile {
  /// The steps at a key, sequences laid flat; an absent or null key has none.
  private static func steps(
    _ fields: Fields, _ key: String, within inner: String, depth: Int = 0
  ) throws(DocumentError) -> [Fields] {
    guard fields.has(key) else { return [] }
    let step = try fields.section(key)
    return try flattened(step, within: inner, depth: depth)
  }

  private static func flattened(
    _ step: Fields, within inner: String, depth: Int
  ) throws(DocumentError) -> [Fields] {
    guard try step.string("type") == "Sequence" else { return [step] }
    guard depth < TokenizerLimit.sequenceDepth else {
      throw step.error("type", "sequences are nested deeper than \(TokenizerLimit.sequenceDepth)")
    }
    var steps: [Fields] = []
    for entry in try step.sections(inner, maximumCount: TokenizerLimit.steps) {
      steps += try flattened(entry, within: inner, depth: depth + 1)
      guard steps.count <= TokenizerLimit.steps else {
        throw step.error(inner, "more than \(TokenizerLimit.steps) steps")
      }
    }
    return steps
  }

  static func normalizer(_ fields: Fields) throws(DocumentError) -> Normalizer {
    var result: [Normalizer.Step] = []
    for step in try steps(fields, "normalizer", within: "normalizers") {
      switch try step.string("type") {
      case "Prepend": result.append(.prepend(try bytes(step, "prepend")))
      case "Replace":
        result.append(.replace(try literal(step), with: try bytes(step, "content")))
      case let type:
        guard let form = Normalizer.Form(rawValue: type) else {
          let known = Normalizer.Form.allCases.map(\.rawValue).joined(separator: ", ")
          throw step.error(
            "type", "\(type) is not supported; expected \(known), Prepend, Replace or Sequence")
        }
        result.append(.form(form))
      }
    }
    return Normalizer(steps: result)
  }

  private static func bytes(_ step: Fields, _ key: String) throws(DocumentError) -> [UInt8] {
    Array(try step.string(key, maximumLength: TokenizerLimit.spellingBytes).utf8)
  }

  /// What a `Replace` looks for.
  private static func literal(_ step: Fields) throws(DocumentError) -> [UInt8] {
    let section = try step.section("pattern")
    guard section.has("String") else {
      throw section.error("Regex", "Replace by a pattern is not supported; expected String")
    }
    let text = try bytes(section, "String")
    guard !text.isEmpty else { throw section.error("String", "an empty text stands everywhere") }
    return text
  }

  static func preTokenizer(
    _ fields: Fields
  ) throws(DocumentError) -> (steps: [PreTokenizer.Step], isByteLevel: Bool) {
    var result: [PreTokenizer.Step] = []
    var isByteLevel = false
    for step in try steps(fields, "pre_tokenizer", within: "pretokenizers") {
      let type = try step.string("type")
      guard !isByteLevel else {
        throw step.error("type", "\(type) after ByteLevel is not supported; ByteLevel stands last")
      }
      switch type {
      case "Split":
        result.append(
          .split(
            try separator(step), try step.choice("behavior"),
            isInverted: try step.bool("invert", default: false)))
      case "Digits":
        let oneByOne = try step.bool("individual_digits", default: false)
        result.append(
          .split(.digits(oneByOne: oneByOne), oneByOne ? .isolated : .contiguous, isInverted: false)
        )
      case "ByteLevel":
        isByteLevel = true
        if try step.bool("add_prefix_space", default: true) { result.append(.spaceBefore) }
        if try step.bool("use_regex", default: true) {
          result.append(
            .split(.pattern(try pattern(words, step, "type")), .isolated, isInverted: false))
        }
      case "Metaspace":
        let mark = try mark(step)
        result.append(.metaspace(mark: mark, try prepending(step)))
        if try step.bool("split", default: true) {
          result.append(.split(.literal(mark), .mergedWithNext, isInverted: false))
        }
      default:
        throw step.error(
          "type",
          "\(type) is not supported; expected Split, Digits, ByteLevel, Metaspace or Sequence")
      }
    }
    return (result, isByteLevel)
  }

  private static func mark(_ step: Fields) throws(DocumentError) -> [UInt8] {
    let mark = try step.string("replacement", default: "\u{2581}", maximumLength: 4)
    guard mark.unicodeScalars.count == 1 else {
      throw step.error("replacement", "\(mark) is not one character")
    }
    return Array(mark.utf8)
  }

  /// Before tokenizers 0.16 `add_prefix_space` alone said it.
  private static func prepending(
    _ step: Fields
  ) throws(DocumentError) -> PreTokenizer.Prepending {
    let old: PreTokenizer.Prepending =
      try step.bool("add_prefix_space", default: true) ? .always : .never
    return try step.choice("prepend_scheme", default: old)
  }

  /// GPT-2's pattern, which `ByteLevel` implies.
  private static let words =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// Patterns of published models whose time is known to be linear: GPT-2; Qwen 2 and 3; Llama 3.
  private static let linearPatterns: Set<String> = {
    func split(numbers: String) -> String {
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
        + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
    return [words, split(numbers: #"\p{N}"#), split(numbers: #"\p{N}{1,3}"#)]
  }()

  private static func separator(_ step: Fields) throws(DocumentError) -> PreTokenizer.Separator {
    let section = try step.section("pattern")
    if section.has("String") {
      let text = try section.string("String", maximumLength: TokenizerLimit.patternBytes)
      return .literal(Array(text.utf8))
    }
    let text = try section.string("Regex", maximumLength: TokenizerLimit.patternBytes)
    return .pattern(try pattern(text, section, "Regex"))
  }

  private static func pattern(
    _ text: String, _ fields: Fields, _ key: String
  ) throws(DocumentError) -> Pattern {
    do {
      let longest =
        linearPatterns.contains(text)
        ? TokenizerLimit.knownSubjectBytes : Pattern.maximumSubjectBytes
      return try Pattern(text, maximumSubjectBytes: longest)
    } catch {
      throw fields.error(key, "\(error)")
    }
  }

  static func decoder(_ fields: Fields) throws(DocumentError) -> TokenDecoder {
    guard fields.has("decoder") else { return TokenDecoder(steps: nil) }
    var result: [TokenDecoder.Step] = []
    for step in try steps(fields, "decoder", within: "decoders") {
      switch try step.string("type") {
      case "ByteLevel": result.append(.byteLevel)
      case "Fuse": result.append(.fuse)
      case "ByteFallback": result.append(.byteFallback)
      case "Replace":
        result.append(.replace(try literal(step), with: try bytes(step, "content")))
      case "Strip":
        let counts = 0...TokenizerLimit.spellingBytes
        let content = try bytes(step, "content")
        guard !content.isEmpty else { throw step.error("content", "is empty") }
        result.append(
          .strip(
            content, start: try step.integer("start", in: counts),
            stop: try step.integer("stop", in: counts)))
      case "Metaspace":
        result.append(
          .metaspace(mark: try mark(step), dropsFirst: try prepending(step) != .never))
      case let type:
        throw step.error(
          "type",
          "\(type) is not supported; expected ByteLevel, ByteFallback, Fuse, Metaspace, Replace, "
            + "Strip or Sequence")
      }
    }
    return TokenDecoder(steps: result)
  }

  /// The special token a template puts before a single text.
  static func beginToken(
    _ fields: Fields, vocabulary: Vocabulary
  ) throws(DocumentError) -> Int32? {
    for step in try steps(fields, "post_processor", within: "processors") {
      switch try step.string("type") {
      case "ByteLevel": continue
      case "TemplateProcessing":
        guard let first = try step.sections("single", maximumCount: TokenizerLimit.steps).first,
          first.has("SpecialToken")
        else { continue }
        let token = try first.section("SpecialToken")
        let name = try token.string("id", maximumLength: TokenizerLimit.spellingBytes)
        guard let id = vocabulary.id(of: Array(name.utf8)) else {
          throw token.error("id", "\(name) is not in the vocabulary")
        }
        return id
      case let type:
        throw step.error(
          "type", "\(type) is not supported; expected TemplateProcessing or ByteLevel")
      }
    }
    return nil
  }
}
