// A model as transformers keeps it: config.json says the shape, model.safetensors (or shards that
// an index names) holds the weights, tokenizer.json the vocabulary.

import Documents
import Experience
import Safetensors

/// What is wrong with a model folder.
public struct ModelFolderError: Error, Sendable, CustomStringConvertible {
  /// The file, where one is at fault.
  public let path: String
  public let problem: String
  /// The kernel's errno, where it was the kernel that refused; else 0.
  public let number: Int32
  public init(path: String, problem: String, number: Int32 = 0) {
    self.path = path
    self.problem = problem
    self.number = number
  }
  public var description: String { "\(path): \(problem)" }
}

/// A Hugging Face folder: config.json, model.safetensors (or shards), tokenizer.json.
public struct ModelFolder: Sendable {

  public let path: String
  /// The stop tokens are generation_config.json's where it has some, else config.json's.
  public let configuration: ModelConfiguration

  /// Reads and checks config.json and, if there is one, generation_config.json.
  public init(path: String) throws {
    self.path = path
    let config = FolderFile(path, "config.json")
    var configuration = try ModelConfiguration(
      configJSON: config.read(maximumByteCount: JSON.maximumByteCount), source: config.path)
    let generation = FolderFile(path, "generation_config.json")
    if generation.exists {
      let bytes = try generation.read(maximumByteCount: JSON.maximumByteCount)
      let fields = try Fields(
        try JSON.parse(bytes, source: generation.path), source: generation.path)
      let stopTokens = try ModelConfiguration.stopTokens(fields)
      if let beyond = stopTokens.filter({ $0 >= configuration.vocabularySize }).min() {
        throw fields.error(
          "eos_token_id", "\(beyond) is beyond the \(configuration.vocabularySize) tokens")
      }
      if !stopTokens.isEmpty { configuration.stopTokens = stopTokens }
    }
    self.configuration = configuration
  }

  /// The tokenizer of tokenizer.json, with the small files beside it; throws when its ids exceed
  /// the model's vocabulary.
  public func tokenizer() throws -> Tokenizer {
    let tokenizer = try Tokenizer(folder: path)
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw ModelFolderError(
        path: FolderFile(path, "tokenizer.json").path,
        problem: "\(tokenizer.vocabularySize) ids, but config.json's vocab_size is "
          + "\(configuration.vocabularySize)")
    }
    return tokenizer
  }
}

// Writing.
extension ModelFolder {
  /// Writes config.json, generation_config.json, model.safetensors, tokenizer.json and
  /// tokenizer_config.json into a folder that exists and has none of them, fsyncing each file and
  /// the folder. Of a tokenizer that came from a folder, that folder's small files are written as
  /// they were; stop tokens alone are the configuration's.
  ///
  /// `weights` are F32, in the configuration's order, as `Transformer.weights` gives them.
  public static func write(
    to path: String, configuration: ModelConfiguration, weights: [NamedTensor],
    tokenizer: Tokenizer
  ) throws {
    let expected = configuration.parameterShapes
    precondition(
      weights.count == expected.count, "\(weights.count) tensors, the model has \(expected.count)")
    for (tensor, (name, shape)) in zip(weights, expected) {
      precondition(
        tensor.name == name && tensor.shape == shape && tensor.type == .f32,
        "\(tensor.name) \(tensor.shape) \(tensor.type.rawValue) where \(name) \(shape) F32 stands")
    }
    func write(_ name: String, _ text: String) throws {
      try FolderFile(path, name).write(Array(text.utf8))
    }
    try write("config.json", configuration.configJSON)
    try FolderFile(path, "tokenizer.json").write(tokenizer.json)
    try writeCompanions(of: tokenizer, configuration, to: path)
    try SafetensorsBlob(metadata: ["format": "pt"], tensors: weights)
      .write(path: FolderFile(path, "model.safetensors").path)
    try FolderFile.syncFolder(path)
  }

  private static func writeCompanions(
    of tokenizer: Tokenizer, _ configuration: ModelConfiguration, to path: String
  ) throws {
    var files = tokenizer.companions.files
    files[FolderCompanions.generationConfig] =
      try tokenizer.companions.generationConfig(stoppingAt: configuration)
      ?? Array(generationConfig(configuration, beginToken: tokenizer.beginToken).utf8)
    if files[FolderCompanions.tokenizerConfig] == nil {
      files[FolderCompanions.tokenizerConfig] =
        Array(tokenizerConfig(configuration, tokenizer).utf8)
    }
    for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
      try FolderFile(path, name).write(bytes)
    }
  }

  private static func generationConfig(
    _ configuration: ModelConfiguration, beginToken: Int32?
  ) -> String {
    var members: [(String, Document)] = []
    if let beginToken { members.append(("bos_token_id", .integer(Int(beginToken)))) }
    if !configuration.stopTokens.isEmpty {
      members.append(("eos_token_id", configuration.stopTokenDocument))
    }
    return JSON.write(.object(members), pretty: true) + "\n"
  }

  /// The class that takes tokenizer.json as it stands. For the Qwen2 family transformers 5 puts its
  /// own in its place, with Qwen2's pattern: a character vocabulary is opened there by
  /// `PreTrainedTokenizerFast.from_pretrained`, not by `AutoTokenizer`.
  private static func tokenizerConfig(
    _ configuration: ModelConfiguration, _ tokenizer: Tokenizer
  ) -> String {
    var members: [(String, Document)] = [
      ("tokenizer_class", "PreTrainedTokenizerFast"),
      ("clean_up_tokenization_spaces", false),
      ("model_max_length", .integer(configuration.maximumPositions)),
    ]
    let stop = configuration.stopTokens.union(tokenizer.stopTokens).min()
    let named: [(String, Int32?)] = [
      ("bos_token", tokenizer.beginToken), ("eos_token", stop),
      ("pad_token", tokenizer.token(spelled: "<pad>")),
      ("unk_token", tokenizer.token(spelled: "<unk>")),
    ]
    for (role, token) in named {
      guard let token, let spelling = tokenizer.spelling(of: token) else { continue }
      members.append((role, .string(spelling)))
    }
    return JSON.write(.object(members), pretty: true) + "\n"
  }
}
