// What a penalty in the loss really does, on a softmax small enough to sum over all its outcomes:
// the expected gradient is exact, no sampling. Parameters are the logits themselves.

import Glibc
import Objectives
import Testing

@Suite struct DivergenceTests {
  private static let logits = [0.3, -1.1, 0.8, 0.0, -0.4]
  private static let referenceLogits = [-0.2, 0.5, 0.4, -0.9, 0.1]
  private static let behaviorLogits = [0.9, -0.3, 0.2, 0.4, -1.0]

  private static func logSoftmax(_ logits: [Double]) -> [Double] {
    let total = log(logits.map { exp($0) }.reduce(0, +))
    return logits.map { $0 - total }
  }

  /// sum over outcomes a of from(a) * slope(a) * d(logpi(a)) / d(logits), where d is 1{a} - pi.
  private static func expectedGradient(
    _ estimator: DivergenceEstimator, _ weight: DivergenceWeight, from behavior: [Double]
  ) -> [Double] {
    let policy = logSoftmax(logits)
    let reference = logSoftmax(referenceLogits)
    var settings = plain()
    settings.beta = 1
    settings.divergenceEstimator = estimator
    settings.divergenceWeight = weight
    var gradient = [Double](repeating: 0, count: policy.count)
    for outcome in policy.indices {
      let result = GRPO.Evaluation(
        settings: settings, advantage: 0, weight: 1, behavior: [behavior[outcome]],
        reference: [reference[outcome]], current: [policy[outcome]], entropy: [], proximal: nil)
      for j in policy.indices {
        gradient[j] +=
          exp(behavior[outcome]) * result.logProbSlopes[0]
          * ((j == outcome ? 1 : 0) - exp(policy[j]))
      }
    }
    return gradient
  }

  /// The gradients of the two divergences by the logits, in closed form.
  private static var forward: [Double] {
    // KL(ref || pi): pi - ref.
    zip(logSoftmax(logits), logSoftmax(referenceLogits)).map { exp($0) - exp($1) }
  }
  private static var reverse: [Double] {
    // KL(pi || ref): pi_j (log(pi_j / ref_j) - KL).
    let pairs = zip(logSoftmax(logits), logSoftmax(referenceLogits))
    let total = pairs.reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    return pairs.map { exp($0) * ($0 - $1 - total) }
  }

  private static func expectEqual(_ a: [Double], _ b: [Double]) {
    for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-14) }
  }

  @Test func `on-policy k3 gives the gradient of KL from reference to policy`() {
    let fresh = Self.logSoftmax(Self.logits)
    for weight in [DivergenceWeight.none, .detached] {
      Self.expectEqual(Self.expectedGradient(.k3, weight, from: fresh), Self.forward)
    }
  }

  @Test func `on-policy k2 gives the gradient of KL from policy to reference`() {
    let fresh = Self.logSoftmax(Self.logits)
    Self.expectEqual(Self.expectedGradient(.k2, .none, from: fresh), Self.reverse)
  }

  @Test func `on-policy k1 would give exactly nothing`() {
    let fresh = Self.logSoftmax(Self.logits)
    Self.expectEqual(
      Self.expectedGradient(.k1, .none, from: fresh), [Double](repeating: 0, count: 5))
  }

  @Test func `for stale tokens a detached ratio keeps what k3 and k2 give`() {
    let stale = Self.logSoftmax(Self.behaviorLogits)
    Self.expectEqual(Self.expectedGradient(.k3, .detached, from: stale), Self.forward)
    Self.expectEqual(Self.expectedGradient(.k2, .detached, from: stale), Self.reverse)
  }

  @Test func `for stale tokens a live ratio turns k3 into KL from policy to reference`() {
    let stale = Self.logSoftmax(Self.behaviorLogits)
    Self.expectEqual(Self.expectedGradient(.k3, .live, from: stale), Self.reverse)
  }

  @Test func `without a weight stale tokens bias the penalty`() {
    let stale = Self.logSoftmax(Self.behaviorLogits)
    let gradient = Self.expectedGradient(.k3, .none, from: stale)
    #expect(zip(gradient, Self.forward).contains { abs($0 - $1) > 1e-2 })
  }

  @Test func `k3 by hand, with its slope, in the loss`() {
    var settings = plain()
    settings.beta = 0.5
    let result = evaluate(settings, advantage: 0, logRatios: [0, 0], reference: [-1.5, -0.75])
    let k3 = [exp(-0.5) + 0.5 - 1, exp(0.25) - 0.25 - 1]
    #expect(near(result.statistics.loss, 0.5 * (k3[0] + k3[1]) / 2, within: 1e-15))
    #expect(near(result.logProbSlopes[0], 0.5 * (1 - exp(-0.5)) / 2, within: 1e-15))
    #expect(near(result.logProbSlopes[1], 0.5 * (1 - exp(0.25)) / 2, within: 1e-15))
    #expect(near(result.statistics.divergence!, (k3[0] + k3[1]) / 2, within: 1e-15))
  }

  @Test func `equal to the reference, k3 and its slope are exactly 0`() {
    var settings = GRPOSettings()
    settings.beta = 10
    let result = evaluate(settings, advantage: 0, logRatios: [0, 0.1], reference: [-1, -1])
    #expect(result.statistics.divergence == 0)
    #expect(result.logProbSlopes == [0, 0])
  }

  @Test func `beyond the clamp the penalty has no slope and is counted`() {
    var settings = plain()
    settings.beta = 1
    let result = evaluate(settings, advantage: 0, logRatios: [0, 0], reference: [30, -30])
    #expect(result.logProbSlopes == [0, 0])
    #expect(result.statistics.divergencesClamped == 2)
    #expect(near(result.statistics.loss, (exp(20) - 21 + exp(-20) + 19) / 2, within: 1e-15))
  }

  @Test func `near the reference k3 keeps its digits`() {
    var settings = plain()
    settings.beta = 1
    // d = 2^-30: k3 = d * d / 2 (1 + d / 3), where exp(d) - d - 1 rounds off to a multiple of
    // 2^-52.
    let d = 0x1p-30
    let result = evaluate(settings, advantage: 0, logRatios: [0], reference: [-1 + d])
    #expect(near(result.statistics.divergence! / (d * d / 2), 1, within: 1e-6))
  }
}
