// A safetensors blob from a peer read as one-dimensional columns: each must have the type and the
// length its reader expects, and none may be there that nobody asked for.

import Experience
import Safetensors

final class Columns {
  let metadata: [String: String]
  private let source: String
  private var tensors: [String: NamedTensor] = [:]

  init(_ bytes: [UInt8], of source: String) throws(Refusal) {
    do throws(SafetensorsError) {
      let blob = try SafetensorsBlob(parsing: bytes, source: source)
      metadata = blob.metadata
      for tensor in blob.tensors { tensors[tensor.name] = tensor }
    } catch {
      throw Refusal(.malformed, bounded(error.description))
    }
    self.source = source
  }

  /// The length of a column not yet taken.
  func count(of name: String) throws(Refusal) -> Int {
    guard let tensor = tensors[name] else { throw missing(name) }
    guard tensor.shape.count == 1 else {
      throw Refusal(
        .malformed, "\(source): \(name) has \(tensor.shape.count) dimensions, expected 1")
    }
    return tensor.shape[0]
  }

  func integers(_ name: String, count: Int) throws(Refusal) -> [Int32] {
    elements(try take(name, .i32, count: count))
  }

  func wideIntegers(_ name: String, count: Int) throws(Refusal) -> [Int64] {
    elements(try take(name, .i64, count: count))
  }

  func floats(_ name: String, count: Int) throws(Refusal) -> [Float] {
    elements(try take(name, .f32, count: count))
  }

  func bytes(_ name: String, count: Int) throws(Refusal) -> [UInt8] {
    try take(name, .u8, count: count).bytes
  }

  func flags(_ name: String, count: Int) throws(Refusal) -> [Bool] {
    let values = try bytes(name, count: count)
    guard let index = values.firstIndex(where: { $0 > 1 }) else { return values.map { $0 == 1 } }
    throw Refusal(
      .malformed, "\(source): \(name)[\(index)] is \(values[index]), expected 0 or 1")
  }

  func finish() throws(Refusal) {
    guard let extra = tensors.keys.min() else { return }
    throw Refusal(.malformed, bounded("\(source): a tensor nobody knows: \(extra)"))
  }

  private func take(
    _ name: String, _ type: ElementType, count: Int
  ) throws(Refusal) -> NamedTensor {
    guard let tensor = tensors.removeValue(forKey: name) else { throw missing(name) }
    guard tensor.type == type, tensor.shape == [count] else {
      throw Refusal(
        .malformed,
        "\(source): \(name) is \(tensor.type.rawValue) \(tensor.shape), "
          + "expected \(type.rawValue) [\(count)]")
    }
    return tensor
  }

  private func missing(_ name: String) -> Refusal {
    Refusal(.malformed, "\(source): there is no tensor named \(name)")
  }

  private func elements<Element: BitwiseCopyable>(_ tensor: NamedTensor) -> [Element] {
    let count = tensor.bytes.count / MemoryLayout<Element>.stride
    return [Element](unsafeUninitializedCapacity: count) { elements, initialized in
      UnsafeMutableRawBufferPointer(elements).copyBytes(from: tensor.bytes)
      initialized = count
    }
  }
}
