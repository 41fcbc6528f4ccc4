// Steps repeat: the same batches from the same start give the same chain, whoever takes them, and a
// change of settings counts from its step on.

import Documents
import Experience
import Learning
import Objectives
import Operations
import Policy
import Testing

@Suite struct StepTakerTests {
  static func settings(_ overrides: String...) throws -> RunSettings {
    try RunSettings(
      document: .object([]), source: "test",
      overrides: ["run.steps=8", "learner.checkpointEvery=3", "objective.beta=0"] + overrides)
  }

  func taker(_ bench: Bench, _ spans: [(step: Int, settings: RunSettings)]) throws -> StepTaker {
    let version = PolicyVersion(lineage: "test", number: 0, digest: bench.policy.digest())
    return StepTaker(
      trainer: bench.trainer(), timeline: try TrainingTimeline(spans, source: "test"),
      state: CheckpointState(version: version, chain: version.digest))
  }

  /// The chain after each step.
  func chains(_ spans: [(step: Int, settings: RunSettings)], steps: Int) throws -> [Digest] {
    let bench = try Bench()
    let groups = try bench.groups()
    let taker = try taker(bench, spans)
    return try (0..<steps).map { _ in
      let taken = try taker.take(groups)
      taker.accept(taken)
      #expect(taker.isAtLastStep)
      return taken.chain
    }
  }

  @Test func `the same batches give the same chain`() throws {
    let settings = try Self.settings()
    let first = try chains([(0, settings)], steps: 4)
    #expect(try chains([(0, settings)], steps: 4) == first)
    #expect(Set(first).count == 4)
  }

  @Test func `a change of settings counts from its step on`() throws {
    let (one, other) = (
      try Self.settings(), try Self.settings("learner.learningRate=1e-3")
    )
    let before = try chains([(0, one)], steps: 4)
    let changed = try chains([(0, one), (2, other)], steps: 4)
    #expect(changed.prefix(2) == before.prefix(2))
    #expect(changed[2] != before[2] && changed[3] != before[3])
  }

  static let levels = "task.curriculum={levels: [{}, {}], threshold: 0.5, window: 8}"

  /// The groups of the bench at levels, one after another.
  func leveled(_ bench: Bench, _ levels: [Int]) throws -> [TrajectoryGroup] {
    zip(try bench.groups(), levels).map { group, level in
      var group = group
      group.level = level
      return group
    }
  }

  @Test func `the pool advances with the step, and the chain hangs on it`() throws {
    let settings = try Self.settings(Self.levels)
    func taken(_ levels: [Int]) throws -> TakenStep {
      let bench = try Bench()
      return try taker(bench, [(0, settings)]).take(leveled(bench, levels))
    }
    // Four completions a group; the window of eight is full with the second of level 0.
    let open = try taken([0, 0, 0, 0, 0])
    let state = try #require(open.curriculum)
    let rules = CurriculumRules(levels: 2, threshold: 0.5, window: 8, newestShare: 0.5)
    #expect(state == rules.advanced(.init(), by: try leveled(Bench(), [0, 0, 0, 0, 0])))
    // The same weights from groups that say they are of another level, and another chain.
    let other = try taken([1, 1, 1, 1, 1])
    #expect(other.curriculum == CurriculumState())
    #expect(other.version == open.version && other.chain != open.chain)
    // Groups trained once more count no second time.
    let bench = try Bench()
    let again = try taker(bench, [(0, settings)]).take(
      leveled(bench, [0, 0, 0, 0, 0]), freshCount: 1)
    #expect(again.curriculum?.count == 4)
  }

  @Test func `without a curriculum the chain is what it was`() throws {
    let bench = try Bench()
    let taken = try taker(bench, [(0, Self.settings())]).take(bench.groups())
    #expect(taken.curriculum == nil)
    let levels = try Bench()
    let unread = try taker(levels, [(0, Self.settings())]).take(
      leveled(levels, [0, 0, 0, 0, 0]))
    #expect(unread.chain == taken.chain)
  }

  @Test func `a step that was taken and not accepted is not the last one that counts`() throws {
    let bench = try Bench()
    let taker = try taker(bench, [(0, Self.settings())])
    let taken = try taker.take(bench.groups())
    #expect(taken.result.outcome == .trained && !taken.isCheckpointDue)
    #expect(!taker.isAtLastStep && taker.version.number == 0)
    taker.accept(taken)
    #expect(taker.isAtLastStep && taker.version == taken.version)
  }

  @Test func `checkpoints are due at every third step and at the last`() throws {
    let bench = try Bench()
    let groups = try bench.groups()
    let taker = try taker(bench, [(0, Self.settings())])
    let due = try (0..<8).map { _ in
      let taken = try taker.take(groups)
      taker.accept(taken)
      return taken.isCheckpointDue
    }
    #expect(due == [false, false, true, false, false, true, false, true])
  }

  @Test func `weights that changed without an update end the step`() throws {
    let bench = try Bench()
    let taker = try taker(bench, [(0, Self.settings())])
    // Without spread there is no update; meanwhile memory is overwritten.
    let still = try bench.groups()[2]
    var weights = bench.policy.copyWeights()
    weights[0].bytes[3] ^= 1
    try bench.policy.load(weights)
    let failure = #expect(throws: Failure.self) { try taker.take([still]) }
    #expect(failure?.happened.contains("memory was overwritten") == true)
    #expect(failure?.exitCode.mayHelpToRestart == true)
  }

  @Test func `moments that stopped being numbers end the step before it can be kept`() throws {
    let bench = try Bench()
    let taker = try taker(bench, [(0, Self.settings("learner.clipNorm=0"))])
    var state = bench.optimizer.state()
    state.tensors[0].bytes.replaceSubrange(0..<4, with: [0, 0, 0x80, 0x7F])
    try bench.optimizer.load(state, source: "test")
    let failure = #expect(throws: Failure.self) { try taker.take(bench.groups()) }
    #expect(failure?.exitCode == .notFinite)
    #expect(!taker.isAtLastStep && taker.version.number == 0)
  }
}
