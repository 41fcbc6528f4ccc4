// The moments as bytes: what a checkpoint keeps in optimizer.safetensors, two tensors for each of
// the model's (exp_avg.NAME and exp_avg_sq.NAME, as PyTorch calls them), and their digest. Together
// they are twice the weights, so files are read and written without a copy of them all.

import Digests
import Experience
import Safetensors
import Tensors

/// Of the file; one without a format is of before it had a name.
private let format = "forage-adamw-1"
private let firstPrefix = "exp_avg."
private let secondPrefix = "exp_avg_sq."

extension Optimizer {
  private var layout: ParameterLayout { transformer.layout }
  private var backend: B { transformer.backend }
  private var moments: [(prefix: String, buffer: B.Buffer)] {
    [(firstPrefix, first), (secondPrefix, second)]
  }
  private var metadata: [String: String] { ["format": format, "updates": String(updates)] }

  /// A copy of the moments.
  public func state() -> SafetensorsBlob {
    SafetensorsBlob(
      metadata: metadata,
      tensors: moments.flatMap { layout.tensors($0.buffer, on: backend, prefix: $0.prefix) })
  }

  /// Takes a copy of the moments.
  public func load(_ blob: SafetensorsBlob, source: String) throws(ModelFolderError) {
    let updates = try Self.updates(blob.metadata, source: source)
    let firsts = blob.tensors.filter { $0.name.hasPrefix(firstPrefix) }
    let others = blob.tensors.filter { !$0.name.hasPrefix(firstPrefix) }
    try layout.fill(first, on: backend, from: firsts, prefix: firstPrefix, source: source)
    try layout.fill(second, on: backend, from: others, prefix: secondPrefix, source: source)
    self.updates = updates
  }

  /// Writes the moments to a new file, fsynced, one tensor at a time.
  public func write(path: String) throws(SafetensorsError) {
    let layouts = moments.flatMap { moment in
      layout.entries.map {
        TensorLayout(name: moment.prefix + $0.name, type: .f32, shape: $0.shape)
      }
    }
    let writer = try SafetensorsWriter(path: path, metadata: metadata, tensors: layouts)
    for (prefix, buffer) in moments {
      for entry in layout.entries {
        try writer.write(layout.tensor(entry, of: buffer, on: backend, prefix: prefix))
      }
    }
    try writer.finish()
  }

  /// Reads the moments of a file straight into place.
  public func load(path: String) throws {
    let reader = try SafetensorsReader(path: path)
    let updates = try Self.updates(reader.metadata, source: path)
    for (prefix, buffer) in moments {
      try layout.fill(buffer, on: backend, from: reader, prefix: prefix)
    }
    let count = 2 * layout.entries.count
    guard reader.tensors.count == count else {
      throw ModelFolderError(
        path: path, problem: "\(reader.tensors.count) tensors, and this model has \(count) moments")
    }
    self.updates = updates
  }

  /// Whether a file can be one of moments, by its first bytes: throws what is wrong.
  public static func check(path: String) throws {
    _ = try updates(SafetensorsReader(path: path).metadata, source: path)
  }

  private static func updates(
    _ metadata: [String: String], source: String
  ) throws(ModelFolderError) -> Int {
    if let found = metadata["format"], found != format {
      throw ModelFolderError(
        path: source, problem: "its format is \(found); this program reads \(format)")
    }
    guard let updates = metadata["updates"].flatMap(Int.init), updates >= 0 else {
      throw ModelFolderError(
        path: source, problem: "the metadata has no count of updates: not an optimizer state")
    }
    return updates
  }

  /// Over weights, moments and count: equal digests, equal continuations.
  public func stateDigest(weights: Digest) -> Digest {
    let digester = Digester()
    digester.update(weights.bytes)
    digester.update(String(updates))
    for (prefix, buffer) in moments {
      for entry in layout.entries {
        digester.update(prefix + entry.name)
        layout.forEachPiece(entry, of: buffer, on: backend) { digester.update($0) }
      }
    }
    return digester.finish()
  }
}
