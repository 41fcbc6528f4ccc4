// The interval beside every accuracy: an identity, and cases done by hand.

import Testing
import Wire

@Suite struct MeanIntervalTests {
  @Test func `half the width is 1.96 standard errors over prompts`() {
    // Mean 0.5, squares of the differences 0.5 in all, over 3 and 4 prompts.
    let half = MeanInterval.halfWidth([0, 0.5, 0.5, 1])
    #expect(abs(half - 1.96 * (0.5 / 3 / 4).squareRoot()) < 1e-12)
    #expect(MeanInterval.halfWidth([0.25, 0.25, 0.25]) == 0)
    #expect(MeanInterval.halfWidth([0.3]) == 1 && MeanInterval.halfWidth([]) == 1)
  }

  @Test func `the interval of a share of prompts is that of ones and zeros`() {
    let summary = EvaluationSummary(
      version: 1, prompts: 8, samples: 4, reward: 0, strict: 0, lenient: 0, completed: 0,
      invalid: 0, passAtK: 3.0 / 8, meanLength: 1)
    let shares = [1.0, 1, 1, 0, 0, 0, 0, 0]
    #expect(abs(summary.passAtKInterval - MeanInterval.halfWidth(shares)) < 1e-12)
  }
}
