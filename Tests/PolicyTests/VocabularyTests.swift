// Three real vocabularies against PyPI's `tokenizers`, on GSM8K's training text, every character
// there is, and random bytes. What that library says stands in vocabularies.json as checksums
// (Fixtures/make_vocabularies.py); vocabularies and text are too large to keep here and are looked
// for beside the checkout.

import Documents
import Glibc
import Policy
import Testing

private enum Data {
  static let folder: String = {
    let here = String(describing: #filePath)
    return here[..<here.range(of: "/Tests/")!.lowerBound] + "/../shared/data"
  }()

  static let isThere = access(folder + "/tokenizers/qwen2/tokenizer.json", R_OK) == 0

  static func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(folder: "\(folder)/tokenizers/\(name)")
  }

  static let expected: Document = {
    let path = Fixtures.path("tokenizers/vocabularies.json")
    guard let document = try? JSON.parse(Fixtures.bytes(path), source: path) else {
      fatalError("\(path) is not JSON")
    }
    return document
  }()
}

/// FNV-1a, as the script computes it.
private struct Checksum {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  mutating func add(_ id: UInt32) {
    for shift in [0, 8, 16, 24] { add(CollectionOfOne(UInt8(truncatingIfNeeded: id >> shift))) }
  }

  var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

private enum Corpus: String, CaseIterable {
  case gsm8k, characters, bytes

  var texts: [String] {
    get throws {
      switch self {
      case .gsm8k: try Self.problems()
      case .characters: Self.everyCharacter()
      case .bytes: Self.randomBytes()
      }
    }
  }

  private static func problems() throws -> [String] {
    let bytes = Fixtures.bytes(Data.folder + "/gsm8k/train.jsonl")
    return try bytes.split(separator: UInt8(ascii: "\n")).map { line in
      let fields = try Fields(JSON.parse(Array(line), source: "gsm8k"), source: "gsm8k")
      return try fields.string("question", maximumLength: 1 << 16) + "\n"
        + fields.string("answer", maximumLength: 1 << 16)
    }
  }

  /// But for twenty that PCRE2's tables lack: the script says why, and why each stands alone.
  private static func everyCharacter() -> [String] {
    let starts = stride(from: UInt32(0), to: 0x110000, by: 64).filter { start in
      if 0xd800..<0xe000 ~= start { return false }
      return start < 0x33500 || start % 1024 == 0 || 0xe0000..<0xe0200 ~= start
    }
    return starts.map { start in
      let block = (start..<start + 64).filter { !(0x1d2c0..<0x1d2d4 ~= $0) }
        .map { String(Character(Unicode.Scalar($0)!)) }
      return block.joined(separator: "a") + " " + block.joined(separator: " ")
    }
  }

  private static func randomBytes() -> [String] {
    var chance = Chance(seed: 17)
    let few = Array(" \n\t'a1<|>\u{e9}\u{2003}\u{1f600}\u{301}".utf8)
    return (0..<2048).map { index in
      let length = chance.next() % 200
      let raw = (0..<length).map { _ in
        let number = chance.next()
        return index % 2 == 1 ? UInt8(number % 256) : few[Int(number % UInt64(few.count))]
      }
      return String(decoding: raw, as: UTF8.self)
    }
  }
}

@Suite(.enabled(if: Data.isThere, "tokenizers and gsm8k are not at ../shared/data"))
struct `A real vocabulary` {
  @Test(arguments: ["gpt2", "qwen2", "starcoder"], Corpus.allCases)
  fileprivate func `gives the ids and texts that tokenizers gives`(
    _ name: String, _ corpus: Corpus
  ) throws {
    let expected = try Fields(Data.expected, source: "vocabularies.json")
      .section(name).section(corpus.rawValue)
    let tokenizer = try Data.tokenizer(name)
    let texts = try corpus.texts
    #expect(texts.count == (try expected.integer("texts", in: 0...1 << 20)))
    var sums: [Checksum] = []
    var decoded = Checksum()
    var count = 0
    for (index, text) in texts.enumerated() {
      if index % 512 == 0 { sums.append(Checksum()) }
      let ids = tokenizer.encode(text)
      count += ids.count
      for id in ids { sums[sums.count - 1].add(UInt32(id)) }
      sums[sums.count - 1].add(UInt32.max)
      decoded.add(tokenizer.decode(ids, includingSpecial: true).utf8)
      decoded.add(CollectionOfOne(0))
    }
    #expect(count == (try expected.integer("count", in: 0...Int.max)))
    let theirs = try expected.strings("ids", maximumCount: 1 << 16)
    let different = zip(sums, theirs).enumerated().filter { $1.0.text != $1.1 }.map(\.offset)
    #expect(different.isEmpty && sums.count == theirs.count, "blocks of 512 texts that differ")
    #expect(decoded.text == (try expected.string("decoded")))
  }

  @Test func `is the same to several threads at once`() async throws {
    let tokenizer = try Data.tokenizer("gpt2")
    let texts = Array(try Corpus.gsm8k.texts.prefix(200))
    let alone = texts.map(tokenizer.encode)
    let results = await withTaskGroup(of: [[Int32]].self) { group in
      for _ in 0..<4 { group.addTask { texts.map(tokenizer.encode) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.count == 4 && results.allSatisfy { $0 == alone })
  }
}
