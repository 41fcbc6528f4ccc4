// A policy version's weights as one safetensors blob: what the learner publishes, an actor loads.
// The version is in the metadata, so that the bytes say what they are wherever they are found.

import Experience
import Safetensors

public enum SnapshotCodec {
  /// How the tensors are encoded: their full working precision.
  public static let encoding = "f32"
  /// A lineage is a short name.
  public static let maximumLineageBytes = 256

  /// The most bytes a snapshot of these shapes can have: 4 an element, and a header with room for
  /// long names, 512 bytes a tensor.
  public static func maximumBytes(shapes: [[Int]]) -> Int {
    shapes.reduce(64 << 10) { $0 + 4 * $1.reduce(1, *) + 512 }
  }

  public static func encode(_ tensors: [NamedTensor], version: PolicyVersion) -> [UInt8] {
    SafetensorsBlob(
      metadata: [
        "format": "pt", "lineage": version.lineage, "version": String(version.number),
        "digest": version.digest.hexadecimal,
      ], tensors: tensors
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
