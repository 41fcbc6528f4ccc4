// Valid values with an awkward corner each, from which the encoders make seeds: accented names (one
// string to Swift in two spellings), extremes of numbers, empty lists beside full ones.

import Digests
import Experience
import Safetensors
import Wire

enum Samples {
  static let digest = Digest(of: Array("weights".utf8))
  static let version = PolicyVersion(lineage: "arithm\u{e9}tique-001", number: 7, digest: digest)
  static let train = TicketKey(purpose: .train, number: 96)
  static let evaluate = TicketKey(purpose: .evaluate(version: 7), number: 3)
  static let limits = GroupLimits(
    groupSize: 3, maximumPositions: 5, maximumNewTokens: 3, vocabularySize: 32)

  static func trajectory(_ tokens: [Int32], reward: Float) -> Trajectory {
    Trajectory(
      completion: Completion(
        tokens: tokens, behaviorLogProbs: tokens.map { -0.5 - Float($0) },
        finish: reward > 0 ? .stop : .length),
      verdict: Verdict(
        parts: [
          RewardPart(position: 0, part: "format", value: 0.1),
          RewardPart(position: tokens.count - 1, part: "r\u{e9}ponse", value: reward),
        ], reason: "said \"\u{e9}\"", isStrictlyCorrect: reward > 0, isLenientlyCorrect: true))
  }

  static func group(_ key: TicketKey) -> TrajectoryGroup {
    TrajectoryGroup(
      key: key, version: version, exercise: "12+34", prompt: [5, 0, 31],
      trajectories: [
        trajectory([1, 2, 3], reward: 1), trajectory([31], reward: 0),
        trajectory([4, 4], reward: -1),
      ], temperature: 0.7, seed: .max, actor: "actor-\u{e9}", numericClass: "f32/cpu-avx512/1a",
      times: RolloutTimes(ticketNanoseconds: -1, sampledNanoseconds: 2, judgedNanoseconds: .max))
  }

  static let trained = (0..<3).map { index in
    TrainedTrajectory(
      ticket: 12 + index, sample: index, isTrained: index > 0, advantage: -1, ratioLeast: 0.1,
      ratioMean: 1, ratioGreatest: 1e30, kl: .leastNonzeroMagnitude, clippedShare: 0.5,
      entropy: 0.7)
  }

  static let tensors = [
    NamedTensor(name: "mod\u{e9}le.weight", shape: [2, 3], floats: [1, 2, 3, 4, 5, .nan]),
    NamedTensor(name: "empty", shape: [0, 4], floats: []),
    NamedTensor(name: "bias", shape: [2], integers: [-1, .max]),
  ]
}
