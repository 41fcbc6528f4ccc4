import Foundation
import Patterns
import Synchronization
import Testing

private func matches(_ pattern: String, _ text: String) throws -> [String] {
  let bytes = Array(text.utf8)
  return try Pattern(pattern).matches(in: bytes).map { String(decoding: bytes[$0], as: UTF8.self) }
}

private func problem(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}

@Suite struct PatternTests {
  @Test func `matches are found in order and do not overlap`() throws {
    #expect(try matches("[0-9]+", "12 + 345 = 357") == ["12", "345", "357"])
    #expect(try matches("aa", "aaaaa") == ["aa", "aa"])
    #expect(try matches("x", "") == [])
    #expect(try matches("", "") == [""])
  }

  @Test func `empty matches are found once each, between characters`() throws {
    let places = try Pattern("a*").matches(in: Array("aab".utf8))
    #expect(places == [0..<2, 2..<2, 3..<3])
    #expect(try Pattern("").matches(in: Array("é🐟".utf8)) == [0..<0, 2..<2, 6..<6])
    #expect(try Pattern("(?=b)|b").matches(in: Array("ab".utf8)) == [1..<1, 1..<2])
  }

  @Test func `groups are ranges of bytes, and nil where one took no part`() throws {
    let pattern = try Pattern("(a)|(é)(z)?")
    #expect(pattern.groupCount == 3)
    #expect(try pattern.firstMatch(in: Array("xé".utf8)) == [1..<3, nil, 1..<3, nil])
    #expect(try pattern.firstMatch(in: Array("xa".utf8)) == [1..<2, 1..<2, nil, nil])
    #expect(try pattern.firstMatch(in: Array("x".utf8)) == nil)
  }

  @Test func `a search from a place looks behind it and not past it`() throws {
    let bytes = Array("ab ab".utf8)
    #expect(try Pattern("ab").firstMatch(in: bytes, from: 1) == [3..<5])
    #expect(try Pattern("(?<=a)b").firstMatch(in: bytes, from: 1) == [1..<2])
    #expect(try Pattern("^ab").firstMatch(in: bytes, from: 3) == nil)
    #expect(try Pattern("$").firstMatch(in: bytes, from: 5) == [5..<5])
  }

  @Test func `classes are Unicode's`() throws {
    #expect(try matches(#"\p{L}+"#, "naïve日本 ß1") == ["naïve日本", "ß"])
    #expect(try matches(#"\s+"#, "a\u{3000}b\u{A0}c") == ["\u{3000}", "\u{A0}"])
    #expect(try matches("(?i)É", "é") == ["é"])
  }

  @Test(arguments: [
    ("(a", "missing closing parenthesis at byte 2"), ("[z-a]", "range out of order"),
    (#"\p{Klingon}"#, "unknown property"), (#"a\Cb"#, #"using \C is disabled"#),
    (#"(?=a\K)"#, #"\K is not allowed in lookarounds"#),
    ("((a{1000}){1000}){1000}", "too large"),
    (String(repeating: "(", count: 300), "too deeply nested"),
    (String(repeating: "a", count: 20_000), "expected at most 16384"),
  ])
  func `a pattern that cannot be is refused`(_ pattern: String, _ said: String) {
    let told = problem { _ = try Pattern(pattern) }
    #expect(told.contains(said), "\(told)")
  }

  @Test(arguments: [
    "(a+)+$", "(a|aa)+$", "(.*)*b", "(?:a?){64}a{64}b", "^(([a-z])+.)+[A-Z]([a-z])+$",
  ])
  func `backtracking without end is given up in bounded time`(_ pattern: String) throws {
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: 300) + Array("!".utf8)
    let compiled = try Pattern(pattern)
    let clock = ContinuousClock()
    var told = ""
    let took = clock.measure { told = problem { _ = try compiled.matches(in: text) } }
    #expect(told == "no error" || told.contains("gave up"), "\(told)")
    // Measured: 0.02 s. The bound leaves room for a machine that does something else too.
    #expect(took < .seconds(3), "\(pattern) took \(took)")
  }

  @Test func `exponential backtracking reaches the limit and says so`() throws {
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: 300) + Array("!".utf8)
    let pattern = try Pattern("(a+)+$")
    #expect(problem { _ = try pattern.matches(in: text) }.contains("gave up after 662251 steps"))
    // The pattern is as good as before.
    #expect(try pattern.matches(in: Array("aaa".utf8)) == [0..<3])
  }

  @Test(arguments: ["", "(*NO_JIT)"])
  func `a lazy search through the longest text is not given up`(_ prefix: String) throws {
    let middle = [UInt8](repeating: UInt8(ascii: "a"), count: Pattern.maximumSubjectBytes - 7)
    let pattern = try Pattern(prefix + "(?s)<a>(.*?)</a>")
    let text = Array("<a>".utf8) + middle + Array("</a>".utf8)
    #expect(text.count == Pattern.maximumSubjectBytes)
    #expect(try pattern.firstMatch(in: text) == [0..<text.count, 3..<(text.count - 4)])
    #expect(problem { _ = try pattern.firstMatch(in: text + [10]) }.contains("at most 1048576"))
  }

  @Test func `deep recursion is given up, with and without machine code`() throws {
    let text = [UInt8](repeating: UInt8(ascii: "("), count: 1_000_000) + Array("()".utf8)
    for pattern in [#"\((?:[^()]|(?R))*\)"#, #"(*NO_JIT)\((?:[^()]|(?R))*\)"#] {
      let compiled = try Pattern(pattern)
      #expect(problem { _ = try compiled.firstMatch(in: text) }.contains("gave up"))
    }
  }

  @Test(
    arguments: [
      [0x61, 0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x61, 0xE3, 0x81],
      [0x80],
    ] as [[UInt8]])
  func `a text that is not UTF-8 is refused with the place`(_ bytes: [UInt8]) throws {
    let pattern = try Pattern(".")
    #expect(problem { _ = try pattern.matches(in: bytes) }.contains("not UTF-8 at byte"))
    #expect(problem { _ = try pattern.firstMatch(in: bytes) }.contains("not UTF-8 at byte"))
  }

  @Test func `a search from inside a character is refused`() throws {
    let pattern = try Pattern(".")
    #expect(problem { _ = try pattern.firstMatch(in: Array("é".utf8), from: 1) }.contains("offset"))
  }

  @Test func `a scan takes time in proportion to the text`() throws {
    // Were each call to check the whole text again, this would read 25 GB.
    let text = Array(String(repeating: "word 12, ", count: 50_000).utf8)
    let clock = ContinuousClock()
    var count = 0
    let took = try clock.measure {
      count = try Pattern(#" ?\p{L}+| ?\p{N}+|."#).matches(in: text).count
    }
    #expect(count == 150_001)
    #expect(took < .seconds(1.5), "took \(took)")
  }

  @Test func `threads share a pattern`() throws {
    let pattern = try Pattern(#"(\p{L})(\p{N})"#)
    let text = Array(String(repeating: "a1 ", count: 500).utf8)
    let expected = try pattern.matches(in: text)
    let agreed = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 64) { _ in
      for _ in 0..<20 where (try? pattern.matches(in: text)) == expected {
        agreed.add(1, ordering: .relaxed)
      }
    }
    #expect(expected.count == 500 && agreed.load(ordering: .relaxed) == 64 * 20)
  }

  @Test func `splits are those of Hugging Face's tokenizers`() throws {
    struct Case: Decodable {
      let pattern: String
      let text: String
      let pieces: [String]
    }
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/splits.json")
    let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: path))
    #expect(cases.count == 189)
    var patterns: [String: Pattern] = [:]
    for example in cases {
      let pattern = try patterns[example.pattern] ?? Pattern(example.pattern)
      patterns[example.pattern] = pattern
      let bytes = Array(example.text.utf8)
      // These patterns leave nothing uncovered.
      let pieces = try pattern.matches(in: bytes).map { Array(bytes[$0]) }
      #expect(pieces == example.pieces.map { Array($0.utf8) })
    }
  }
}

@Suite struct PatternFuzzTests {
  @Test func `mutated patterns on mutated texts match or are refused`() {
    var numbers = SeededNumbers(state: 8)
    let seeds = [
      #" ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, #"<answer>\s*(-?\d+)\s*</answer>"#,
      #"^(?:(a+)b|(?<=c)d)*\K\1{2,5}?$"#, #"(?<n>x(?&n)?y)|[[:alpha:]-]\X\R"#,
    ]
    let text = Array("<answer> -42 </answer>\r\n aab aab cd xxyy é🐟".utf8)
    var matchedCount = 0
    for round in 0..<3000 {
      let pattern = String(
        decoding: mutated(Array(seeds[round % seeds.count].utf8), &numbers), as: UTF8.self)
      let subject = round % 3 == 0 ? mutated(text, &numbers) : text
      guard let compiled = try? Pattern(pattern),
        let found = try? compiled.matches(in: subject)
      else { continue }
      if !found.isEmpty { matchedCount += 1 }
      for (range, next) in zip(found, found.dropFirst()) {
        #expect(range.upperBound <= next.lowerBound, "\(pattern)")
      }
      #expect(found.last?.upperBound ?? 0 <= subject.count)
    }
    #expect(matchedCount > 300)
  }

  private func mutated(_ bytes: [UInt8], _ numbers: inout SeededNumbers) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...3, using: &numbers) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &numbers)
      switch Int.random(in: 0..<4, using: &numbers) {
      case 0: bytes[place] = .random(in: 0...255, using: &numbers)
      case 1: bytes[place] = Array(#"()[]{}\|?*+^$.-,:=!<>K1"#.utf8).randomElement(using: &numbers)!
      case 2: bytes.remove(at: place)
      default: bytes.insert(bytes[place], at: place)
      }
    }
    return bytes
  }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same numbers everywhere.
private struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
