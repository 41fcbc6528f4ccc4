// A number with its unit, read from text byte by byte:
//
//   -1,234.50   $12   12 dollars   3/4   1 3/4   50%   1.5e-3   1.5 x 10^3   12 km/h
//
// A comma separates thousands only where groups of three follow: 3,14 is no number here, rather
// than 314. A sum, a range or a choice ("12 or 13", "3-4", "2+2") is no number either.

/// A number and the unit written with it.
public struct Quantity: Equatable, Sendable {
  /// A unit of more words than this is prose.
  static let maximumUnitWords = 3
  static let maximumUnitBytes = 40

  public let number: ExactNumber
  /// Normalized: "dollars" is "$", "percent" is "%", a plural is its singular; "" is none.
  public let unit: String

  /// The whole text is one quantity, but for blanks, a last period, and signs of emphasis or
  /// LaTeX's dollars around it.
  public init?(_ text: String) {
    var reader = QuantityReader(text)
    reader.trim()
    guard let number = reader.readNumber(), let unit = reader.readUnit() else { return nil }
    self.number = number
    self.unit = unit
  }

  init(number: ExactNumber, unit: String) {
    self.number = number
    self.unit = unit
  }

  /// The number that begins a text, whatever follows it; nil where it begins with none.
  static func first(in text: String) -> Quantity? {
    var reader = QuantityReader(text)
    reader.skipSigns()
    guard let number = reader.readNumber() else { return nil }
    let isPercent = reader.byte == UInt8(ascii: "%")
    return Quantity(number: number, unit: isPercent ? "%" : reader.currency)
  }

  /// The last number written anywhere in a text. A minus right after a digit or letter subtracts.
  static func last(in text: String) -> Quantity? {
    var found: Quantity?
    var reader = QuantityReader(text)
    while reader.seekNumber() {
      let start = reader.at
      if let number = reader.readNumber() {
        found = Quantity(number: number, unit: reader.byte == UInt8(ascii: "%") ? "%" : "")
      }
      if reader.at <= start { reader.at = start + 1 }
    }
    return found
  }

  /// A percentage as the number it stands for: 50% is 0.5.
  var withoutPercent: ExactNumber {
    guard unit == "%" else { return number }
    return ExactNumber(
      isNegative: number.isNegative, number.numerator,
      over: number.denominator * ExactDecimal(digits: [1], exponent: 2))
  }
}

/// Reads quantities from a text's bytes.
struct QuantityReader {
  private(set) var bytes: [UInt8]
  var at = 0
  /// The sign of money the last number stood behind; "" for none.
  private(set) var currency = ""

  init(_ text: String) { bytes = Self.plain(text) }

  var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

  /// The signs people and LaTeX write otherwise, in ASCII.
  private static func plain(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x2212, 0x2013, 0xFF0D: bytes.append(UInt8(ascii: "-"))
      case 0xA0: bytes.append(UInt8(ascii: " "))
      // Thin spaces separate thousands.
      case 0x2009, 0x202F:
        bytes.append(UInt8(ascii: bytes.last.map(isDigit) ?? false ? "," : " "))
      case 0xD7: bytes.append(UInt8(ascii: "x"))
      default: bytes += String(scalar).utf8
      }
    }
    return bytes
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
  static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
  /// Beyond ASCII everything is taken for letters.
  private static func isWordByte(_ byte: UInt8) -> Bool { isLetter(byte) || byte >= 0x80 }

  /// Drops what stands around a number without meaning.
  mutating func trim() {
    let around: (UInt8) -> Bool = {
      Self.isBlank($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "`")
    }
    while let last = bytes.last, around(last) || last == UInt8(ascii: ".") { bytes.removeLast() }
    while let byte, around(byte) { at += 1 }
    // LaTeX: $12$.
    if byte == UInt8(ascii: "$"), bytes.count > at + 1, bytes.last == UInt8(ascii: "$") {
      at += 1
      bytes.removeLast()
    }
  }

  /// Steps over what may stand between "answer" and the number.
  mutating func skipSigns() {
    let signs = Set(" \t\n\r:=*`_~\"'({[".utf8)
    while let byte, signs.contains(byte) || byte == UInt8(ascii: "\\") { at += 1 }
  }

  private mutating func skipBlanks() { while let byte, Self.isBlank(byte) { at += 1 } }

  private func starts(with text: StaticString) -> Bool {
    text.withUTF8Buffer { bytes[at...].starts(with: $0) }
  }

  /// Moves to the next place a number can start; false at the end.
  mutating func seekNumber() -> Bool {
    while let byte {
      let next = at + 1 < bytes.count ? bytes[at + 1] : 0
      let before = at > 0 ? bytes[at - 1] : 0x20
      if Self.isDigit(byte) { return true }
      if byte == UInt8(ascii: "."), Self.isDigit(next), !Self.isDigit(before) { return true }
      let joins = Self.isDigit(before) || Self.isWordByte(before) || before == UInt8(ascii: ")")
      if byte == UInt8(ascii: "-"), !joins, Self.isDigit(next) || next == UInt8(ascii: "$") {
        return true
      }
      at += 1
    }
    return false
  }

  /// A number with its sign of money; stands right behind it after. Nil leaves the place undefined.
  mutating func readNumber() -> ExactNumber? {
    currency = ""
    var isNegative = readSign()
    if let sign = readCurrency() {
      currency = sign
      skipBlanks()
      isNegative = readSign() || isNegative
    }
    guard let first = readDecimal() else { return nil }
    if let fraction = readMixed(first) {
      return ExactNumber(isNegative: isNegative, fraction.0, over: fraction.1)
    }
    if byte == UInt8(ascii: "/"), at + 1 < bytes.count, Self.isDigit(bytes[at + 1]) {
      at += 1
      guard let below = readDecimal(), !below.isZero else { return nil }
      // 1/2/3 is a date, or a sum to do.
      if byte == UInt8(ascii: "/") { return nil }
      return ExactNumber(isNegative: isNegative, first, over: below)
    }
    guard let power = readPower() else { return nil }
    return ExactNumber(
      isNegative: isNegative,
      ExactDecimal(digits: first.digits, exponent: first.exponent + power))
  }

  private mutating func readSign() -> Bool {
    guard let byte, byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") else { return false }
    at += 1
    skipBlanks()
    return byte == UInt8(ascii: "-")
  }

  private mutating func readCurrency() -> String? {
    if starts(with: "\\$") {
      at += 2
      return "$"
    }
    for sign in ["$", "€", "£", "¥"] where bytes[at...].starts(with: sign.utf8) {
      at += sign.utf8.count
      return sign
    }
    return nil
  }

  /// Digits with thousands separated or not, a point and digits, an exponent behind `e`.
  private mutating func readDecimal() -> ExactDecimal? {
    var digits: [UInt8] = []
    var exponent = 0
    readDigits(&digits)
    if (1...3).contains(digits.count) {
      while byte == UInt8(ascii: ","), isGroupOfThree(at + 1) {
        at += 1
        readDigits(&digits)
      }
    }
    if byte == UInt8(ascii: "."), at + 1 < bytes.count, Self.isDigit(bytes[at + 1]) {
      at += 1
      let whole = digits.count
      readDigits(&digits)
      exponent = whole - digits.count
    }
    guard !digits.isEmpty, digits.count <= ExactNumber.maximumDigitCount else { return nil }
    if byte.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
      let start = at
      at += 1
      if let written = readExponent() { exponent += written } else { at = start }
    }
    return ExactDecimal(digits: digits, exponent: exponent)
  }

  private mutating func readDigits(_ digits: inout [UInt8]) {
    while let byte, Self.isDigit(byte) {
      digits.append(byte - 0x30)
      at += 1
    }
  }

  private func isGroupOfThree(_ start: Int) -> Bool {
    let group = bytes[min(start, bytes.count)...].prefix { Self.isDigit($0) }
    return group.count == 3
  }

  private mutating func readExponent() -> Int? {
    let isNegative = byte == UInt8(ascii: "-")
    if isNegative || byte == UInt8(ascii: "+") { at += 1 }
    var digits: [UInt8] = []
    readDigits(&digits)
    guard (1...4).contains(digits.count) else { return nil }
    let value = digits.reduce(0) { $0 * 10 + Int($1) }
    guard value <= ExactNumber.maximumExponent else { return nil }
    return isNegative ? -value : value
  }

  /// " x 10^3" behind a decimal; 0 where there is none, nil where it is broken.
  private mutating func readPower() -> Int? {
    let start = at
    skipBlanks()
    for sign: StaticString in ["x", "*", "\\times", "\\cdot"] where starts(with: sign) {
      at += sign.utf8CodeUnitCount
      skipBlanks()
      guard starts(with: "10^") else { break }
      at += 3
      let isBraced = byte == UInt8(ascii: "{")
      if isBraced { at += 1 }
      guard let power = readExponent() else { return nil }
      if isBraced {
        guard byte == UInt8(ascii: "}") else { return nil }
        at += 1
      }
      return power
    }
    at = start
    return 0
  }

  /// "1 3/4": what stands behind the whole part, added to it.
  private mutating func readMixed(_ whole: ExactDecimal) -> (ExactDecimal, ExactDecimal)? {
    let start = at
    guard byte == UInt8(ascii: " "), whole.exponent >= 0 else { return nil }
    at += 1
    if let above = readDecimal(), byte == UInt8(ascii: "/") {
      at += 1
      if let below = readDecimal(), !below.isZero, byte != UInt8(ascii: "/") {
        return (whole * below + above, below)
      }
    }
    at = start
    return nil
  }

  /// The rest of the text as a unit; nil where it is something else.
  func readUnit() -> String? {
    let rest = bytes[at...].drop(while: Self.isBlank)
    guard !rest.isEmpty else { return currency }
    guard currency.isEmpty, rest.count <= Quantity.maximumUnitBytes else { return nil }
    if rest.elementsEqual("%".utf8) || rest.elementsEqual("\\%".utf8) { return "%" }
    let words = rest.split(whereSeparator: Self.isBlank)
    guard words.count <= Quantity.maximumUnitWords else { return nil }
    var unit: [String] = []
    for word in words {
      guard let first = word.first, Self.isWordByte(first) else { return nil }
      let joints = Set("/^-*.".utf8)
      let isUnit = word.indices.allSatisfy { index in
        let byte = word[index]
        // A digit only as a power: m^2, m2.
        return Self.isWordByte(byte) || joints.contains(byte)
          || (Self.isDigit(byte) && index == word.endIndex - 1)
      }
      let text = String(decoding: word, as: UTF8.self)
      guard isUnit, !Self.prose.contains(text.lowercased()) else { return nil }
      unit.append(Self.singular(text))
    }
    return unit.joined(separator: " ")
  }

  /// Words that join a number with another thing, or take it back.
  private static let prose: Set<String> = [
    "or", "and", "to", "not", "no", "than", "plus", "minus", "times", "x", "over", "if", "but",
    "maybe", "divided", "is", "isn", "wrong", "incorrect", "more", "less", "e",
  ]

  private static func singular(_ word: String) -> String {
    switch word.lowercased() {
    case "dollar", "dollars", "usd": return "$"
    case "euro", "euros", "eur": return "€"
    case "percent", "pct": return "%"
    default:
      // A capital may be another unit (Mg, mg): only whole words lose their plural.
      return word.count > 3 && word.hasSuffix("s") && !word.hasSuffix("ss")
        ? String(word.dropLast()) : word
    }
  }
}
