// A pool that grows: when a level is opened, what counts toward it, and which tickets are of which.

import Experience
import Testing

@Suite struct CurriculumTests {
  static let rules = CurriculumRules(levels: 3, threshold: 0.5, window: 4, newestShare: 0.75)

  /// A group of two completions at a level, so many of them right.
  static func group(level: Int?, right: Int, isJudged: Bool = true) -> TrajectoryGroup {
    let trajectories = (0..<2).map { sample in
      Trajectory(
        completion: Completion(tokens: [1], behaviorLogProbs: [0], finish: .stop),
        verdict: isJudged
          ? Verdict(
            parts: [], reason: "", isStrictlyCorrect: sample < right, isLenientlyCorrect: true)
          : .invalid("nobody was there"))
    }
    let version = PolicyVersion(
      lineage: "a", number: 0, digest: Digest(bytes: Array(repeating: 0, count: 32)))
    return TrajectoryGroup(
      key: TicketKey(purpose: .train, number: 0), version: version, exercise: "", prompt: [1],
      trajectories: trajectories, temperature: 1, seed: 1, actor: "", numericClass: "",
      times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0),
      level: level)
  }

  private func advanced(_ state: CurriculumState, _ groups: TrajectoryGroup...) -> CurriculumState {
    Self.rules.advanced(state, by: groups)
  }

  @Test func `a window that reaches the threshold opens the next level and begins anew`() {
    let first = advanced(.init(), Self.group(level: 0, right: 0))
    #expect(first == CurriculumState(level: 0, count: 2, correct: 0))
    // 2 of 4 are the half that is asked for.
    #expect(advanced(first, Self.group(level: 0, right: 2)) == CurriculumState(level: 1))
    // 1 of 4 is not; the window is over all the same.
    #expect(advanced(first, Self.group(level: 0, right: 1)) == CurriculumState(level: 0))
  }

  @Test func `groups of older levels, of none, and those nobody judged count neither way`() {
    let state = CurriculumState(level: 1, count: 2, correct: 1)
    #expect(advanced(state, Self.group(level: 0, right: 2)) == state)
    #expect(advanced(state, Self.group(level: nil, right: 2)) == state)
    #expect(advanced(state, Self.group(level: 1, right: 2, isJudged: false)) == state)
    // Sampled before the level was opened: the step that opens it takes no more of the old one.
    let opened = advanced(
      .init(), Self.group(level: 0, right: 2), Self.group(level: 0, right: 2),
      Self.group(level: 0, right: 2), Self.group(level: 0, right: 2))
    #expect(opened == CurriculumState(level: 1))
  }

  @Test func `the last level stays open and goes on being counted`() {
    let state = CurriculumState(level: 2, count: 2, correct: 2)
    #expect(advanced(state, Self.group(level: 2, right: 2)) == CurriculumState(level: 2))
    #expect(
      advanced(CurriculumState(level: 2), Self.group(level: 2, right: 1))
        == CurriculumState(level: 2, count: 2, correct: 1))
  }

  @Test func `tickets are spread over what is open, the newest by its share`() {
    let count = 20_000
    var seen = [0, 0, 0]
    for number in 0..<count { seen[Self.rules.level(ofTicket: number, seed: 5, open: 2)] += 1 }
    // Six standard deviations of so many draws: 6 x sqrt(0.75 x 0.25 / 20000) = 0.018.
    #expect(abs(Double(seen[2]) / Double(count) - 0.75) < 0.018)
    #expect(abs(Double(seen[1]) / Double(count) - 0.125) < 0.018)
    #expect((0..<100).allSatisfy { Self.rules.level(ofTicket: $0, seed: 5, open: 0) == 0 })
  }

  @Test func `a ticket's level is a function of seed, number and what is open`() {
    func levels(_ seed: UInt64) -> [Int] {
      (0..<64).map { Self.rules.level(ofTicket: $0, seed: seed, open: 2) }
    }
    #expect(levels(1) == levels(1))
    #expect(levels(1) != levels(2))
  }
}
