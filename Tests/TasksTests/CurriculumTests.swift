// Tasks of several levels: each a whole definition, measured alike whatever is open, and nothing
// that any of them measures is trained on by another.

import Documents
import Experience
import Tasks
import Testing

@Suite struct CurriculumTaskTests {
  static let small = [
    ("countdown, largestNumber: 12", "{numbers: 2}, {}, {largestNumber: 14}"),
    ("reversal, letters: 5", "{length: 2}, {length: 3}, {length: 3, letters: 7}"),
    ("sorting, letters: 9", "{length: 2}, {length: 3}, {length: 3, letters: 11}"),
    ("counting, letters: 4", "{length: 3}, {length: 4}, {length: 4, letters: 5}"),
    ("format-only, letters: 12", "{length: 2}, {length: 2, letters: 14}"),
    ("arithmetic", "{digits: 1}, {digits: 2}, {operations: [add, subtract]}"),
    (
      "instructions",
      "{rules: [begin], largestWordCount: 4}, {rules: [begin, end], largestWordCount: 6}, "
        + "{rules: [json]}"
    ),
  ].map { "{kind: \($0.0), curriculum: {levels: [\($0.1)]}}" }

  private func curriculum(_ yaml: String) throws -> Curriculum {
    try #require(try task(yaml) as? Curriculum)
  }

  /// What makes two exercises the same: the numbers, letters or operands, in any order.
  private func identity(_ exercise: Exercise, _ kind: String) -> String {
    if kind.contains("countdown") {
      return exercise.answer.split(separator: " ").dropFirst(2).sorted().joined(separator: " ")
    }
    if kind.contains("sorting") { return exercise.answer }
    if kind.contains("counting") { return String(exercise.name.dropFirst(2)) }
    if kind.contains("arithmetic") {
      return exercise.name.split { !$0.isNumber }.sorted().joined(separator: " ")
    }
    return exercise.name
  }

  @Test(arguments: small)
  func `what any level measures, no level trains on`(kind: String) throws {
    let task = try curriculum(kind)
    var measured: Set<String> = []
    for split in [Split.validation, .heldOut] {
      for index in 0..<(try #require(task.count(in: split))) {
        measured.insert(identity(task.exercise(seed: 1, split: split, index: index), kind))
      }
    }
    var passedOver = 0
    for level in 0..<task.levelCount {
      for ticket in 0..<600 {
        let exercise = task.practice(seed: 3, ticket: ticket, level: level)
        #expect(!measured.contains(identity(exercise, kind)), "\(exercise.name) at level \(level)")
        let alone = task.levels[level].exercise(seed: 3, split: .train, index: ticket)
        passedOver += measured.contains(identity(alone, kind)) ? 1 : 0
      }
    }
    // Levels alone do train on what others measure, but where they have nothing in common, or
    // everything: pairs of two digits are split alike whatever is done with them.
    #expect(passedOver > 0 || kind.contains("[json]") || kind.contains("arithmetic"))
  }

  @Test(arguments: small)
  func `every level's demonstrations have full marks from the one judge`(kind: String) throws {
    let task = try curriculum(kind)
    #expect(task.firstFlaw(seed: 1) == nil)
    for level in task.levels {
      for index in 0..<20 {
        let exercise = level.exercise(seed: 1, split: .train, index: index)
        let shown = try #require(exercise.demonstration)
        let verdict = task.judge(exercise, completion: shown, tokenCount: 1, isTruncated: false)
        #expect(verdict.isStrictlyCorrect, "\(exercise.name): \(verdict.reason)")
      }
    }
  }

  @Test(arguments: small)
  func `validation and held-out ask each exercise of each level once, levels in turn`(
    kind: String
  ) throws {
    let task = try curriculum(kind)
    for split in [Split.validation, .heldOut] {
      let count = try #require(task.count(in: split))
      var places: Set<[Int]> = []
      for index in 0..<count {
        let (level, place) = task.place(of: index, in: split)
        places.insert([level, place])
        #expect(
          task.exercise(seed: 9, split: split, index: index)
            == task.levels[level].exercise(seed: 1, split: split, index: place))
      }
      #expect(places.count == count)
      #expect(
        Set((0..<task.levelCount).map { task.place(of: $0, in: split).level }).count
          == task.levelCount)
    }
  }

  @Test func `a vocabulary holds the characters of every level`() throws {
    let task = try curriculum(
      "{kind: reversal, curriculum: {levels: [{letters: 3}, {letters: 5}]}}")
    #expect(Set(try #require(task.alphabet)) == Set("abcde>,"))
  }

  @Test(arguments: [
    ("{kind: countdown, curriculum: {levels: [{numbrs: 2}, {}]}}", "levels[0].numbrs"),
    ("{kind: countdown, curriculum: {levels: [{}]}}", "2 to 64"),
    ("{kind: countdown, curriculum: {thresold: 1, levels: [{}, {}]}}", "did you mean threshold"),
    ("{kind: countdown, curriculum: {levels: [{}, {seed: 2}]}}", "same at every level"),
    ("{kind: countdown, curriculum: {levels: [{}, {kind: sorting}]}}", "same at every level"),
    ("{kind: countdown, curriculum: {levels: [{}, {largestNumber: 2}]}}", "levels[1]"),
    (
      "{kind: countdown, largestNumber: 5, heldOutShare: 0.45, validationShare: 0.45, curriculum: "
        + "{levels: [{}, {largestNumber: 6}, {largestNumber: 7}, {largestNumber: 8}, "
        + "{largestNumber: 9}]}}", "other levels measure"
    ),
  ])
  func `levels that cannot be are refused by their place`(yaml: String, says: String) throws {
    let error = #expect(throws: DocumentError.self) { _ = try task(yaml) }
    #expect(error.map { "\($0)".contains(says) } == true, "\(error.map { "\($0)" } ?? "")")
  }

  @Test func `a task without a curriculum resolves to what it did`() throws {
    let fields = try Fields(
      YAML.parse(Array("{kind: countdown}".utf8), source: "a"), source: "a", path: "task")
    _ = try TaskFactory.make(fields)
    #expect(fields.resolved["curriculum"] == nil)
    #expect(try task("{kind: countdown}").levelCount == 1)
  }
}
