// Group relative policy optimization (arXiv:2402.03300) with its relatives as settings: slopes of
//
//   loss  = sum_i w_i sum_t l_it       w_i by the normalization, over the whole cohort
//   l_it  = -u_it surrogate(rho_it) + beta v_it k(d_it) - entropyBonus H_it
//   rho_it = exp(clamp(logpi_it - logmu_it, -20, 20))            or, by sequence (GSPO,
//            arXiv:2507.18071), the exp of the clamped mean over t, the same for every token
//   surrogate(rho) = min(rho A_i, clip(rho, 1 - clipLow, 1 + clipHigh) A_i)
//            and for A_i < 0 no less than dualClip A_i (arXiv:1912.09729)
//   d_it  = clamp(logref_it - logpi_it, -20, 20)                 k: see Divergence.swift
//   v_it  = 1, or exp(clamp(logpi_it - logmu_it)) as a constant or as a function of logpi
//   u_it  = 1; with a cap C (truncated importance weights, arXiv:1802.01561) rho is taken over the
//           proximal policy and u_it = min(proximal / behavior, C), a constant, at rho's level
//
// mu is the behavior policy. Multiplying the clipped surrogate by the capped ratio itself would
// count the staleness twice, hence the decoupled form; with one update a step the proximal policy
// is the current one, rho is 1 in value, and the slope is -u A: the policy gradient with capped
// weights.
//
// Beyond a clip or a clamp the slope is 0; at a tie the unclipped branch is taken. Slopes are the
// definition and the loss a report. Inputs and slopes are Float32; everything between is Double, so
// a slope is rounded once and no statistic depends on the order of its microbatches beyond
// rounding.

import Glibc

/// The slopes of one completion.
public struct CompletionSlopes: Equatable, Sendable {
  /// `[tokens]`, d(loss) / d(log-prob); zeros for a completion that is not trained.
  public var logProbs: [Float]
  /// `[tokens]`, d(loss) / d(entropy); empty without an entropy bonus.
  public var entropies: [Float]
  /// This completion's part of the cohort's.
  public var statistics: LossStatistics
  public var trajectory: TrajectoryStatistics
}

/// The slopes of a group's completions.
public struct GroupSlopes: Equatable, Sendable {
  public var completions: [CompletionSlopes]

  /// The sum over the completions.
  public var statistics: LossStatistics {
    completions.reduce(LossStatistics()) { $0 + $1.statistics }
  }
}

public enum GRPO {
  /// The slopes of every completion of a group.
  ///
  /// `current` and `entropy` are `[completion][token]` as the forward measured them. A completion
  /// that is not trained may be absent from the forward: its arrays are then empty, and so are its
  /// slopes. `entropy` may be empty where it was not measured and no bonus asks for it. `proximal`
  /// are the log-probs at the start of the update, what constant weights are computed from; nil is
  /// `current`, the case of one update a step.
  public static func slopes(
    _ group: CohortGroup, credit: GroupCredit, denominators: Denominators, settings: GRPOSettings,
    current: [[Float]], entropy: [[Float]] = [], proximal: [[Float]]? = nil
  ) -> GroupSlopes {
    let count = group.completions.count
    precondition(
      credit.advantages.count == count && current.count == count,
      "ticket \(group.ticket): \(credit.advantages.count) advantages and \(current.count) rows of "
        + "log-probs for \(count) completions")
    precondition(
      entropy.isEmpty || entropy.count == count,
      "ticket \(group.ticket): \(entropy.count) rows of entropies for \(count) completions")
    return GroupSlopes(
      completions: (0..<count).map { index in
        slopes(
          group.completions[index], advantage: credit.advantages[index],
          isTrained: credit.isTrained[index], denominators: denominators, settings: settings,
          current: current[index], entropy: entropy.isEmpty ? [] : entropy[index],
          proximal: proximal?[index])
      })
  }

  /// The slopes of one completion, for a microbatch that holds only part of a group.
  public static func slopes(
    _ completion: CohortCompletion, advantage: Float, isTrained: Bool, denominators: Denominators,
    settings: GRPOSettings, current: [Float], entropy: [Float] = [], proximal: [Float]? = nil
  ) -> CompletionSlopes {
    guard isTrained else {
      let zeros = [Float](repeating: 0, count: current.count)
      return CompletionSlopes(
        logProbs: zeros, entropies: settings.needsEntropySlopes ? zeros : [],
        statistics: LossStatistics(),
        trajectory: TrajectoryStatistics(isTrained: false, advantage: advantage))
    }
    let evaluation = Evaluation(
      settings: settings, advantage: Double(advantage),
      weight: denominators.weight(tokenCount: completion.tokenCount, settings: settings),
      behavior: completion.behavior.map(Double.init),
      reference: completion.reference.map(Double.init), current: current.map(Double.init),
      entropy: entropy.map(Double.init), proximal: proximal?.map(Double.init))
    return CompletionSlopes(
      logProbs: evaluation.logProbSlopes.map(Float.init),
      entropies: evaluation.entropySlopes.map(Float.init), statistics: evaluation.statistics,
      trajectory: TrajectoryStatistics(advantage: advantage, of: evaluation.statistics))
  }

  /// The loss of one completion and its slopes, in Double: what `slopes` rounds, and what a test
  /// can differentiate numerically.
  package struct Evaluation {
    package private(set) var logProbSlopes: [Double]
    package private(set) var entropySlopes: [Double]
    package private(set) var statistics = LossStatistics()

    private let settings: GRPOSettings
    private let advantage: Double
    private let weight: Double

    package init(
      settings: GRPOSettings, advantage: Double, weight: Double, behavior: [Double],
      reference: [Double], current: [Double], entropy: [Double], proximal: [Double]?
    ) {
      let count = behavior.count
      precondition(
        current.count == count && (proximal == nil || proximal!.count == count),
        "\(current.count) current, \(proximal?.count ?? count) proximal log-probs for "
          + "\(count) tokens")
      precondition(
        entropy.count == count || (entropy.isEmpty && settings.entropyBonus == 0),
        "\(entropy.count) entropies for \(count) tokens")
      precondition(
        reference.count == count || (reference.isEmpty && settings.beta == 0),
        "\(reference.count) reference log-probs for \(count) tokens")
      self.settings = settings
      self.advantage = advantage
      self.weight = weight
      logProbSlopes = [Double](repeating: 0, count: count)
      entropySlopes = []
      statistics.completions = 1
      statistics.tokens = count
      addSurrogate(current: current, behavior: behavior, proximal: proximal ?? current)
      addDivergence(
        current: current, behavior: behavior, reference: reference, proximal: proximal ?? current)
      addEntropy(entropy)
      addRatios(current: current, behavior: behavior, entropy: entropy)
    }
  }
}

extension GRPO.Evaluation {
  /// The surrogate. By sequence its derivative falls on every token alike: n tokens of weight w
  /// share one ratio whose logarithm is their mean, n w * (1 / n) = w each.
  private mutating func addSurrogate(current: [Double], behavior: [Double], proximal: [Double]) {
    let isDecoupled = settings.importanceCap != nil
    let center = isDecoupled ? proximal : behavior
    let count = current.count
    var logRatios = zip(current, center).map { $0 - $1 }
    var logWeights = zip(proximal, behavior).map { $0 - $1 }
    if settings.ratioLevel == .sequence {
      logRatios = [logRatios.reduce(0, +) / Double(count)]
      logWeights = [logWeights.reduce(0, +) / Double(count)]
    }
    let tokensPerUnit = Double(count / logRatios.count)
    statistics.units = logRatios.count
    for (unit, logRatio) in logRatios.enumerated() {
      var importance = 1.0
      if let cap = settings.importanceCap {
        importance = exp(Clamped(logWeights[unit]).value)
        if importance > cap {
          importance = cap
          statistics.weightsCapped += 1
        }
      }
      let (value, slope) = surrogate(logRatio)
      statistics.surrogateLoss -= weight * tokensPerUnit * importance * value
      if logRatios.count == count {
        logProbSlopes[unit] -= weight * importance * slope
      } else {
        for token in 0..<count { logProbSlopes[token] -= weight * importance * slope }
      }
    }
  }

  /// The clipped surrogate and its derivative by the log-ratio; counts what was clipped.
  private mutating func surrogate(_ logRatio: Double) -> (value: Double, slope: Double) {
    let exponent = Clamped(logRatio)
    let ratio = exp(exponent.value)
    let lowest = 1 - settings.clipLow
    let highest = 1 + settings.clipHigh
    if advantage < 0, ratio < lowest {
      statistics.lowClipped += 1
      return (lowest * advantage, 0)
    }
    if advantage > 0, ratio > highest {
      statistics.highClipped += 1
      return (highest * advantage, 0)
    }
    if advantage < 0, let limit = settings.dualClip, ratio > limit {
      statistics.dualClipped += 1
      return (limit * advantage, 0)
    }
    return (ratio * advantage, exponent.isBeyond ? 0 : ratio * advantage)
  }

  /// The penalty in the loss, weighted by a token's own ratio whatever the surrogate's level.
  private mutating func addDivergence(
    current: [Double], behavior: [Double], reference: [Double], proximal: [Double]
  ) {
    guard !reference.isEmpty else { return }
    let isInLoss = settings.beta > 0 && settings.divergencePlace == .loss
    let estimator = settings.divergenceEstimator
    for token in current.indices {
      let d = Clamped(reference[token] - current[token])
      statistics.divergenceSum += DivergenceEstimator.k3.value(d.value)
      statistics.divergencesClamped += d.isBeyond ? 1 : 0
      guard isInLoss else { continue }
      let value = estimator.value(d.value)
      var slope = d.isBeyond ? 0 : estimator.slope(d.value)
      var factor = 1.0
      switch settings.divergenceWeight {
      case .none: break
      case .detached:
        factor = exp(Clamped(proximal[token] - behavior[token]).value)
        slope *= factor
      case .live:
        let exponent = Clamped(current[token] - behavior[token])
        factor = exp(exponent.value)
        slope = factor * (slope + (exponent.isBeyond ? 0 : value))
      }
      statistics.divergenceLoss += weight * settings.beta * factor * value
      logProbSlopes[token] += weight * settings.beta * slope
    }
    statistics.divergenceTokens = current.count
  }

  private mutating func addEntropy(_ entropy: [Double]) {
    guard !entropy.isEmpty else { return }
    let sum = entropy.reduce(0, +)
    statistics.entropySum = sum
    statistics.entropyTokens = entropy.count
    guard settings.needsEntropySlopes else { return }
    statistics.entropyLoss = -weight * settings.entropyBonus * sum
    entropySlopes = [Double](repeating: -weight * settings.entropyBonus, count: entropy.count)
  }

  private mutating func addRatios(current: [Double], behavior: [Double], entropy: [Double]) {
    for token in current.indices {
      let exponent = Clamped(current[token] - behavior[token])
      let ratio = exp(exponent.value)
      statistics.ratioSum += ratio
      statistics.ratioLeast = min(statistics.ratioLeast, ratio)
      statistics.ratioGreatest = max(statistics.ratioGreatest, ratio)
      statistics.ratiosClamped += exponent.isBeyond ? 1 : 0
      let isBroken = !current[token].isFinite || (!entropy.isEmpty && !entropy[token].isFinite)
      statistics.notFinite += isBroken ? 1 : 0
    }
  }
}
