// Groups as actors would submit them, made without a policy: random tokens, the log-probs of a
// uniform distribution, rewards that take turns so that every group has a spread.

import Experience
import Glibc

enum MadeGroups {
  static let actor = "bench"
  static let numericClass = "bench"
  /// The run's seed in the default settings.
  static let seed: UInt64 = 1

  /// `count` ids below `vocabulary`, others for each `row`.
  static func tokens(_ count: Int, row: Int, vocabulary: Int) -> [Int32] {
    (0..<count).map {
      Int32(
        AddressedRandom.integer(
          below: vocabulary, seed: seed, domain: .shuffle, UInt64(row), UInt64($0)))
    }
  }

  /// The group of training ticket `number`.
  static func group(
    _ number: Int, version: PolicyVersion, prompt: Int, completions: Int, new: Int, vocabulary: Int
  ) -> TrajectoryGroup {
    let logProb = -Float(log(Double(vocabulary)))
    let trajectories = (0..<completions).map { sample in
      let row = 1 + number * (completions + 1) + sample
      let completion = Completion(
        tokens: tokens(new, row: row, vocabulary: vocabulary),
        behaviorLogProbs: Array(repeating: logProb, count: new), finish: .length)
      let reward: Float = sample % 2 == 0 ? 1 : 0
      return Trajectory(
        completion: completion,
        verdict: Verdict(
          parts: [RewardPart(position: new - 1, part: "made", value: reward)],
          reason: sample % 2 == 0 ? "right" : "wrong", isStrictlyCorrect: reward == 1,
          isLenientlyCorrect: reward == 1))
    }
    return TrajectoryGroup(
      key: TicketKey(purpose: .train, number: number), version: version,
      exercise: "made \(number)",
      prompt: tokens(prompt, row: number * (completions + 1), vocabulary: vocabulary),
      trajectories: trajectories, temperature: 1, seed: seed, actor: actor,
      numericClass: numericClass,
      times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0))
  }
}
