// One optimizer step on a batch of groups, from trajectories to new weights: the whole of training,
// without a socket, a file or a clock.
//
// The order (DESIGN section 3): credit and denominators over the whole cohort first, then for each
// microbatch forward, slopes, backward. Gradients are summed; the slopes carry the denominators, so
// that how a batch is cut changes nothing but rounding.

import Experience
import Objectives
import Operations
import Policy
import Wire

/// What a step came to.
public struct StepResult: Sendable {
  public var outcome: StepOutcome
  /// Of the groups trained for the first time.
  public var rollouts: RolloutStatistics
  public var loss: LossStatistics
  /// Before clipping; 0 when nothing was trained.
  public var gradientNorm: Double
  public var learningRate: Double
  /// In order of group, then sample.
  public var trajectories: [TrainedTrajectory]
  /// Rows the taped passes computed, and how many passes they took.
  public var rows: Int
  public var microbatches: Int
  /// Tokens sampled at lag 0 whose log-prob here is not the actor's, bit for bit.
  public var mismatchedTokens: Int
  public var freshTokens: Int
}

/// Raised within a step when the process was asked to stop; the weights are as they were.
public struct StepInterrupted: Error, Sendable {}

public final class CohortTrainer {
  public let policy: CPUTransformer
  public let reference: CPUTransformer?
  public let optimizer: CPUOptimizer
  public private(set) var objective: GRPOSettings
  public private(set) var schedule: LearningRateSchedule
  public private(set) var microbatchTokens: Int
  /// For the control experiment: rewards change places within each group.
  public private(set) var shufflesRewards: Bool

  /// `reference` may be nil only when the objective needs none.
  public init(
    policy: CPUTransformer, reference: CPUTransformer?, optimizer: CPUOptimizer,
    objective: GRPOSettings, schedule: LearningRateSchedule, microbatchTokens: Int,
    shufflesRewards: Bool = false
  ) {
    precondition(
      reference != nil || !objective.needsReference,
      "a penalty of weight \(objective.beta) needs a reference")
    self.policy = policy
    self.reference = reference
    self.optimizer = optimizer
    self.objective = objective
    self.schedule = schedule
    self.microbatchTokens = microbatchTokens
    self.shufflesRewards = shufflesRewards
  }

  /// Goes on with these settings from the next step.
  func adopt(_ settings: TrainingSettings) {
    precondition(
      reference != nil || !settings.objective.needsReference,
      "a penalty of weight \(settings.objective.beta) needs a reference")
    objective = settings.objective
    schedule = settings.schedule
    microbatchTokens = settings.microbatchTokens
    shufflesRewards = settings.shufflesRewards
    optimizer.settings = settings.optimizer
  }

  /// Whether weights and moments are numbers, every one.
  var isFinite: Bool { policy.isFinite && optimizer.isFinite }

  /// Trains on `groups`, in this order, as step `step`. The first `freshCount` are trained for the
  /// first time, nil is all; groups of another `lineage` are never counted as of this very policy.
  /// `enter` hears the name of each phase as it begins; `shouldStop` is asked between microbatches.
  public func train(
    _ groups: [TrajectoryGroup], step: Int, freshCount: Int? = nil, lineage: String? = nil,
    enter: (String) -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws(StepInterrupted) -> StepResult {
    enter("credit")
    var cohort = Cohort(groups: groups.map(CohortGroup.init))
    if shufflesRewards {
      for index in groups.indices { cohort.groups[index].shuffleRewards(seed: groups[index].seed) }
    }
    var current: [[[Float]]]?
    if objective.needsCurrentForCredit {
      let everyone = groups.map { Array($0.trajectories.indices) }
      enter("reference")
      try measureReference(&cohort, groups, chosen: everyone, shouldStop: shouldStop)
      enter("proximal")
      current = try measure(policy, groups, chosen: everyone, shouldStop: shouldStop)
      enter("credit")
    }
    let credit = Credit(cohort, settings: objective, current: current)
    let chosen = credit.groups.map { group in
      group.isTrained.indices.filter { group.isTrained[$0] }
    }
    if objective.needsReference, !objective.needsCurrentForCredit {
      enter("reference")
      try measureReference(&cohort, groups, chosen: chosen, shouldStop: shouldStop)
    }
    var rollouts = credit.rollouts
    if let freshCount, freshCount < groups.count {
      rollouts =
        Credit(
          Cohort(groups: Array(cohort.groups.prefix(freshCount))), settings: objective,
          current: current.map { Array($0.prefix(freshCount)) }
        ).rollouts
    }
    var result = StepResult(
      outcome: .empty, rollouts: rollouts, loss: LossStatistics(), gradientNorm: 0,
      learningRate: schedule.rate(step: step), trajectories: [], rows: 0, microbatches: 0,
      mismatchedTokens: 0, freshTokens: 0)
    try gather(
      groups, cohort, credit, chosen: chosen, &result,
      isFresh: { $0.number == step && (lineage == nil || $0.lineage == lineage) }, enter: enter,
      shouldStop: shouldStop)
    // The last moment at which the weights are as they were.
    if shouldStop() { throw StepInterrupted() }
    enter("optimizer")
    update(credit, step: step, &result)
    return result
  }

  /// Forward, slopes and backward over all microbatches.
  private func gather(
    _ groups: [TrajectoryGroup], _ cohort: Cohort, _ credit: Credit, chosen: [[Int]],
    _ result: inout StepResult, isFresh: (PolicyVersion) -> Bool, enter: (String) -> Void,
    shouldStop: () -> Bool
  ) throws(StepInterrupted) {
    var trained: [[TrajectoryStatistics?]] = groups.map { $0.trajectories.map { _ in nil } }
    policy.zeroGradients()
    for parts in Microbatches.cut(groups, chosen: chosen, budget: microbatchTokens) {
      if shouldStop() { throw StepInterrupted() }
      enter("pack")
      let pack = Microbatches.pack(parts, of: groups)
      enter("forward")
      let (scores, tape) = policy.forward(pack)
      enter("slopes")
      var slopes = Slopes(logProbs: [], entropies: objective.needsEntropySlopes ? [] : nil)
      var ranges = pack.completions[...]
      for part in parts {
        for index in part.completions {
          let range = ranges.removeFirst()
          let current = Array(scores.logProbs[range])
          let group = groups[part.group]
          if isFresh(group.version) {
            let behavior = group.trajectories[index].completion.behaviorLogProbs
            result.freshTokens += current.count
            result.mismatchedTokens += zip(current, behavior).count {
              $0.bitPattern != $1.bitPattern
            }
          }
          let answer = GRPO.slopes(
            cohort.groups[part.group].completions[index],
            advantage: credit.groups[part.group].advantages[index], isTrained: true,
            denominators: credit.denominators, settings: objective, current: current,
            entropy: Array(scores.entropies[range]))
          slopes.logProbs += answer.logProbs
          slopes.entropies? += answer.entropies
          result.loss = result.loss + answer.statistics
          trained[part.group][index] = answer.trajectory
        }
      }
      enter("backward")
      policy.backward(tape, slopes)
      result.rows += pack.rowCount
      result.microbatches += 1
    }
    result.trajectories = Self.trajectories(groups, credit, trained)
  }

  /// One update, unless there is nothing to learn from or something is not finite.
  private func update(_ credit: Credit, step: Int, _ result: inout StepResult) {
    guard !credit.denominators.isEmpty else { return }
    result.gradientNorm = optimizer.gradientNorm()
    if FaultHooks.spoils("gradient", step: step) { result.gradientNorm = .nan }
    guard result.loss.isFinite, result.gradientNorm.isFinite else {
      result.outcome = .skipped
      return
    }
    optimizer.update(learningRate: result.learningRate, gradientNorm: result.gradientNorm)
    result.outcome = .trained
  }

  private func measureReference(
    _ cohort: inout Cohort, _ groups: [TrajectoryGroup], chosen: [[Int]],
    shouldStop: () -> Bool
  ) throws(StepInterrupted) {
    guard let reference else { return }
    let measured = try measure(reference, groups, chosen: chosen, shouldStop: shouldStop)
    for group in groups.indices {
      for completion in chosen[group] {
        cohort.groups[group].completions[completion].reference = measured[group][completion]
      }
    }
  }

  /// Log-probs of the chosen completions, `[group][completion][token]`; empty for the others.
  private func measure(
    _ model: CPUTransformer, _ groups: [TrajectoryGroup], chosen: [[Int]], shouldStop: () -> Bool
  ) throws(StepInterrupted) -> [[[Float]]] {
    var measured: [[[Float]]] = groups.map { $0.trajectories.map { _ in [] } }
    for parts in Microbatches.cut(groups, chosen: chosen, budget: microbatchTokens) {
      if shouldStop() { throw StepInterrupted() }
      let pack = Microbatches.pack(parts, of: groups)
      let scores = model.score(pack)
      var ranges = pack.completions[...]
      for part in parts {
        for index in part.completions {
          measured[part.group][index] = Array(scores.logProbs[ranges.removeFirst()])
        }
      }
    }
    return measured
  }

  private static func trajectories(
    _ groups: [TrajectoryGroup], _ credit: Credit, _ trained: [[TrajectoryStatistics?]]
  ) -> [TrainedTrajectory] {
    var rows: [TrainedTrajectory] = []
    for (index, group) in groups.enumerated() {
      for sample in group.trajectories.indices {
        let seen =
          trained[index][sample]
          ?? TrajectoryStatistics(
            isTrained: false, advantage: credit.groups[index].advantages[sample])
        rows.append(
          TrainedTrajectory(
            ticket: group.key.number, sample: sample, isTrained: seen.isTrained,
            advantage: seen.advantage, ratioLeast: seen.ratioLeast, ratioMean: seen.ratioMean,
            ratioGreatest: seen.ratioGreatest, kl: seen.divergence,
            clippedShare: seen.clippedShare, entropy: seen.entropy))
      }
    }
    return rows
  }
}

extension CohortGroup {
  /// A verdict that never came about counts as 0 among the rewards that are reported, and keeps its
  /// group from being trained.
  package init(_ group: TrajectoryGroup) {
    self.init(
      ticket: group.key.number,
      completions: group.trajectories.map { trajectory in
        CohortCompletion(
          reward: trajectory.verdict.reward,
          isTruncated: trajectory.completion.isTruncated,
          behavior: trajectory.completion.behaviorLogProbs)
      }, isJudged: group.trajectories.allSatisfy(\.verdict.isValid))
  }

  /// Gives each completion the reward of another of its group, by addressed random numbers: what a
  /// policy learns from the result is not the task. Truncation stays with its completion.
  package mutating func shuffleRewards(seed: UInt64) {
    for last in completions.indices.reversed().dropLast() {
      let other = AddressedRandom.integer(
        below: last + 1, seed: seed, domain: .shuffle, UInt64(ticket), UInt64(last))
      let reward = completions[last].reward
      completions[last].reward = completions[other].reward
      completions[other].reward = reward
    }
  }
}
