// Weights from the files of a model folder, single or in shards. They are checked against the shape
// config.json gives before the first byte of them is read, and then read a piece at a time straight
// into the model: no second copy of them is ever held.

import Documents
import Safetensors
import Tensors

/// An index names every tensor of the largest models.
private let maximumIndexBytes = 16 << 20
private let maximumShards = 4096

extension ModelFolder {
  /// One weight of the model and where its bytes are.
  fileprivate struct Source {
    let shard: SafetensorsReader
    let place: TensorPlace
  }

  /// Reads all weights into a transformer of this folder's configuration.
  ///
  /// Throws, naming file and tensor, when one is missing, unknown or of another shape or type. A
  /// tied model's own copy of the head and rotary tables of old files are passed over. After an
  /// error the transformer's weights are undefined.
  public func load<B: Backend>(into transformer: Transformer<B>) throws {
    let entries = transformer.layout.entries
    let asked = configuration.parameterShapes
    precondition(
      entries.map(\.name) == asked.map(\.name) && entries.map(\.shape) == asked.map(\.shape),
      "a transformer of another shape than \(path) describes")
    for (entry, source) in zip(entries, try sources()) {
      try source.shard.forEachPiece(of: source.place) { floats, start in
        transformer.backend.upload(floats, to: transformer.weights, at: entry.offset + start)
      }
    }
    transformer.weightsChanged()
  }

  /// All weights by the names transformers uses, as F32, in the configuration's order; throws as
  /// `load(into:)` does.
  public func weights() throws -> [NamedTensor] {
    try sources().map { source in
      let tensor = try source.shard.tensor(source.place.name)
      // F32 keeps its bytes; half precision is exact in F32.
      return tensor.type == .f32
        ? tensor
        : NamedTensor(name: tensor.name, shape: tensor.shape, floats: try tensor.floats())
    }
  }

  /// Finds and checks every weight, and reads none: throws as `load(into:)` does.
  public func checkWeights() throws { _ = try sources() }

  /// In the configuration's order, every one checked.
  private func sources() throws -> [Source] {
    var places: [String: Source] = [:]
    for shard in try openShards() {
      for place in shard.tensors {
        let source = Source(shard: shard, place: place)
        if let other = places.updateValue(source, forKey: place.name) {
          throw ModelFolderError(
            path: shard.path, problem: "\(place.name) stands in \(other.shard.path) too")
        }
      }
    }
    var sources: [Source] = []
    for (name, shape) in configuration.parameterShapes {
      guard let source = places.removeValue(forKey: name) else {
        throw ModelFolderError(
          path: path, problem: "the weights have no \(name) \(shape), which config.json asks for")
      }
      try check(source.place, shape: shape, in: source.shard.path)
      sources.append(source)
    }
    try refuseUnknown(places.values.map { ($0.shard.path, $0.place) })
    return sources
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
    let bytes = try index.read(maximumByteCount: maximumIndexBytes)
    let document = try JSON.parse(
      bytes, source: index.path, maximumByteCount: maximumIndexBytes)
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
      guard names.count <= maximumShards else {
        throw ModelFolderError(
          path: index.path, problem: "more than \(maximumShards) shards")
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
