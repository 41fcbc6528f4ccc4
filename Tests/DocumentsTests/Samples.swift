// What the tests of this room share: a seeded generator, documents and mutations drawn from it.

import Documents

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same numbers everywhere.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Texts that some reader of JSON or YAML takes for something else.
let awkwardTexts = [
  "", " ", "a", "true", "True", "no", "null", "~", "-", "- a", "a: b", "a:", ":", "#", "a #b",
  "1", "-0", "1e5", "0x1F", "1_000", "010", ".5", ".inf", "2001-01-01", "12:30", "*a", "&a", "!t",
  "|", ">", "%", "@", "`", "[", "]", "{", "}", ",", "?", "? a", "---", "...", "'", "\"", "\\",
  "a\nb", "\n", "a\r\nb", "\t", "a\tb", " lead", "trail ", "two  spaces", "a\u{0}b", "\u{7F}",
  "\u{85}", "\u{2028}", "\u{FEFF}", "\u{FFFE}", "é", "日本", "🐟", "a\u{301}", "<<", "=",
  "ipc:///tmp/x", "C: \\", "key = value", String(repeating: "x", count: 2000),
]

extension Document {
  static func random(_ numbers: inout SeededNumbers, depth: Int) -> Document {
    switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &numbers) {
    case 0: .bool(.random(using: &numbers))
    case 1:
      .integer(Int(truncatingIfNeeded: numbers.next()) >> Int.random(in: 0..<64, using: &numbers))
    case 2: .number(randomDouble(&numbers))
    case 3, 4, 5: .string(awkwardTexts.randomElement(using: &numbers)!)
    case 6:
      .array(
        (0..<Int.random(in: 0..<4, using: &numbers)).map { _ in
          random(&numbers, depth: depth - 1)
        })
    default:
      .object(
        Set(
          (0..<Int.random(in: 0..<5, using: &numbers)).map { _ in
            awkwardTexts.randomElement(using: &numbers)!.replacing("\u{0}", with: "0")
          }
        ).sorted().map { ($0, random(&numbers, depth: depth - 1)) })
    }
  }

  private static func randomDouble(_ numbers: inout SeededNumbers) -> Double {
    let number = Double(bitPattern: numbers.next())
    return number.isFinite ? number : 0.1
  }
}

/// A copy with one to four bytes changed, dropped, doubled or cut off.
func mutated(_ bytes: [UInt8], _ numbers: inout SeededNumbers) -> [UInt8] {
  var bytes = bytes
  for _ in 0..<Int.random(in: 1...4, using: &numbers) where !bytes.isEmpty {
    let place = Int.random(in: 0..<bytes.count, using: &numbers)
    switch Int.random(in: 0..<6, using: &numbers) {
    case 0: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
    case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
    case 2: bytes.remove(at: place)
    case 3: bytes.insert(bytes[place], at: place)
    case 4: bytes[place] = Array("{}[]\":,-#&*!|>%\n \\0".utf8).randomElement(using: &numbers)!
    default: bytes.removeSubrange(place..<min(bytes.count, place + 8))
    }
  }
  return bytes
}
