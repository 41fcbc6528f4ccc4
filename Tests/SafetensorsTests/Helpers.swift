import Foundation
import Safetensors

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

/// A file with this header, padded, and data of so many zeros.
func file(_ header: String, dataByteCount: Int) -> [UInt8] {
  var text = Array(header.utf8)
  while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
  return littleEndian(UInt64(text.count)) + text + [UInt8](repeating: 0, count: dataByteCount)
}

func littleEndian(_ number: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

/// What parsing says, or that it said nothing.
func problem(_ bytes: [UInt8]) -> String {
  do {
    _ = try SafetensorsBlob(parsing: bytes, source: "peer")
    return "accepted"
  } catch { return "\(error)" }
}

/// A path of its own in the temporary folder, removed with whatever is there at the end.
func withTemporaryPath(_ body: (String) throws -> Void) throws {
  let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  defer { try? FileManager.default.removeItem(at: url) }
  try body(url.path)
}

let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
