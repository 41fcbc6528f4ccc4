import Documents
import Testing

private enum Estimate: String, CaseIterable { case k1, k2, k3 }

private func fields(_ yaml: String) throws -> Fields {
  try Fields(YAML.parse(Array(yaml.utf8), source: "settings.yaml"), source: "settings.yaml")
}

private func problem(_ yaml: String, _ read: (Fields) throws -> Void) throws -> String {
  let fields = try fields(yaml)
  do { try read(fields) } catch { return "\(error)" }
  return "no error"
}

@Suite struct FieldsTests {
  @Test func `a value out of range is told with file, place, path and range`() throws {
    let said = try problem("run:\n  seed: 1\nlearner:\n  learningRate: 3\n") {
      _ = try $0.section("learner").number("learningRate", in: 0...1)
    }
    #expect(said == "settings.yaml:4:17: learner.learningRate is 3, expected 0 to 1")
    let steps = try problem("steps: 0") { _ = try $0.integer("steps", in: 1...Int.max) }
    #expect(steps == "settings.yaml:1:8: steps is 0, expected at least 1")
  }

  @Test func `a misspelled key is refused with the one that was meant`() throws {
    let said = try problem("learner:\n  learningRat: 3\n") {
      _ = try $0.section("learner").number("learningRate", default: 1e-4, in: 0...1)
      try $0.finish()
    }
    #expect(
      said == "settings.yaml:2:3: learner.learningRat is not a setting; did you mean learningRate?")
    let far = try problem("learner:\n  colour: 3\n") {
      _ = try $0.section("learner").number("learningRate", default: 1e-4, in: 0...1)
      try $0.finish()
    }
    #expect(far.hasSuffix("learner.colour is not a setting; the settings here are learningRate"))
  }

  @Test func `an unknown key in an element of a sequence is named with its index`() throws {
    let said = try problem("parts:\n  - name: a\n  - nmae: b\n") {
      for part in try $0.sections("parts", maximumCount: 4) {
        _ = try part.string("name", default: "")
      }
      try $0.finish()
    }
    #expect(said == "settings.yaml:3:5: parts[1].nmae is not a setting; did you mean name?")
  }

  @Test func `a missing key without a default is an error that names it`() throws {
    let said = try problem("learner:\n  steps: 3\n") {
      _ = try $0.section("learner").integer("batch", in: 1...9)
    }
    #expect(said == "settings.yaml:2:3: learner.batch is missing, and it has no default")
    let null = try problem("batch:\n") { _ = try $0.integer("batch", in: 1...9) }
    #expect(null == "settings.yaml:1:7: batch is null, and it has no default")
  }

  @Test(arguments: ["", "~", "null"])
  func `null takes the default, and is an empty section`(_ null: String) throws {
    let fields = try fields("a: \(null)\nb: \(null)\nc: \(null)")
    #expect(try fields.integer("a", default: 7, in: 0...9) == 7)
    #expect(try fields.string("b", default: "d") == "d")
    #expect(try fields.section("c").bool("d", default: true))
    #expect(!fields.has("a"))
    try fields.finish()
  }

  @Test(arguments: [
    "1.0", "1e3", "0x10", "010", "1_000", "--1", "+", "9223372036854775808", "one", "'1'", "true",
    "[1]",
  ])
  func `only decimal integers are integers`(_ text: String) throws {
    let said = try problem("k: \(text)") { _ = try $0.integer("k", in: .min ... .max) }
    #expect(said.contains("expected an integer"))
  }

  @Test(arguments: [("1e-4", 1e-4), ("3", 3), ("-.5", -0.5), ("+2.", 2), ("1E3", 1000)])
  func `numbers are decimal, with or without point and exponent`(
    _ text: String, _ number: Double
  ) throws {
    #expect(try fields("k: \(text)").number("k", in: -9e9...9e9) == number)
  }

  @Test(arguments: ["nan", "inf", "infinity", "0x1p3", "1e999", "1,5", "'1'", "e", ".", "true"])
  func `what only some readers take for a number is refused`(_ text: String) throws {
    let said = try problem("k: \(text)") { _ = try $0.number("k", in: -.infinity ... .infinity) }
    #expect(said.contains("expected a number"))
  }

  @Test func `a number that is not finite is in no finite range`() throws {
    #expect(try problem("k: .nan") { _ = try $0.number("k", in: -1e308...1e308) } != "no error")
    #expect(try problem("k: .inf") { _ = try $0.number("k", in: -1e308...1e308) } != "no error")
  }

  @Test(arguments: ["yes", "True", "on", "1", "'true'"])
  func `only true and false are booleans`(_ text: String) throws {
    #expect(try problem("k: \(text)") { _ = try $0.bool("k") }.contains("expected true or false"))
  }

  @Test func `plain text that looks like another type is text when text is asked for`() throws {
    let fields = try fields("a: 010\nb: true\nc: 1e-4\nd: [1, two]")
    #expect(try fields.string("a") == "010")
    #expect(try fields.string("b") == "true")
    #expect(try fields.string("c") == "1e-4")
    #expect(try fields.strings("d", maximumCount: 2) == ["1", "two"])
  }

  @Test func `lengths and counts are bounded`() throws {
    #expect(
      try problem("k: abcdé") { _ = try $0.string("k", maximumLength: 5) }
        .contains("k is 6 bytes long, expected at most 5"))
    #expect(
      try problem("k: [1, 2, 3]") { _ = try $0.integers("k", maximumCount: 2, in: 0...9) }
        .contains("k has 3 elements, expected at most 2"))
    #expect(
      try problem("k: [{}, {}]") { _ = try $0.sections("k", maximumCount: 1) }
        .contains("k has 2 elements, expected at most 1"))
    #expect(
      try problem("k: [1, 12]") { _ = try $0.integers("k", maximumCount: 2, in: 0...9) }
        == "settings.yaml:1:8: k[1] is 12, expected 0 to 9")
  }

  @Test func `a choice is one of the names`() throws {
    #expect(try fields("kl: k3").choice("kl", default: Estimate.k2) == .k3)
    #expect(try fields("").choice("kl", default: Estimate.k2) == .k2)
    let said = try problem("kl: k4") { _ = try $0.choice("kl", default: Estimate.k2) }
    #expect(said.contains("kl is k4, expected one of k1, k2, k3"))
  }

  @Test func `resolved holds every key asked for, typed, in order, defaults included`() throws {
    let fields = try fields("rate: 1\nextra: {x: [1]}\nparts: [{n: 2}]\nname: yes\n")
    _ = try fields.string("name")
    _ = try fields.number("rate", in: 0...1)
    let section = try fields.section("learner")
    _ = try section.integer("steps", default: 3, in: 0...9)
    _ = try section.choice("kl", default: Estimate.k3)
    _ = fields.document("extra")
    _ = fields.document("absent")
    _ = fields.has("alsoAbsent")
    for part in try fields.sections("parts", maximumCount: 9) {
      _ = try part.integer("n", in: 0...9)
    }
    _ = try fields.integers("shape", default: [], maximumCount: 2, in: 0...9)
    try fields.finish()
    #expect(
      fields.resolved
        == .object([
          ("name", "yes"), ("rate", 1.0), ("learner", .object([("steps", 3), ("kl", "k3")])),
          ("extra", .object([("x", [Document(.plain("1"))])])),
          ("parts", [.object([("n", 2)])]), ("shape", []),
        ]))
    // Written out and read again, settings resolve to themselves.
    let again = try YAML.parse(Array(YAML.write(fields.resolved).utf8), source: "again")
    let fieldsAgain = try Fields(again, source: "again")
    #expect(try fieldsAgain.number("rate", in: 0...1) == 1)
    #expect(try fieldsAgain.string("name") == "yes")
  }

  @Test func `keys are found in any order`() throws {
    let keys = (0..<20).map { "k\($0)" }
    let document = Document.object(keys.enumerated().map { ($1, .integer($0)) })
    var numbers = SeededNumbers(state: 5)
    for _ in 0..<20 {
      let fields = try Fields(document, source: "s")
      for key in keys.shuffled(using: &numbers) {
        #expect(try fields.integer(key, in: 0...99) == Int(key.dropFirst())!)
      }
      try fields.finish()
    }
  }

  @Test func `what is not a mapping is refused`() throws {
    #expect(throws: DocumentError.self) { try fields("[1]") }
    #expect(throws: DocumentError.self) { try fields("a: 1").section("a") }
    #expect(throws: DocumentError.self) { try fields("a: [1]").sections("a", maximumCount: 9) }
  }

  @Test func `an error between fields stands at its key`() throws {
    let section = try fields("learner:\n  batch: 64\n").section("learner")
    #expect(
      section.error("batch", "64 exceeds 32").description
        == "settings.yaml:2:10: learner.batch: 64 exceeds 32")
  }
}

@Suite struct MergingTests {
  private func parse(_ text: String) throws -> Document {
    try YAML.parse(Array(text.utf8), source: "s")
  }

  @Test func `mappings merge, everything else is replaced, order is kept`() throws {
    let base = try parse("a: {x: 1, y: [1, 2]}\nb: 2\nc: {z: 1}")
    let over = try parse("b: 3\na: {y: [9], w: 4}\nc:\nd: 5")
    #expect(try base.merging(over) == parse("a: {x: 1, y: [9], w: 4}\nb: 3\nc: {z: 1}\nd: 5"))
  }

  @Test func `a dotted override sets what it names and leaves the rest`() throws {
    let base = try parse("learner: {rate: 1e-4, steps: 3}\nname: a")
    var document = base
    for text in ["learner.rate=1e-5", "objective.kl.beta=0.1", "shape=[1, 2]", "name=b=c"] {
      let (path, value) = try Document.override(text)
      document = try document.setting(path: path, to: value)
    }
    #expect(
      try document
        == parse(
          "learner: {rate: 1e-5, steps: 3}\nname: b=c\nobjective: {kl: {beta: 0.1}}\nshape: [1, 2]")
    )
  }

  @Test(arguments: ["", "a", "=1", "a..b=1", ".a=1", "name.x=1", "a=[1", "a=\"x"])
  func `an override that cannot be meant is refused`(_ text: String) throws {
    let base = try parse("name: a")
    #expect(throws: DocumentError.self) {
      let (path, value) = try Document.override(text)
      _ = try base.setting(path: path, to: value)
    }
  }
}

@Suite struct SpellingTests {
  @Test(arguments: [
    ("learningRat", "learningRate"), ("learnnigRate", "learningRate"),
    ("learning_rate", "learningRate"), ("LAGMAX", "lagMax"), ("stpes", "steps"),
  ])
  func `the nearest word is found`(_ word: String, _ meant: String) {
    let words = ["steps", "learningRate", "lagMax", "seed"]
    #expect(Spelling.nearest(to: word, among: words) == meant)
  }

  @Test(arguments: ["", "temperature", "zz", String(repeating: "steps", count: 1000)])
  func `a word that is near to none stays without one`(_ word: String) {
    #expect(Spelling.nearest(to: word, among: ["steps", "learningRate", "lagMax"]) == nil)
  }
}
