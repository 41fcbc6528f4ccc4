// The printable spelling of bytes that byte-level vocabularies use (GPT-2, Radford et al. 2019): a
// byte that prints keeps its Latin-1 character, the others take the characters from U+0100 on, in
// order. So a space is spelled Ġ and a newline Ċ, and every token of the file is printable text.

/// Bytes to their printable characters and back.
enum ByteAlphabet {
  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7e, 0xa1...0xac, 0xae...0xff: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next)!
      }
    }
  }()

  private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: zip(scalars, UInt8.min...UInt8.max))

  /// UTF-8 of the printable spelling of these bytes.
  static func spelling(of bytes: ArraySlice<UInt8>) -> [UInt8] {
    bytes.flatMap { Array(String(scalars[Int($0)]).utf8) }
  }

  /// The bytes a printable text spells; nil when one of its characters spells none.
  static func bytes(spelledBy text: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      guard let byte = bytes[scalar] else { return nil }
      result.append(byte)
    }
    return result
  }
}
