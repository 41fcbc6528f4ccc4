// Sampling from the most probable tokens alone: the `topK` most probable ones, and of those the
// fewest that reach `topP` of their probability (nucleus sampling: Holtzman and others, arXiv
// 1904.09751), in the order other libraries take the two. For evaluation: training refuses it,
// because the tokens that were cut off bias the ratio.

/// Which tokens may be drawn.
public struct SamplingCut: Equatable, Sendable {
  /// 0 is any number.
  public var topK: Int
  /// In (0, 1]; 1 is all.
  public var topP: Double

  /// Nil where nothing would be cut.
  public init?(topK: Int, topP: Double) {
    guard topK > 0 || topP < 1 else { return nil }
    self.topK = topK
    self.topP = topP
  }

  /// Weights below these shares of the greatest are looked at only when those above do not reach:
  /// a vocabulary has 150,000 tokens, and a handful of them nearly all the probability.
  private static let shares: [Float] = [1e-4, 1e-8, 0]

  /// The id drawn with a uniform in [0, 1). `weights` are proportional to the probabilities and 1
  /// for the greatest; most probable first, the least id at a tie.
  package func draw(_ weights: UnsafeBufferPointer<Float>, uniform: Float) -> Int {
    var total = 0.0
    for weight in weights { total += Double(weight) }
    for share in Self.shares {
      var ids = weights.indices.filter { weights[$0] > 0 && weights[$0] >= share }
      ids.sort { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
      let hasTopK = topK > 0 && ids.count >= topK
      if hasTopK { ids.removeSubrange(topK...) }
      // Without all of the `topK` their sum is not known yet; of all tokens it is.
      guard hasTopK || topK == 0 || share == 0 else { continue }
      let whole = topK == 0 ? total : ids.reduce(0.0) { $0 + Double(weights[$1]) }
      guard let nucleus = nucleus(ids, weights, whole) else { continue }
      return pick(nucleus, weights, uniform)
    }
    preconditionFailure("no token has any weight")
  }

  /// The first of `ids` that reach `topP` of `whole`; nil when they do not, and may not be all.
  private func nucleus(
    _ ids: [Int], _ weights: UnsafeBufferPointer<Float>, _ whole: Double
  ) -> ArraySlice<Int>? {
    var mass = 0.0
    for (place, id) in ids.enumerated() {
      mass += Double(weights[id])
      if mass >= topP * whole { return ids[...place] }
    }
    // Rounding may leave the last of all a hair below.
    let last = ids.last.map { weights[$0] } ?? 0
    let isAll = topK > 0 || weights.allSatisfy { $0 == 0 || $0 >= last }
    return isAll && !ids.isEmpty ? ids[...] : nil
  }

  private func pick(
    _ ids: ArraySlice<Int>, _ weights: UnsafeBufferPointer<Float>, _ uniform: Float
  ) -> Int {
    let threshold = Double(uniform) * ids.reduce(0.0) { $0 + Double(weights[$1]) }
    var mass = 0.0
    for id in ids {
      mass += Double(weights[id])
      if mass > threshold { return id }
    }
    return ids[ids.endIndex - 1]
  }
}
