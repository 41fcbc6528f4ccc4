// The settings of GRPO and its relatives: every difference between the papers is one closed choice
// here, so that a run names its algorithm exactly and two runs differ where their settings do.
//
//   GRPO       arXiv:2402.03300   sequenceMean, deviation on, k3 in the loss
//   Dr. GRPO   arXiv:2503.20783   constant, deviation off
//   DAPO       arXiv:2503.14476   tokenMean, clipHigh 0.28, no penalty
//   GSPO       arXiv:2507.18071   ratio by sequence, sequenceMean, clips near 4e-4
//   RLOO       arXiv:2402.14740   leaveOneOut, k1 in the reward
//   dual clip  arXiv:1912.09729   dualClip 3
//   TIS        arXiv:1802.01561   importanceCap (the truncated weights of IMPALA)

/// What one importance ratio belongs to.
public enum RatioLevel: String, Sendable, CaseIterable {
  case token
  /// exp of the mean of the tokens' log-ratios: GSPO.
  case sequence
}

/// What the sum over tokens is divided by; always over the whole cohort, never a microbatch.
public enum Normalization: String, Sendable, CaseIterable {
  /// The number of trained tokens: each token counts alike (DAPO).
  case tokenMean = "token-mean"
  /// Each completion by its own length, then by their number: each completion counts alike (GRPO).
  case sequenceMean = "sequence-mean"
  /// The number of trained completions times `constantLength`: neither length nor luck in lengths
  /// moves a token's weight (Dr. GRPO).
  case constant
}

/// What a reward is compared with.
public enum Baseline: String, Sendable, CaseIterable {
  case groupMean = "group-mean"
  /// The mean of the other completions of the group: G / (G - 1) times the advantage by the mean.
  case leaveOneOut = "leave-one-out"
}

/// Where the penalty for leaving the reference stands.
public enum DivergencePlace: String, Sendable, CaseIterable {
  case loss, reward
}

/// Estimates of a divergence from one sample (Schulman's note, 2020), with
/// d = log-prob of the reference minus that of the policy.
public enum DivergenceEstimator: String, Sendable, CaseIterable {
  /// -d: unbiased for KL(pi || ref), of either sign.
  case k1
  /// d * d / 2
  case k2
  /// exp(d) - d - 1: unbiased for KL(pi || ref), never negative.
  case k3
}

/// How a token's penalty in the loss is weighted by its ratio over the behavior policy.
public enum DivergenceWeight: String, Sendable, CaseIterable {
  /// Not at all: what stale tokens give is then biased by their staleness.
  case none
  /// By the ratio as a constant: k3 keeps the gradient of KL(ref || pi).
  case detached
  /// By the ratio as a function of the policy: k3 gets the gradient of KL(pi || ref).
  case live
}

/// What becomes of a completion that the length limit cut.
public enum TruncationRule: String, Sendable, CaseIterable {
  case train
  /// Its reward stays in the group's mean; its tokens leave numerator and denominator.
  case mask
  /// `truncationPenalty` is taken from its reward, then it is trained.
  case penalize
}

/// The settings of GRPO.
public struct GRPOSettings: Equatable, Sendable {
  /// A token whose ratio is below 1 - clipLow has no slope where its advantage is negative.
  public var clipLow = 0.2
  /// A token whose ratio is above 1 + clipHigh has no slope where its advantage is positive.
  public var clipHigh = 0.2
  /// A token whose ratio is above this has no slope where its advantage is negative; nil is off.
  public var dualClip: Double? = 3
  public var ratioLevel = RatioLevel.token
  public var normalization = Normalization.tokenMean
  /// What `Normalization.constant` multiplies the completions by: the most new tokens there can be.
  public var constantLength = 0
  public var baseline = Baseline.groupMean
  /// Advantages are divided by the group's standard deviation (with G - 1) plus 1e-4.
  public var dividesByDeviation = false
  /// The weight of the penalty for leaving the reference; 0 needs no reference.
  public var beta = 0.04
  public var divergencePlace = DivergencePlace.loss
  public var divergenceEstimator = DivergenceEstimator.k3
  public var divergenceWeight = DivergenceWeight.none
  /// With a cap C the clip is centered on the proximal policy and the rest of the ratio, proximal
  /// over behavior, becomes a constant weight of at most C; nil clips the whole ratio.
  public var importanceCap: Double?
  /// The mean entropy times this is taken from the loss.
  public var entropyBonus = 0.0
  public var truncation = TruncationRule.train
  public var truncationPenalty = 0.0

  public init() {}

  /// Log-ratios and log-prob differences are held to plus or minus this: exp(20) is 4.9e8, far
  /// beyond every clip, and its products stay finite in Float32.
  public static let clamp = 20.0
  /// Added to the deviation before division, in units of reward.
  public static let deviationFloor = 1e-4

  /// Whether the frozen model's log-probs must be measured.
  public var needsReference: Bool { beta > 0 }
  /// Whether credit asks for the current policy's log-probs before the step.
  public var needsCurrentForCredit: Bool { beta > 0 && divergencePlace == .reward }
  /// Whether the entropies get slopes.
  public var needsEntropySlopes: Bool { entropyBonus != 0 }
  /// What a microbatch must not split.
  public var scope: ObjectiveScope { ratioLevel == .token ? .token : .completion }
}

/// The smallest piece an objective must see whole: a microbatch never splits it.
public enum ObjectiveScope: String, Sendable, CaseIterable {
  case token, completion, group
}

/// A setting that cannot stand, and why.
public struct ObjectiveFault: Error, Equatable, Sendable, CustomStringConvertible {
  /// The property of the settings.
  public let key: String
  /// A sentence: what is wrong and what to do.
  public let problem: String

  public init(_ key: String, _ problem: String) {
    self.key = key
    self.problem = problem
  }

  public var description: String { "\(key): \(problem)" }
}

extension GRPOSettings {
  /// Refuses values out of range and combinations that would not do what they say.
  public func check() throws(ObjectiveFault) {
    guard clipLow >= 0, clipLow < 1 else {
      throw ObjectiveFault("clipLow", "\(clipLow) is outside 0..<1; 0.2 is usual")
    }
    guard clipHigh >= 0, clipHigh.isFinite else {
      throw ObjectiveFault("clipHigh", "\(clipHigh) is not a finite number from 0; 0.2 is usual")
    }
    if let dualClip, !(dualClip > 1 && dualClip.isFinite) {
      throw ObjectiveFault("dualClip", "\(dualClip) must be above 1; 3 is usual, or turn it off")
    }
    if let importanceCap, !(importanceCap >= 1 && importanceCap.isFinite) {
      throw ObjectiveFault(
        "importanceCap",
        "\(importanceCap) must be at least 1, the weight of a fresh token; 2 is usual")
    }
    guard normalization != .constant || constantLength > 0 else {
      throw ObjectiveFault(
        "constantLength",
        "is \(constantLength), but the normalization is constant; set it to the most new tokens")
    }
    guard entropyBonus.isFinite else {
      throw ObjectiveFault("entropyBonus", "\(entropyBonus) is not finite")
    }
    guard truncationPenalty >= 0, truncationPenalty.isFinite else {
      throw ObjectiveFault(
        "truncationPenalty", "\(truncationPenalty) is taken from the reward; give it from 0")
    }
    guard truncation == .penalize || truncationPenalty == 0 else {
      throw ObjectiveFault(
        "truncationPenalty",
        "is \(truncationPenalty), but truncated completions are to \(truncation.rawValue); "
          + "set truncation to penalize")
    }
    try checkDivergence()
  }

  private func checkDivergence() throws(ObjectiveFault) {
    guard beta >= 0, beta.isFinite else {
      throw ObjectiveFault("beta", "\(beta) is not a finite number from 0")
    }
    if divergencePlace == .loss, divergenceEstimator == .k1 {
      throw ObjectiveFault(
        "divergenceEstimator",
        "k1 in the loss has, on-policy, an expected gradient of exactly nothing: it would add "
          + "noise and no penalty; use k2 for KL(pi || ref), k3 for KL(ref || pi), or put k1 in "
          + "the reward")
    }
    if divergencePlace == .reward, divergenceWeight != .none {
      throw ObjectiveFault(
        "divergenceWeight",
        "is \(divergenceWeight.rawValue), but only a penalty in the loss is weighted by the ratio; "
          + "set it to none")
    }
  }
}
