// A tensor as bytes with a name, and its way to and from Swift's numbers. No arithmetic: that is
// Tensors' room.

/// Element types of the format that Forage reads or writes.
public enum ElementType: String, Sendable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8, .bool: 1
    }
  }
}

/// One tensor: its bytes are little-endian, row-major, and its own.
public struct NamedTensor: Equatable, Sendable {
  public var name: String
  public var type: ElementType
  public var shape: [Int]
  public var bytes: [UInt8]

  public init(name: String, type: ElementType, shape: [Int], bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// An F32 tensor; `floats` holds as many as the shape says.
  public init(name: String, shape: [Int], floats: [Float]) {
    let count = shape.reduce(1, *)
    precondition(
      floats.count == count, "\(name): \(floats.count) floats for a shape of \(count) elements")
    self.init(name: name, type: .f32, shape: shape, bytes: floats.withUnsafeBytes(Array.init))
  }

  /// An I32 tensor; `integers` holds as many as the shape says.
  public init(name: String, shape: [Int], integers: [Int32]) {
    let count = shape.reduce(1, *)
    precondition(
      integers.count == count,
      "\(name): \(integers.count) integers for a shape of \(count) elements")
    self.init(name: name, type: .i32, shape: shape, bytes: integers.withUnsafeBytes(Array.init))
  }

  /// A BF16 tensor: each float rounded to the nearest, ties to even.
  public init(name: String, shape: [Int], roundingToBF16 floats: [Float]) {
    let count = shape.reduce(1, *)
    precondition(
      floats.count == count, "\(name): \(floats.count) floats for a shape of \(count) elements")
    let halves = floats.map(HalfPrecision.bf16)
    self.init(name: name, type: .bf16, shape: shape, bytes: halves.withUnsafeBytes(Array.init))
  }

  /// An F32 tensor whose every element is a BF16, at half the bytes; nil where one is not.
  public func narrowedToBF16() -> NamedTensor? {
    guard type == .f32 else { return nil }
    var isExact = true
    let halves = [UInt8](unsafeUninitializedCapacity: bytes.count / 2) { halves, count in
      bytes.withUnsafeBytes { whole in
        var lost: UInt8 = 0
        // Little-endian: a BF16 is the upper half of a Float.
        for index in 0..<whole.count / 4 {
          lost |= whole[4 * index] | whole[4 * index + 1]
          halves[2 * index] = whole[4 * index + 2]
          halves[2 * index + 1] = whole[4 * index + 3]
        }
        isExact = lost == 0
      }
      count = bytes.count / 2
    }
    return isExact ? NamedTensor(name: name, type: .bf16, shape: shape, bytes: halves) : nil
  }

  /// The elements as Float32 (from F32, F16, BF16); throws for other types.
  public func floats() throws(SafetensorsError) -> [Float] {
    switch type {
    case .f32: return elements(Float.self)
    case .f16: return elements(UInt16.self).map(HalfPrecision.float(f16:))
    case .bf16: return elements(UInt16.self).map(HalfPrecision.float(bf16:))
    default:
      throw SafetensorsError(
        source: name, problem: "elements of \(type.rawValue), expected F32, F16 or BF16")
    }
  }

  /// The elements as Int32 (from any integer type or BOOL); throws for floating-point types and for
  /// an element beyond Int32.
  public func integers() throws(SafetensorsError) -> [Int32] {
    switch type {
    case .i32: return elements(Int32.self)
    case .i8: return try exactly(elements(Int8.self))
    case .i16: return try exactly(elements(Int16.self))
    case .i64: return try exactly(elements(Int64.self))
    case .u8, .bool: return try exactly(elements(UInt8.self))
    case .u16: return try exactly(elements(UInt16.self))
    case .u32: return try exactly(elements(UInt32.self))
    case .u64: return try exactly(elements(UInt64.self))
    case .f64, .f32, .f16, .bf16:
      throw SafetensorsError(
        source: name, problem: "elements of \(type.rawValue), expected integers")
    }
  }

  private func elements<Element: BitwiseCopyable>(_: Element.Type) -> [Element] {
    let count = bytes.count / type.byteCount
    return [Element](unsafeUninitializedCapacity: count) { elements, initialized in
      UnsafeMutableRawBufferPointer(elements).copyBytes(
        from: bytes[..<(count * type.byteCount)])
      initialized = count
    }
  }

  private func exactly<Wide: BinaryInteger>(
    _ elements: [Wide]
  ) throws(SafetensorsError) -> [Int32] {
    var integers: [Int32] = []
    integers.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      guard let integer = Int32(exactly: element) else {
        throw SafetensorsError(
          source: name, problem: "element \(index) is \(element), beyond 32 bits")
      }
      integers.append(integer)
    }
    return integers
  }
}

/// What is wrong with a file, a blob or a tensor in it.
public struct SafetensorsError: Error, Sendable, CustomStringConvertible {
  /// The file, the peer or the tensor.
  public let source: String
  public let problem: String
  /// The kernel's errno, where it was the kernel that refused; else 0.
  public let number: Int32

  public init(source: String, problem: String, number: Int32 = 0) {
    self.source = source
    self.problem = problem
    self.number = number
  }

  public var description: String { "\(source): \(problem)" }
}
