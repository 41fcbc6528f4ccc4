// Estimates of the divergence between policy and reference from one sampled token, and their
// slopes. John Schulman, "Approximating KL Divergence", 2020.
//
//   d = clamp(logref - logpi, -20, 20)      k1 = -d      k2 = d * d / 2      k3 = exp(d) - d - 1
//
// As estimates k1 and k3 are unbiased for KL(pi || ref) when the token was sampled from pi. As
// terms of a loss they are something else, since the derivative does not pass through the sampling:
// on-policy the slope of k3, 1 - exp(d), is in expectation the gradient of KL(ref || pi), that of
// k2, -d, the gradient of KL(pi || ref), and that of k1, 1, nothing.

import Glibc

extension DivergenceEstimator {
  /// The estimate at d, in nats.
  func value(_ d: Double) -> Double {
    switch self {
    case .k1: -d
    case .k2: d * d / 2
    case .k3: expm1(d) - d
    }
  }

  /// d(estimate) / d(log-prob of the policy): minus the derivative by d.
  func slope(_ d: Double) -> Double {
    switch self {
    case .k1: 1
    case .k2: -d
    case .k3: -expm1(d)
    }
  }
}

/// A difference of log-probs held within the clamp.
struct Clamped {
  var value: Double
  /// The difference lay beyond: what is computed from it has no slope.
  var isBeyond: Bool

  /// A difference that is not a number stays one, so that a broken step is seen.
  init(_ difference: Double) {
    let limit = GRPOSettings.clamp
    isBeyond = difference > limit || difference < -limit
    value = isBeyond ? (difference > 0 ? limit : -limit) : difference
  }
}
