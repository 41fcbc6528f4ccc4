// The clipped surrogate by hand: current log-prob -1 at every token, the behavior's set by the
// ratio.

import Glibc
import Objectives
import Testing

@Suite struct SurrogateTests {
  @Test func `a fresh token's slope is minus advantage over tokens, exactly`() {
    let result = evaluate(advantage: 0.75, logRatios: [0, 0, 0, 0])
    #expect(result.logProbSlopes == [-0.1875, -0.1875, -0.1875, -0.1875])
    #expect(result.statistics.loss == -0.75)
    #expect(result.statistics.ratioLeast == 1 && result.statistics.ratioGreatest == 1)
  }

  @Test func `a clipped token has no slope`() {
    let up = evaluate(advantage: 1, logRatios: [log(1.5), log(0.5)])
    #expect(up.logProbSlopes[0] == 0)
    #expect(abs(up.logProbSlopes[1] + 0.25) < 1e-15)
    #expect(abs(up.statistics.loss + (1.2 + 0.5) / 2) < 1e-15)
    #expect(up.statistics.highClipShare == 0.5 && up.statistics.lowClipShare == 0)

    let down = evaluate(advantage: -1, logRatios: [log(1.5), log(0.5)])
    #expect(abs(down.logProbSlopes[0] - 0.75) < 1e-15)
    #expect(down.logProbSlopes[1] == 0)
    #expect(abs(down.statistics.loss - (1.5 + 0.8) / 2) < 1e-15)
    #expect(down.statistics.lowClipShare == 0.5 && down.statistics.regionClipShare == 0.5)
  }

  @Test func `the two clips are set apart`() {
    var settings = plain()
    settings.clipLow = 0.1
    settings.clipHigh = 0.6
    #expect(evaluate(settings, advantage: 1, logRatios: [log(1.5)]).logProbSlopes[0] < 0)
    #expect(evaluate(settings, advantage: 1, logRatios: [log(1.7)]).logProbSlopes[0] == 0)
    #expect(evaluate(settings, advantage: -1, logRatios: [log(0.85)]).logProbSlopes[0] == 0)
    #expect(evaluate(settings, advantage: -1, logRatios: [log(0.95)]).logProbSlopes[0] > 0)
  }

  @Test func `at a tie the unclipped branch is taken`() {
    var settings = plain()
    // exp(0) is the one ratio that is exact: with no room it lies on both clips at once.
    settings.clipLow = 0
    settings.clipHigh = 0
    #expect(evaluate(settings, advantage: 1, logRatios: [0]).logProbSlopes == [-1])
    #expect(evaluate(settings, advantage: -1, logRatios: [0]).logProbSlopes == [1])
    settings = plain()
    settings.dualClip = exp(2)
    let dual = evaluate(settings, advantage: -1, logRatios: [2])
    #expect(dual.logProbSlopes == [exp(2)] && dual.statistics.dualClipped == 0)
    settings.clipHigh = 1e12
    let clamp = evaluate(settings, advantage: 1, logRatios: [20])
    #expect(clamp.logProbSlopes == [-exp(20)] && clamp.statistics.ratiosClamped == 0)
  }

  @Test func `beyond the dual clip a bad token has no slope and its loss is 3`() {
    let on = evaluate(advantage: -1, logRatios: [log(4)])
    #expect(on.logProbSlopes == [0])
    #expect(on.statistics.loss == 3)
    #expect(on.statistics.dualClipShare == 1 && on.statistics.regionClipShare == 0)
    var settings = plain()
    settings.dualClip = nil
    let off = evaluate(settings, advantage: -1, logRatios: [log(4)])
    #expect(abs(off.logProbSlopes[0] - 4) < 1e-14 && abs(off.statistics.loss - 4) < 1e-14)
  }

  @Test func `a behavior log-prob of -100 stays finite, has no slope and is counted`() {
    var settings = plain()
    settings.dualClip = nil
    let result = evaluate(settings, advantage: -1, logRatios: [99])
    #expect(result.logProbSlopes == [0])
    #expect(result.statistics.loss == exp(20))
    #expect(result.statistics.ratiosClamped == 1)
    #expect(result.statistics.isFinite)
  }

  @Test func `a sequence has one ratio, the exp of the mean`() {
    var settings = plain()
    settings.ratioLevel = .sequence
    // Mean 0.1: within the clip, though the second token alone is far outside.
    let result = evaluate(settings, advantage: 1, logRatios: [-0.4, 0.6])
    #expect(near(result.logProbSlopes[0], -exp(0.1) / 2, within: 1e-15))
    #expect(result.logProbSlopes[0] == result.logProbSlopes[1])
    #expect(near(result.statistics.loss, -exp(0.1), within: 1e-15))
    #expect(result.statistics.units == 1)
    let clipped = evaluate(settings, advantage: 1, logRatios: [-0.4, 1])
    #expect(clipped.logProbSlopes == [0, 0])
    #expect(clipped.statistics.highClipShare == 1)
    #expect(near(clipped.statistics.loss, -1.2, within: 1e-15))
  }

  @Test func `capped importance weights are constants of at most the cap`() {
    var settings = plain()
    settings.importanceCap = 2
    let result = evaluate(settings, advantage: 1, logRatios: [log(1.5), log(4), 0])
    for (slope, weight) in zip(result.logProbSlopes, [1.5, 2, 1]) {
      #expect(near(slope, -weight / 3, within: 1e-15))
    }
    #expect(result.statistics.weightsCapped == 1)
    // Nothing is clipped: the clip is centered on where the update began.
    #expect(result.statistics.regionClipShare == 0)
    #expect(near(result.statistics.ratioGreatest, 4, within: 1e-15))
  }

  @Test func `with a proximal policy the clip is around it and the weight below the cap`() {
    var settings = plain()
    settings.importanceCap = 2
    let result = GRPO.Evaluation(
      settings: settings, advantage: 1, weight: 1, behavior: [-1], reference: [],
      current: [-1 + log(1.1) + log(1.5)], entropy: [], proximal: [-1 + log(1.5)])
    #expect(near(result.logProbSlopes[0], -1.5 * 1.1, within: 1e-14))
    let clipped = GRPO.Evaluation(
      settings: settings, advantage: 1, weight: 1, behavior: [-1], reference: [],
      current: [-1 + log(1.3) + log(1.5)], entropy: [], proximal: [-1 + log(1.5)])
    #expect(clipped.logProbSlopes == [0])
    #expect(near(clipped.statistics.loss, -1.5 * 1.2, within: 1e-14))
  }

  @Test func `an entropy bonus pulls every entropy up alike`() {
    var settings = plain()
    settings.entropyBonus = 0.01
    let result = evaluate(settings, advantage: 0, logRatios: [0, 0], entropy: [1, 3])
    #expect(result.entropySlopes == [-0.005, -0.005])
    #expect(near(result.statistics.loss, -0.02, within: 1e-15))
    #expect(result.statistics.entropy == 2)
    #expect(evaluate(advantage: 0, logRatios: [0, 0], entropy: [1, 3]).entropySlopes.isEmpty)
  }

  @Test(arguments: [Float.nan, -Float.infinity])
  func `a log-prob that is not finite is seen`(broken: Float) {
    let completion = CohortCompletion(reward: 1, isTruncated: false, behavior: [-1, -1])
    let slopes = GRPO.slopes(
      completion, advantage: 1, isTrained: true,
      denominators: Denominators(tokens: 2, completions: 1), settings: plain(),
      current: [-1, broken])
    #expect(slopes.statistics.notFinite == 1)
    #expect(!slopes.statistics.isFinite)
  }
}
