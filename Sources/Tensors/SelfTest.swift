// A small fixed run of every forward kernel. Two processes whose bytes agree compute alike: its
// digest is part of the numeric class that hellos and groups carry.

extension Backend {
  /// The raw bits of a fixed set of forward results, the same for every call of one numeric class.
  public func selfTest() -> [UInt8] {
    var random = FixedValues()
    var bytes: [UInt8] = []
    let rows = 5
    let width = 40
    let outputs = 51
    let shape = AttentionShape(heads: 2, keyValueHeads: 1, headSize: 20)
    func buffer(_ count: Int) -> Buffer { filled(count, from: &random) }
    func record(_ buffer: Buffer) {
      withUnsafeTemporaryAllocation(of: Float.self, capacity: count(buffer)) { values in
        download(buffer, at: 0, into: values)
        for value in values { bytes.append(contentsOf: value.littleEndianBytes) }
      }
    }
    let x = buffer(rows * width)
    let weight = buffer(outputs * width)
    let bias = buffer(outputs)
    let packed = pack(weight, at: 0, outputs: outputs, inputs: width, reusing: nil)
    let out = makeBuffer(count: rows * outputs)
    linear(out, x, packed, bias: (bias, 0), rows: rows)
    record(out)
    let wide = makeBuffer(count: rows * width)
    rmsNorm(wide, x, weight: bias, at: 3, rows: rows, width: width, epsilon: 1e-5)
    record(wide)
    rope(
      wide, cosines: buffer(rows * 10), sines: buffer(rows * 10), positions: [0, 1, 2, 3, 4],
      rows: rows, heads: 2, headSize: 20, inverse: false)
    let keys = buffer(rows * 20)
    let values = buffer(rows * 20)
    let attended = buffer(rows * width)
    attention(
      attended, q: wide, k: keys, v: values, segments: [.init(ancestors: [], rows: 0..<rows)],
      shape: shape)
    record(attended)
    swiglu(wide, gate: attended, up: x, count: rows * width)
    record(wide)
    let scores = headScores(
      x: x, w: packed, rows: rows, inverseTemperatures: [1, 0.5, 2, 1, 1],
      queries: (0..<rows).map { HeadQuery(row: $0, target: Int32($0 * 10)) })
    let drawn = sample(
      x: x, w: packed,
      rows: (0..<rows).map { .init(inverseTemperature: 1, uniform: Float($0) / 5) })
    for value in scores.logProbs + scores.entropies + drawn.logProbs {
      bytes.append(contentsOf: value.littleEndianBytes)
    }
    return bytes
  }

  private func filled(_ count: Int, from random: inout FixedValues) -> Buffer {
    let buffer = makeBuffer(count: count)
    let values = (0..<count).map { _ in random.next() }
    values.withUnsafeBufferPointer { upload($0, to: buffer, at: 0) }
    return buffer
  }
}

/// A fixed sequence in [-1, 1): multiples of 2^-23 from a linear congruence (Knuth's constants).
private struct FixedValues {
  private var state: UInt64 = 1

  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int(state >> 40) - (1 << 23)) / Float(1 << 23)
  }
}

extension Float {
  fileprivate var littleEndianBytes: [UInt8] {
    let bits = bitPattern
    return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: bits >> $0) }
  }
}
