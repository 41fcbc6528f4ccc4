// A policy version's weights as one safetensors blob: what the learner publishes, an actor loads.
// The version is in the metadata, so that the bytes say what they are wherever they are found.
//
// Every encoding carries the weights exactly: BF16 is for a policy whose working precision it is.

import Experience
import Safetensors

/// What the tensors of a snapshot are.
public enum SnapshotEncoding: String, Sendable, CaseIterable {
  case f32
  /// Half the bytes.
  case bf16
}

public enum SnapshotCodec {
  /// A lineage is a short name.
  public static let maximumLineageBytes = 256

  /// The most bytes a snapshot of these shapes can have: 4 an element, and a header with room for
  /// long names, 512 bytes a tensor.
  public static func maximumBytes(shapes: [[Int]]) -> Int {
    shapes.reduce(64 << 10) { $0 + 4 * $1.reduce(1, *) + 512 }
  }

  /// `tensors` are F32, and for BF16 rounded to it: a weight that is not is a caller's mistake.
  public static func encode(
    _ tensors: [NamedTensor], version: PolicyVersion, encoding: SnapshotEncoding = .f32
  ) -> [UInt8] {
    let carried =
      switch encoding {
      case .f32: tensors
      case .bf16:
        tensors.map { tensor in
          guard let narrowed = tensor.narrowedToBF16() else {
            preconditionFailure("\(tensor.name) of \(version) has elements that are no BF16")
          }
          return narrowed
        }
      }
    return SafetensorsBlob(
      metadata: [
        "format": "pt", "lineage": version.lineage, "version": String(version.number),
        "digest": version.digest.hexadecimal,
      ], tensors: carried
    ).serialized()
  }

  /// The tensors and the version they say they are; whether they are is for the digest to tell.
  public static func decode(
    _ bytes: [UInt8]
  ) throws(Refusal) -> (version: PolicyVersion, tensors: [NamedTensor]) {
    let blob: SafetensorsBlob
    do {
      blob = try SafetensorsBlob(parsing: bytes, source: "a weight snapshot")
    } catch { throw Refusal(.malformed, error.description) }
    guard let lineage = blob.metadata["lineage"], lineage.utf8.count <= maximumLineageBytes,
      let number = blob.metadata["version"].flatMap({ Int($0) }), number >= 0,
      let digest = blob.metadata["digest"].flatMap({ Digest(hexadecimal: $0) })
    else {
      throw Refusal(
        .malformed,
        "the metadata of a weight snapshot names lineage, version and digest; this has "
          + "\(blob.metadata.keys.sorted().prefix(16))")
    }
    return (PolicyVersion(lineage: lineage, number: number, digest: digest), blob.tensors)
  }
}
