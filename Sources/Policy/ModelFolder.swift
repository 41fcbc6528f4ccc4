// A model as transformers keeps it: config.json says the shape, model.safetensors (or shards that
// an index names) holds the weights, tokenizer.json the vocabulary. Weights are checked against the
// shape before the first byte of them is read.

import Documents
import Experience
import Safetensors

/// What is wrong with a model folder.
public struct ModelFolderError: Error, Sendable, CustomStringConvertible {
  /// The file, where one is at fault.
  public let path: String
  public let problem: String
  public init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }
  public var description: String { "\(path): \(problem)" }
}

/// A Hugging Face folder: config.json, model.safetensors (or shards), tokenizer.json.
public struct ModelFolder: Sendable {
  /// An index names every tensor of the largest models.
  private static let maximumIndexBytes = 16 << 20
  private static let maximumTokenizerBytes = 64 << 20
  private static let maximumShards = 4096

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

  /// All weights by the names transformers uses, as F32, in the configuration's order.
  ///
  /// Throws, naming file and tensor, when one is missing, unknown or of another shape or type. A
  /// tied model's own copy of the head and rotary tables of old files are passed over.
  public func weights() throws -> [NamedTensor] {
    let shards = try openShards()
    var places: [String: (shard: SafetensorsReader, place: TensorPlace)] = [:]
    for shard in shards {
      for place in shard.tensors {
        if let other = places.updateValue((shard, place), forKey: place.name) {
          throw ModelFolderError(
            path: shard.path, problem: "\(place.name) stands in \(other.shard.path) too")
        }
      }
    }
    var sources: [SafetensorsReader] = []
    for (name, shape) in configuration.parameterShapes {
      guard let (shard, place) = places.removeValue(forKey: name) else {
        throw ModelFolderError(
          path: path, problem: "the weights have no \(name) \(shape), which config.json asks for")
      }
      try check(place, shape: shape, in: shard.path)
      sources.append(shard)
    }
    try refuseUnknown(places.values.map { ($0.shard.path, $0.place) })

    var weights: [NamedTensor] = []
    weights.reserveCapacity(sources.count)
    for ((name, shape), shard) in zip(configuration.parameterShapes, sources) {
      let tensor = try shard.tensor(name)
      // F32 keeps its bytes; half precision is exact in F32.
      weights.append(
        tensor.type == .f32
          ? tensor : NamedTensor(name: name, shape: shape, floats: try tensor.floats()))
    }
    return weights
  }

  /// The tokenizer of tokenizer.json; throws when its ids exceed the model's vocabulary.
  public func tokenizer() throws -> Tokenizer {
    let file = FolderFile(path, "tokenizer.json")
    let tokenizer = try Tokenizer(
      json: file.read(maximumByteCount: Self.maximumTokenizerBytes), source: file.path)
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw ModelFolderError(
        path: file.path,
        problem: "\(tokenizer.vocabularySize) ids, but config.json's vocab_size is "
          + "\(configuration.vocabularySize)")
    }
    return tokenizer
  }
}

// Finding and checking weights.
extension ModelFolder {
  private func openShards() throws -> [SafetensorsReader] {
    let single = FolderFile(path, "model.safetensors")
    let index = FolderFile(path, "model.safetensors.index.json")
    if single.exists { return [try SafetensorsReader(path: single.path)] }
    guard index.exists else {
      throw ModelFolderError(
        path: path,
        problem: "there is neither model.safetensors nor model.safetensors.index.json; "
          + "other formats are not read")
    }
    let bytes = try index.read(maximumByteCount: Self.maximumIndexBytes)
    let document = try JSON.parse(
      bytes, source: index.path, maximumByteCount: Self.maximumIndexBytes)
    guard case .object(let entries)? = document["weight_map"]?.value else {
      throw ModelFolderError(path: index.path, problem: "weight_map is missing or no mapping")
    }
    let shards = try openShards(named: shardNames(entries, index), index)
    for entry in entries {
      guard case .string(let name) = entry.value.value, shards[name]?[entry.key] != nil else {
        throw ModelFolderError(
          path: index.path, problem: "\(entry.key) is not in the file weight_map names for it")
      }
    }
    return shards.sorted { $0.key < $1.key }.map(\.value)
  }

  private func shardNames(
    _ entries: [Document.Member], _ index: FolderFile
  ) throws(ModelFolderError) -> Set<String> {
    var names: Set<String> = []
    for entry in entries {
      // A name is a file of this folder: a path would lead out of it.
      guard case .string(let name) = entry.value.value, name.hasSuffix(".safetensors"),
        !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0)
      else {
        throw ModelFolderError(
          path: index.path, problem: "weight_map gives \(entry.key) no .safetensors file name")
      }
      names.insert(name)
      guard names.count <= Self.maximumShards else {
        throw ModelFolderError(
          path: index.path, problem: "more than \(Self.maximumShards) shards")
      }
    }
    return names
  }

  private func openShards(
    named names: Set<String>, _ index: FolderFile
  ) throws(SafetensorsError) -> [String: SafetensorsReader] {
    var shards: [String: SafetensorsReader] = [:]
    for name in names {
      shards[name] = try SafetensorsReader(path: FolderFile(path, name).path)
    }
    return shards
  }

  private func check(
    _ place: TensorPlace, shape: [Int], in file: String
  ) throws(ModelFolderError) {
    guard place.shape == shape else {
      throw ModelFolderError(
        path: file, problem: "\(place.name) is \(place.shape), config.json makes it \(shape)")
    }
    guard [.f32, .bf16, .f16].contains(place.type) else {
      throw ModelFolderError(
        path: file,
        problem: "\(place.name) is \(place.type.rawValue), expected F32, BF16 or F16")
    }
  }

  private func refuseUnknown(
    _ rest: [(file: String, place: TensorPlace)]
  ) throws(ModelFolderError) {
    let unknown = rest.filter { !isKnownExtra($0.place.name) }.sorted {
      $0.place.name < $1.place.name
    }
    guard let first = unknown.first else { return }
    let others = unknown.count > 1 ? " and \(unknown.count - 1) more" : ""
    throw ModelFolderError(
      path: first.file,
      problem: "\(first.place.name)\(others): not a tensor of the model config.json describes")
  }

  private func isKnownExtra(_ name: String) -> Bool {
    name == "lm_head.weight" && configuration.isTied
      || name.hasSuffix(".self_attn.rotary_emb.inv_freq")
  }
}

// Writing.
extension ModelFolder {
  /// Writes config.json, generation_config.json, model.safetensors, tokenizer.json and
  /// tokenizer_config.json into a folder that exists and has none of them, fsyncing each file and
  /// the folder.
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
    try write(
      "generation_config.json", generationConfig(configuration, beginToken: tokenizer.beginToken))
    try FolderFile(path, "tokenizer.json").write(tokenizer.json)
    try write("tokenizer_config.json", tokenizerConfig(configuration, tokenizer))
    try SafetensorsBlob(metadata: ["format": "pt"], tensors: weights)
      .write(path: FolderFile(path, "model.safetensors").path)
    try FolderFile.syncFolder(path)
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
