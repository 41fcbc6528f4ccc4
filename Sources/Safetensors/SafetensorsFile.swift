/// Element types of the format that Forage reads or writes.
public enum ElementType: String, Sendable, CaseIterable {
  case f64 = "F64", f32 = "F32", f16 = "F16", bf16 = "BF16"
  case i64 = "I64", i32 = "I32", i16 = "I16", i8 = "I8"
  case u64 = "U64", u32 = "U32", u16 = "U16", u8 = "U8", bool = "BOOL"

  public var byteCount: Int { fatalError() }
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
  public init(name: String, shape: [Int], floats: [Float]) { fatalError() }
  public init(name: String, shape: [Int], integers: [Int32]) { fatalError() }
  /// The elements as Float32 (from F32, F16, BF16); throws for other types.
  public func floats() throws(SafetensorsError) -> [Float] { fatalError() }
  public func integers() throws(SafetensorsError) -> [Int32] { fatalError() }
}

public struct SafetensorsError: Error, Sendable, CustomStringConvertible {
  public let source: String
  public let problem: String
  public init(source: String, problem: String) {
    self.source = source
    self.problem = problem
  }
  public var description: String { "\(source): \(problem)" }
}

/// A whole safetensors blob: an 8-byte header length, a JSON header, the data.
public struct SafetensorsBlob: Equatable, Sendable {
  public var metadata: [String: String]
  public var tensors: [NamedTensor]

  public init(metadata: [String: String] = [:], tensors: [NamedTensor]) {
    self.metadata = metadata
    self.tensors = tensors
  }
  public init(parsing bytes: [UInt8], source: String) throws(SafetensorsError) { fatalError() }
  /// Deterministic: metadata keys sorted, tensors in order, data aligned to 8 bytes.
  public func serialized() -> [UInt8] { fatalError() }
  public subscript(name: String) -> NamedTensor? { tensors.first { $0.name == name } }
}
