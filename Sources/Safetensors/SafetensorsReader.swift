// A safetensors file read tensor by tensor, straight into the caller's memory: a checkpoint need
// not be held twice. By pread rather than a mapping: a file that shrinks is then an error, not a
// signal.

import Glibc

/// An open safetensors file whose header has been checked against its size.
///
/// Reads carry their own offsets, so several threads may read at once. Closed by `deinit`.
public final class SafetensorsReader: Sendable {
  public let path: String
  public let metadata: [String: String]
  /// In the order of their bytes.
  public let tensors: [TensorPlace]
  private let indexOfName: [String: Int]
  private let descriptor: Int32
  private let dataStart: Int

  /// Throws when the file cannot be opened or is not a well-formed safetensors file.
  public init(path: String) throws(SafetensorsError) {
    let descriptor = try SystemCall.open(path, O_RDONLY | O_CLOEXEC, doing: "open")
    do {
      let size = try SystemCall.size(descriptor, path: path)
      let prefix = try Self.bytes(descriptor, path: path, at: 0, count: min(8, size))
      let length = try SafetensorsHeader.length(
        prefix: prefix, wholeByteCount: size, source: path)
      let header = try SafetensorsHeader(
        parsing: Self.bytes(descriptor, path: path, at: 8, count: length),
        dataByteCount: size - 8 - length, source: path)
      metadata = header.metadata
      tensors = header.tensors
      dataStart = 8 + length
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
    indexOfName = Dictionary(
      uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  deinit { close(descriptor) }

  public subscript(name: String) -> TensorPlace? { indexOfName[name].map { tensors[$0] } }

  /// Reads a tensor's bytes; `destination` has exactly as many as the tensor.
  public func read(
    _ tensor: TensorPlace, into destination: UnsafeMutableRawBufferPointer
  ) throws(SafetensorsError) {
    precondition(
      destination.count == tensor.byteCount,
      "\(tensor.name): room for \(destination.count) bytes, the tensor has \(tensor.byteCount)")
    try SystemCall.read(
      descriptor, path: path, at: dataStart + tensor.range.lowerBound, into: destination)
  }

  /// Reads a part of a tensor's bytes, from its byte `start` on, as many as `destination` has.
  public func read(
    _ tensor: TensorPlace, from start: Int, into destination: UnsafeMutableRawBufferPointer
  ) throws(SafetensorsError) {
    precondition(
      start >= 0 && start + destination.count <= tensor.byteCount,
      "\(tensor.name): \(destination.count) bytes from \(start), it has \(tensor.byteCount)")
    try SystemCall.read(
      descriptor, path: path, at: dataStart + tensor.range.lowerBound + start, into: destination)
  }

  /// One tensor as its own bytes; throws when there is none of that name.
  public func tensor(_ name: String) throws(SafetensorsError) -> NamedTensor {
    guard let place = self[name] else {
      throw SafetensorsError(source: path, problem: "there is no tensor named \(name)")
    }
    let bytes = try Self.bytes(
      descriptor, path: path, at: dataStart + place.range.lowerBound, count: place.byteCount)
    return NamedTensor(name: name, type: place.type, shape: place.shape, bytes: bytes)
  }

  private static func bytes(
    _ descriptor: Int32, path: String, at offset: Int, count: Int
  ) throws(SafetensorsError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    try span.withUnsafeMutableBytes { destination throws(SafetensorsError) in
      try SystemCall.read(descriptor, path: path, at: offset, into: destination)
    }
    return bytes
  }
}

extension SafetensorsBlob {
  /// A whole file; see `SafetensorsReader` for one that should not be held at once.
  public init(path: String) throws(SafetensorsError) {
    let reader = try SafetensorsReader(path: path)
    var tensors: [NamedTensor] = []
    tensors.reserveCapacity(reader.tensors.count)
    for place in reader.tensors { tensors.append(try reader.tensor(place.name)) }
    self.init(metadata: reader.metadata, tensors: tensors)
  }
}
