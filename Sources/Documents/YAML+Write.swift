// YAML is written in block style, strings quoted whenever this reader or another could take them
// for something else.

extension YAML {
  /// Block style, keys in order; what `parse` reads back equal under `Fields`.
  public static func write(_ document: Document) -> String {
    var writer = YAMLWriter()
    writer.put(document.value, indent: 0)
    if writer.text.last != "\n" { writer.text += "\n" }
    return writer.text
  }
}

private struct YAMLWriter {
  /// libyaml takes a key on one line only up to 1024 characters; longer ones are marked with "?".
  static let longestSimpleKeyBytes = 512

  var text = ""

  /// Writes at the current position of a line already indented by `indent` columns.
  mutating func put(_ value: Document.Value, indent: Int) {
    switch value {
    case .null: text += "null"
    case .bool(let flag): text += flag ? "true" : "false"
    case .integer(let number): text += number.description
    case .number(let number): text += spelling(of: number)
    case .string(let string): text += quotedIfNeeded(string)
    case .plain(let string):
      if case .string = PlainScalar.guess(string) {
        text += quotedIfNeeded(string)
      } else {
        text += string.isEmpty ? "null" : string
      }
    case .array(let elements): put(array: elements, indent: indent)
    case .object(let members): put(object: members, indent: indent)
    }
  }

  private mutating func put(array elements: [Document], indent: Int) {
    guard !elements.isEmpty else {
      text += "[]"
      return
    }
    for (index, element) in elements.enumerated() {
      if index > 0 { breakLine(indent: indent) }
      text += "- "
      put(element.value, indent: indent + 2)
    }
  }

  private mutating func put(object members: [Document.Member], indent: Int) {
    guard !members.isEmpty else {
      text += "{}"
      return
    }
    for (index, member) in members.enumerated() {
      if index > 0 { breakLine(indent: indent) }
      let key = quotedIfNeeded(member.key)
      if key.utf8.count > Self.longestSimpleKeyBytes {
        text += "? \(key)"
        breakLine(indent: indent)
      } else {
        text += key
      }
      text += ":"
      if member.value.isContainer {
        breakLine(indent: indent + 2)
      } else {
        text += " "
      }
      put(member.value.value, indent: indent + 2)
    }
  }

  private mutating func breakLine(indent: Int) {
    text += "\n"
    text += String(repeating: " ", count: indent)
  }

  private func spelling(of number: Double) -> String {
    if number.isNaN { return ".nan" }
    if number.isInfinite { return number < 0 ? "-.inf" : ".inf" }
    return number.description
  }
}

/// Words that some reader of YAML takes for a truth value or for nothing.
private let wordsWithMeaning: Set<String> = [
  "true", "false", "yes", "no", "on", "off", "y", "n", "null",
]

private func quotedIfNeeded(_ string: String) -> String {
  isSafePlain(string) ? string : doubleQuoted(string)
}

/// Plain text that begins with a letter and has nothing in it that YAML reads as structure.
private func isSafePlain(_ string: String) -> Bool {
  guard let first = string.utf8.first, isLetter(first) || first == UInt8(ascii: "/") else {
    return false
  }
  var previous = first
  for byte in string.utf8 {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "/"),
      UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: "@"),
      UInt8(ascii: ":"):
      break
    case UInt8(ascii: " "):
      // ": " would begin a value.
      if previous == byte || previous == UInt8(ascii: ":") { return false }
    default:
      guard isLetter(byte) else { return false }
    }
    previous = byte
  }
  guard previous != UInt8(ascii: " "), previous != UInt8(ascii: ":") else { return false }
  return !wordsWithMeaning.contains(string.lowercased())
}

private func isLetter(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "_"):
    true
  default: false
  }
}

private func doubleQuoted(_ string: String) -> String {
  var text = "\""
  for scalar in string.unicodeScalars {
    switch scalar.value {
    case 0x22: text += "\\\""
    case 0x5C: text += "\\\\"
    case 0x0A: text += "\\n"
    case 0x0D: text += "\\r"
    case 0x09: text += "\\t"
    // Not printable in YAML, or a line break to it.
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
      let digits = String(scalar.value, radix: 16)
      text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: text.unicodeScalars.append(scalar)
    }
  }
  return text + "\""
}
