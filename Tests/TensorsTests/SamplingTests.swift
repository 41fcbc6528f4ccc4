import Tensors
import Testing

@Suite struct SamplingTests {
  @Test func `a sampled token's log-prob is the one headScores gives, bit for bit`() {
    let (rows, width, outputs) = (90, 40, 133)
    var random = Random(21)
    let x = random.values(rows * width)
    let weights = random.values(outputs * width)
    let how = (0..<rows).map { row in
      SamplingRow(
        inverseTemperature: 0.5 + Float(row % 5) / 4,
        uniform: row % 6 == 0 ? nil : (random.value() + 1) / 2)
    }
    for backend in makeBackends() {
      let packed = backend.pack(
        backend.buffer(weights), at: 0, outputs: outputs, inputs: width, reusing: nil)
      let drawn = backend.sample(x: backend.buffer(x), w: packed, rows: how)
      // Asked in another order than drawn.
      let order = Array((0..<rows).reversed())
      let scores = backend.headScores(
        x: backend.buffer(x), w: packed, rows: rows,
        inverseTemperatures: how.map(\.inverseTemperature),
        queries: order.map { HeadQuery(row: $0, target: drawn.tokens[$0]) })
      #expect(sameBits(scores.logProbs, order.map { drawn.logProbs[$0] }), "\(backend.name)")
      #expect(drawn.logProbs.allSatisfy { $0 <= 0 })
    }
  }

  /// Logits ln 1, ln 2, ln 3, ln 2, so that the cumulated shares are 1/8, 3/8, 6/8, 1.
  private func token<B: Backend>(_ backend: B, uniform: Float?) -> Int32 {
    let logits: [Float] = [0, 0.6931472, 1.0986123, 0.6931472]
    let packed = backend.pack(
      backend.buffer(logits), at: 0, outputs: 4, inputs: 1, reusing: nil)
    return backend.sample(
      x: backend.buffer([1]), w: packed,
      rows: [SamplingRow(inverseTemperature: 1, uniform: uniform)]
    ).tokens[0]
  }

  @Test func `a uniform picks the first id whose cumulated share exceeds it`() {
    func check<B: Backend>(_ backend: B) {
      // Away from the boundaries, which rounding may move.
      for (uniform, expected) in [
        (0, 0), (0.12, 0), (0.13, 1), (0.37, 1), (0.38, 2), (0.74, 2), (0.76, 3), (0.999999, 3),
      ] as [(Float, Int32)] {
        #expect(token(backend, uniform: uniform) == expected, "\(uniform) on \(backend.name)")
      }
      #expect(token(backend, uniform: nil) == 2)
    }
    check(ReferenceBackend())
    for backend in makeBackends() { check(backend) }
  }

  @Test func `greedy takes the least id at a tie`() {
    for backend in makeBackends() {
      let packed = backend.pack(
        backend.buffer([1, 3, 2, 3, 3]), at: 0, outputs: 5, inputs: 1, reusing: nil)
      let drawn = backend.sample(
        x: backend.buffer([1]), w: packed, rows: [.init(inverseTemperature: 1, uniform: nil)])
      #expect(drawn.tokens == [1])
    }
  }

  @Test func `tokens come as often as they are probable`() {
    let backend = CPUBackend(threads: 1)
    var random = Random(22)
    var counts = [Int](repeating: 0, count: 4)
    for _ in 0..<8000 {
      counts[Int(token(backend, uniform: Float(random.bits() >> 40) / Float(1 << 24)))] += 1
    }
    // Shares 1/8, 2/8, 3/8, 2/8 of 8,000; five deviations are at most 5 x 43.
    for (count, expected) in zip(counts, [1000, 2000, 3000, 2000]) {
      #expect(abs(count - expected) < 216, "\(counts)")
    }
  }
}

@Suite struct SamplingCutTests {
  /// A row of logits as the head gives them: the weights are the logits of a model of width 1.
  private func tokens<B: Backend>(
    _ backend: B, _ logits: [Float], _ cut: SamplingCut?, _ uniforms: [Float?]
  ) -> [Int32] {
    let packed = backend.pack(
      backend.buffer(logits), at: 0, outputs: logits.count, inputs: 1, reusing: nil)
    return backend.sample(
      x: backend.buffer(uniforms.map { _ in 1 }), w: packed,
      rows: uniforms.map { SamplingRow(inverseTemperature: 1, uniform: $0, cut: cut) }
    ).tokens
  }

  /// Shares 1/8, 2/8, 3/8, 2/8: by rank 2, 1, 3, 0, the lesser id first at a tie.
  private let logits: [Float] = [0, 0.6931472, 1.0986123, 0.6931472]

  @Test func `the most probable that reach the share are drawn in order of rank`() throws {
    func check<B: Backend>(_ backend: B) throws {
      let uniforms: [Float?] = [0, 0.59, 0.61, 0.99]
      // 3/8 + 2/8 reach 0.6 and are 5 parts: the first has 3 of them.
      let nucleus = try #require(SamplingCut(topK: 0, topP: 0.6))
      #expect(tokens(backend, logits, nucleus, uniforms) == [2, 2, 1, 1], "\(backend.name)")
      let three = try #require(SamplingCut(topK: 3, topP: 1))
      // 3, 2 and 2 of 7 parts.
      #expect(tokens(backend, logits, three, [0.42, 0.43, 0.71, 0.72]) == [2, 1, 1, 3])
      // Of the best three, those that reach half: 3/7 is too little, 5/7 is not.
      let both = try #require(SamplingCut(topK: 3, topP: 0.5))
      #expect(tokens(backend, logits, both, [0.59, 0.61]) == [2, 1])
      let one = try #require(SamplingCut(topK: 1, topP: 1))
      #expect(tokens(backend, logits, one, uniforms) == [2, 2, 2, 2])
      #expect(tokens(backend, logits, one, [nil]) == [2])
    }
    try check(ReferenceBackend())
    for backend in makeBackends() { try check(backend) }
  }

  @Test func `every backend draws what the naive one draws`() throws {
    var random = Random(23)
    // Peaked and flat rows, and a vocabulary whose tail is below every quick look.
    for (count, scale) in [(5, 1), (133, 0.1), (133, 8), (2000, 30)] as [(Int, Float)] {
      let logits = random.values(count).map { $0 * scale }
      let uniforms = (0..<40).map { (Float($0) + 0.37) / 40 }
      for (topK, topP) in [(0, 0.9), (0, 0.999), (3, 1), (7, 0.8), (5000, 0.5), (1, 0.1)] {
        let cut = try #require(SamplingCut(topK: topK, topP: topP))
        let expected = tokens(ReferenceBackend(), logits, cut, uniforms)
        for backend in makeBackends() {
          let drawn = tokens(backend, logits, cut, uniforms)
          // A uniform on the edge between two tokens may fall to either in Float.
          let differing = zip(drawn, expected).count { $0 != $1 }
          #expect(differing <= 1, "\(topK), \(topP) of \(count) x \(scale) on \(backend.name)")
        }
      }
    }
  }

  @Test func `nothing cut is no cut`() {
    #expect(SamplingCut(topK: 0, topP: 1) == nil)
  }
}
