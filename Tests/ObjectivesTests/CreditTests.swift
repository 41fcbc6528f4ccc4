import Objectives
import Testing

@Suite struct CreditTests {
  private func cohort(_ rewards: [Float], truncated: Set<Int> = []) -> Cohort {
    Cohort(groups: [
      CohortGroup(
        ticket: 5,
        completions: rewards.enumerated().map { index, reward in
          CohortCompletion(
            reward: reward, isTruncated: truncated.contains(index),
            behavior: [Float](repeating: -1, count: index + 1))
        })
    ])
  }

  @Test func `rewards 1 0 0 1 over their mean are a half up and a half down`() {
    let credit = Credit(cohort([1, 0, 0, 1]), settings: plain())
    #expect(credit.groups[0].advantages == [0.5, -0.5, -0.5, 0.5])
    #expect(credit.denominators == Denominators(tokens: 1 + 2 + 3 + 4, completions: 4))
  }

  @Test func `leaving one out compares 1 with the mean of 0 0 1`() {
    var settings = plain()
    settings.baseline = .leaveOneOut
    let credit = Credit(cohort([1, 0, 0, 1]), settings: settings)
    // 1 - 1/3 and 0 - 2/3: G / (G - 1) = 4/3 of a half.
    #expect(
      credit.groups[0].advantages == [
        Float(2.0 / 3), -Float(2.0 / 3), -Float(2.0 / 3), Float(2.0 / 3),
      ])
  }

  @Test func `the deviation divides with G - 1 and a floor of 1e-4`() {
    var settings = plain()
    settings.dividesByDeviation = true
    let credit = Credit(cohort([3, 1, 2]), settings: settings)
    // Squares 1 + 1 + 0 over 2: a deviation of 1.
    #expect(credit.groups[0].advantages == [Float(1 / 1.0001), -Float(1 / 1.0001), 0])
  }

  @Test func `a group without spread is skipped and counted, by equality and no tolerance`() {
    let equal = Credit(cohort([1.2, 1.2, 1.2]), settings: plain())
    #expect(equal.groups[0].advantages == [0, 0, 0])
    #expect(equal.groups[0].isTrained == [false, false, false])
    #expect(equal.denominators.isEmpty)
    #expect(equal.rollouts.groupsSkipped == 1)
    #expect(equal.rollouts.shareWithoutSpread == 1)

    let close = Credit(cohort([1.2, Float(1.2).nextUp, 1.2]), settings: plain())
    #expect(close.groups[0].hasSpread)
    #expect(close.rollouts.groupsSkipped == 0)
    #expect(close.denominators.completions == 3)
  }

  @Test func `a masked truncation keeps its reward in the mean and leaves the denominators`() {
    var settings = plain()
    settings.truncation = .mask
    let credit = Credit(cohort([1, 0, 0], truncated: [2]), settings: settings)
    #expect(credit.groups[0].isTrained == [true, true, false])
    #expect(credit.groups[0].advantages[0] == Float(1 - 1.0 / 3))
    #expect(credit.denominators == Denominators(tokens: 1 + 2, completions: 2))
    #expect(credit.rollouts.completionsMasked == 1)
  }

  @Test func `a penalized truncation pays from its reward and is trained`() {
    var settings = plain()
    settings.truncation = .penalize
    settings.truncationPenalty = 0.5
    let credit = Credit(cohort([1, 1], truncated: [1]), settings: settings)
    #expect(credit.groups[0].advantages == [0.25, -0.25])
    #expect(credit.groups[0].isTrained == [true, true])
    // What the verifier gave has no spread; what is credited has.
    #expect(credit.rollouts.groupsWithoutSpread == 1)
    #expect(credit.rollouts.groupsSkipped == 0)
    #expect(credit.rollouts.rewardMean == 1)
  }

  /// d = log-prob of the reference - policy = -0.5, and 0.25; k3 is 0.1065307 and 0.0340254 there.
  private static let penalties: [(DivergenceEstimator, Double)] = [
    (.k1, 0.25), (.k2, 0.15625), (.k3, 0.14055607640037492),
  ]

  @Test(arguments: penalties)
  func `a penalty in the reward is beta times the sum over tokens`(
    estimator: DivergenceEstimator, sum: Double
  ) {
    var settings = plain()
    settings.beta = 0.5
    settings.divergencePlace = .reward
    settings.divergenceEstimator = estimator
    let cohort = Cohort(groups: [
      CohortGroup(
        ticket: 0,
        completions: [
          // The behavior policy's own log-probs would give another sum.
          CohortCompletion(
            reward: 1, isTruncated: false, behavior: [-9, -9], reference: [-1.5, -0.75]),
          CohortCompletion(reward: 0, isTruncated: false, behavior: [-9], reference: [-2]),
        ])
    ])
    let credit = Credit(cohort, settings: settings, current: [[[-1, -1], [-2]]])
    let half = Float((1 - 0.5 * sum) / 2)
    #expect(abs(credit.groups[0].advantages[0] - half) < 1e-6)
    #expect(abs(credit.groups[0].advantages[1] + half) < 1e-6)
    #expect(abs(credit.rollouts.divergenceSum - sum) < 1e-12)
    // And the loss then carries none: its penalty's place is the reward.
    let slopes = GRPO.slopes(
      cohort.groups[0], credit: credit.groups[0], denominators: credit.denominators,
      settings: settings, current: [[-1, -1], [-2]])
    #expect(slopes.statistics.divergenceLoss == 0)
    #expect(slopes.statistics.divergenceTokens == 3)
  }

  @Test func `at lag 0 the penalty in the reward needs no second measurement`() {
    var settings = plain()
    settings.beta = 0.1
    settings.divergencePlace = .reward
    settings.divergenceEstimator = .k1
    let sample = Sample(groups: 4, completions: 4)
    let behavior = sample.cohort.groups.map { $0.completions.map(\.behavior) }
    #expect(
      Credit(sample.cohort, settings: settings)
        == Credit(sample.cohort, settings: settings, current: behavior))
  }

  @Test func `rollout statistics cover every group, skipped ones too`() {
    let two = Cohort(
      groups: cohort([1, 0, 0, 1], truncated: [3]).groups + cohort([1, 1]).groups)
    let rollouts = Credit(two, settings: plain()).rollouts
    #expect(rollouts.completions == 6)
    #expect(rollouts.rewardMean == 4.0 / 6)
    #expect(rollouts.meanLength == (1 + 2 + 3 + 4 + 1 + 2) / 6.0)
    #expect(rollouts.lengthLeast == 1 && rollouts.lengthGreatest == 4)
    #expect(rollouts.truncatedShare == 1.0 / 6)
    #expect(rollouts.shareWithoutSpread == 0.5)
    // Squares of 1/2 four times over 3, and 0 for the second group, over two groups.
    #expect(abs(rollouts.rewardDeviation - (1.0 / 3).squareRoot() / 2) < 1e-15)
  }

  @Test(arguments: Baseline.allCases)
  func `advantages of a group sum to nothing`(baseline: Baseline) {
    var settings = plain()
    settings.baseline = baseline
    let sample = Sample(groups: 6, completions: 5)
    for group in Credit(sample.cohort, settings: settings).groups {
      // Five values near 1, each rounded once to Float32: 5 * 2^-24.
      #expect(abs(group.advantages.reduce(0, +)) < 5 * 0x1p-24)
    }
  }
}
