// Trajectory groups: what an actor submits, the ledger keeps and a learner trains on. Nothing out
// of range may pass under limits, and without them (the ledger's own rows) nothing may trap.

import Experience
import Wire

extension FuzzTarget {
  static let groups = FuzzTarget("groups", .safetensors) {
    [Samples.group(Samples.train).encoded(), Samples.group(Samples.evaluate).encoded()]
  } attempt: { bytes in
    if let loose = try? TrajectoryGroup(decoding: bytes, limits: nil) {
      _ = GroupTallyProbe.total(loose)
    }
    let group = try TrajectoryGroup(decoding: bytes, limits: Samples.limits)
    if let fault = GroupTallyProbe.fault(group, Samples.limits) { throw FuzzFinding(fault) }
    try expectStable("a group", [group.encoded()]) {
      [try TrajectoryGroup(decoding: $0[0], limits: Samples.limits).encoded()]
    }
    return true
  }
}

private enum GroupTallyProbe {
  /// Sums as the ledger's do.
  static func total(_ group: TrajectoryGroup) -> Float {
    group.trajectories.reduce(0) { $0 + $1.verdict.reward }
  }

  /// What training relies on, said once more than in the decoder.
  static func fault(_ group: TrajectoryGroup, _ limits: GroupLimits) -> String? {
    let vocabulary = 0..<Int32(limits.vocabularySize)
    guard group.trajectories.count == limits.groupSize,
      (1...limits.maximumPositions).contains(group.prompt.count),
      group.prompt.allSatisfy(vocabulary.contains)
    else { return "a group passed with another size, or a prompt out of range" }
    guard group.temperature.isFinite, (0...100).contains(group.temperature) else {
      return "temperature \(group.temperature) passed"
    }
    for trajectory in group.trajectories {
      let completion = trajectory.completion
      guard (1...limits.maximumNewTokens).contains(completion.tokens.count),
        completion.tokens.allSatisfy(vocabulary.contains)
      else { return "completion \(completion.tokens) passed" }
      guard completion.behaviorLogProbs.count == completion.tokens.count,
        completion.behaviorLogProbs.allSatisfy({ $0.isFinite && $0 <= 0 })
      else { return "log-probs \(completion.behaviorLogProbs) passed" }
      for part in trajectory.verdict.parts {
        guard part.value.isFinite, completion.tokens.indices.contains(part.position) else {
          return "reward \(part) passed"
        }
      }
    }
    return nil
  }
}
