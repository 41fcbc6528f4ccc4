// The interval beside every accuracy: an identity, and cases done by hand.

import Testing
import Wire

@Suite struct MeanIntervalTests {
  @Test func `half the width is 1.96 standard errors over the prompts and four more`() {
    // With two of 0 and two of 1: mean 0.5, squares of the differences 1.5 in all, over 8.
    let half = MeanInterval.halfWidth([0, 0.5, 0.5, 1])
    #expect(abs(half - 1.96 * (1.5 / 8 / 8).squareRoot()) < 1e-12)
    // None of 64: 2 of 68. The exact upper bound is 0.056, and 0 would be false certainty.
    let none = MeanInterval.halfWidth([Double](repeating: 0, count: 64))
    #expect(abs(none - 1.96 * (2.0 / 68 * 66 / 68 / 68).squareRoot()) < 1e-12)
    #expect(abs(none - MeanInterval.halfWidth([Double](repeating: 1, count: 64))) < 1e-12)
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
