// The head, naively: all logits of a row in Double.

import Glibc

extension ReferenceBackend {
  /// log softmax(logits * inverseTemperature) of one row.
  private func logProbs(
    x: Buffer, w: [Float], wOffset: Int, row: Int, outputs: Int, inputs: Int,
    inverseTemperature: Float
  ) -> [Double] {
    var z = [Double](repeating: 0, count: outputs)
    for n in 0..<outputs {
      for k in 0..<inputs {
        z[n] += Double(x.values[row * inputs + k]) * Double(w[wOffset + n * inputs + k])
      }
      z[n] *= Double(inverseTemperature)
    }
    let top = z.max()!
    let total = top + log(z.reduce(0) { $0 + exp($1 - top) })
    return z.map { $0 - total }
  }

  private func entropy(_ logProbs: [Double]) -> Double {
    logProbs.reduce(0) { $0 - exp($1) * $1 }
  }

  public func headScores(
    x: Buffer, w: Packed, rows: Int, inverseTemperatures: [Float], queries: [HeadQuery]
  ) -> HeadScores {
    let order = QueryOrder(queries, rows: rows, outputs: w.outputs)
    var scores = HeadScores(
      logProbs: .init(repeating: 0, count: queries.count),
      entropies: .init(repeating: 0, count: rows))
    for row in 0..<rows {
      let found = logProbs(
        x: x, w: w.values, wOffset: 0, row: row, outputs: w.outputs, inputs: w.inputs,
        inverseTemperature: inverseTemperatures[row])
      scores.entropies[row] = Float(entropy(found))
      for query in order.queries(of: row) {
        scores.logProbs[query] = Float(found[Int(queries[query].target)])
      }
    }
    return scores
  }

  public func headBackward(
    dx: Buffer, dw: Buffer, dwOffset: Int, x: Buffer, packed: Packed, w: Buffer, wOffset: Int,
    rows: Int, outputs: Int, inputs: Int, inverseTemperatures: [Float], queries: [HeadQuery],
    logProbSlopes: [Float], entropySlopes: [Float]
  ) {
    let order = QueryOrder(queries, rows: rows, outputs: outputs)
    var weightSlopes = dw.values[dwOffset..<dwOffset + outputs * inputs].map(Double.init)
    for row in 0..<rows {
      let scale = Double(inverseTemperatures[row])
      let found = logProbs(
        x: x, w: w.values, wOffset: wOffset, row: row, outputs: outputs, inputs: inputs,
        inverseTemperature: inverseTemperatures[row])
      let spread = entropy(found)
      var slopes = [Double](repeating: 0, count: outputs)
      for query in order.queries(of: row) {
        let slope = Double(logProbSlopes[query])
        slopes[Int(queries[query].target)] += slope
        for n in 0..<outputs { slopes[n] -= slope * exp(found[n]) }
      }
      for n in 0..<outputs {
        slopes[n] -= Double(entropySlopes[row]) * exp(found[n]) * (found[n] + spread)
      }
      for k in 0..<inputs {
        var sum = 0.0
        for n in 0..<outputs {
          sum += slopes[n] * scale * Double(w.values[wOffset + n * inputs + k])
          weightSlopes[n * inputs + k] += slopes[n] * scale * Double(x.values[row * inputs + k])
        }
        dx.values[row * inputs + k] = Float(sum)
      }
    }
    for i in weightSlopes.indices { dw.values[dwOffset + i] = Float(weightSlopes[i]) }
  }

  /// Every token sorted, in Double.
  private static func draw(_ logProbs: [Double], _ cut: SamplingCut, _ uniform: Double) -> Int {
    var ids = logProbs.indices.sorted { (logProbs[$0], $1) > (logProbs[$1], $0) }
    if cut.topK > 0 { ids = Array(ids.prefix(cut.topK)) }
    let whole = ids.reduce(0) { $0 + exp(logProbs[$1]) }
    var mass = 0.0
    let end = ids.firstIndex {
      mass += exp(logProbs[$0])
      return mass >= cut.topP * whole
    }
    let kept = ids[...(end ?? ids.count - 1)]
    let threshold = uniform * kept.reduce(0) { $0 + exp(logProbs[$1]) }
    var seen = 0.0
    return kept.first {
      seen += exp(logProbs[$0])
      return seen > threshold
    } ?? kept[kept.endIndex - 1]
  }

  public func sample(
    x: Buffer, w: Packed, rows: [SamplingRow]
  ) -> (tokens: [Int32], logProbs: [Float]) {
    var tokens: [Int32] = []
    var chosen: [Float] = []
    for (row, how) in rows.enumerated() {
      let found = logProbs(
        x: x, w: w.values, wOffset: 0, row: row, outputs: w.outputs, inputs: w.inputs,
        inverseTemperature: how.inverseTemperature)
      let top = found.max()!
      var token = found.firstIndex(of: top) ?? 0
      if let uniform = how.uniform, let cut = how.cut {
        token = Self.draw(found, cut, Double(uniform))
      } else if let uniform = how.uniform {
        let cumulated = found.reduce(into: [Double]()) {
          $0.append(($0.last ?? 0) + exp($1 - top))
        }
        let threshold = Double(uniform) * cumulated.last!
        token = cumulated.firstIndex { $0 > threshold } ?? found.count - 1
      }
      tokens.append(Int32(token))
      chosen.append(Float(found[token]))
    }
    return (tokens, chosen)
  }
}
