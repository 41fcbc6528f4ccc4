// A trajectory group as one safetensors blob: what an actor submits, replay stores, a lease
// carries.
//
// With P prompt tokens, G trajectories, N completion tokens in all and R parts of rewards:
//
//     prompt I32 [P]             tokens I32 [N]            behavior_logprobs F32 [N]
//     lengths I32 [G]            versions I32 [N]          reason_lengths I32 [G]
//     reward_samples I32 [R]     reward_positions I32 [R]  reward_part_ids I32 [R]
//     reward_values F32 [R]      finish U8 [G] (0 stop, 1 length)
//     strict U8 [G]              lenient U8 [G]            reasons U8 [sum of reason_lengths]
//
// Completions lie one after another in sample order; so do reasons and rewards. Everything else is
// metadata, which the format keeps as strings. Equal groups give equal bytes: their digest is one.

import Documents
import Experience
import Safetensors

/// What a decoder may accept: all known before a group is read.
public struct GroupLimits: Equatable, Sendable {
  /// Exactly this many trajectories.
  public var groupSize: Int
  /// Of the model: a prompt and each completion must fit, but for the last token, which nothing
  /// follows.
  public var maximumPositions: Int
  public var maximumNewTokens: Int
  /// Token ids lie in `0..<vocabularySize`.
  public var vocabularySize: Int

  public init(groupSize: Int, maximumPositions: Int, maximumNewTokens: Int, vocabularySize: Int) {
    self.groupSize = groupSize
    self.maximumPositions = maximumPositions
    self.maximumNewTokens = maximumNewTokens
    self.vocabularySize = vocabularySize
  }
}

/// The names in the blob, for both directions.
enum GroupField {
  static let format = "format"
  static let formatName = "forage-group-1"
  static let purpose = "purpose"
  static let ticket = "ticket"
  static let evaluates = "evaluates_version"
  static let lineage = "lineage"
  static let version = "version"
  static let digest = "version_digest"
  static let exercise = "exercise"
  static let level = "level"
  static let actor = "actor"
  static let numericClass = "numeric_class"
  static let seed = "seed"
  static let temperature = "temperature"
  static let ticketTime = "ticket_ns"
  static let sampledTime = "sampled_ns"
  static let judgedTime = "judged_ns"
  static let rewardParts = "reward_parts"
}

extension TrajectoryGroup {
  /// The blob. Reasons are cut at `WireLimits.maximumSentenceBytes`; traps on what no decoder would
  /// read: a version beyond 32 bits, more than `WireLimits.maximumRewardNames` names of parts.
  public func encoded() -> [UInt8] {
    precondition(
      (0...WireLimits.maximumVersion).contains(version.number),
      "version \(version.number), at most \(WireLimits.maximumVersion)")
    let rewards = RewardColumns(trajectories)
    let reasons = trajectories.map { Array(bounded($0.verdict.reason).utf8) }
    let completions = trajectories.map(\.completion)
    let tokens = completions.flatMap(\.tokens)
    let groupSize = [trajectories.count]
    // Four-byte columns first: then every column is aligned.
    let tensors = [
      integers("prompt", prompt), integers("tokens", tokens),
      NamedTensor(
        name: "behavior_logprobs", shape: [tokens.count],
        floats: completions.flatMap(\.behaviorLogProbs)),
      integers("versions", [Int32](repeating: Int32(version.number), count: tokens.count)),
      integers("lengths", completions.map { Int32($0.tokens.count) }),
      integers("reason_lengths", reasons.map { Int32($0.count) }),
      integers("reward_samples", rewards.samples), integers("reward_positions", rewards.positions),
      integers("reward_part_ids", rewards.parts),
      NamedTensor(name: "reward_values", shape: [rewards.values.count], floats: rewards.values),
      bytes("finish", groupSize, completions.map { $0.finish == .stop ? 0 : 1 }),
      bytes("strict", groupSize, trajectories.map { $0.verdict.isStrictlyCorrect ? 1 : 0 }),
      bytes("lenient", groupSize, trajectories.map { $0.verdict.isLenientlyCorrect ? 1 : 0 }),
      bytes("reasons", [reasons.reduce(0) { $0 + $1.count }], reasons.flatMap(\.self)),
    ]
    return SafetensorsBlob(metadata: metadata(rewardParts: rewards.names), tensors: tensors)
      .serialized()
  }

  private func metadata(rewardParts: [String]) -> [String: String] {
    var metadata = [
      GroupField.format: GroupField.formatName,
      GroupField.ticket: "\(key.number)",
      GroupField.lineage: version.lineage,
      GroupField.version: "\(version.number)",
      GroupField.digest: version.digest.hexadecimal,
      GroupField.exercise: exercise,
      GroupField.actor: actor,
      GroupField.numericClass: numericClass,
      GroupField.seed: "\(seed)",
      GroupField.temperature: "\(temperature)",
      GroupField.ticketTime: "\(times.ticketNanoseconds)",
      GroupField.sampledTime: "\(times.sampledNanoseconds)",
      GroupField.judgedTime: "\(times.judgedNanoseconds)",
      GroupField.rewardParts: JSON.write(.array(rewardParts.map(Document.string))),
    ]
    if let level { metadata[GroupField.level] = "\(level)" }
    switch key.purpose {
    case .train: metadata[GroupField.purpose] = "train"
    case .evaluate(let version):
      metadata[GroupField.purpose] = "evaluate"
      metadata[GroupField.evaluates] = "\(version)"
    }
    return metadata
  }

  private func integers(_ name: String, _ values: [Int32]) -> NamedTensor {
    NamedTensor(name: name, shape: [values.count], integers: values)
  }

  private func bytes(_ name: String, _ shape: [Int], _ values: [UInt8]) -> NamedTensor {
    NamedTensor(name: name, type: .u8, shape: shape, bytes: values)
  }
}

/// The parts of all rewards, one row each; names numbered in order of appearance.
private struct RewardColumns {
  var samples: [Int32] = []
  var positions: [Int32] = []
  var parts: [Int32] = []
  var values: [Float] = []
  var names: [String] = []

  init(_ trajectories: [Trajectory]) {
    for (sample, trajectory) in trajectories.enumerated() {
      for part in trajectory.verdict.parts {
        samples.append(Int32(sample))
        positions.append(Int32(part.position))
        parts.append(Int32(number(of: part.part)))
        values.append(part.value)
      }
    }
    precondition(
      names.count <= WireLimits.maximumRewardNames,
      "\(names.count) names of reward parts, at most \(WireLimits.maximumRewardNames)")
  }

  private mutating func number(of name: String) -> Int {
    if let index = names.firstIndex(of: name) { return index }
    names.append(name)
    return names.count - 1
  }
}
