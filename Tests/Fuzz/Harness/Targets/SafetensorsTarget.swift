// Named tensors as bytes, by both readers: the blob in memory and the file. What one takes the
// other must take, tensor by tensor: two readers that disagree are a way to smuggle.

import Safetensors

extension FuzzTarget {
  static let safetensors = FuzzTarget("safetensors", .safetensors) {
    [
      SafetensorsBlob(metadata: ["cl\u{e9}": "valeur", "b": ""], tensors: Samples.tensors)
        .serialized(),
      SafetensorsBlob(tensors: []).serialized(),
    ]
  } attempt: { bytes in
    let blob = try? SafetensorsBlob(parsing: bytes, source: "fuzz")
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/it.safetensors"
    try TemporaryFolder.write(bytes, path)
    let reader = try? SafetensorsReader(path: path)
    guard let blob, let reader else {
      if (blob == nil) != (reader == nil) {
        throw FuzzFinding("blob and file disagree: blob \(blob != nil), file \(reader != nil)")
      }
      return false
    }
    guard reader.metadata == blob.metadata, reader.tensors.map(\.name) == blob.tensors.map(\.name)
    else { throw FuzzFinding("blob and file read different heads") }
    for (place, tensor) in zip(reader.tensors, blob.tensors) {
      var read = [UInt8](repeating: 0, count: place.byteCount)
      try read.withUnsafeMutableBytes { try reader.read(place, into: $0) }
      guard read == tensor.bytes else { throw FuzzFinding("\(place.name) is read two ways") }
    }
    try expectStable("a blob", [blob.serialized()]) {
      [try SafetensorsBlob(parsing: $0[0], source: "fuzz").serialized()]
    }
    return true
  }.with { $0.cost = 2 }
}
