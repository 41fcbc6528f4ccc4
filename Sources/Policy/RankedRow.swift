// One row of logits looked at by rank: the most probable tokens, and a draw from the fewest of them
// that reach a share of the probability (nucleus sampling: Holtzman and others, arXiv 1904.09751).
// In Double, in a fixed order; used for serving alone: training refuses truncated sampling.

import Glibc

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
    let nucleus = nucleus(topP)
    var mass = 0.0
    for token in nucleus { mass += exp(z(token) - maximum) }
    let threshold = Double(uniform) * mass
    var seen = 0.0
    for token in nucleus {
      seen += exp(z(token) - maximum)
      if seen > threshold { return Int32(token) }
    }
    return Int32(nucleus[nucleus.count - 1])
  }

  /// The most probable first. Only tokens within some distance of the greatest logit are sorted:
  /// nearly always they reach the share, and a vocabulary has 150,000.
  private func nucleus(_ topP: Double) -> [Int] {
    for distance in [8.0, 16.0, .infinity] {
      var near = logits.indices.filter { maximum - z($0) <= distance }
      near.sort { (logits[$0], $1) > (logits[$1], $0) }
      var seen = 0.0
      for (index, token) in near.enumerated() {
        seen += exp(z(token) - maximum)
        if seen >= topP * total { return Array(near[...index]) }
      }
      if distance == .infinity { return near }
    }
    return []
  }
}
