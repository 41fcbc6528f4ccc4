// The identity of bytes: 32 bytes of BLAKE2b-256, written as 64 lowercase hexadecimal digits.
//
// This room holds the noun alone; the room `Digests` computes it.

/// A 256-bit digest.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  public static let byteCount = 32

  /// Always `byteCount` bytes.
  public let bytes: [UInt8]

  public init(bytes: [UInt8]) {
    precondition(
      bytes.count == Self.byteCount, "a digest has \(Self.byteCount) bytes, not \(bytes.count)")
    self.bytes = bytes
  }

  /// Reads 64 hexadecimal digits; nil for anything else.
  public init?(hexadecimal text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 2 * Self.byteCount else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(digits[index]), let low = Self.value(digits[index + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  public var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(2 * Self.byteCount)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Enough digits for a person to tell two apart.
  public var short: String { String(hexadecimal.prefix(12)) }

  public var description: String { hexadecimal }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
