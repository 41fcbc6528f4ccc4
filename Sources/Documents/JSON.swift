// JSON is read by Jansson: strict UTF-8, duplicate keys refused, integers exact in 64 bits, members
// in the order they were written. What it does not bound, the length and a small depth, is bounded
// here before it sees the text.

import CJansson

/// Reads and writes JSON by Jansson: duplicates refused, faults with line and column.
public enum JSON {
  /// The longest text read unless the caller says otherwise: a control frame or a config.
  public static let maximumByteCount = 1 << 20

  /// One JSON value and nothing after it. Values carry no line or column; faults do.
  ///
  /// Throws when the text is too long, not JSON or not UTF-8, repeats a key, nests deeper than
  /// `Document.maximumDepth`, or holds a number beyond Int64 or Double.
  public static func parse(
    _ bytes: [UInt8], source: String, maximumByteCount: Int = maximumByteCount
  ) throws(DocumentError) -> Document {
    guard bytes.count <= maximumByteCount else {
      throw DocumentError(
        source: source, line: 0, column: 0,
        problem: "JSON of \(bytes.count) bytes, expected at most \(maximumByteCount)")
    }
    try refuseDeepNesting(bytes, source: source)

    var fault = json_error_t()
    let flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL
    let root = bytes.withUnsafeBytes { text in
      // An empty array has no address, and Jansson asks for one.
      guard let start = text.baseAddress else { return json_loadb("", 0, Int(flags), &fault) }
      return json_loadb(
        start.assumingMemoryBound(to: CChar.self), text.count, Int(flags), &fault)
    }
    guard let root else {
      let said = withUnsafeBytes(of: fault.text) { text in
        String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw DocumentError(
        source: source, line: max(1, Int(fault.line)), column: max(1, Int(fault.column)),
        problem: "not JSON: \(said)")
    }
    defer { json_decref(root) }
    return Document(value(of: root))
  }

  /// Counts brackets outside strings: on a text that is JSON this is its depth, and on one that is
  /// not, a refusal either way.
  private static func refuseDeepNesting(
    _ bytes: [UInt8], source: String
  ) throws(DocumentError) {
    var depth = 0
    var inString = false
    var escaped = false
    var line = 1
    var lineStart = 0
    for (offset, byte) in bytes.enumerated() {
      if inString {
        if escaped {
          escaped = false
        } else if byte == UInt8(ascii: "\\") {
          escaped = true
        } else if byte == UInt8(ascii: "\"") {
          inString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): inString = true
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        guard depth <= Document.maximumDepth else {
          throw DocumentError(
            source: source, line: line, column: offset - lineStart + 1,
            problem: "nested deeper than \(Document.maximumDepth) levels")
        }
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
      case UInt8(ascii: "\n"):
        line += 1
        lineStart = offset + 1
      default: break
      }
    }
  }

  /// Jansson's tree as ours; its depth was bounded before it was read.
  private static func value(of node: UnsafeMutablePointer<json_t>) -> Document.Value {
    switch node.pointee.type {
    case JSON_TRUE: .bool(true)
    case JSON_FALSE: .bool(false)
    case JSON_INTEGER: .integer(Int(json_integer_value(node)))
    case JSON_REAL: .number(json_real_value(node))
    case JSON_STRING: .string(text(json_string_value(node), json_string_length(node)))
    case JSON_ARRAY: .array(elements(of: node))
    case JSON_OBJECT: .object(members(of: node))
    default: .null
    }
  }

  private static func elements(of node: UnsafeMutablePointer<json_t>) -> [Document] {
    let count = json_array_size(node)
    var elements: [Document] = []
    elements.reserveCapacity(count)
    for index in 0..<count {
      guard let element = json_array_get(node, index) else { continue }
      elements.append(Document(value(of: element)))
    }
    return elements
  }

  private static func members(of node: UnsafeMutablePointer<json_t>) -> [Document.Member] {
    var members: [Document.Member] = []
    members.reserveCapacity(json_object_size(node))
    var iterator = json_object_iter(node)
    while let at = iterator {
      if let member = json_object_iter_value(at) {
        let key = text(json_object_iter_key(at), json_object_iter_key_len(at))
        members.append(Document.Member(key, Document(value(of: member))))
      }
      iterator = json_object_iter_next(node, at)
    }
    return members
  }

  private static func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
  }
}
