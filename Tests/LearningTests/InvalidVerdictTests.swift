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
            completion: Completion(
              tokens: [1], behaviorLogProbs: [-1], finish: $0.isValid ? .stop : .length),
            verdict: $0)
        }, temperature: 1, seed: 1, actor: "a", numericClass: "n",
        times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0)))
  }

  private func verdict(_ reward: Float) -> Verdict {
    Verdict(
      parts: [RewardPart(position: 0, part: "correct", value: reward)], reason: "r",
      isStrictlyCorrect: reward > 0, isLenientlyCorrect: reward > 0)
  }

  @Test func `a group in which a verifier failed has no spread, one that was judged has`() {
    let failed = group([verdict(1), .invalid("it died"), verdict(1)])
    let cohort = Cohort(groups: [group([verdict(1), verdict(0)]), failed])
    // The one without a verdict is cut off, too: a penalty for that makes no comparison either.
    var penalizing = GRPOSettings()
    (penalizing.truncation, penalizing.truncationPenalty) = (.penalize, 1)
    for settings in [GRPOSettings(), penalizing] {
      let credit = Credit(cohort, settings: settings)
      #expect(credit.groups.map(\.hasSpread) == [true, false])
      #expect(credit.groups[1].advantages == [0, 0, 0])
      // What is reported is what the verdicts were.
      #expect(credit.rollouts.rewardSum == 3)
      #expect(credit.rollouts.groupsWithoutSpread == 1 && credit.rollouts.groupsSkipped == 1)
    }
  }
}
