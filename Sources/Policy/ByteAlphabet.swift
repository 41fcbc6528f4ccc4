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

  /// By scalar value: the byte, or -1.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: Int(scalars.map(\.value).max()!) + 1)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
    return table
  }()

  /// UTF-8 of the printable spelling of these bytes.
  static func spelling(of bytes: ArraySlice<UInt8>) -> [UInt8] {
    bytes.flatMap { Array(String(scalars[Int($0)]).utf8) }
  }

  /// Appends the bytes a printable text spells; false, and nothing is, when one of its characters
  /// spells none.
  static func append(bytesSpelledBy text: ArraySlice<UInt8>, to result: inout [UInt8]) -> Bool {
    let start = result.count
    let isSpelling = text.withUnsafeBufferPointer { text in
      var place = 0
      while place < text.count {
        let (scalar, width) = UTF8Text.scalar(in: text, at: place)
        guard scalar.value < bytes.count, bytes[Int(scalar.value)] >= 0 else { return false }
        result.append(UInt8(bytes[Int(scalar.value)]))
        place += width
      }
      return true
    }
    if !isSpelling { result.removeLast(result.count - start) }
    return isSpelling
  }
}
