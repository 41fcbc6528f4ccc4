// Groups, settings and folders for tests that need real bytes.

import Digests
import Documents
import Experience
import Glibc
import Operations
import Replay
import Wire

enum Samples {
  static func settings(_ overrides: [String] = []) throws -> RunSettings {
    try RunSettings(
      document: .object([]), source: "test",
      overrides: [
        "run.steps=3", "learner.groupsPerStep=4", "learner.lagMax=0", "sampling.groupSize=2",
        "sampling.maximumNewTokens=64", "actor.ticketsPerRequest=4", "evaluation.every=0",
        "evaluation.samples=2", "evaluation.prompts=3", "replay.ticketLeaseSeconds=5",
        // The machine that tests may have little room.
        "replay.diskReserveBytes=1048576",
      ] + overrides)
  }

  static func version(_ number: Int, lineage: String) -> PolicyVersion {
    PolicyVersion(lineage: lineage, number: number, digest: Digest(of: [UInt8(number)]))
  }

  /// Two completions, one right; `length` tokens each.
  static func group(
    _ key: TicketKey, version: PolicyVersion, actor: String = "actor-0", length: Int = 4,
    temperature: Float = 1
  ) -> TrajectoryGroup {
    let trajectories = (0..<2).map { trajectory(key, sample: $0, length: length) }
    return TrajectoryGroup(
      key: key, version: version, exercise: "add \(key.number)", prompt: [1, 2, 3],
      trajectories: trajectories, temperature: temperature, seed: 1, actor: actor,
      numericClass: "class",
      times: RolloutTimes(ticketNanoseconds: 1, sampledNanoseconds: 2, judgedNanoseconds: 3))
  }

  private static func trajectory(_ key: TicketKey, sample: Int, length: Int) -> Trajectory {
    let isRight = sample == 0
    let tokens = (0..<length).map { Int32(($0 + sample + key.number) % 11) }
    let completion = Completion(
      tokens: tokens, behaviorLogProbs: Array(repeating: -0.5 - Float(sample), count: length),
      finish: isRight ? .stop : .length)
    let parts = [
      RewardPart(position: 0, part: "format", value: 0.25),
      RewardPart(position: length - 1, part: "correct", value: isRight ? 0.75 : 0),
    ]
    return Trajectory(
      completion: completion,
      verdict: Verdict(
        parts: parts, reason: isRight ? "right" : "no answer", isStrictlyCorrect: isRight,
        isLenientlyCorrect: isRight))
  }

  static func pending(_ group: TrajectoryGroup) -> PendingGroup {
    let blob = group.encoded()
    return PendingGroup(
      group: group, tally: GroupTally(group), blob: blob, blobDigest: Digest(of: blob))
  }

  static func train(_ number: Int) -> TicketKey { TicketKey(purpose: .train, number: number) }
}

/// A folder that is gone with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/forage-replay-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else {
      throw Failure.system("make a folder", on: "/tmp")
    }
    path = String(cString: made)
  }

  deinit { try? Files.remove(path) }
}
