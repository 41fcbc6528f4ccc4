import Operations
import Testing

@Suite struct ArgumentsTests {
  let usage = Usage(
    "forage run", "Runs a config.",
    positionals: [.init("CONFIG", "a YAML file"), .init("FOLDER", "where to", isRequired: false)],
    options: [
      .flag("dry-run", "print and stop"), .value("resume", "FOLDER", "continue a run"),
      .value("steps", "N", "how many"),
    ],
    takesOverrides: true, example: "forage run Configs/arithmetic.yaml")

  func read(_ words: String...) throws(ArgumentError) -> Arguments {
    try Arguments(words, usage: usage)
  }

  func fact(_ words: String...) -> ArgumentError.Fact? {
    do {
      _ = try Arguments(words, usage: usage)
      return nil
    } catch {
      return error.fact
    }
  }

  @Test func `options may stand anywhere and take their value either way`() throws {
    for words in [
      ["a.yaml", "--resume", "x", "--dry-run"], ["--dry-run", "--resume=x", "a.yaml"],
    ] {
      let arguments = try Arguments(words, usage: usage)
      #expect(arguments.required(0) == "a.yaml")
      #expect(arguments.positional(1) == nil)
      #expect(arguments.value("resume") == "x")
      #expect(arguments.flag("dry-run"))
      #expect(arguments.value("steps") == nil)
    }
  }

  @Test func `a dotted name is a setting, kept apart in the order typed`() throws {
    let arguments = try read("--b.c=1", "a.yaml", "--b.c", "2", "--a.b.d=x=y")
    #expect(arguments.overrides == ["b.c=1", "b.c=2", "a.b.d=x=y"])
  }

  @Test func `each fault of a line is found`() {
    #expect(fact("a", "--dryrun") == .unknownOption("dryrun", suggestion: "dry-run"))
    #expect(fact("a", "--zebra") == .unknownOption("zebra", suggestion: nil))
    #expect(fact("a", "--resume") == .missingValue("resume", placeholder: "FOLDER"))
    #expect(fact("a", "--resume", "--dry-run") == .missingValue("resume", placeholder: "FOLDER"))
    #expect(fact("a", "--dry-run=yes") == .unexpectedValue("dry-run"))
    #expect(fact("a", "--steps=1", "--steps=2") == .repeated("steps"))
    #expect(fact("--dry-run") == .missingPositional("CONFIG"))
    #expect(fact("a", "b", "c") == .unexpectedPositional("c"))
    #expect(fact("a", "b", "-v") == .unknownOption("v", suggestion: nil))
  }

  @Test func `after two dashes a word is a word`() throws {
    #expect(try read("--", "--dry-run").required(0) == "--dry-run")
    #expect(try !read("--", "--help").wantsHelp)
  }

  @Test func `a value out of range is refused with the range`() throws {
    let arguments = try read("a", "--steps=0")
    #expect(throws: ArgumentError.self) { try arguments.integer("steps", in: 1...9) }
    #expect(try read("a", "--steps=9").integer("steps", in: 1...9) == 9)
    #expect(try read("a").integer("steps", in: 1...9) == nil)
    do {
      _ = try arguments.integer("steps", in: 1...9)
    } catch {
      #expect(
        "\(error)" == "forage run: --steps is \"0\", expected a whole number from 1 to 9; "
          + "see forage run --help")
    }
  }

  @Test func `whoever asks for help gets it, whatever else is wrong`() throws {
    let arguments = try read("--nonsense", "--help")
    #expect(arguments.wantsHelp)
    for part in ["usage: forage run CONFIG [FOLDER]", "--resume FOLDER", "--help", usage.example] {
      #expect(arguments.usage.help.contains(part))
    }
  }

  @Test func `no line of the help is longer than 100 columns`() {
    let long = Usage(
      "forage x", "Does x.",
      options: [
        .value("an-option-with-a-very-long-name", "VALUE", "short"),
        .flag("f", String(repeating: "word ", count: 60)),
      ], example: "forage x")
    for line in long.help.split(separator: "\n") { #expect(line.count <= 100) }
  }
}
