// Credit by comparison within a group: the completions of one prompt are each other's baseline, so
// no value model is needed. GRPO, arXiv:2402.03300; without the deviation, Dr. GRPO,
// arXiv:2503.20783; with the others' mean, RLOO, arXiv:2402.14740.
//
//   c_i = r_i - [truncated] penalty - beta sum_t k(d_it)       what is credited
//   A_i = c_i - mean(c)            or   c_i - mean of c over j != i
//   A_i = A_i / (std(c) + 1e-4)    optionally, std with G - 1
//
// A group has spread when max(c) != min(c), exactly: a tolerance would hide small rewards; one that
// was not judged whole has none. Without spread every advantage is 0 and the group leaves numerator
// and denominator. A masked truncation leaves them too, but its reward stays in the group's mean.

/// The credit of one group.
public struct GroupCredit: Equatable, Sendable {
  /// One a completion; 0 in a group without spread.
  public var advantages: [Float]
  /// One a completion: whether its tokens are trained.
  public var isTrained: [Bool]
  /// False: the group is skipped.
  public var hasSpread: Bool

  public init(advantages: [Float], isTrained: [Bool], hasSpread: Bool) {
    self.advantages = advantages
    self.isTrained = isTrained
    self.hasSpread = hasSpread
  }
}

/// The credit of a cohort, with what follows from it for the whole step.
public struct Credit: Equatable, Sendable {
  /// In the cohort's order.
  public var groups: [GroupCredit]
  /// Of this cohort; several learners add theirs.
  public var denominators: Denominators
  public var rollouts: RolloutStatistics

  /// Credits every completion of the cohort.
  ///
  /// `current` are log-probs `[group][completion][token]` of the policy at the start of the step,
  /// measured without a tape; only a penalty in the reward reads them. Nil takes the behavior
  /// policy's, which are the same at lag 0.
  public init(_ cohort: Cohort, settings: GRPOSettings, current: [[[Float]]]? = nil) {
    precondition(
      current == nil || current!.count == cohort.groups.count,
      "current log-probs of \(current?.count ?? 0) groups for \(cohort.groups.count)")
    groups = []
    denominators = Denominators()
    rollouts = RolloutStatistics()
    for (index, group) in cohort.groups.enumerated() {
      let divergences = Self.divergences(group, settings: settings, current: current?[index])
      let credit = GroupCredit(group, settings: settings, divergences: divergences)
      groups.append(credit)
      for (completion, isTrained) in zip(group.completions, credit.isTrained) where isTrained {
        denominators.tokens += completion.tokenCount
        denominators.completions += 1
      }
      rollouts = rollouts + RolloutStatistics(group, credit: credit, divergences: divergences)
    }
  }

  /// The sum over its tokens of each completion's divergence, in nats; zeros unless the reward
  /// carries the penalty.
  private static func divergences(
    _ group: CohortGroup, settings: GRPOSettings, current: [[Float]]?
  ) -> [Double] {
    guard settings.needsCurrentForCredit else {
      return [Double](repeating: 0, count: group.completions.count)
    }
    precondition(
      current == nil || current!.count == group.completions.count,
      "current log-probs of \(current?.count ?? 0) completions for \(group.completions.count)")
    return group.completions.enumerated().map { index, completion in
      let policy = current?[index] ?? completion.behavior
      precondition(
        policy.count == completion.tokenCount
          && completion.reference.count == completion.tokenCount,
        "\(policy.count) current and \(completion.reference.count) reference log-probs for "
          + "\(completion.tokenCount) tokens; a penalty in the reward needs both")
      return zip(completion.reference, policy).reduce(0) { sum, pair in
        sum + settings.divergenceEstimator.value(Clamped(Double(pair.0) - Double(pair.1)).value)
      }
    }
  }
}

extension GroupCredit {
  init(_ group: CohortGroup, settings: GRPOSettings, divergences: [Double]) {
    let credited = zip(group.completions, divergences).map { completion, divergence in
      let isPenalized = completion.isTruncated && settings.truncation == .penalize
      return Double(completion.reward) - (isPenalized ? settings.truncationPenalty : 0)
        - settings.beta * divergence
    }
    hasSpread = group.isJudged && credited.min()! != credited.max()!
    guard hasSpread else {
      advantages = [Float](repeating: 0, count: credited.count)
      isTrained = [Bool](repeating: false, count: credited.count)
      return
    }
    let sum = credited.reduce(0, +)
    let others = Double(credited.count - 1)
    let scale =
      settings.dividesByDeviation
      ? 1 / (deviation(credited) + GRPOSettings.deviationFloor) : 1
    advantages = credited.map { value in
      switch settings.baseline {
      case .groupMean: Float((value - sum / Double(credited.count)) * scale)
      case .leaveOneOut: Float((value - (sum - value) / others) * scale)
      }
    }
    isTrained = group.completions.map { !($0.isTruncated && settings.truncation == .mask) }
  }
}

extension RolloutStatistics {
  init(_ group: CohortGroup, credit: GroupCredit, divergences: [Double]) {
    self.init()
    groups = 1
    completions = group.completions.count
    for completion in group.completions {
      truncated += completion.isTruncated ? 1 : 0
      tokens += completion.tokenCount
      lengthLeast = min(lengthLeast, completion.tokenCount)
      lengthGreatest = max(lengthGreatest, completion.tokenCount)
    }
    let rewards = group.completions.map { Double($0.reward) }
    rewardSum = rewards.reduce(0, +)
    deviationSum = deviation(rewards)
    groupsWithoutSpread = !group.isJudged || rewards.min()! == rewards.max()! ? 1 : 0
    groupsSkipped = credit.hasSpread ? 0 : 1
    completionsMasked = credit.hasSpread ? credit.isTrained.count { !$0 } : 0
    divergenceSum = divergences.reduce(0, +)
  }
}

/// The standard deviation with count - 1; 0 for one value.
private func deviation(_ values: [Double]) -> Double {
  guard values.count > 1 else { return 0 }
  let mean = values.reduce(0, +) / Double(values.count)
  let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
  return (squares / Double(values.count - 1)).squareRoot()
}
