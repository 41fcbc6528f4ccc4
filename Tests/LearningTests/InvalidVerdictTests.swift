// A verdict that never came about is not a reward of 0: its group has nothing to compare.

import Experience
import Learning
import Objectives
import Testing

@Suite struct InvalidVerdictTests {
  private func group(_ verdicts: [Verdict]) -> CohortGroup {
    CohortGroup(
      TrajectoryGroup(
        key: TicketKey(purpose: .train, number: 3),
        version: PolicyVersion(
          lineage: "l", number: 0,
          digest: Digest(bytes: [UInt8](repeating: 7, count: Digest.byteCount))),
        exercise: "e", prompt: [1],
        trajectories: verdicts.map {
          Trajectory(
            completion: Completion(tokens: [1], behaviorLogProbs: [-1], finish: .stop), verdict: $0)
        }, temperature: 1, seed: 1, actor: "a", numericClass: "n",
        times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0)))
  }

  private func verdict(_ reward: Float) -> Verdict {
    Verdict(
      parts: [RewardPart(position: 0, part: "correct", value: reward)], reason: "r",
      isStrictlyCorrect: reward > 0, isLenientlyCorrect: reward > 0)
  }

  @Test func `a group in which a verifier failed has no spread, one that was judged has`() {
    #expect(group([verdict(1), verdict(0)]).completions.map(\.reward) == [1, 0])
    let failed = group([verdict(1), .invalid("it died"), verdict(0)])
    #expect(Set(failed.completions.map(\.reward)).count == 1)
  }
}
