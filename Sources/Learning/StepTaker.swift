// A policy on its way through a run's steps: from the batch of step k to version k + 1 and the
// digest that ties it to its past. The learner takes the steps of a run with it, and whoever
// repeats them takes them with the same code; neither a socket nor a ledger is seen from here.
//
// Every step's digest hangs on the one before it:
//
//   chain(k + 1) = H(chain(k), digest of version k + 1, outcome, optimizer updates)
//
// with the pool of a curriculum behind them where the run has one. Where a checkpoint is due the
// moments enter as well, and the masters of a policy in BF16. Between checkpoints they need not: a
// moment that differs shows in the weights of the next step (in BF16 it may hide below the rounding
// until a checkpoint is due), and digesting it each time would cost a large model a tenth of its
// step.

import Digests
import Experience
import Objectives
import Operations
import Policy
import Wire

/// What a step made, before it counts.
public struct TakenStep: Sendable {
  public var step: Int
  public var result: StepResult
  public var version: PolicyVersion
  /// The chain up to this version: what a commit carries as its state digest.
  public var chain: Digest
  /// How the pool of exercises stands after it; nil without a curriculum.
  public var curriculum: CurriculumState?
  /// The settings ask for a checkpoint of this version.
  public var isCheckpointDue: Bool
  public var weights: WeightTensors
}

public final class StepTaker {
  public let trainer: CohortTrainer
  /// The settings each step is taken with.
  public let timeline: TrainingTimeline
  /// Of the last step that counts.
  public private(set) var version: PolicyVersion
  public private(set) var chain: Digest
  /// Nil without a curriculum.
  public private(set) var curriculum: CurriculumState?
  /// Of the optimizer there: beyond it, a step has been taken and does not count yet.
  private var updates: Int

  public init(trainer: CohortTrainer, timeline: TrainingTimeline, state: CheckpointState) {
    self.trainer = trainer
    self.timeline = timeline
    version = state.version
    chain = state.chain
    curriculum = state.curriculum ?? (timeline.curriculum == nil ? nil : CurriculumState())
    updates = trainer.optimizer.updates
  }

  /// Trains on the batch of the next step. Weights and moments move with it, and must then be
  /// accepted or thrown away; when this throws `StepInterrupted` they are as they were. The first
  /// `freshCount` groups, nil is all, are trained for the first time.
  public func take(
    _ groups: [TrajectoryGroup], freshCount: Int? = nil, enter: (String) -> Void = { _ in },
    shouldStop: () -> Bool = { false }
  ) throws -> TakenStep {
    let step = version.number
    let settings = timeline.settings(at: step)
    trainer.adopt(settings)
    if FaultHooks.spoils("weight", step: step) { try spoilWeight() }
    let result = try trainer.train(
      groups, step: step, freshCount: freshCount, lineage: version.lineage, enter: enter,
      shouldStop: shouldStop)
    enter("digest")
    let weights = trainer.policy.copyWeights()
    let digest = CPUTransformer.digest(weights)
    try check(result, digest, step: step)
    let next = PolicyVersion(lineage: version.lineage, number: step + 1, digest: digest)
    let pool = curriculum.map { state in
      timeline.curriculum?.advanced(state, by: groups.prefix(freshCount ?? groups.count)) ?? state
    }
    var nextChain = Self.link(
      chain, to: next, result.outcome, updates: trainer.optimizer.updates, pool)
    let isDue = (step + 1) % settings.checkpointEvery == 0 || step + 1 == settings.steps
    if isDue {
      enter("checkpoint")
      nextChain = trainer.optimizer.stateDigest(weights: nextChain)
    }
    return TakenStep(
      step: step, result: result, version: next, chain: nextChain, curriculum: pool,
      isCheckpointDue: isDue, weights: weights)
  }

  /// The step counts: the next one goes on from it.
  public func accept(_ taken: TakenStep) {
    precondition(
      taken.version.number == version.number + 1,
      "version \(taken.version.number) after \(version.number)")
    version = taken.version
    chain = taken.chain
    curriculum = taken.curriculum
    updates = trainer.optimizer.updates
  }

  /// Weights and moments are those of the last step that counts.
  public var isAtLastStep: Bool {
    trainer.optimizer.updates == updates && trainer.policy.digest() == version.digest
  }

  /// What no step may leave behind: it is neither kept nor shown to anyone.
  private func check(_ result: StepResult, _ digest: Digest, step: Int) throws {
    guard result.outcome == .trained else {
      guard digest == version.digest else {
        throw Failure(
          "train", on: "step \(step)",
          happened: "no update was made (\(result.outcome.rawValue)), and yet the weights are no "
            + "longer those of version \(step): memory was overwritten",
          remedy: "the learner starts again from its newest checkpoint; if this comes back, check "
            + "the machine's memory", exitCode: .internal)
      }
      return
    }
    guard trainer.isFinite else {
      throw Failure(
        "train", on: "step \(step)",
        happened: "its update left weights or moments that are not finite",
        remedy: "lower learner.learningRate or set learner.clipNorm; the weights before it stand, "
          + "and forage inspect shows the batch", exitCode: .notFinite)
    }
  }

  /// For the test of the check above.
  private func spoilWeight() throws {
    var weights = trainer.policy.copyWeights()
    weights[0].bytes.replaceSubrange(0..<4, with: [0, 0, 0xC0, 0x7F])
    try trainer.policy.load(weights)
  }

  static func link(
    _ chain: Digest, to version: PolicyVersion, _ outcome: StepOutcome, updates: Int,
    _ curriculum: CurriculumState? = nil
  ) -> Digest {
    let digester = Digester()
    digester.update(chain.bytes)
    digester.update(version.digest.bytes)
    digester.update(outcome.rawValue)
    digester.update(String(updates))
    if let curriculum {
      digester.update("level \(curriculum.level) \(curriculum.correct)/\(curriculum.count)")
    }
    return digester.finish()
  }
}
