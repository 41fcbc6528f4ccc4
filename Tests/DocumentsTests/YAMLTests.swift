import Documents
import Testing

private func parse(_ text: String) throws -> Document {
  try YAML.parse(Array(text.utf8), source: "s.yaml")
}

private func problem(_ text: String) -> String {
  do { return "read as \(try parse(text))" } catch { return "\(error)" }
}

private func plain(_ text: String) -> Document { Document(.plain(text)) }

@Suite struct YAMLTests {
  @Test func `every node knows its line and column`() throws {
    let document = try parse("# settings\nlearner:\n  rate: 1e-4   # warm\n  names: [a, 'b']\n")
    let learner = try #require(document["learner"])
    let rate = try #require(learner["rate"])
    #expect((learner.line, learner.column) == (3, 3))
    #expect((rate.line, rate.column) == (3, 9))
    guard case .array(let names) = learner["names"]?.value else { return #expect(Bool(false)) }
    #expect((names[1].line, names[1].column) == (4, 14))
    guard case .object(let members) = learner.value else { return #expect(Bool(false)) }
    #expect((members[1].line, members[1].column) == (4, 3))
  }

  @Test func `plain scalars stay as written and quoted ones are text`() throws {
    let document = try parse("a: yes\nb: \"yes\"\nc: |\n  two\n  lines\nd:\ne: [010, {f: ~}]")
    #expect(
      document
        == .object([
          ("a", plain("yes")), ("b", "yes"), ("c", "two\nlines\n"), ("d", plain("")),
          ("e", [plain("010"), .object([("f", plain("~"))])]),
        ]))
  }

  @Test func `an empty text is null`() throws {
    #expect(try parse("") == nil)
    #expect(try parse("# nothing\n") == nil)
  }

  @Test(arguments: [
    ("a: 1\nb: 2\na: 3", "s.yaml:3:1: \"a\" is given twice, first on line 1"),
    ("a: &x 1\nb: *x", "s.yaml:1:4: anchors"),
    ("a: *x", "s.yaml:1:4: aliases"),
    ("a: !!int 1", "s.yaml:1:4: tags"),
    ("a: ! 1", "s.yaml:1:4: tags"),
    ("a: 1\n---\nb: 2", "s.yaml:2:1: a second document"),
    ("%YAML 1.1\n---\na: 1", "directives"),
    ("? [a]\n: 1", "s.yaml:1:3: a key is a sequence"),
    ("a: [1, 2", "s.yaml:"),
    ("a: 1\n\tb: 2", "s.yaml:2:"),
    ("a: \"\\q\"", "not YAML"),
    ("a: b: c", "s.yaml:1:5: not YAML: mapping values are not allowed"),
  ])
  func `what settings do not need is refused with its place`(_ text: String, _ said: String) {
    #expect(problem(text).contains(said), "\(problem(text))")
  }

  @Test func `bytes that are not UTF-8 are refused with their place`() {
    let bytes = Array("a: 1\nb: ".utf8) + [0xFF] + Array("\n".utf8)
    let error = #expect(throws: DocumentError.self) { try YAML.parse(bytes, source: "s.yaml") }
    #expect(error?.line == 2 && error?.column == 4)
  }

  @Test func `length and depth are bounded`() throws {
    #expect(problem(String(repeating: "[", count: 66)).contains("nested deeper than 64"))
    let long = [UInt8](repeating: UInt8(ascii: "a"), count: YAML.maximumByteCount + 1)
    #expect(throws: DocumentError.self) { try YAML.parse(long, source: "s.yaml") }
    #expect(try YAML.parse(long.dropLast(), source: "s.yaml").line == 1)
  }

  @Test func `a small document is written as expected`() {
    let document = Document.object([
      ("name", "arithmetic"), ("rate", 1e-4), ("steps", 300), ("whole", 2.0), ("on", true),
      ("none", nil), ("words", ["a b", "true", "12", ""]), ("empty", []),
      ("parts", [.object([("x", 1), ("w", .object([("z", 2)]))]), [[1, 2]]]),
      ("where", "ipc:///run/a"), ("odd", "a: b"), ("as", Document(.plain("1e5"))),
    ])
    #expect(
      YAML.write(document) == """
        name: arithmetic
        rate: 0.0001
        steps: 300
        whole: 2.0
        "on": true
        none: null
        words:
          - a b
          - "true"
          - "12"
          - ""
        empty: []
        parts:
          - x: 1
            w:
              z: 2
          - - - 1
              - 2
        where: ipc:///run/a
        odd: "a: b"
        as: 1e5

        """)
  }

  /// `written` as YAML tells it back: scalars that are plain mean what `Fields` takes them for.
  private func same(_ written: Document, _ read: Document) -> Bool {
    switch (written.value, read.value) {
    case (.string(let a), .string(let b)), (.string(let a), .plain(let b)): return a == b
    case (.array(let a), .array(let b)):
      return a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
    case (.object(let a), .object(let b)):
      return a.map(\.key) == b.map(\.key) && zip(a, b).allSatisfy { same($0.value, $1.value) }
    default:
      guard case .plain = read.value,
        let fields = try? Fields(.object([("k", read)]), source: "s")
      else { return false }
      switch written.value {
      case .bool(let flag): return (try? fields.bool("k")) == flag
      case .integer(let number):
        return (try? fields.integer("k", in: .min ... .max)) == number
      case .number(let number):
        return (try? fields.number("k", in: -.infinity ... .infinity)) == number
      case .null: return !fields.has("k")
      default: return false
      }
    }
  }

  @Test func `what was written reads back equal under Fields`() throws {
    var numbers = SeededNumbers(state: 3)
    for round in 0..<1000 {
      let document = Document.random(&numbers, depth: 4)
      let text = YAML.write(document)
      let read = try parse(text)
      #expect(same(document, read), "round \(round): \(text)")
      // Reading loses nothing that writing needs: a second turn gives the same text.
      #expect(YAML.write(read) == text)
    }
  }

  @Test(arguments: awkwardTexts)
  func `an awkward text is text again, and no other type`(_ text: String) throws {
    let fields = try Fields(parse(YAML.write(.object([("k", .string(text))]))), source: "s")
    #expect(try fields.string("k") == text)
    #expect(throws: DocumentError.self) { try fields.bool("k") }
    #expect(throws: DocumentError.self) { try fields.number("k", in: -.infinity ... .infinity) }
  }

  @Test func `mutated texts are read or refused, and what is read is written and read again`() {
    var numbers = SeededNumbers(state: 4)
    let samples = (0..<50).map { _ in Array(YAML.write(.random(&numbers, depth: 3)).utf8) }
    var readCount = 0
    for round in 0..<5000 {
      let bytes = mutated(samples[round % samples.count], &numbers)
      guard let document = try? YAML.parse(bytes, source: "fuzz") else { continue }
      readCount += 1
      let text = YAML.write(document)
      let again = try? YAML.parse(Array(text.utf8), source: "again")
      #expect(again.map(YAML.write) == text)
    }
    #expect(readCount > 250 && readCount < 4750)
  }
}
