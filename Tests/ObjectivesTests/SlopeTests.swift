// The slopes against the reported loss: central differences for every combination of settings, and
// the identities that let a cohort be cut into microbatches.

import Objectives
import Testing

@Suite struct SlopeTests {
  /// Every combination of what shapes the loss of a token.
  private static let combinations: [GRPOSettings] = {
    var all: [GRPOSettings] = []
    for level in RatioLevel.allCases {
      for normalization in Normalization.allCases {
        for (dual, cap) in [(3.0, nil), (nil, nil), (nil, 2.0)] as [(Double?, Double?)] {
          for (beta, estimator) in [
            (0, DivergenceEstimator.k3), (0.3, .k2), (0.3, .k3),
          ] {
            for weight in DivergenceWeight.allCases where beta > 0 || weight == .none {
              for bonus in [0, 0.02] {
                var settings = GRPOSettings()
                settings.ratioLevel = level
                settings.normalization = normalization
                settings.constantLength = 8
                settings.dualClip = dual
                settings.importanceCap = cap
                settings.beta = beta
                settings.divergenceEstimator = estimator
                settings.divergenceWeight = weight
                settings.entropyBonus = bonus
                all.append(settings)
              }
            }
          }
        }
      }
    }
    return all
  }()

  private static let sample = Sample(groups: 3, completions: 4)

  /// The loss of one completion in Double with its constants held where they were: no other
  /// completion's loss depends on its log-probs.
  private static func loss(
    _ settings: GRPOSettings, credit: Credit, group: Int, completion: Int, current: [Double],
    entropy: [Double]
  ) -> Double {
    guard credit.groups[group].isTrained[completion] else { return 0 }
    let record = sample.cohort.groups[group].completions[completion]
    return GRPO.Evaluation(
      settings: settings, advantage: Double(credit.groups[group].advantages[completion]),
      weight: credit.denominators.weight(tokenCount: record.tokenCount, settings: settings),
      behavior: record.behavior.map(Double.init),
      reference: settings.beta > 0 ? record.reference.map(Double.init) : [], current: current,
      entropy: entropy, proximal: sample.proximal[group][completion].map(Double.init)
    ).statistics.loss
  }

  @Test(arguments: combinations)
  func `slopes are the central differences of the loss`(settings: GRPOSettings) throws {
    try settings.check()
    let sample = Self.sample
    let credit = Credit(sample.cohort, settings: settings)
    let slopes = sample.slopes(settings, credit: credit, usingProximal: true)
    // A loss near 1 in Double over a step of 1e-6 leaves 1e-10 of noise, its third derivative times
    // 1e-12 less, and slopes are rounded to Float32, 6e-8 of themselves. A clamped ratio without
    // dual clip makes a flat loss of 1e8: the noise is taken in proportion.
    let step = 1e-6
    for g in sample.cohort.groups.indices {
      for c in sample.cohort.groups[g].completions.indices {
        let current = sample.current[g][c].map(Double.init)
        let entropy = sample.entropy[g][c].map(Double.init)
        let expectSlope = { (slope: Float, at: (Double) -> Double) in
          let (up, down) = (at(step), at(-step))
          let noise = max(abs(up), abs(down)) * 0x1p-50 / step
          let numeric = (up - down) / (2 * step)
          #expect(
            abs(Double(slope) - numeric) <= 1e-7 * max(1, abs(numeric)) + noise, "\(g) \(c)")
        }
        for t in current.indices {
          expectSlope(slopes[g].completions[c].logProbs[t]) { delta in
            var moved = current
            moved[t] += delta
            return Self.loss(
              settings, credit: credit, group: g, completion: c, current: moved, entropy: entropy)
          }
          guard settings.needsEntropySlopes else { continue }
          expectSlope(slopes[g].completions[c].entropies[t]) { delta in
            var moved = entropy
            moved[t] += delta
            return Self.loss(
              settings, credit: credit, group: g, completion: c, current: current, entropy: moved)
          }
        }
      }
    }
  }

  @Test func `the sample meets every branch`() {
    var settings = GRPOSettings()
    settings.beta = 0.3
    let statistics = Self.sample.slopes(settings).reduce(LossStatistics()) { $0 + $1.statistics }
    #expect(statistics.lowClipped > 0 && statistics.highClipped > 0 && statistics.dualClipped > 0)
    #expect(statistics.ratiosClamped > 0 && statistics.divergencesClamped > 0)
    settings.importanceCap = 2
    let capped = Self.sample.slopes(settings).reduce(LossStatistics()) { $0 + $1.statistics }
    #expect(capped.weightsCapped > 0)
  }

  @Test(arguments: Normalization.allCases)
  func `half batches equal the whole`(normalization: Normalization) {
    var settings = GRPOSettings()
    settings.normalization = normalization
    settings.constantLength = 8
    settings.truncation = .mask
    settings.entropyBonus = 0.01
    let sample = Sample(groups: 8, completions: 4)
    let credit = Credit(sample.cohort, settings: settings)
    let whole = sample.slopes(settings, credit: credit)
    let first = sample.slopes(settings, groups: 0..<3, credit: credit)
    let second = sample.slopes(settings, groups: 3..<8, credit: credit)
    #expect(first + second == whole)
    let sum = { (groups: [GroupSlopes]) in
      groups.reduce(LossStatistics()) { $0 + $1.statistics }
    }
    let (parts, all) = (sum(first) + sum(second), sum(whole))
    // The same doubles added in another grouping.
    #expect(near(parts.loss, all.loss, within: 1e-14))
    #expect(near(parts.entropySum, all.entropySum, within: 1e-14))
    #expect(parts.tokens == all.tokens && parts.tokens == credit.denominators.tokens)
    #expect(parts.ratioLeast == all.ratioLeast && parts.ratioGreatest == all.ratioGreatest)
    #expect(parts.lowClipped == all.lowClipped && parts.units == all.units)
  }

  @Test func `two learners' denominators add up to those of one`() {
    let settings = plain()
    let sample = Sample(groups: 6, completions: 4)
    let whole = Credit(sample.cohort, settings: settings)
    let left = Credit(Cohort(groups: Array(sample.cohort.groups[..<2])), settings: settings)
    let right = Credit(Cohort(groups: Array(sample.cohort.groups[2...])), settings: settings)
    #expect(left.denominators + right.denominators == whole.denominators)
    #expect(left.groups + right.groups == whole.groups)
    #expect((left.rollouts + right.rollouts).groupsSkipped == whole.rollouts.groupsSkipped)
    #expect(
      near((left.rollouts + right.rollouts).rewardMean, whole.rollouts.rewardMean, within: 1e-15))
  }

  @Test func `the three normalizations weigh lengths 1 and 3 by hand`() {
    let denominators = Denominators(tokens: 4, completions: 2)
    var settings = plain()
    settings.constantLength = 10
    let weights = Normalization.allCases.map { normalization in
      settings.normalization = normalization
      return [1, 3].map { denominators.weight(tokenCount: $0, settings: settings) }
    }
    #expect(weights == [[0.25, 0.25], [0.5, 1.0 / 6], [0.05, 0.05]])
    #expect(Denominators().weight(tokenCount: 3, settings: settings) == 0)
  }

  @Test func `skipped groups and masked completions have zero slopes and no statistics`() {
    var settings = GRPOSettings()
    settings.truncation = .mask
    let sample = Sample(groups: 4, completions: 6)
    let credit = Credit(sample.cohort, settings: settings)
    let slopes = sample.slopes(settings, credit: credit)
    #expect(!credit.groups[1].hasSpread)
    #expect(slopes[1].statistics == LossStatistics())
    var masked = 0
    for (g, group) in slopes.enumerated() {
      for (c, completion) in group.completions.enumerated() where !credit.groups[g].isTrained[c] {
        masked += 1
        #expect(completion.logProbs == [Float](repeating: 0, count: sample.current[g][c].count))
        #expect(!completion.trajectory.isTrained && completion.trajectory.ratioMean == 0)
      }
    }
    #expect(masked > 6)
  }

  @Test func `a completion that is not trained may be absent from the forward`() {
    var settings = plain()
    settings.truncation = .mask
    var sample = Sample(groups: 2, completions: 3)
    sample.cohort.groups[0].completions[2].isTruncated = true
    let full = sample.slopes(settings)
    sample.current[0][2] = []
    sample.entropy[0][2] = []
    let credit = Credit(sample.cohort, settings: settings)
    let part = sample.slopes(settings, credit: credit)
    #expect(part[0].completions[2].logProbs.isEmpty)
    #expect(part[0].statistics == full[0].statistics)
  }

  @Test func `a trajectory's row is that of its tokens`() {
    let completion = CohortCompletion(
      reward: 1, isTruncated: false, behavior: [-1, -1.5, -1], reference: [-1, -1, -0.5])
    let slopes = GRPO.slopes(
      completion, advantage: 1, isTrained: true,
      denominators: Denominators(tokens: 3, completions: 1), settings: GRPOSettings(),
      current: [-1, -1, -1], entropy: [0.5, 1, 1.5])
    let row = slopes.trajectory
    #expect(row.isTrained && row.advantage == 1 && row.entropy == 1)
    #expect(row.ratioLeast == 1 && abs(row.ratioGreatest - 1.6487213) < 1e-6)
    #expect(abs(row.ratioMean - (2 + 1.6487213) / 3) < 1e-6)
    #expect(row.clippedShare == Float(1.0 / 3))
    #expect(abs(row.divergence - Float((0.6487212707 - 0.5) / 3)) < 1e-7)
  }
}
