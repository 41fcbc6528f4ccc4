// Mutations that know what they change. Flipping bits of a JSON header makes bad JSON and tests
// Jansson; what tests us is JSON that is good and says something absurd: a length of 2^63, a key
// given twice, a string of another kind, forty brackets. So a mutation picks a part (a frame, the
// header of a blob, its data, a number within a text) and leaves the rest as it was; the length
// before a safetensors header is mended nearly always.

/// Draws mutations from a seed; the same seed gives the same texts on every machine.
package struct Mutator {
  /// No text grows beyond this, or its own size: many small ones find more than few large ones.
  static let maximumBytes = 1 << 16

  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// SplitMix64 (Steele, Lea and Flood 2014).
  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

  private mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }

  private mutating func pick<Element>(_ from: [Element]) -> Element { from[below(from.count)] }

  /// One to four changes; parts of `other` may be spliced in.
  package mutating func mutated(
    _ bytes: [UInt8], other: [UInt8], form: FuzzTarget.Form
  ) -> [UInt8] {
    var result = bytes
    for _ in 0...below(4) {
      result = Array(step(result, other, form).prefix(max(Self.maximumBytes, bytes.count)))
    }
    return result
  }

  private mutating func step(
    _ bytes: [UInt8], _ other: [UInt8], _ form: FuzzTarget.Form
  ) -> [UInt8] {
    if chance(24) { return splice(bytes, other) }
    switch form {
    case .text: return chance(6) ? raw(bytes) : text(bytes)
    case .frames: return frames(bytes, other)
    case .safetensors: return blob(bytes)
    case .bytes: return raw(bytes)
    }
  }

  // MARK: Frames and blobs

  private mutating func frames(_ bytes: [UInt8], _ other: [UInt8]) -> [UInt8] {
    var frames = FrameList.read(bytes)
    guard !frames.isEmpty else { return raw(bytes) }
    let index = below(frames.count)
    switch below(24) {
    case 0: frames.remove(at: index)
    case 1: frames.insert(frames[index], at: below(frames.count + 1))
    case 2: frames.swapAt(index, below(frames.count))
    case 3: frames[index] = []
    case 4:
      let others = FrameList.read(other)
      if !others.isEmpty { frames.insert(pick(others), at: below(frames.count + 1)) }
    case 5: return raw(bytes)
    default:
      frames[index] =
        frames[index].first == UInt8(ascii: "{")
        ? text(frames[index])
        : frames[index].count > 16 && frames[index][8] == UInt8(ascii: "{")
          ? blob(frames[index]) : raw(frames[index])
    }
    return FrameList.write(frames)
  }

  private mutating func blob(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count >= 8 else { return raw(bytes) }
    let claimed = bytes[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard claimed <= UInt64(bytes.count - 8), !chance(16) else { return raw(bytes) }
    var header = Array(bytes[8..<8 + Int(claimed)])
    var data = Array(bytes[(8 + Int(claimed))...])
    switch below(4) {
    case 0: data = words(data)
    default: header = text(header)
    }
    if chance(10) { return Array(bytes[0..<8]) + header + data }
    while header.last == UInt8(ascii: " ") { header.removeLast() }
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    return withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header + data
  }

  /// Changes a number of four bytes: to NaN, infinities, extremes, or a neighbor.
  private mutating func words(_ data: [UInt8]) -> [UInt8] {
    guard data.count >= 4, !chance(8) else { return raw(data) }
    var data = data
    let place = below(data.count / 4) * 4
    let old = data[place..<place + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let new = pick([
      0, 1, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, 0x7FC0_0000, 0x7F80_0000, 0xFF80_0000,
      0x3F80_0000, 0xBF80_0000, 0x0000_0001, old &+ 1, old &- 1, old ^ 0x8000_0000,
    ])
    for index in 0..<4 { data[place + index] = UInt8(truncatingIfNeeded: new >> (8 * index)) }
    return data
  }

  // MARK: Text

  private static let numbers = [
    "0", "-1", "1", "2", "255", "65536", "2147483647", "2147483648", "4294967296",
    "281474976710656", "281474976710657", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "18446744073709551615",
    "18446744073709551616", "4611686018427387904", "1e308", "1e999", "-1e999", "1e-400", "-0",
    "-0.0", "1.5", "00", "0x10", "NaN", "Infinity", ".nan", ".inf", "1e", "1_000",
  ].map { Array($0.utf8) }

  private static let values = [
    "null", "true", "false", "[]", "{}", "\"\"", "\"x\"", "[1]", "{\"a\":1}", "[[]]", "-1", "1e9",
    "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\u{e9}\"", "\"e\u{301}\"", "\"../../x\"",
    "\"/dev/zero\"", "~", "*a", "&a 1", "!!int 1", "? x", "- x", "x: y", "|", ">", "%YAML 1.1",
    "---", "...", "'", "\"", "#", "<<: 1",
  ].map { Array($0.utf8) }

  private mutating func text(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    switch below(12) {
    case 0, 1, 2:
      guard let span = span(bytes, where: Self.isOfNumber) else { return raw(bytes) }
      bytes.replaceSubrange(span, with: pick(Self.numbers))
    case 3, 4:
      guard let span = quoted(bytes) else { return raw(bytes) }
      bytes.replaceSubrange(span, with: pick(Self.values))
    case 5:
      guard let span = quoted(bytes), span.count > 2 else { return raw(bytes) }
      let length = pick([1, 63, 64, 65, 255, 256, 257, 1025, 4097, 20_000])
      let letter = pick(Array("a\u{e9}.\\".utf8))
      let middle = span.lowerBound + 1..<span.upperBound - 1
      bytes.replaceSubrange(middle, with: [UInt8](repeating: letter, count: length))
    case 6, 7: return repeating(bytes)
    case 8: return nesting(bytes)
    case 9:
      guard let span = member(bytes) else { return raw(bytes) }
      bytes.removeSubrange(span)
    case 10: return decomposing(bytes)
    default: return raw(bytes)
    }
    return bytes
  }

  private static func isOfNumber(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
      || byte == UInt8(ascii: "-")
  }

  /// A run of bytes that all are something, the next after a place drawn.
  private mutating func span(
    _ bytes: [UInt8], where isPart: (UInt8) -> Bool
  ) -> Range<Int>? {
    guard !bytes.isEmpty else { return nil }
    let from = below(bytes.count)
    guard let start = bytes[from...].firstIndex(where: isPart) ?? bytes.firstIndex(where: isPart)
    else { return nil }
    let end = bytes[start...].firstIndex { !isPart($0) } ?? bytes.count
    return start..<end
  }

  /// A string with its quotes.
  private mutating func quoted(_ bytes: [UInt8]) -> Range<Int>? {
    let quote = UInt8(ascii: "\"")
    let places = bytes.indices.filter { bytes[$0] == quote }
    guard places.count >= 2 else { return nil }
    let index = below(places.count / 2) * 2
    return places[index]..<places[index + 1] + 1
  }

  /// From one comma, bracket or line's end to the next: most often a member with its comma.
  private mutating func member(_ bytes: [UInt8]) -> Range<Int>? {
    let marks = Array(",{[\n".utf8)
    let places = bytes.indices.filter { marks.contains(bytes[$0]) }
    guard places.count >= 2 else { return nil }
    let index = below(places.count - 1)
    let last = min(places.count - 1, index + 1 + (chance(4) ? below(6) : 0))
    return places[index] + 1..<places[last] + 1
  }

  /// Gives a member a second time, or very often.
  private mutating func repeating(_ bytes: [UInt8]) -> [UInt8] {
    guard let span = member(bytes), !span.isEmpty else { return raw(bytes) }
    var bytes = bytes
    let copies = chance(8) ? 1 + below(2_000) : 1
    let room = max(1, (Self.maximumBytes - bytes.count) / span.count)
    let copy = Array(bytes[span])
    for _ in 0..<min(copies, room) { bytes.insert(contentsOf: copy, at: span.lowerBound) }
    return bytes
  }

  private mutating func nesting(_ bytes: [UInt8]) -> [UInt8] {
    guard let span = chance(2) ? quoted(bytes) : span(bytes, where: Self.isOfNumber) else {
      return raw(bytes)
    }
    let depth = pick([1, 2, 30, 63, 64, 65, 5_000])
    let open = Array((chance(2) ? "[" : "{\"a\":").utf8)
    let close = open.count == 1 ? UInt8(ascii: "]") : UInt8(ascii: "}")
    let inner = Array(bytes[span])
    var bytes = bytes
    bytes.replaceSubrange(
      span,
      with: Array((0..<depth).map { _ in open }.joined()) + inner
        + [UInt8](repeating: close, count: chance(6) ? depth - 1 : depth))
    return bytes
  }

  /// Writes one "é" as two scalars: another key to a machine, the same one to `String`.
  private mutating func decomposing(_ bytes: [UInt8]) -> [UInt8] {
    let whole: [UInt8] = [0xC3, 0xA9]
    let places = bytes.indices.dropLast().filter { Array(bytes[$0..<$0 + 2]) == whole }
    guard !places.isEmpty else { return raw(bytes) }
    var bytes = bytes
    let place = pick(places)
    bytes.replaceSubrange(place..<place + 2, with: [UInt8(ascii: "e"), 0xCC, 0x81])
    return bytes
  }

  // MARK: Bytes

  private static let telling =
    Array("{}[]\":,0919-+eE.\\u null true\u{0} \n\t'#&*!%~|>".utf8) + [0x7F, 0x80, 0xC0, 0xFF]

  private mutating func raw(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    guard !bytes.isEmpty else { return [UInt8(below(256))] }
    let place = below(bytes.count)
    switch below(9) {
    case 0: bytes[place] ^= 1 << UInt8(below(8))
    case 1: bytes[place] = UInt8(below(256))
    case 2: bytes[place] = pick(Self.telling)
    case 3: bytes.insert(pick(Self.telling), at: place)
    case 4: bytes.remove(at: place)
    case 5: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(32)))
    case 6: bytes = Array(bytes[..<place])
    case 7:
      let piece = Array(bytes[place..<min(bytes.count, place + 1 + below(64))])
      bytes.insert(contentsOf: piece, at: below(bytes.count))
    default:
      let piece = [UInt8](repeating: pick([0, 0xFF, 0x20, 0x5B]), count: pick([4, 8, 64, 4_096]))
      bytes.insert(contentsOf: piece, at: place)
    }
    return bytes
  }

  private mutating func splice(_ bytes: [UInt8], _ other: [UInt8]) -> [UInt8] {
    guard !bytes.isEmpty, !other.isEmpty else { return raw(bytes) }
    return Array(bytes[..<below(bytes.count)]) + other[below(other.count)...]
  }
}
