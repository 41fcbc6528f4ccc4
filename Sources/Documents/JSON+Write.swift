// JSON is written by hand rather than through Jansson: one pass into bytes, no tree of C objects in
// between, and Swift's shortest digits that read back as the same number.

extension JSON {
  /// One line, unless `pretty`. Members keep their order. A number that is not finite is null.
  ///
  /// Equal documents give equal texts. Doubles keep a point or an exponent, so that they read back
  /// as numbers and integers as integers; a plain YAML scalar becomes what it looks like.
  public static func write(_ document: Document, pretty: Bool = false) -> String {
    String(decoding: writeBytes(document, pretty: pretty), as: UTF8.self)
  }

  /// `write` as UTF-8, for a frame or a file.
  public static func writeBytes(_ document: Document, pretty: Bool = false) -> [UInt8] {
    var writer = JSONWriter(pretty: pretty)
    writer.put(document.value, indent: 0)
    return writer.bytes
  }
}

private struct JSONWriter {
  let pretty: Bool
  var bytes: [UInt8] = []

  init(pretty: Bool) {
    self.pretty = pretty
    bytes.reserveCapacity(256)
  }

  mutating func put(_ value: Document.Value, indent: Int) {
    switch value {
    case .null: bytes += "null".utf8
    case .bool(let flag): bytes += (flag ? "true" : "false").utf8
    case .integer(let number): bytes += number.description.utf8
    case .number(let number): bytes += (number.isFinite ? number.description : "null").utf8
    case .string(let text): put(string: text)
    case .plain(let text): put(PlainScalar.guess(text), indent: indent)
    case .array(let elements): put(array: elements, indent: indent)
    case .object(let members): put(object: members, indent: indent)
    }
  }

  mutating func put(array elements: [Document], indent: Int) {
    bytes.append(UInt8(ascii: "["))
    // An array of scalars stays on its line: shapes and token ids read better so.
    let broken = pretty && elements.contains { $0.isContainer }
    for (index, element) in elements.enumerated() {
      if index > 0 { bytes += (pretty && !broken ? ", " : ",").utf8 }
      if broken { breakLine(indent: indent + 1) }
      put(element.value, indent: indent + 1)
    }
    if broken { breakLine(indent: indent) }
    bytes.append(UInt8(ascii: "]"))
  }

  mutating func put(object members: [Document.Member], indent: Int) {
    bytes.append(UInt8(ascii: "{"))
    for (index, member) in members.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      if pretty { breakLine(indent: indent + 1) }
      put(string: member.key)
      bytes += (pretty ? ": " : ":").utf8
      put(member.value.value, indent: indent + 1)
    }
    if pretty && !members.isEmpty { breakLine(indent: indent) }
    bytes.append(UInt8(ascii: "}"))
  }

  mutating func put(string text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes += "\\\"".utf8
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case UInt8(ascii: "\n"): bytes += "\\n".utf8
      case UInt8(ascii: "\r"): bytes += "\\r".utf8
      case UInt8(ascii: "\t"): bytes += "\\t".utf8
      case 0..<0x20:
        bytes += "\\u00".utf8
        bytes.append(hexDigit(byte >> 4))
        bytes.append(hexDigit(byte & 15))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  mutating func breakLine(indent: Int) {
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * indent))
  }
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
  nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}

extension Document {
  /// An array or object with something in it.
  var isContainer: Bool {
    switch value {
    case .array(let elements): !elements.isEmpty
    case .object(let members): !members.isEmpty
    default: false
    }
  }
}
