// The head: logits a slice of rows at a time, their softmax under each row's temperature, and
// what is asked of it. Scoring and sampling share every number, so a sampled token's log-prob is
// the one the learner finds.

import CKernels
import Glibc

/// What is known of one row's softmax: z = logit * inverseTemperature.
struct RowStatistics {
  /// max z, sum exp(z - max), sum exp(z - max) (z - max).
  var maximum: Float = 0
  var sum: Float = 0
  var weighted: Float = 0

  /// Of `target`'s z; at most 0.
  func logProb(_ z: Float) -> Float { Float(Double(z) - Double(maximum) - log(Double(sum))) }
  /// In nats; rounding never makes it negative.
  var entropy: Float {
    let value = log(Double(sum)) - Double(weighted) / Double(sum)
    return value < 0 ? 0 : Float(value)
  }
}

extension CPUBackend {
  /// Rows whose logits fit 16 MiB: enough of them that streaming a large vocabulary's weights
  /// costs less than the arithmetic. Whole tiles.
  private func sliceRows(outputs: Int) -> Int {
    max(36, min(1152, (4 << 20) / max(outputs, 1) / 12 * 12))
  }

  /// Runs `body(rows, logits)` for slices of rows.
  private func slices(
    x: Buffer, w: Packed, rows: Int, _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    check(x, rows * w.inputs, "head x")
    let size = sliceRows(outputs: w.outputs)
    for first in stride(from: 0, to: rows, by: size) {
      let range = first..<min(first + size, rows)
      let floats = logits.floats(min(size, rows) * w.outputs)
      linear(floats, x.floats + first * w.inputs, w, bias: nil, rows: range.count)
      body(range, floats)
    }
  }

  /// Rows of logits a task takes.
  private func rowGrain(_ outputs: Int) -> Int { max(1, 8192 / max(outputs, 1)) }

  private func statistics(
    _ logits: UnsafePointer<Float>, count: Int, inverseTemperature: Float
  ) -> RowStatistics {
    var result: (Float, Float, Float) = (0, 0, 0)
    withUnsafeMutableBytes(of: &result) {
      kernels.headStatistics(
        $0.baseAddress!.assumingMemoryBound(to: Float.self), logits, count, inverseTemperature)
    }
    return RowStatistics(maximum: result.0, sum: result.1, weighted: result.2)
  }

  public func headScores(
    x: Buffer, w: Packed, rows: Int, inverseTemperatures: [Float], queries: [HeadQuery]
  ) -> HeadScores {
    let order = QueryOrder(queries, rows: rows, outputs: w.outputs)
    precondition(
      inverseTemperatures.count == rows, "\(inverseTemperatures.count) temperatures, \(rows) rows")
    var scores = HeadScores(
      logProbs: .init(repeating: 0, count: queries.count),
      entropies: .init(repeating: 0, count: rows))
    scores.logProbs.withUnsafeMutableBufferPointer { logProbs in
      scores.entropies.withUnsafeMutableBufferPointer { entropies in
        slices(x: x, w: w, rows: rows) { slice, logits in
          split(slice.count, grain: rowGrain(w.outputs)) { range, _ in
            for i in range {
              let row = slice.lowerBound + i
              let scale = inverseTemperatures[row]
              let line = logits + i * w.outputs
              let found = statistics(line, count: w.outputs, inverseTemperature: scale)
              entropies[row] = found.entropy
              for query in order.queries(of: row) {
                logProbs[query] = found.logProb(line[Int(queries[query].target)] * scale)
              }
            }
          }
        }
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
    precondition(
      packed.outputs == outputs && packed.inputs == inputs,
      "a packed \(packed.outputs) x \(packed.inputs) for \(outputs) x \(inputs)")
    precondition(
      logProbSlopes.count == queries.count,
      "\(logProbSlopes.count) slopes, \(queries.count) queries")
    precondition(
      entropySlopes.count == rows && inverseTemperatures.count == rows,
      "\(entropySlopes.count) slopes, \(inverseTemperatures.count) temperatures, \(rows) rows")
    check(dx, rows * inputs, "headBackward dx")
    check(dw, dwOffset + outputs * inputs, "headBackward dw")
    check(w, wOffset + outputs * inputs, "headBackward w")
    slices(x: x, w: packed, rows: rows) { slice, logits in
      split(slice.count, grain: rowGrain(outputs)) { range, _ in
        for i in range {
          let row = slice.lowerBound + i
          let own = order.queries(of: row)
          logitSlopes(
            logits + i * outputs, count: outputs, inverseTemperature: inverseTemperatures[row],
            targets: own.map { (Int(queries[$0].target), logProbSlopes[$0]) },
            entropySlope: entropySlopes[row])
        }
      }
      inputSlopes(
        dx.floats + slice.lowerBound * inputs, dout: logits, w: w.floats + wOffset,
        rows: slice.count, outputs: outputs, inputs: inputs, addToInput: false)
      weightSlopes(
        dw.floats + dwOffset, dout: logits, x: x.floats + slice.lowerBound * inputs,
        rows: slice.count, outputs: outputs, inputs: inputs)
    }
  }

  /// Logits become d(loss)/d(logit): with a the sum of the log-probs' slopes and e the entropy's,
  /// (slope of the target - a p - e p (log p + entropy)) inverseTemperature.
  private func logitSlopes(
    _ logits: UnsafeMutablePointer<Float>, count: Int, inverseTemperature: Float,
    targets: [(target: Int, slope: Float)], entropySlope: Float
  ) {
    let sum = targets.reduce(Float(0)) { $0 + $1.slope }
    if sum == 0 && entropySlope == 0 && targets.allSatisfy({ $0.slope == 0 }) {
      logits.update(repeating: 0, count: count)
      return
    }
    let found = statistics(logits, count: count, inverseTemperature: inverseTemperature)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3) { three in
      _ = three.initialize(from: [found.maximum, found.sum, found.weighted])
      kernels.headSlopes(
        logits, count, inverseTemperature, three.baseAddress!, Float(log(Double(found.sum))),
        found.entropy, sum, entropySlope)
    }
    for (target, slope) in targets { logits[target] += slope * inverseTemperature }
  }

  public func sample(
    x: Buffer, w: Packed, rows: [SamplingRow]
  ) -> (tokens: [Int32], logProbs: [Float]) {
    var tokens = [Int32](repeating: 0, count: rows.count)
    var logProbs = [Float](repeating: 0, count: rows.count)
    tokens.withUnsafeMutableBufferPointer { tokens in
      logProbs.withUnsafeMutableBufferPointer { logProbs in
        slices(x: x, w: w, rows: rows.count) { slice, logits in
          split(slice.count, grain: rowGrain(w.outputs)) { range, worker in
            for i in range {
              let row = rows[slice.lowerBound + i]
              let line = logits + i * w.outputs
              let found = statistics(
                line, count: w.outputs, inverseTemperature: row.inverseTemperature)
              let token =
                row.uniform.map {
                  draw(
                    line, count: w.outputs, row.inverseTemperature, found.maximum, uniform: $0,
                    cut: row.cut, worker: worker)
                } ?? greatest(line, count: w.outputs)
              tokens[slice.lowerBound + i] = Int32(token)
              logProbs[slice.lowerBound + i] = found.logProb(
                line[token] * row.inverseTemperature)
            }
          }
        }
      }
    }
    return (tokens, logProbs)
  }

  /// The first id whose cumulated exp(z - max), a chain of additions in order of id, exceeds
  /// uniform times the chain's last value; where rounding leaves none, the last id with weight.
  private func draw(
    _ logits: UnsafePointer<Float>, count: Int, _ inverseTemperature: Float, _ maximum: Float,
    uniform: Float, cut: SamplingCut?, worker: Int
  ) -> Int {
    let weights = scratches[worker].floats(count)
    kernels.headExponentials(weights, logits, count, inverseTemperature, maximum)
    if let cut {
      return cut.draw(UnsafeBufferPointer(start: weights, count: count), uniform: uniform)
    }
    var total: Float = 0
    var last = 0
    for id in 0..<count {
      if weights[id] > 0 { last = id }
      total += weights[id]
      weights[id] = total
    }
    let threshold = uniform * total
    for id in 0..<count where weights[id] > threshold { return id }
    return last
  }

  private func greatest(_ logits: UnsafePointer<Float>, count: Int) -> Int {
    var best = 0
    for id in 1..<count where logits[id] > logits[best] { best = id }
    return best
  }
}

/// Queries by row: `order[starts[row] ..< starts[row + 1]]`, each row's in the caller's order.
struct QueryOrder {
  private var starts: [Int]
  private var order: [Int]

  init(_ queries: [HeadQuery], rows: Int, outputs: Int) {
    starts = .init(repeating: 0, count: rows + 1)
    order = .init(repeating: 0, count: queries.count)
    for query in queries {
      precondition(
        query.row >= 0 && query.row < rows, "a query of row \(query.row) among \(rows)")
      precondition(
        query.target >= 0 && Int(query.target) < outputs,
        "a query of token \(query.target) of a vocabulary of \(outputs)")
      starts[query.row + 1] += 1
    }
    for row in 0..<rows { starts[row + 1] += starts[row] }
    var next = starts
    for (index, query) in queries.enumerated() {
      order[next[query.row]] = index
      next[query.row] += 1
    }
  }

  func queries(of row: Int) -> ArraySlice<Int> { order[starts[row]..<starts[row + 1]] }
}
