// A curriculum on its way: levels with tickets and groups, the state with commits, the rules in
// settings. Without one, every byte is as before.

import Documents
import Experience
import Testing
import Wire

@Suite struct CurriculumCodingTests {
  @Test func `a group keeps its level, and one without has no trace of it`() throws {
    var group = Samples.group
    let plain = group.encoded()
    group.level = 2
    let leveled = group.encoded()
    #expect(try TrajectoryGroup(decoding: leveled, limits: Samples.limits) == group)
    #expect(leveled != plain)
    group.level = nil
    #expect(group.encoded() == plain)
  }

  @Test(arguments: [64, -1])
  func `a level beyond all is refused`(level: Int) throws {
    var group = Samples.group
    group.level = level
    let refusal = #expect(throws: Refusal.self) {
      _ = try TrajectoryGroup(decoding: group.encoded(), limits: Samples.limits)
    }
    #expect(refusal?.sentence.contains("level is \(level)") == true)
  }

  @Test func `a commit whose count is below what was right is refused`() throws {
    let state = try Fields(
      .object([("level", 0), ("count", 3), ("correct", 4)]), source: "test")
    #expect(throws: DocumentError.self) { _ = try CurriculumState(reading: state) }
  }

  private func rules(_ yaml: String) throws -> (rules: CurriculumRules, resolved: Document)? {
    try CurriculumRules.read(
      task: YAML.parse(Array(yaml.utf8), source: "a"), source: "a")
  }

  @Test func `rules have defaults, which are written out`() throws {
    #expect(try rules("{kind: countdown}") == nil)
    #expect(try rules("{kind: countdown, curriculum: }") == nil)
    let read = try #require(try rules("{curriculum: {levels: [{}, {}], threshold: 0.7}}"))
    #expect(
      read.rules == CurriculumRules(levels: 2, threshold: 0.7, window: 256, newestShare: 0.5))
    #expect(read.resolved["window"] == .integer(256))
    let task = Document.object([("curriculum", read.resolved)])
    #expect(try CurriculumRules.read(task: task, source: "b")?.rules == read.rules)
  }

  @Test(arguments: [
    "{curriculum: {levels: []}}", "{curriculum: {levels: [{}, {}], threshold: 1.5}}",
    "{curriculum: {levels: [{}, {}], window: 0}}", "{curriculum: {levels: [{}, {}], share: 1}}",
    "{curriculum: {levels: [{}, {}], newestShare: 0}}",
  ])
  func `rules that cannot be are refused`(yaml: String) {
    #expect(throws: DocumentError.self) { _ = try rules(yaml) }
  }
}
