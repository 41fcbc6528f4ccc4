import Foundation
import Safetensors
import Testing

let sample = SafetensorsBlob(
  metadata: ["format": "pt", "a": "b\"\n"],
  tensors: [
    NamedTensor(name: "weight", shape: [2, 3], floats: [1, -2, 0.5, .infinity, -0.0, 0x1p-149]),
    NamedTensor(name: "tokens", shape: [3], integers: [1, -1, .max]),
    NamedTensor(name: "none", shape: [4, 0], floats: []),
    NamedTensor(name: "scalar", shape: [], floats: [7]),
    NamedTensor(name: "mask é", type: .bool, shape: [3], bytes: [1, 0, 1]),
  ])

@Suite struct BlobTests {
  @Test func `what was serialized parses equal, and serializes to the same bytes`() throws {
    let bytes = sample.serialized()
    let parsed = try SafetensorsBlob(parsing: bytes, source: "peer")
    #expect(parsed == sample)
    #expect(parsed.serialized() == bytes)
    #expect(
      try parsed["weight"]?.floats().map(\.bitPattern)
        == sample["weight"]?.floats().map(\.bitPattern))
    #expect(try parsed["tokens"]?.integers() == [1, -1, .max])
  }

  @Test func `the data starts on a multiple of eight`() {
    for length in 0..<20 {
      let name = String(repeating: "n", count: length)
      let bytes = SafetensorsBlob(tensors: [NamedTensor(name: name, shape: [1], floats: [1])])
        .serialized()
      #expect((bytes.count - 4) % 8 == 0)
    }
  }

  @Test func `an empty blob is a header alone`() throws {
    let bytes = SafetensorsBlob(tensors: []).serialized()
    #expect(bytes == littleEndian(8) + Array("{}      ".utf8))
    #expect(try SafetensorsBlob(parsing: bytes, source: "peer").tensors.isEmpty)
  }

  @Test func `a file made by the library of the format reads number by number`() throws {
    let blob = try SafetensorsBlob(path: fixtures.appending(path: "golden.safetensors").path)
    #expect(blob.metadata == ["format": "pt"])
    #expect(blob.tensors.count == 13)
    let halves = try #require(try blob["f16"]?.floats())
    #expect(
      halves.dropLast() == [0, -0.0, 1, -2.5, 0x1p-24, 0x1p-14, 65504, .infinity, -.infinity])
    #expect(halves[1].sign == .minus && halves[9].isNaN)
    #expect(
      try blob["bf16"]?.floats()
        == [1, 3.140625, 0x1p-133, 0x1.FEp127, -.infinity, 0.10009765625])
    #expect(try blob["f32"]?.floats() == [0.1, 1.5, -2, 0x1p-149, .infinity, 3])
    #expect(try blob["i32"]?.integers() == [-1, .max])
    #expect(try blob["i16"]?.integers() == [-32768, 7])
    #expect(try blob["i8"]?.integers() == [-128, 127, 5])
    #expect(try blob["u8"]?.integers() == [0, 255, 9])
    #expect(try blob["bool"]?.integers() == [1, 0, 1])
    #expect(try blob["scalar"]?.shape == [] && blob["scalar"]?.floats() == [2.5])
    #expect(try blob["empty"]?.shape == [0, 3] && blob["empty"]?.floats() == [])
    #expect(try blob["model.layers.0.é"]?.integers() == [1])
    #expect(blob["f64"]?.bytes.count == 16)
    #expect(throws: SafetensorsError.self) { try blob["f64"]?.floats() }
    #expect(throws: SafetensorsError.self) { try blob["f32"]?.integers() }
    // Beyond Int32.
    #expect(throws: SafetensorsError.self) { try blob["i64"]?.integers() }
  }

  @Test func `its tensors in its order serialize to its very bytes`() throws {
    let golden = try Data(contentsOf: fixtures.appending(path: "golden.safetensors"))
    let blob = try SafetensorsBlob(parsing: Array(golden), source: "golden")
    #expect(blob.serialized() == Array(golden))
  }
}

@Suite struct HostileHeaderTests {
  private static func entry(
    _ type: String = "F32", _ shape: String = "[2]", _ offsets: String = "[0,8]"
  ) -> String {
    "{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
  }

  @Test func `the file these cases disturb is accepted`() {
    #expect(problem(file("{\"a\":\(Self.entry())}", dataByteCount: 8)) == "accepted")
  }

  @Test(arguments: [
    ("{\"a\":\(entry()),\"a\":\(entry())}", 8, "duplicate object key"),
    (
      "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
      "duplicate"
    ),
    ("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "duplicate"),
    ("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__.a: not a string"),
    ("{\"__metadata__\":[]}", 0, "expected a mapping"),
    ("{\"__metadata__\":null}", 0, "__metadata__: not a mapping"),
    ("{\"a\":\(entry()),\"b\":\(entry("F32", "[2]", "[4,12]"))}", 12, "overlaps"),
    ("{\"a\":\(entry()),\"b\":\(entry())}", 8, "overlaps"),
    ("{\"a\":\(entry()),\"b\":\(entry("F32", "[2]", "[12,20]"))}", 20, "leaves a hole"),
    ("{\"a\":\(entry("F32", "[2]", "[8,16]"))}", 16, "leaves a hole"),
    ("{\"a\":\(entry())}", 9, "something follows the last tensor"),
    ("{}", 1, "something follows the last tensor"),
    ("{\"a\":\(entry())}", 7, "truncated"),
    ("{\"a\":\(entry("F32", "[2]", "[8,0]"))}", 8, "a start and an end"),
    ("{\"a\":\(entry("F32", "[2]", "[-8,0]"))}", 8, "expected at least 0"),
    ("{\"a\":\(entry("F32", "[2]", "[0,8,8]"))}", 8, "at most 2"),
    ("{\"a\":\(entry("F32", "[2]", "[0]"))}", 8, "a start and an end"),
    ("{\"a\":\(entry("F32", "[2]", "[0.0,8.0]"))}", 8, "expected an integer"),
    ("{\"a\":\(entry("F32", "[3]"))}", 8, "has 12"),
    ("{\"a\":\(entry("F32", "[-2]"))}", 8, "expected at least 0"),
    ("{\"a\":\(entry("F32", "[1,1,1,1,1,1,1,1,2]"))}", 8, "at most 8"),
    ("{\"a\":\(entry("F32", "[4294967296,4294967296]"))}", 8, "63 bits"),
    ("{\"a\":\(entry("F32", "[9223372036854775807,0,3]", "[0,0]"))}", 0, "63 bits"),
    ("{\"a\":\(entry("F32", "[18446744073709551616]"))}", 8, "too big integer"),
    ("{\"a\":\(entry("F8_E4M3", "[8]"))}", 8, "not a type known here"),
    ("{\"a\":\(entry("f32"))}", 8, "not a type known here"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets is missing"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8, "a.x is not"),
    ("{\"a\":3}", 8, "expected a mapping"),
    ("[1]", 0, "not a JSON object"),
    (" {}", 0, "not a JSON object"),
    ("{\"a\"", 0, "not JSON"),
    ("{\"\u{0}\":\(entry())}", 8, "not JSON"),
  ])
  func `a header that two readers could take differently is refused`(
    _ header: String, _ dataByteCount: Int, _ said: String
  ) {
    let told = problem(file(header, dataByteCount: dataByteCount))
    #expect(told.contains(said), "\(told)")
  }

  @Test(
    arguments: [
      ([], "too short"), ([1, 2, 3], "too short"), (littleEndian(0), "not a JSON object"),
      (littleEndian(.max), "at most 4194304"), (littleEndian(1 << 63), "at most 4194304"),
      (littleEndian(16) + Array("{}      ".utf8), "truncated"),
      (littleEndian(2) + Array("{}".utf8), "a multiple of 8"),
      (littleEndian(8) + Array("{} \u{0}    ".utf8), "not JSON"),
    ] as [([UInt8], String)])
  func `a length that cannot be is refused`(_ bytes: [UInt8], _ said: String) {
    #expect(problem(bytes).contains(said), "\(problem(bytes))")
  }

  @Test func `every shorter and every longer file is refused`() {
    let bytes = sample.serialized()
    for count in 0..<bytes.count { #expect(problem(Array(bytes[..<count])) != "accepted") }
    #expect(problem(bytes + [0]) != "accepted")
  }

  @Test func `mutated blobs are parsed or refused, and what is parsed is written and parsed again`()
  {
    var numbers = SeededNumbers(state: 6)
    let bytes = sample.serialized()
    let dataStart = bytes.count - sample.tensors.reduce(0) { $0 + $1.bytes.count }
    var acceptedCount = 0
    for _ in 0..<5000 {
      var mutated = bytes
      for _ in 0..<Int.random(in: 1...3, using: &numbers) {
        // Data can hold anything: only the head is worth disturbing.
        let place = Int.random(in: 0..<dataStart, using: &numbers)
        switch Int.random(in: 0..<4, using: &numbers) {
        case 0: mutated[place] = .random(in: 0...255, using: &numbers)
        case 1: mutated[place] = Array("0123456789[]{}\",: ".utf8).randomElement(using: &numbers)!
        case 2: mutated.swapAt(place, Int.random(in: 0..<dataStart, using: &numbers))
        default: mutated[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
        }
      }
      guard let blob = try? SafetensorsBlob(parsing: mutated, source: "fuzz") else { continue }
      acceptedCount += 1
      #expect(try! SafetensorsBlob(parsing: blob.serialized(), source: "again") == blob)
    }
    // A changed letter of a name passes, a changed offset does not.
    #expect(acceptedCount > 100 && acceptedCount < 4000)
  }
}
