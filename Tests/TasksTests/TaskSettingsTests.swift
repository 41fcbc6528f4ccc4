import Documents
import Tasks
import Testing

@Suite struct TaskSettingsTests {
  private func make(_ yaml: String) throws -> any Exercises {
    let document = try YAML.parse(Array(yaml.utf8), source: "run.yaml")
    return try TaskFactory.make(Fields(document, source: "run.yaml", path: "task"))
  }

  @Test func `an empty section is two-digit addition`() throws {
    let task = try TaskFactory.make(Fields(nil, source: "run.yaml", path: "task"))
    let made = try #require(task as? Arithmetic)
    #expect(made.operations == [.add] && made.digits == 2)
    #expect(made.alphabet == Array("0123456789+=,"))
    #expect(
      made.exercise(seed: 1, split: .heldOut, index: 7)
        == Arithmetic().exercise(seed: 1, split: .heldOut, index: 7))
  }

  @Test func `settings are read, and written out resolved`() throws {
    let document = try YAML.parse(
      Array(
        "kind: arithmetic\noperations: [subtract, multiply]\ndigits: 3\nformatReward: 0.5".utf8),
      source: "run.yaml")
    let fields = try Fields(document, source: "run.yaml", path: "task")
    let task = try #require(try TaskFactory.make(fields) as? Arithmetic)
    #expect(task.operations == [.subtract, .multiply])
    #expect(task.digits == 3 && task.formatReward == 0.5 && task.correctReward == 1)
    // A product's steps are summed: the plus sign is needed though no prompt has one.
    #expect(Set(task.alphabet!) == Set("0123456789+-*=,"))
    let again = try #require(
      try TaskFactory.make(Fields(fields.resolved, source: "resolved", path: "task")) as? Arithmetic
    )
    #expect(
      again.exercise(seed: 1, split: .validation, index: 3)
        == task.exercise(seed: 1, split: .validation, index: 3))
  }

  @Test(arguments: [
    ("digit: 2", "did you mean digits?"),
    ("kind: arithmetics", "did you mean arithmetic?"),
    ("operations: [ad]", "did you mean add?"),
    ("operations: [add, add]", "twice"),
    ("operations: []", "is empty"),
    ("digits: 10", "task.digits is 10"),
    ("digits: 0", "task.digits is 0"),
    ("heldOutShare: 0.5", "task.heldOutShare is 0.5"),
    ("formatReward: -1", "task.formatReward is -1"),
  ])
  func `a setting that cannot stand is refused with its line and a remedy`(
    yaml: String, part: String
  ) {
    let error = #expect(throws: DocumentError.self) { try make(yaml) }
    #expect(error?.line == 1)
    #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
  }
}
