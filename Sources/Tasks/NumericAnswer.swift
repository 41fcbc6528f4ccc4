// Integers as answers: read from text without evaluating anything, of any length without overflow.

/// An integer in its one written form: a sign if negative, no leading zeros.
public struct NumericAnswer: Equatable, Sendable, CustomStringConvertible {
  /// More digits are not a number here: no task's answer has as many.
  public static let maximumDigitCount = 64

  public let description: String

  /// The whole text, but for white space around it; nil for anything that is not an integer.
  public init?(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while let last = bytes.last, Self.isBlank(last) { bytes.removeLast() }
    while let first = bytes.first, Self.isBlank(first) { bytes.removeFirst() }
    let isNegative = bytes.first == UInt8(ascii: "-")
    if isNegative { bytes.removeFirst() }
    guard !bytes.isEmpty, bytes.count <= Self.maximumDigitCount, bytes.allSatisfy(Self.isDigit)
    else { return nil }
    while bytes.count > 1, bytes.first == UInt8(ascii: "0") { bytes.removeFirst() }
    let digits = String(decoding: bytes, as: UTF8.self)
    description = isNegative && digits != "0" ? "-" + digits : digits
  }

  /// The last integer written anywhere in a text; a minus sign right after a digit subtracts.
  public static func last(in text: String) -> NumericAnswer? {
    let bytes = Array(text.utf8)
    guard let end = bytes.lastIndex(where: isDigit) else { return nil }
    var start = end
    while start > 0, isDigit(bytes[start - 1]) { start -= 1 }
    let isSigned =
      start > 0 && bytes[start - 1] == UInt8(ascii: "-")
      && !(start > 1 && isDigit(bytes[start - 2]))
    return NumericAnswer(
      String(decoding: bytes[(isSigned ? start - 1 : start)...end], as: UTF8.self))
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }
}
