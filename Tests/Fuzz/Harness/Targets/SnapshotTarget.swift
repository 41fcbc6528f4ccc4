// Weight snapshots: what an actor loads.

import Wire

extension FuzzTarget {
  static let snapshots = FuzzTarget("snapshots", .safetensors) {
    [
      SnapshotCodec.encode(Samples.tensors, version: Samples.version),
      SnapshotCodec.encode([], version: Samples.version),
    ]
  } attempt: { bytes in
    let (version, tensors) = try SnapshotCodec.decode(bytes)
    try expectStable("a snapshot", [SnapshotCodec.encode(tensors, version: version)]) {
      let (version, tensors) = try SnapshotCodec.decode($0[0])
      return [SnapshotCodec.encode(tensors, version: version)]
    }
    return true
  }
}
