// One row of logits looked at by rank: the most probable tokens, and a draw from the fewest of them
// that reach a share of the probability (`SamplingCut`). Used for serving alone: training refuses
// truncated sampling.

import Glibc
import Tensors

/// Ranks one row. The logits must outlive it.
struct RankedRow {
  private let logits: UnsafeBufferPointer<Float>
  private let scale: Double
  private let maximum: Double
  /// sum exp(z - max), in order of id.
  private let total: Double

  init(_ logits: UnsafeBufferPointer<Float>, inverseTemperature: Float) {
    self.logits = logits
    scale = Double(inverseTemperature)
    var greatest = -Float.infinity
    for logit in logits where logit > greatest { greatest = logit }
    maximum = Double(greatest) * scale
    var sum = 0.0
    for logit in logits { sum += exp(Double(logit) * scale - maximum) }
    total = sum
  }

  private func z(_ token: Int) -> Double { Double(logits[token]) * scale }

  func logProb(_ token: Int32) -> Float { Float(z(Int(token)) - maximum - log(total)) }

  /// The `count` greatest, the greatest first; at a tie the lesser id.
  func best(_ count: Int) -> [Int32] {
    var best: [Int] = []
    guard count > 0 else { return [] }
    for token in logits.indices {
      if best.count == count, logits[token] <= logits[best[count - 1]] { continue }
      let place = best.firstIndex { logits[$0] < logits[token] } ?? best.count
      best.insert(token, at: place)
      if best.count > count { best.removeLast() }
    }
    return best.map(Int32.init)
  }

  /// Draws from the fewest most probable tokens whose probabilities sum to `topP` or more.
  func nucleusToken(topP: Double, uniform: Float) -> Int32 {
    precondition(topP < 1, "a share of \(topP) cuts nothing")
    let weights = logits.indices.map { Float(exp(z($0) - maximum)) }
    let cut = SamplingCut(topK: 0, topP: topP)!
    return weights.withUnsafeBufferPointer { Int32(cut.draw($0, uniform: uniform)) }
  }
}
