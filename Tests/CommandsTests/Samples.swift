// A small model and a run of known content.

import Digests
import Documents
import Experience
import Learning
import Operations
import Policy
import Replay
import Wire

enum Samples {
  static var tokenizer: Tokenizer {
    Tokenizer.characters(
      Array("0123456789+="), words: ["<think>", "</think>", "<answer>", "</answer>"])
  }

  /// A model of the characters of sums, some thousand parameters, random, of 48 positions.
  static func writeModel(to path: String) throws {
    try Files.makeFolder(path)
    let (policy, configuration) = model()
    try ModelFolder.write(
      to: path, configuration: configuration, weights: policy.copyWeights(), tokenizer: tokenizer)
  }

  private static func model() -> (CPUTransformer, ModelConfiguration) {
    let configuration = ModelConfiguration(
      vocabularySize: tokenizer.vocabularySize, hiddenSize: 16, feedForwardSize: 24, layers: 2,
      heads: 2, keyValueHeads: 1, maximumPositions: 48, stopTokens: tokenizer.stopTokens,
      initializerRange: 0.4)
    let policy = CPUTransformer(configuration: configuration, threads: 1)
    policy.initialize(seed: 3)
    return (policy, configuration)
  }

  /// A run's folder of three steps: two are committed, each of two groups; ticket 4 waits, and
  /// evaluation ticket 7 of version 1 is there. Ratios of ticket n go up to 1 + n.
  static func writeRun(to path: String) throws -> RunFolder {
    let run = RunFolder(path)
    try Files.makeFolder(run.checkpoints)
    let settings = try RunSettings(
      document: .object([]), source: "test",
      overrides: [
        "run.steps=3", "learner.groupsPerStep=2", "actor.ticketsPerRequest=2",
        // The machine that tests may have little room.
        "replay.diskReserveBytes=1048576",
      ])
    try Files.writeDurably(run.settings, settings.yaml)
    try writeFirstCheckpoint(of: run)
    let store = try LedgerStore(path: run.ledger, newLineage: "line", settings: "test")
    try store.record(
      EpochRecord(
        epoch: 1, announcement: Announcement(weightsAddress: "w", announceAddress: "a", files: []),
        firstVersion: version(0)))
    let groups = (0..<5).map {
      group(TicketKey(purpose: .train, number: $0), version: $0 / 2)
    }
    let evaluation = group(TicketKey(purpose: .evaluate(version: 1), number: 7), version: 1)
    try store.write((groups + [evaluation]).map { .group(pending($0)) })
    for step in 0..<2 {
      let tickets = [2 * step, 2 * step + 1]
      try store.recordLease(step: step, epoch: 1, Batch(tickets: tickets))
      try store.record(commit(step, tickets)) { groups[$0] }
    }
    try store.foldLog()
    return run
  }

  private static func writeFirstCheckpoint(of run: RunFolder) throws {
    let (policy, configuration) = model()
    _ = try Checkpoints(folder: run.checkpoints).save(
      CheckpointState(version: version(0), chain: version(0).digest), configuration: configuration,
      weights: policy.copyWeights(), tokenizer: tokenizer,
      optimizer: CPUOptimizer(policy, settings: OptimizerSettings()))
  }

  private static func version(_ number: Int) -> PolicyVersion {
    PolicyVersion(lineage: "line", number: number, digest: Digest(of: [UInt8(number)]))
  }

  /// Two completions of "1+2=": one right, one wrong and truncated.
  private static func group(_ key: TicketKey, version: Int) -> TrajectoryGroup {
    TrajectoryGroup(
      key: key, version: Self.version(version), exercise: "1+2 of \(key.number)",
      prompt: tokenizer.encode("1+2="),
      trajectories: [
        trajectory("<answer>3</answer>", isRight: true),
        trajectory("<think>1</think>4", isRight: false),
      ], temperature: 1, seed: 1, actor: "actor-0", numericClass: "class",
      times: RolloutTimes(
        ticketNanoseconds: 0, sampledNanoseconds: 250_000_000, judgedNanoseconds: 251_000_000))
  }

  /// Token t has log-prob -(t + 1) / 8.
  private static func trajectory(_ text: String, isRight: Bool) -> Trajectory {
    let stop = tokenizer.stopTokens.sorted().prefix(1)
    let tokens = tokenizer.encode(text) + (isRight ? Array(stop) : [])
    let completion = Completion(
      tokens: tokens, behaviorLogProbs: tokens.indices.map { -0.125 * Float($0 + 1) },
      finish: isRight ? .stop : .length)
    let parts = [
      RewardPart(position: tokens.count - 1, part: "correct", value: isRight ? 1 : 0),
      RewardPart(position: tokens.count - 1, part: "format", value: 0.2),
    ]
    return Trajectory(
      completion: completion,
      verdict: Verdict(
        parts: parts, reason: isRight ? "right: 3" : "wrong: 4 is not 3",
        isStrictlyCorrect: isRight, isLenientlyCorrect: isRight))
  }

  private static func pending(_ group: TrajectoryGroup) -> PendingGroup {
    let blob = group.encoded()
    return PendingGroup(
      group: group, tally: GroupTally(group), blob: blob, blobDigest: Digest(of: blob))
  }

  private static func commit(_ step: Int, _ tickets: [Int]) -> CommitRecord {
    let trained = tickets.flatMap { ticket in
      (0..<2).map {
        TrainedTrajectory(
          ticket: ticket, sample: $0, isTrained: true, advantage: $0 == 0 ? 0.5 : -0.5,
          ratioLeast: 0.75, ratioMean: 1, ratioGreatest: Float(1 + ticket), kl: 0.0625,
          clippedShare: 0.25, entropy: 2)
      }
    }
    return CommitRecord(
      commit: StepCommit(
        step: step, epoch: 1, outcome: .trained, tickets: tickets, version: version(step + 1),
        stateDigest: version(0).digest, checkpoint: nil, trajectories: trained),
      fates: tickets.map { _ in .trained }, lowWater: 2 * step + 2, deliveredEvaluations: [])
  }
}
