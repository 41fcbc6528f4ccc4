import Documents
import Testing

private func parse(_ text: String) throws -> Document {
  try JSON.parse(Array(text.utf8), source: "peer")
}

private func problem(_ text: String) -> String {
  #expect(throws: DocumentError.self) { try parse(text) }
  do { return "read as \(try parse(text))" } catch { return "\(error)" }
}

@Suite struct JSONTests {
  @Test func `members keep the order they were written in`() throws {
    let keys = (0..<500).map { "k\(($0 * 7919) % 500)" }
    let text = "{" + keys.map { "\"\($0)\": 1" }.joined(separator: ",") + "}"
    guard case .object(let members) = try parse(text).value else { return #expect(Bool(false)) }
    #expect(members.map(\.key) == keys)
  }

  @Test func `integers are exact to the last of 64 bits and reals stay reals`() throws {
    let document = try parse("[9223372036854775807, -9223372036854775808, 3.0, 1e2, 0.1]")
    #expect(
      document == [.integer(.max), .integer(.min), .number(3), .number(100), .number(0.1)])
  }

  @Test func `any value may stand alone`() throws {
    #expect(try parse(" \"a\" ") == "a")
    #expect(try parse("null") == nil)
    #expect(try parse("true") == true)
  }

  @Test func `a repeated key is refused with its place`() {
    let said = problem("{\"a\": 1,\n \"b\": 2,\n \"a\": 3}")
    #expect(said.hasPrefix("peer:3:"))
    #expect(said.contains("duplicate object key"))
  }

  @Test(arguments: [
    "", "{", "[1,]", "[1] 2", "{\"a\" 1}", "nul", "01", "[1e999]", "9223372036854775808",
    "\"\\ud800\"",
    "\"a", "'a'", "{1: 2}", "[NaN]", "// a\n1",
  ])
  func `what is not JSON is refused`(_ text: String) {
    #expect(problem(text).contains("not JSON"))
  }

  @Test(arguments: [
    [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
  ])
  func `bytes that are not UTF-8 are refused`(_ bytes: [UInt8]) {
    #expect(throws: DocumentError.self) { try JSON.parse(bytes, source: "peer") }
  }

  @Test func `nesting is read to the named depth and refused one deeper`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(Document.maximumDepth))
    #expect(problem(nested(Document.maximumDepth + 1)).contains("peer:1:65: nested deeper than 64"))
    #expect(problem(String(repeating: "[", count: 1 << 20)).contains("nested deeper"))
    // Brackets inside a string are text.
    _ = try parse("\"\\\"" + String(repeating: "[", count: 100) + "\"")
  }

  @Test func `a text longer than the limit is refused before it is read`() throws {
    let text = Array("[1, 2]".utf8)
    _ = try JSON.parse(text, source: "peer", maximumByteCount: 6)
    #expect(throws: DocumentError.self) {
      try JSON.parse(text, source: "peer", maximumByteCount: 5)
    }
  }

  @Test func `a small document is written as expected`() {
    let document = Document.object([
      ("z", 1), ("a", [1.5, 3.0, nil, true]), ("s", "q\"\\\n\u{1}é"), ("e", .object([])),
      ("n", .number(.nan)), ("i", .number(-.infinity)), ("p", Document(.plain("1e-4"))),
    ])
    #expect(
      JSON.write(document)
        == #"{"z":1,"a":[1.5,3.0,null,true],"s":"q\"\\\n\u0001é","e":{},"n":null,"i":null,"p":0.0001}"#
    )
    #expect(
      JSON.write(
        .object([("a", [1, 2]), ("b", .object([("c", [.object([("d", 1)])])]))]), pretty: true)
          == """
          {
            "a": [1, 2],
            "b": {
              "c": [
                {
                  "d": 1
                }
              ]
            }
          }
          """)
  }

  @Test func `what was written reads back equal`() throws {
    var numbers = SeededNumbers(state: 1)
    for round in 0..<500 {
      let document = Document.random(&numbers, depth: 4)
      let text = JSON.write(document, pretty: round % 2 == 0)
      #expect(try parse(text) == document, "round \(round): \(text)")
    }
  }

  @Test func `mutated texts are read or refused, and what is read is written and read again`() {
    var numbers = SeededNumbers(state: 2)
    let samples = (0..<50).map { _ in JSON.writeBytes(.random(&numbers, depth: 4)) }
    var readCount = 0
    for round in 0..<5000 {
      let bytes = mutated(samples[round % samples.count], &numbers)
      guard let document = try? JSON.parse(bytes, source: "fuzz") else { continue }
      readCount += 1
      #expect(try! JSON.parse(JSON.writeBytes(document), source: "again") == document)
    }
    // A mutation of a string's letter is still JSON, a mutation of a bracket is not.
    #expect(readCount > 250 && readCount < 4750)
  }
}
