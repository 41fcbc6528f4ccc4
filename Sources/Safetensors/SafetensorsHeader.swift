// The head of a safetensors file: where each tensor lies.
//
//     8 bytes            n, little-endian
//     n bytes            {"__metadata__": {"k": "v"}, "name": {"dtype": "F32", "shape": [2, 3],
//                         "data_offsets": [0, 24]}, ...}, padded with spaces
//     the rest           data; offsets count from its start
//
// It is hostile input: from a peer, or from a file somebody downloaded. Everything is refused that
// two readers could take differently or that would make one allocate what a sender only claims:
// repeated names, unknown types, shapes whose product overflows, byte ranges that overlap, leave a
// hole, pass the end or do not fit the shape, and bytes after the last tensor.
// (Format: github.com/huggingface/safetensors.)

import Documents

#if _endian(big)
  #error("Tensors are little-endian bytes; a big-endian host would need to swap them.")
#endif

/// Where one tensor lies.
public struct TensorPlace: Equatable, Sendable {
  public let name: String
  public let type: ElementType
  public let shape: [Int]
  /// Bytes, counted from the start of the data.
  public let range: Range<Int>

  public var byteCount: Int { range.count }
}

/// The head, read and checked, or laid out to be written.
struct SafetensorsHeader {
  /// The longest head that is read: about 30,000 tensors, where the largest Llama has 1,139.
  static let maximumByteCount = 4 << 20
  /// The most dimensions of a tensor.
  static let maximumRank = 8
  /// The head ends on a multiple of this, so that mapped data is aligned.
  static let alignment = 8
  static let metadataKey = "__metadata__"

  let metadata: [String: String]
  /// In the order of their bytes, without a hole, from 0 to `dataByteCount`.
  let tensors: [TensorPlace]

  var dataByteCount: Int { tensors.last?.range.upperBound ?? 0 }
}

// Reading.
extension SafetensorsHeader {
  /// Checks the first eight bytes against the size of the whole; returns n.
  static func length(
    prefix: some Collection<UInt8>, wholeByteCount: Int, source: String
  ) throws(SafetensorsError) -> Int {
    guard prefix.count == 8, wholeByteCount >= 8 else {
      throw SafetensorsError(
        source: source,
        problem: "\(wholeByteCount) bytes, too short for a safetensors file; it may be truncated")
    }
    let claimed = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard claimed <= UInt64(maximumByteCount) else {
      throw SafetensorsError(
        source: source,
        problem: "a header of \(claimed) bytes, expected at most \(maximumByteCount); "
          + "this may not be a safetensors file")
    }
    guard claimed <= UInt64(wholeByteCount - 8) else {
      throw SafetensorsError(
        source: source,
        problem: "a header of \(claimed) bytes in a file of \(wholeByteCount); "
          + "it may be truncated")
    }
    guard claimed % UInt64(alignment) == 0 else {
      throw SafetensorsError(
        source: source,
        problem: "a header of \(claimed) bytes, expected a multiple of \(alignment); "
          + "save the file again with a current safetensors library")
    }
    return Int(claimed)
  }

  /// Reads a head of `length` bytes whose data has `dataByteCount`.
  init(parsing text: [UInt8], dataByteCount: Int, source: String) throws(SafetensorsError) {
    // The format asks for it, so that no other format is taken for this one.
    guard text.first == UInt8(ascii: "{") else {
      throw SafetensorsError(source: source, problem: "the header is not a JSON object")
    }
    var metadata: [String: String] = [:]
    var places: [TensorPlace] = []
    do {
      let document = try JSON.parse(
        text, source: "header", maximumByteCount: Self.maximumByteCount)
      guard case .object(let members) = document.value else {
        throw DocumentError(source: "header", line: 1, column: 1, problem: "not a JSON object")
      }
      places.reserveCapacity(members.count)
      // Jansson tells keys apart by their bytes, a dictionary of strings by what they spell: of two
      // spellings of one name the second would take the place of the first.
      var names = Set<String>(minimumCapacity: members.count)
      for member in members {
        guard names.insert(member.key).inserted else {
          throw DocumentError(
            source: "header", line: 0, column: 0,
            problem: "two tensors are named \(shown(member.key)), in two spellings of one text")
        }
        if member.key == Self.metadataKey {
          metadata = try Self.metadata(member.value)
        } else {
          places.append(try Self.place(member.key, member.value))
        }
      }
    } catch {
      throw SafetensorsError(source: source, problem: "\(error)")
    }
    places = Self.sorted(places)
    try Self.checkCover(places, dataByteCount: dataByteCount, source: source)
    self.metadata = metadata
    tensors = places
  }

  private static func metadata(_ document: Document) throws(DocumentError) -> [String: String] {
    let fields = try Fields(document, source: "header", path: metadataKey)
    guard case .object(let members) = document.value else {
      throw fields.error("", "not a mapping")
    }
    var metadata: [String: String] = [:]
    for member in members {
      guard case .string(let text) = member.value.value else {
        throw fields.error(shown(member.key), "not a string")
      }
      guard metadata.updateValue(text, forKey: member.key) == nil else {
        throw fields.error(shown(member.key), "stands there twice, in two spellings of one text")
      }
    }
    return metadata
  }

  private static func place(
    _ name: String, _ document: Document
  ) throws(DocumentError) -> TensorPlace {
    // A ledger reads fifteen of these in every group: the careful way took two thirds of its time.
    if let place = plainPlace(name, document) { return place }
    let fields = try Fields(document, source: "header", path: shown(name))
    let typeName = try fields.string("dtype", maximumLength: 16)
    guard let type = ElementType(rawValue: typeName) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw fields.error("dtype", "\(shown(typeName)) is not a type known here (\(known))")
    }
    let shape = try fields.integers("shape", maximumCount: maximumRank, in: 0...Int.max)
    let offsets = try fields.integers("data_offsets", maximumCount: 2, in: 0...Int.max)
    try fields.finish()
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw fields.error("data_offsets", "\(offsets), expected a start and an end after it")
    }
    guard let byteCount = byteCount(of: type, shape: shape) else {
      throw fields.error("shape", "\(shape) has more bytes than 63 bits can count")
    }
    guard byteCount == offsets[1] - offsets[0] else {
      throw fields.error(
        "data_offsets",
        "\(offsets[1] - offsets[0]) bytes, but \(type.rawValue) \(shape) has \(byteCount)")
    }
    return TensorPlace(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  /// An entry with nothing wrong, read without the bookkeeping that finds words for a fault; nil
  /// where anything is wrong, and then the careful way says what.
  private static func plainPlace(_ name: String, _ document: Document) -> TensorPlace? {
    guard case .object(let members) = document.value, members.count == 3 else { return nil }
    var type: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    for member in members {
      switch (member.key, member.value.value) {
      case ("dtype", .string(let text)): type = ElementType(rawValue: text)
      case ("shape", .array(let lengths)): shape = counts(lengths, atMost: maximumRank)
      case ("data_offsets", .array(let ends)): offsets = counts(ends, atMost: 2)
      default: return nil
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1],
      byteCount(of: type, shape: shape) == offsets[1] - offsets[0]
    else { return nil }
    return TensorPlace(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  /// nil unless all are integers from 0 and there are no more than `most`.
  private static func counts(_ documents: [Document], atMost most: Int) -> [Int]? {
    guard documents.count <= most else { return nil }
    var counts: [Int] = []
    counts.reserveCapacity(documents.count)
    for document in documents {
      guard case .integer(let count) = document.value, count >= 0 else { return nil }
      counts.append(count)
    }
    return counts
  }

  /// nil when the product of the lengths that are not 0 overflows: code downstream multiplies
  /// strides and must not meet one, even where a 0 makes the whole empty.
  static func byteCount(of type: ElementType, shape: [Int]) -> Int? {
    var product = type.byteCount
    for length in shape where length != 0 {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      if overflow { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }

  /// By place; empty tensors before the one they share a place with, in the order of the header.
  private static func sorted(_ places: [TensorPlace]) -> [TensorPlace] {
    places.enumerated().sorted { left, right in
      (left.element.range.lowerBound, left.element.range.upperBound, left.offset)
        < (right.element.range.lowerBound, right.element.range.upperBound, right.offset)
    }.map(\.element)
  }

  private static func checkCover(
    _ places: [TensorPlace], dataByteCount: Int, source: String
  ) throws(SafetensorsError) {
    var end = 0
    for place in places {
      guard place.range.lowerBound == end else {
        let fault = place.range.lowerBound < end ? "overlaps the one before" : "leaves a hole"
        throw SafetensorsError(
          source: source,
          problem: "tensor \(shown(place.name)) at byte \(place.range.lowerBound) \(fault), "
            + "which ends at \(end)")
      }
      end = place.range.upperBound
    }
    guard end == dataByteCount else {
      let fault = end > dataByteCount ? "it is truncated" : "something follows the last tensor"
      throw SafetensorsError(
        source: source,
        problem: "\(dataByteCount) bytes of data, but the tensors have \(end): \(fault)")
    }
  }
}

// Writing.
extension SafetensorsHeader {
  /// Lays tensors out one after another. The caller's mistakes are traps: repeated or reserved
  /// names, shapes that overflow.
  init(metadata: [String: String], layingOut tensors: [TensorLayout]) {
    var end = 0
    var names: Set<String> = []
    self.metadata = metadata
    self.tensors = tensors.map { tensor in
      precondition(tensor.name != Self.metadataKey, "a tensor is named \(Self.metadataKey)")
      precondition(names.insert(tensor.name).inserted, "two tensors are named \(tensor.name)")
      precondition(
        tensor.shape.count <= Self.maximumRank && tensor.shape.allSatisfy { $0 >= 0 },
        "\(tensor.name) has shape \(tensor.shape), expected \(Self.maximumRank) lengths at most")
      guard let byteCount = Self.byteCount(of: tensor.type, shape: tensor.shape) else {
        preconditionFailure("\(tensor.name) has shape \(tensor.shape), whose bytes overflow")
      }
      defer { end += byteCount }
      return TensorPlace(
        name: tensor.name, type: tensor.type, shape: tensor.shape, range: end..<(end + byteCount))
    }
  }

  /// The length and the padded JSON: everything before the data.
  func serialized() -> [UInt8] {
    var members: [(String, Document)] = []
    if !metadata.isEmpty {
      let sorted = metadata.sorted { $0.key < $1.key }
      members.append((Self.metadataKey, .object(sorted.map { ($0.key, .string($0.value)) })))
    }
    for tensor in tensors {
      let entry = Document.object([
        ("dtype", .string(tensor.type.rawValue)),
        ("shape", .array(tensor.shape.map(Document.integer))),
        ("data_offsets", [.integer(tensor.range.lowerBound), .integer(tensor.range.upperBound)]),
      ])
      members.append((tensor.name, entry))
    }
    var text = JSON.writeBytes(.object(members))
    while text.count % Self.alignment != 0 { text.append(UInt8(ascii: " ")) }
    precondition(
      text.count <= Self.maximumByteCount,
      "a header of \(text.count) bytes, at most \(Self.maximumByteCount) could be read back")
    return withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
  }
}

/// What a tensor will be, before its bytes are there.
public struct TensorLayout: Equatable, Sendable {
  public let name: String
  public let type: ElementType
  public let shape: [Int]

  public init(name: String, type: ElementType, shape: [Int]) {
    self.name = name
    self.type = type
    self.shape = shape
  }
}

/// A name from outside, fit for an error message.
private func shown(_ name: String) -> String {
  let limit = 100
  let cut = String(name.unicodeScalars.prefix(limit).map { $0.value < 0x20 ? "?" : Character($0) })
  return name.unicodeScalars.count > limit ? cut + "..." : cut
}
