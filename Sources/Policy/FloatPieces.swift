// Numbers on their way between files, buffers and digests, a piece at a time: what is as large as
// the weights is held once, not once more for the way.

import Digests
import Safetensors
import Tensors

/// Elements that move together: enough that a read costs nothing beside its bytes.
private let elementsAtOnce = 1 << 20

extension SafetensorsReader {
  /// A tensor's elements as Float32, `body` called with each piece and the place it begins at.
  ///
  /// Throws for other elements than F32, BF16 and F16.
  func forEachPiece(
    of place: TensorPlace, _ body: (UnsafeBufferPointer<Float>, Int) -> Void
  ) throws(SafetensorsError) {
    guard [.f32, .bf16, .f16].contains(place.type) else {
      throw SafetensorsError(
        source: path,
        problem: "\(place.name) is \(place.type.rawValue), expected F32, BF16 or F16")
    }
    let width = place.type.byteCount
    let count = place.byteCount / width
    let longest = min(count, elementsAtOnce)
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: longest)
    defer { floats.deallocate() }
    let halves = UnsafeMutableBufferPointer<UInt16>.allocate(
      capacity: place.type == .f32 ? 0 : longest)
    defer { halves.deallocate() }
    for start in stride(from: 0, to: count, by: elementsAtOnce) {
      let length = min(elementsAtOnce, count - start)
      let whole = UnsafeMutableRawBufferPointer(floats)
      let raw = place.type == .f32 ? whole : UnsafeMutableRawBufferPointer(halves)
      try read(place, from: start * width, into: .init(rebasing: raw[..<(length * width)]))
      if place.type == .bf16 {
        for index in 0..<length { floats[index] = HalfPrecision.float(bf16: halves[index]) }
      } else if place.type == .f16 {
        for index in 0..<length { floats[index] = HalfPrecision.float(f16: halves[index]) }
      }
      body(.init(rebasing: floats[..<length]), start)
    }
  }
}

extension ParameterLayout {
  /// Fills a flat buffer from a file's tensors, each name after `prefix`; every name must be there,
  /// with its shape.
  func fill<B: Backend>(
    _ buffer: B.Buffer, on backend: B, from reader: SafetensorsReader, prefix: String
  ) throws {
    for entry in entries {
      let name = prefix + entry.name
      guard let place = reader[name] else {
        throw ModelFolderError(path: reader.path, problem: "tensor \(name) is missing")
      }
      guard place.shape == entry.shape else {
        throw ModelFolderError(
          path: reader.path,
          problem: "tensor \(name) has shape \(place.shape), expected \(entry.shape)")
      }
      try reader.forEachPiece(of: place) { floats, start in
        backend.upload(floats, to: buffer, at: entry.offset + start)
      }
    }
  }

  /// The bytes of one tensor of a flat buffer, a piece at a time.
  func forEachPiece<B: Backend>(
    _ entry: Entry, of buffer: B.Buffer, on backend: B, _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    let piece = UnsafeMutableBufferPointer<Float>.allocate(
      capacity: min(entry.count, elementsAtOnce))
    defer { piece.deallocate() }
    for start in stride(from: 0, to: entry.count, by: elementsAtOnce) {
      let part = UnsafeMutableBufferPointer(
        rebasing: piece[..<min(elementsAtOnce, entry.count - start)])
      backend.download(buffer, at: entry.offset + start, into: part)
      body(UnsafeRawBufferPointer(part))
    }
  }
}
