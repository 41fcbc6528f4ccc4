// Each backward kernel of the reference against differences of its forward. Every other backend is
// held to the reference, so this is where the formulas themselves are proved.

import Glibc
import Tensors
import Testing

func exponential(_ x: Double) -> Double { exp(x) }

@Suite struct GradientTests {
  let backend = ReferenceBackend()

  /// Slopes of `loss` by the fourth-order stencil: its truncation is about step^4, and Float
  /// outputs near 1 leave 6e-8 / step = 4e-6 of noise.
  private func differences(_ x: [Float], _ loss: ([Float]) -> Double) -> [Float] {
    let step: Float = 1 / 64
    return x.indices.map { i in
      func shifted(_ steps: Float) -> Double {
        var moved = x
        moved[i] += steps * step
        return loss(moved)
      }
      let near = shifted(1) - shifted(-1)
      let far = shifted(2) - shifted(-2)
      return Float((8 * near - far) / (12 * Double(step)))
    }
  }

  private func dot(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// Rounded values, so that a step of 1 / 64 is exact.
  private func values(_ count: Int, _ random: inout Random) -> [Float] {
    random.values(count).map { ($0 * 1024).rounded() / 1024 }
  }

  @Test func `the product's slopes are its differences`() {
    let (rows, outputs, inputs) = (3, 4, 5)
    var random = Random(11)
    let x = values(15, &random)
    let w = values(20, &random)
    let b = values(4, &random)
    let dout = random.values(12)
    func loss(_ x: [Float], _ w: [Float], _ b: [Float]) -> Double {
      let out = backend.makeBuffer(count: 12)
      let packed = backend.pack(
        backend.buffer(w), at: 0, outputs: outputs, inputs: inputs, reusing: nil)
      backend.linear(out, backend.buffer(x), packed, bias: (backend.buffer(b), 0), rows: rows)
      return dot(backend.array(out), dout)
    }
    let dx = backend.makeBuffer(count: 15)
    let dw = backend.makeBuffer(count: 20)
    let db = backend.makeBuffer(count: 4)
    backend.linearBackward(
      dx: dx, addToInput: false, dw: dw, dwOffset: 0, db: (db, 0), dout: backend.buffer(dout),
      x: backend.buffer(x), w: backend.buffer(w), wOffset: 0, rows: rows, outputs: outputs,
      inputs: inputs)
    #expect(distance(backend.array(dx), differences(x) { loss($0, w, b) }) < 1e-4)
    #expect(distance(backend.array(dw), differences(w) { loss(x, $0, b) }) < 1e-4)
    #expect(distance(backend.array(db), differences(b) { loss(x, w, $0) }) < 1e-4)
  }

  @Test func `the norm's slopes are its differences`() {
    let (rows, width) = (3, 7)
    var random = Random(12)
    let x = values(21, &random)
    let w = values(7, &random)
    let dout = random.values(21)
    func loss(_ x: [Float], _ w: [Float]) -> Double {
      let out = backend.makeBuffer(count: 21)
      backend.rmsNorm(
        out, backend.buffer(x), weight: backend.buffer(w), at: 0, rows: rows, width: width,
        epsilon: 1e-3)
      return dot(backend.array(out), dout)
    }
    let dx = backend.makeBuffer(count: 21)
    let dw = backend.makeBuffer(count: 7)
    backend.rmsNormBackward(
      dx: dx, addToInput: false, dweight: dw, at: 0, dout: backend.buffer(dout),
      x: backend.buffer(x), weight: backend.buffer(w), at: 0, rows: rows, width: width,
      epsilon: 1e-3)
    #expect(distance(backend.array(dx), differences(x) { loss($0, w) }) < 1e-4)
    #expect(distance(backend.array(dw), differences(w) { loss(x, $0) }) < 1e-4)
  }

  @Test func `the gate's slopes are its differences`() {
    var random = Random(13)
    let gate = values(9, &random).map { $0 * 4 }
    let up = values(9, &random)
    let dout = random.values(9)
    func loss(_ gate: [Float], _ up: [Float]) -> Double {
      let out = backend.makeBuffer(count: 9)
      backend.swiglu(out, gate: backend.buffer(gate), up: backend.buffer(up), count: 9)
      return dot(backend.array(out), dout)
    }
    let dgate = backend.makeBuffer(count: 9)
    let dup = backend.makeBuffer(count: 9)
    backend.swigluBackward(
      dgate: dgate, dup: dup, dout: backend.buffer(dout), gate: backend.buffer(gate),
      up: backend.buffer(up), count: 9)
    #expect(distance(backend.array(dgate), differences(gate) { loss($0, up) }) < 1e-4)
    #expect(distance(backend.array(dup), differences(up) { loss(gate, $0) }) < 1e-4)
  }

  @Test func `rotating back is the transpose of rotating`() {
    var random = Random(14)
    let angles = (0..<12).map { _ in Double(random.value()) * 3 }
    let cosines = backend.buffer(angles.map { Float(cos($0)) })
    let sines = backend.buffer(angles.map { Float(sin($0)) })
    let x = random.values(36)
    let dout = random.values(36)
    func rotated(_ x: [Float], inverse: Bool) -> [Float] {
      let buffer = backend.buffer(x)
      backend.rope(
        buffer, cosines: cosines, sines: sines, positions: [3, 0, 2], rows: 3, heads: 2,
        headSize: 6, inverse: inverse)
      return backend.array(buffer)
    }
    // <R x, d> = <x, R^T d>, and R^T R = 1; a dozen Float roundings apart.
    let forth = dot(rotated(x, inverse: false), dout)
    #expect(abs(forth - dot(x, rotated(dout, inverse: true))) < 1e-5)
    #expect(distance(rotated(rotated(x, inverse: false), inverse: true), x) < 1e-6)
  }

  @Test func `attention's slopes over a token tree are its differences`() {
    let shape = AttentionShape(heads: 4, keyValueHeads: 2, headSize: 3)
    let segments = tree(of: 2)
    let rows = 13
    var random = Random(15)
    let q = values(rows * 12, &random)
    let k = values(rows * 6, &random)
    let v = values(rows * 6, &random)
    let dout = random.values(rows * 12)
    func loss(_ q: [Float], _ k: [Float], _ v: [Float]) -> Double {
      let out = backend.makeBuffer(count: rows * 12)
      backend.attention(
        out, q: backend.buffer(q), k: backend.buffer(k), v: backend.buffer(v),
        segments: segments, shape: shape)
      return dot(backend.array(out), dout)
    }
    let dq = backend.makeBuffer(count: rows * 12)
    let dk = backend.makeBuffer(count: rows * 6)
    let dv = backend.makeBuffer(count: rows * 6)
    backend.attentionBackward(
      dq: dq, dk: dk, dv: dv, dout: backend.buffer(dout), q: backend.buffer(q),
      k: backend.buffer(k), v: backend.buffer(v), segments: segments, shape: shape)
    #expect(distance(backend.array(dq), differences(q) { loss($0, k, v) }) < 1e-4)
    #expect(distance(backend.array(dk), differences(k) { loss(q, $0, v) }) < 1e-4)
    #expect(distance(backend.array(dv), differences(v) { loss(q, k, $0) }) < 1e-4)
  }

  @Test func `the head's slopes are the differences of log-probs and entropies`() {
    let (rows, outputs, inputs) = (3, 5, 4)
    var random = Random(16)
    let x = values(12, &random)
    let w = values(20, &random)
    let scales: [Float] = [1, 0.5, 2]
    // Row 1 is asked twice, row 2 never.
    let queries = [
      HeadQuery(row: 1, target: 4), HeadQuery(row: 0, target: 0), HeadQuery(row: 1, target: 2),
    ]
    let slopes = random.values(3)
    let entropySlopes = random.values(3)
    func loss(_ x: [Float], _ w: [Float]) -> Double {
      let packed = backend.pack(
        backend.buffer(w), at: 0, outputs: outputs, inputs: inputs, reusing: nil)
      let found = backend.headScores(
        x: backend.buffer(x), w: packed, rows: rows, inverseTemperatures: scales, queries: queries)
      return dot(found.logProbs, slopes) + dot(found.entropies, entropySlopes)
    }
    let dx = backend.makeBuffer(count: 12)
    let dw = backend.makeBuffer(count: 20)
    let weight = backend.buffer(w)
    backend.headBackward(
      dx: dx, dw: dw, dwOffset: 0, x: backend.buffer(x),
      packed: backend.pack(weight, at: 0, outputs: outputs, inputs: inputs, reusing: nil),
      w: weight, wOffset: 0, rows: rows, outputs: outputs, inputs: inputs,
      inverseTemperatures: scales, queries: queries, logProbSlopes: slopes,
      entropySlopes: entropySlopes)
    #expect(distance(backend.array(dx), differences(x) { loss($0, w) }) < 1e-4)
    #expect(distance(backend.array(dw), differences(w) { loss(x, $0) }) < 1e-4)
  }
}
