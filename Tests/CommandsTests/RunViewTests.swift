// The live view and the report's axes: pure functions of what a run has recorded.

import Commands
import Documents
import Testing

@Suite struct RunViewTests {
  private static func record(_ step: Int, reward: Double, idle: Double = 0.02) -> Document {
    .object([
      ("step", .integer(step)), ("reward", .number(reward)), ("time/step", .number(0.5)),
      ("time/backward", .number(0.3)), ("time/lease_wait", .number(0.1)),
      ("time/coverage", .number(0.99)), ("learner/idle_share", .number(idle)),
    ])
  }

  @Test func `a step taken again after a resume replaces what stood of it and after it`() {
    var state = RunState(name: "a", steps: 10)
    state.take((0..<5).map { Self.record($0, reward: Double($0)) })
    #expect(state.step == 5)
    state.take([Self.record(3, reward: 30)])
    // Not as far as before, and yet the learner is at work.
    #expect(state.step == 4 && state.stepsHeard == 6)
    #expect(state.series("reward") == [0, 1, 2, 30])
    #expect(state.secondsLeft == 3)
  }

  @Test func `every line fits the terminal, before the first step and after`() {
    var state = RunState(name: "a-rather-long-name-of-a-run-012", steps: 100_000)
    for width in [20, 60, 100, 400] {
      #expect(
        RunView.lines(state, elapsedSeconds: 5, width: width).allSatisfy { $0.count <= width })
    }
    state.take((0..<50).map { Self.record($0, reward: Double($0 % 7)) })
    state.status = .object([
      (
        "peers",
        .array([
          .object([
            ("name", "actor-0"), ("role", "actor"), ("state", "generating"),
            ("stateMilliseconds", 1200),
          ]), .object([("name", "somebody"), ("role", "looker")]),
        ])
      )
    ])
    let lines = RunView.lines(state, elapsedSeconds: 5, width: 80)
    #expect(lines.allSatisfy { $0.count <= 80 })
    #expect(lines.contains { $0.contains("actor-0: generating for 1.2 s") })
    #expect(!lines.contains { $0.contains("somebody") })
  }

  @Test func `who waits for whom follows the shares of a step`() {
    var state = RunState(name: "a", steps: 10)
    #expect(RunView.bottleneck(state) == "")
    state.take([Self.record(0, reward: 1, idle: 0.4)])
    #expect(RunView.bottleneck(state) == "the learner waits for actors 40 % of a step")
    state.take([Self.record(0, reward: 1)])
    #expect(RunView.bottleneck(state) == "nobody waits long")
  }

  @Test func `phases come largest first, as shares of the step`() {
    var state = RunState(name: "a", steps: 10)
    state.take([Self.record(0, reward: 1)])
    #expect(RunView.phaseShares(state).map(\.name) == ["backward", "lease_wait"])
    #expect(RunView.phaseShares(state).map(\.share) == [0.6, 0.2])
  }

  @Test func `a step's bar has a shade a phase, and no more columns than it was given`() {
    #expect(RunView.phaseBar([0.5, 0.25, 0.125], width: 8) == "████▓▓▒ ")
    #expect(RunView.phaseBar([0.9, 0.9], width: 5) == "█████")
    #expect(RunView.phaseBar([], width: 3) == "   ")
    #expect(RunView.phaseBar([0.2, 0.2, 0.2, 0.2, 0.1, 0.1], width: 10) == "██▓▓▒▒░░· ")
  }

  @Test func `a screen shows no more lines than it has, and says how many are missing`() {
    let lines = (1...6).map { "line \($0)" }
    #expect(LiveScreen.fitting(lines, columns: 80, rows: 7) == lines)
    #expect(
      LiveScreen.fitting(lines, columns: 80, rows: 5) == [
        "line 1", "line 2", "line 3", "  … 3 lines more",
      ])
    #expect(LiveScreen.fitting(["a long line"], columns: 6, rows: 9) == ["a lon…"])
  }

  @Test func `numbers are written as people read them`() {
    #expect(RunView.format(0.12345, 3) == "0.123")
    #expect(RunView.format(-1.5, 1) == "-1.5")
    #expect(RunView.format(0.999, 2) == "1.00")
    #expect(RunView.format(nil, 2) == "-" && RunView.format(.nan, 2) == "-")
    #expect(RunView.percent(0.5) == "50 %" && RunView.percent(0.012) == "1.2 %")
    #expect(RunView.count(12_345) == "12.3k" && RunView.count(2_500_000) == "2.5M")
    #expect(RunView.clock(67) == "1:07" && RunView.clock(3723) == "1:02:03")
    #expect(RunView.bar(0.5, width: 4) == "██░░")
    #expect(RunView.sparkline([0, 1], width: 10) == "▁█")
    #expect(RunView.sparkline([2, 2, 2], width: 2) == "▅▅")
    #expect(RunView.sparkline([], width: 4) == "")
  }

  @Test func `an axis has round ticks that cover its values`() {
    let axis = Axis([0.03, 0.97], floor: 0, ceiling: 1)
    #expect(axis.ticks.map(axis.label) == ["0", "0.25", "0.50", "0.75", "1.00"])
    let steps = Axis([0, 549], floor: 0, ceiling: 549)
    #expect(steps.ticks.map(steps.label) == ["0", "200", "400"])
    #expect(steps.share(549) == 1 && steps.share(-5) == 0)
    let flat = Axis([3, 3], floor: nil, ceiling: nil)
    #expect(flat.least < 3 && flat.greatest > 3 && flat.ticks.count > 1)
  }
}
