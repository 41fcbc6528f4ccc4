// The optimizer's state as bytes: what a checkpoint keeps in optimizer.safetensors, two moments for
// each of the model's tensors (exp_avg.NAME and exp_avg_sq.NAME, as PyTorch calls them) and, where
// the policy works in BF16, its master (master.NAME), and their digest. Together they are two or
// three times the weights, so files are read and written without a copy of them all.

import Digests
import Experience
import Safetensors
import Tensors

/// Of the file; one without a format is of before it had a name.
private let format = "forage-adamw-1"
/// With masters.
private let formatWithMasters = "forage-adamw-2"
private let firstPrefix = "exp_avg."
private let secondPrefix = "exp_avg_sq."
private let masterPrefix = "master."

extension Optimizer {
  private var layout: ParameterLayout { transformer.layout }
  private var backend: B { transformer.backend }
  private var parts: [(prefix: String, buffer: B.Buffer)] {
    [(firstPrefix, first), (secondPrefix, second)] + (masters.map { [(masterPrefix, $0)] } ?? [])
  }
  private var metadata: [String: String] {
    ["format": masters == nil ? format : formatWithMasters, "updates": String(updates)]
  }

  /// A copy of it.
  public func state() -> SafetensorsBlob {
    SafetensorsBlob(
      metadata: metadata,
      tensors: parts.flatMap { layout.tensors($0.buffer, on: backend, prefix: $0.prefix) })
  }

  /// Takes a copy.
  public func load(_ blob: SafetensorsBlob, source: String) throws(ModelFolderError) {
    let header = try Self.header(blob.metadata, source: source)
    prepare(header)
    var rest = blob.tensors
    for (prefix, buffer) in parts {
      let own = rest.filter { $0.name.hasPrefix(prefix) }
      try layout.fill(buffer, on: backend, from: own, prefix: prefix, source: source)
      rest.removeAll { $0.name.hasPrefix(prefix) }
    }
    if let unknown = rest.first {
      throw ModelFolderError(
        path: source, problem: "tensor \(unknown.name) is not part of an optimizer's state")
    }
    updates = header.updates
  }

  /// Writes it to a new file, fsynced, one tensor at a time.
  public func write(path: String) throws(SafetensorsError) {
    let layouts = parts.flatMap { part in
      layout.entries.map {
        TensorLayout(name: part.prefix + $0.name, type: .f32, shape: $0.shape)
      }
    }
    let writer = try SafetensorsWriter(path: path, metadata: metadata, tensors: layouts)
    for (prefix, buffer) in parts {
      for entry in layout.entries {
        try writer.write(layout.tensor(entry, of: buffer, on: backend, prefix: prefix))
      }
    }
    try writer.finish()
  }

  /// Reads a file straight into place.
  public func load(path: String) throws {
    let reader = try SafetensorsReader(path: path)
    let header = try Self.header(reader.metadata, source: path)
    prepare(header)
    for (prefix, buffer) in parts {
      try layout.fill(buffer, on: backend, from: reader, prefix: prefix)
    }
    let count = parts.count * layout.entries.count
    guard reader.tensors.count == count else {
      throw ModelFolderError(
        path: path,
        problem: "\(reader.tensors.count) tensors, and an optimizer of this model has \(count)")
    }
    updates = header.updates
  }

  /// Whether a file can be one of an optimizer's state, by its first bytes: throws what is wrong.
  public static func check(path: String) throws {
    _ = try header(SafetensorsReader(path: path).metadata, source: path)
  }

  /// Masters where the file has them, none where it has not.
  private func prepare(_ header: (updates: Int, hasMasters: Bool)) {
    guard header.hasMasters != (masters != nil) else { return }
    masters = header.hasMasters ? backend.makeBuffer(count: layout.count) : nil
  }

  private static func header(
    _ metadata: [String: String], source: String
  ) throws(ModelFolderError) -> (updates: Int, hasMasters: Bool) {
    let found = metadata["format"]
    if let found, found != format, found != formatWithMasters {
      throw ModelFolderError(
        path: source,
        problem: "its format is \(found); this program reads \(format) and \(formatWithMasters)")
    }
    guard let updates = metadata["updates"].flatMap(Int.init), updates >= 0 else {
      throw ModelFolderError(
        path: source, problem: "the metadata has no count of updates: not an optimizer state")
    }
    return (updates, found == formatWithMasters)
  }

  /// Over weights, moments, masters and count: equal digests, equal continuations.
  public func stateDigest(weights: Digest) -> Digest {
    let digester = Digester()
    digester.update(weights.bytes)
    digester.update(String(updates))
    for (prefix, buffer) in parts {
      for entry in layout.entries {
        digester.update(prefix + entry.name)
        layout.forEachPiece(entry, of: buffer, on: backend) { digester.update($0) }
      }
    }
    return digester.finish()
  }
}
