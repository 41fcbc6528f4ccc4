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
    var forms: [Normalizer.Form] = []
    for step in try steps(fields, "normalizer", within: "normalizers") {
      forms.append(try step.choice("type"))
    }
    return Normalizer(forms: forms)
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
      default:
        throw step.error(
          "type", "\(type) is not supported; expected Split, Digits, ByteLevel or Sequence")
      }
    }
    return (result, isByteLevel)
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

  static func decoder(_ fields: Fields) throws(DocumentError) -> Decoder {
    guard fields.has("decoder") else { return .spaces }
    let step = try fields.section("decoder")
    switch try step.string("type") {
    case "ByteLevel": return .byteLevel
    case "Fuse": return .fuse
    case let type:
      throw step.error("type", "\(type) is not supported; expected ByteLevel or Fuse")
    }
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
