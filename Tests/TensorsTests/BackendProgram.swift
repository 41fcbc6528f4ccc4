// One call of every kernel on given shapes, as named arrays: what any two backends are compared by.

import Tensors
import Testing

/// The sizes of one comparison.
struct Sizes: CustomTestStringConvertible, Sendable {
  var rows: Int
  var width: Int
  var outputs: Int
  var heads = 2
  var keyValueHeads = 1
  var headSize = 16
  var testDescription: String {
    "\(rows) rows, \(width) to \(outputs), \(heads)/\(keyValueHeads) heads of \(headSize)"
  }
}

let awkwardSizes: [Sizes] = [
  Sizes(rows: 1, width: 1, outputs: 1, heads: 1, keyValueHeads: 1, headSize: 8),
  Sizes(rows: 15, width: 17, outputs: 31, heads: 2, keyValueHeads: 2, headSize: 16),
  Sizes(rows: 16, width: 33, outputs: 16, heads: 3, keyValueHeads: 1, headSize: 24),
  Sizes(rows: 17, width: 16, outputs: 33, heads: 4, keyValueHeads: 2, headSize: 32),
  Sizes(rows: 31, width: 100, outputs: 15, heads: 5, keyValueHeads: 5, headSize: 8),
  Sizes(rows: 33, width: 31, outputs: 100, heads: 5, keyValueHeads: 1, headSize: 64),
  Sizes(rows: 100, width: 15, outputs: 17, heads: 2, keyValueHeads: 1, headSize: 80),
  // Deep and tall enough for blocks of k and of rows.
  Sizes(rows: 301, width: 600, outputs: 70, heads: 1, keyValueHeads: 1, headSize: 16),
]

extension Backend {
  /// Products, rows and elements, forward and backward.
  func runRows(_ sizes: Sizes, seed: UInt64) -> [(String, [Float])] {
    var random = Random(seed)
    let (rows, width, outputs) = (sizes.rows, sizes.width, sizes.outputs)
    let x = buffer(random.values(rows * width))
    let w = buffer(random.values(3 + outputs * width))
    let bias = buffer(random.values(outputs + 2))
    let dout = buffer(random.values(rows * outputs))
    let packed = pack(w, at: 3, outputs: outputs, inputs: width, reusing: nil)
    let out = makeBuffer(count: rows * outputs)
    let plain = makeBuffer(count: rows * outputs)
    linear(out, x, packed, bias: (bias, 2), rows: rows)
    linear(plain, x, packed, bias: nil, rows: rows)
    let dx = buffer(random.values(rows * width))
    let dw = buffer(random.values(outputs * width + 5))
    let db = buffer(random.values(outputs + 1))
    let fresh = makeBuffer(count: rows * width)
    linearBackward(
      dx: dx, addToInput: true, dw: dw, dwOffset: 5, db: (db, 1), dout: dout, x: x, w: w,
      wOffset: 3, rows: rows, outputs: outputs, inputs: width)
    linearBackward(
      dx: fresh, addToInput: false, dw: dw, dwOffset: 5, db: nil, dout: dout, x: x, w: w,
      wOffset: 3, rows: rows, outputs: outputs, inputs: width)
    var found: [(String, [Float])] = [
      ("linear", array(out)), ("linear without bias", array(plain)), ("dx", array(dx)),
      ("fresh dx", array(fresh)), ("dw", array(dw)), ("db", array(db)),
    ]
    let weight = buffer(random.values(width + 4))
    let slope = buffer(random.values(rows * width))
    let normed = makeBuffer(count: rows * width)
    rmsNorm(normed, x, weight: weight, at: 4, rows: rows, width: width, epsilon: 1e-5)
    let dweight = buffer(random.values(width + 2))
    rmsNormBackward(
      dx: dx, addToInput: true, dweight: dweight, at: 2, dout: slope, x: x, weight: weight, at: 4,
      rows: rows, width: width, epsilon: 1e-5)
    rmsNormBackward(
      dx: fresh, addToInput: false, dweight: dweight, at: 2, dout: slope, x: x, weight: weight,
      at: 4, rows: rows, width: width, epsilon: 1e-5)
    found += [
      ("rmsNorm", array(normed)), ("rmsNorm dx", array(dx)), ("rmsNorm fresh", array(fresh)),
      ("dweight", array(dweight)),
    ]
    return found + runElements(sizes, random: &random)
  }

  private func runElements(_ sizes: Sizes, random: inout Random) -> [(String, [Float])] {
    let (rows, width) = (sizes.rows, sizes.width)
    let count = rows * width
    let gate = buffer(random.values(count, scale: 8))
    let up = buffer(random.values(count))
    let dout = buffer(random.values(count))
    let out = makeBuffer(count: count)
    let dgate = makeBuffer(count: count)
    let dup = makeBuffer(count: count)
    swiglu(out, gate: gate, up: up, count: count)
    swigluBackward(dgate: dgate, dup: dup, dout: dout, gate: gate, up: up, count: count)
    var found = [("swiglu", array(out)), ("dgate", array(dgate)), ("dup", array(dup))]
    add(out, up, count: count)
    let ids = (0..<rows).map { _ in Int32(random.below(rows)) }
    let moved = makeBuffer(count: count)
    let embedded = makeBuffer(count: count)
    gather(moved, up, rows: ids, width: width)
    let table = buffer(random.values(2 + count))
    embed(embedded, table: table, at: 2, tokens: ids, width: width)
    found += [("add", array(out)), ("gather", array(moved)), ("embed", array(embedded))]
    scatterAdd(moved, dout, rows: ids, width: width)
    embedBackward(table, at: 2, dout: dout, tokens: ids, width: width)
    found += [("scatterAdd", array(moved)), ("embedBackward", array(table))]
    let second = buffer(random.values(count).map(abs))
    for step in 1...3 {
      adamW(
        parameters: up, gradients: gate, first: dout, second: second, count: count,
        gradientScale: 0.5,
        AdamW(
          learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1,
          step: step))
    }
    return found + [
      ("parameters", array(up)), ("first", array(dout)), ("second", array(second)),
      ("sumOfSquares", [Float(sumOfSquares(gate, count: count))]),
    ]
  }

  /// Rotation and attention over a tree (a prompt, two branches, a branch of a branch) and a
  /// sequence of its own, forward, backward and cached.
  func runAttention(_ sizes: Sizes, seed: UInt64) -> [(String, [Float])] {
    var random = Random(seed)
    let shape = AttentionShape(
      heads: sizes.heads, keyValueHeads: sizes.keyValueHeads, headSize: sizes.headSize)
    let segments = tree(of: sizes.rows)
    let rows = 3 * sizes.rows + 7
    let width = shape.heads * shape.headSize
    let narrow = shape.keyValueHeads * shape.headSize
    let q = buffer(random.values(rows * width, scale: 2))
    let k = buffer(random.values(rows * narrow))
    let v = buffer(random.values(rows * narrow))
    let dout = buffer(random.values(rows * width))
    let half = shape.headSize / 2
    let cosines = buffer(random.values(rows * half))
    let sines = buffer(random.values(rows * half))
    let positions = (0..<rows).map { _ in Int32(random.below(rows)) }
    rope(
      q, cosines: cosines, sines: sines, positions: positions, rows: rows, heads: shape.heads,
      headSize: shape.headSize, inverse: false)
    rope(
      k, cosines: cosines, sines: sines, positions: positions, rows: rows,
      heads: shape.keyValueHeads, headSize: shape.headSize, inverse: true)
    let out = makeBuffer(count: rows * width)
    attention(out, q: q, k: k, v: v, segments: segments, shape: shape)
    let dq = makeBuffer(count: rows * width)
    let dk = buffer(random.values(rows * narrow))
    let dv = buffer(random.values(rows * narrow))
    attentionBackward(
      dq: dq, dk: dk, dv: dv, dout: dout, q: q, k: k, v: v, segments: segments, shape: shape)
    let cache = makeCache(slots: 2, capacity: rows, shape: shape)
    append(cache, k: k, v: v, rows: (0..<rows).map { CacheRow(slot: 0, position: $0) })
    copy(cache, from: 0, to: 1, count: rows)
    let attended = makeBuffer(count: rows * width)
    attend(
      attended, q: q, cache, rows: (0..<rows).map { CacheRow(slot: $0 % 2, position: $0) })
    return [
      ("rope q", array(q)), ("rope k", array(k)), ("attention", array(out)), ("dq", array(dq)),
      ("dk", array(dk)), ("dv", array(dv)), ("attend", array(attended)),
    ]
  }

  /// Scores, slopes and samples of the head.
  func runHead(_ sizes: Sizes, seed: UInt64) -> [(String, [Float])] {
    var random = Random(seed)
    let (rows, width, outputs) = (sizes.rows, sizes.width, sizes.outputs)
    // Logits of about 3, whatever the width.
    let x = buffer(random.values(rows * width, scale: 9 / Float(width).squareRoot()))
    let w = buffer(random.values(1 + outputs * width))
    let packed = pack(w, at: 1, outputs: outputs, inputs: width, reusing: nil)
    let scales = (0..<rows).map { _ in 1 + random.value() / 2 }
    let queries = (0..<rows + 3).map { _ in
      HeadQuery(row: random.below(rows), target: Int32(random.below(outputs)))
    }
    let scores = headScores(
      x: x, w: packed, rows: rows, inverseTemperatures: scales, queries: queries)
    let dx = makeBuffer(count: rows * width)
    let dw = buffer(random.values(outputs * width + 2))
    headBackward(
      dx: dx, dw: dw, dwOffset: 2, x: x, packed: packed, w: w, wOffset: 1, rows: rows,
      outputs: outputs, inputs: width, inverseTemperatures: scales, queries: queries,
      logProbSlopes: random.values(queries.count), entropySlopes: random.values(rows))
    let greedy = sample(
      x: x, w: packed,
      rows: .init(repeating: .init(inverseTemperature: 1, uniform: nil), count: rows))
    return [
      ("logProbs", scores.logProbs), ("entropies", scores.entropies), ("head dx", array(dx)),
      ("head dw", array(dw)), ("greedy log-probs", greedy.logProbs),
    ]
  }
}

/// Segments over 3 n + 7 rows: a prompt of n, branches of 3 and n rows, a branch of 4 rows on the
/// second, and n rows of their own.
func tree(of n: Int) -> [Segment] {
  [
    Segment(ancestors: [], rows: 0..<n),
    Segment(ancestors: [0..<n], rows: n..<n + 3),
    Segment(ancestors: [0..<n], rows: n + 3..<2 * n + 3),
    Segment(ancestors: [0..<n, n + 3..<2 * n + 3], rows: 2 * n + 3..<2 * n + 7),
    Segment(ancestors: [], rows: 2 * n + 7..<3 * n + 7),
  ]
}
