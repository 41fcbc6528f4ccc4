// What a step reports: of the rollouts, over every leased group; of the loss, over the trained
// tokens before any clipping. Sums and extremes, so that microbatches add up to the cohort exactly.

/// Of the completions as they came, whether trained or not.
public struct RolloutStatistics: Equatable, Sendable {
  public var groups = 0
  public var completions = 0
  public var truncated = 0
  public var tokens = 0
  public var lengthLeast = Int.max
  public var lengthGreatest = 0
  public var rewardSum = 0.0
  /// Of each group's standard deviation with G - 1; a group of one adds 0.
  public var deviationSum = 0.0
  /// Groups whose rewards, as the verifier gave them, are all equal.
  public var groupsWithoutSpread = 0
  /// Groups without spread in what they are credited for: they leave numerator and denominator.
  public var groupsSkipped = 0
  /// Completions of groups that are not skipped, left out because they are truncated.
  public var completionsMasked = 0
  /// Of the divergence taken from the rewards, in nats per completion, before beta.
  public var divergenceSum = 0.0

  public init() {}

  public static func + (left: Self, right: Self) -> Self {
    var sum = left
    sum.groups += right.groups
    sum.completions += right.completions
    sum.truncated += right.truncated
    sum.tokens += right.tokens
    sum.lengthLeast = min(sum.lengthLeast, right.lengthLeast)
    sum.lengthGreatest = max(sum.lengthGreatest, right.lengthGreatest)
    sum.rewardSum += right.rewardSum
    sum.deviationSum += right.deviationSum
    sum.groupsWithoutSpread += right.groupsWithoutSpread
    sum.groupsSkipped += right.groupsSkipped
    sum.completionsMasked += right.completionsMasked
    sum.divergenceSum += right.divergenceSum
    return sum
  }

  public var rewardMean: Double { mean(rewardSum, of: completions) }
  /// The mean over groups of the deviation within a group: TRL's `reward_std`.
  public var rewardDeviation: Double { mean(deviationSum, of: groups) }
  /// TRL's `frac_reward_zero_std`.
  public var shareWithoutSpread: Double { mean(Double(groupsWithoutSpread), of: groups) }
  /// TRL's `completions/mean_length`.
  public var meanLength: Double { mean(Double(tokens), of: completions) }
  /// TRL's `completions/clipped_ratio`.
  public var truncatedShare: Double { mean(Double(truncated), of: completions) }
}

/// Of the trained tokens. A **unit** is what has one ratio: a token, or a completion under GSPO.
public struct LossStatistics: Equatable, Sendable {
  /// The parts of the loss, normalized: summed over microbatches and learners they are the loss's.
  public var surrogateLoss = 0.0
  public var divergenceLoss = 0.0
  public var entropyLoss = 0.0

  public var completions = 0
  public var tokens = 0
  public var units = 0
  /// Ratios exp(current - behavior), one a token whatever the level.
  public var ratioSum = 0.0
  public var ratioLeast = Double.infinity
  public var ratioGreatest = 0.0
  /// k3 between current and reference, over the tokens whose reference was measured.
  public var divergenceSum = 0.0
  public var divergenceTokens = 0
  public var entropySum = 0.0
  public var entropyTokens = 0
  /// Units below 1 - clipLow with a negative advantage, above 1 + clipHigh with a positive one, and
  /// above the dual clip with a negative one: three kinds without slope, none in two of them.
  public var lowClipped = 0
  public var highClipped = 0
  public var dualClipped = 0
  /// Units whose importance weight was cut to the cap.
  public var weightsCapped = 0
  /// Tokens whose log-ratio, or whose distance to the reference, lay beyond the clamp.
  public var ratiosClamped = 0
  public var divergencesClamped = 0
  /// Tokens whose current log-prob or entropy is not finite: one is enough to refuse the step.
  public var notFinite = 0

  public init() {}

  public static func + (left: Self, right: Self) -> Self {
    var sum = left
    sum.surrogateLoss += right.surrogateLoss
    sum.divergenceLoss += right.divergenceLoss
    sum.entropyLoss += right.entropyLoss
    sum.completions += right.completions
    sum.tokens += right.tokens
    sum.units += right.units
    sum.ratioSum += right.ratioSum
    sum.ratioLeast = min(sum.ratioLeast, right.ratioLeast)
    sum.ratioGreatest = max(sum.ratioGreatest, right.ratioGreatest)
    sum.divergenceSum += right.divergenceSum
    sum.divergenceTokens += right.divergenceTokens
    sum.entropySum += right.entropySum
    sum.entropyTokens += right.entropyTokens
    sum.lowClipped += right.lowClipped
    sum.highClipped += right.highClipped
    sum.dualClipped += right.dualClipped
    sum.weightsCapped += right.weightsCapped
    sum.ratiosClamped += right.ratiosClamped
    sum.divergencesClamped += right.divergencesClamped
    sum.notFinite += right.notFinite
    return sum
  }

  public var loss: Double { surrogateLoss + divergenceLoss + entropyLoss }
  /// TRL's `kl`: the mean of k3 in nats; nil where no reference was measured.
  public var divergence: Double? {
    divergenceTokens > 0 ? divergenceSum / Double(divergenceTokens) : nil
  }
  /// Nats; nil where it was not measured.
  public var entropy: Double? { entropyTokens > 0 ? entropySum / Double(entropyTokens) : nil }
  public var ratioMean: Double { mean(ratioSum, of: tokens) }
  /// TRL's `clip_ratio/low_mean`, `clip_ratio/high_mean` and `clip_ratio/region_mean`.
  public var lowClipShare: Double { mean(Double(lowClipped), of: units) }
  public var highClipShare: Double { mean(Double(highClipped), of: units) }
  public var regionClipShare: Double { mean(Double(lowClipped + highClipped), of: units) }
  public var dualClipShare: Double { mean(Double(dualClipped), of: units) }
  public var cappedShare: Double { mean(Double(weightsCapped), of: units) }
  /// Nothing that would make the step worthless: the loss and every token behind it are finite.
  public var isFinite: Bool { notFinite == 0 && loss.isFinite }
}

/// What training saw of one trajectory: a row of the ledger's commit.
public struct TrajectoryStatistics: Equatable, Sendable {
  /// False when its group was skipped or the completion masked; all but the advantage is then 0.
  public var isTrained: Bool
  public var advantage: Float
  /// exp(current - behavior) over the tokens.
  public var ratioLeast: Float = 0
  public var ratioMean: Float = 0
  public var ratioGreatest: Float = 0
  /// The mean of k3 in nats; 0 where no reference was measured.
  public var divergence: Float = 0
  /// Of its units, those without slope by the clip, low, high or dual.
  public var clippedShare: Float = 0
  /// The mean in nats; 0 where it was not measured.
  public var entropy: Float = 0

  public init(isTrained: Bool, advantage: Float) {
    self.isTrained = isTrained
    self.advantage = advantage
  }

  init(advantage: Float, of statistics: LossStatistics) {
    self.init(isTrained: true, advantage: advantage)
    ratioLeast = Float(statistics.ratioLeast)
    ratioMean = Float(statistics.ratioMean)
    ratioGreatest = Float(statistics.ratioGreatest)
    divergence = Float(statistics.divergence ?? 0)
    clippedShare = Float(statistics.regionClipShare + statistics.dualClipShare)
    entropy = Float(statistics.entropy ?? 0)
  }
}

/// 0 over nothing: a cohort in which nothing was trained reports zeros, not holes.
private func mean(_ sum: Double, of count: Int) -> Double { count > 0 ? sum / Double(count) : 0 }
