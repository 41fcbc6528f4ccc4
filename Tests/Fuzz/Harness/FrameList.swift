// Several frames as one text: before each its length in four bytes, little-endian. A length beyond
// the end takes what is left, so every text is some list of frames.

package enum FrameList {
  package static func write(_ frames: [[UInt8]]) -> [UInt8] {
    frames.flatMap { frame in
      withUnsafeBytes(of: UInt32(frame.count).littleEndian, Array.init) + frame
    }
  }

  package static func read(_ bytes: [UInt8]) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var start = 0
    while start + 4 <= bytes.count {
      let claimed = bytes[start..<start + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
      start += 4
      let end = start + min(claimed, bytes.count - start)
      frames.append(Array(bytes[start..<end]))
      start = end
    }
    return frames
  }
}
