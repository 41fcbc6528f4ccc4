// What a plain YAML scalar can be read as. Readers that know the type they want ask for that type
// (`Fields`); only a writer, which does not, takes the guess below.

enum PlainScalar {
  /// No key is written after a value that means "nothing here".
  static func isNull(_ text: String) -> Bool {
    text.isEmpty || text == "null" || text == "~"
  }

  static func bool(_ text: String) -> Bool? {
    switch text {
    case "true": true
    case "false": false
    default: nil
    }
  }

  /// Decimal digits with a sign at most. A leading zero is refused: YAML 1.1 reads it as octal.
  static func integer(_ text: String) -> Int? {
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
    guard let first = digits.first, text.utf8.count - digits.count <= 1 else { return nil }
    guard first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
    return Int(text)
  }

  /// Decimal notation with a point or an exponent, or neither; `.inf` and `-.inf` as YAML has them.
  static func number(_ text: String) -> Double? {
    switch text {
    case ".inf": return .infinity
    case "-.inf": return -.infinity
    case ".nan": return .nan
    default: break
    }
    // `Double` would take "nan", "infinity" and hexadecimal too.
    let isDecimal = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
      default: false
      }
    }
    guard isDecimal, let number = Double(text), number.isFinite else { return nil }
    return number
  }

  /// The type another reader of YAML would settle on.
  static func guess(_ text: String) -> Document.Value {
    if isNull(text) { return .null }
    if let flag = bool(text) { return .bool(flag) }
    if let number = integer(text) { return .integer(number) }
    if let number = number(text) { return .number(number) }
    return .string(text)
  }
}
