// A whole safetensors blob in memory: what travels in a message or lies in a row. Checkpoints,
// which need not fit twice, go through `SafetensorsReader` and `SafetensorsWriter`.

/// A whole safetensors blob: an 8-byte header length, a JSON header, the data.
public struct SafetensorsBlob: Equatable, Sendable {
  public var metadata: [String: String]
  public var tensors: [NamedTensor]

  public init(metadata: [String: String] = [:], tensors: [NamedTensor]) {
    self.metadata = metadata
    self.tensors = tensors
  }

  /// Tensors come in the order of their bytes. Throws on whatever is not a well-formed blob, to the
  /// last byte; allocates no more than the blob has.
  public init(parsing bytes: [UInt8], source: String) throws(SafetensorsError) {
    let length = try SafetensorsHeader.length(
      prefix: bytes.prefix(8), wholeByteCount: bytes.count, source: source)
    let dataStart = 8 + length
    let header = try SafetensorsHeader(
      parsing: Array(bytes[8..<dataStart]), dataByteCount: bytes.count - dataStart, source: source)
    metadata = header.metadata
    tensors = header.tensors.map { place in
      let range = (dataStart + place.range.lowerBound)..<(dataStart + place.range.upperBound)
      return NamedTensor(
        name: place.name, type: place.type, shape: place.shape, bytes: Array(bytes[range]))
    }
  }

  /// Deterministic: metadata keys sorted, tensors in order, data aligned to 8 bytes.
  ///
  /// Traps on a repeated name and on a tensor whose bytes do not fit its shape.
  public func serialized() -> [UInt8] {
    let header = SafetensorsHeader(metadata: metadata, layingOut: tensors.map(\.layout))
    var bytes = header.serialized()
    bytes.reserveCapacity(bytes.count + header.dataByteCount)
    for (tensor, place) in zip(tensors, header.tensors) {
      precondition(
        tensor.bytes.count == place.byteCount,
        "\(tensor.name) has \(tensor.bytes.count) bytes, its shape \(place.byteCount)")
      bytes += tensor.bytes
    }
    return bytes
  }

  public subscript(name: String) -> NamedTensor? { tensors.first { $0.name == name } }
}

extension NamedTensor {
  public var layout: TensorLayout { TensorLayout(name: name, type: type, shape: shape) }
}
