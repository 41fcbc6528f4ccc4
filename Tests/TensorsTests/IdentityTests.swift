// The forward's promise: a row's bits depend on that row alone.

import CKernels
import Tensors
import Testing

@Suite struct IdentityTests {
  @Test func `a product's row is the same alone and in any company`() {
    let (inputs, outputs, rows) = (577, 97, 160)
    var random = Random(1)
    let x = random.values(rows * inputs)
    let weights = random.values(outputs * inputs)
    let biases = random.values(outputs)
    for backend in makeBackends(threads: [1, 3]) {
      let packed = backend.pack(
        backend.buffer(weights), at: 0, outputs: outputs, inputs: inputs, reusing: nil)
      let bias = backend.buffer(biases)
      func rowsAlone(_ range: Range<Int>) -> [Float] {
        let out = backend.makeBuffer(count: range.count * outputs)
        backend.linear(
          out, backend.buffer(Array(x[range.lowerBound * inputs..<range.upperBound * inputs])),
          packed, bias: (bias, 0), rows: range.count)
        return backend.array(out)
      }
      let together = rowsAlone(0..<rows)
      for count in Array(1...14) + [23, 24, 25, 36, 37, 97, 145] {
        for first in [0, 1, rows - count] {
          let found = rowsAlone(first..<first + count)
          let expected = Array(together[first * outputs..<(first + count) * outputs])
          #expect(sameBits(found, expected), "\(count) rows from \(first), \(backend.name)")
        }
      }
    }
  }

  @Test func `a forward pass gives the same bits for 1, 2 and 3 threads and any instructions`() {
    var first: [[Float]]?
    // 6,000 rows make tasks enough for all threads.
    let sizes = Sizes(
      rows: 700, width: 64, outputs: 130, heads: 4, keyValueHeads: 2, headSize: 16)
    for set in InstructionSet.available.dropFirst(InstructionSet.available.count > 1 ? 1 : 0) {
      for threads in 1...3 {
        let backend = CPUBackend(threads: threads, instructionSet: set)
        let found =
          backend.runRows(sizes, seed: 5) + backend.runAttention(sizes, seed: 6)
          + backend.runHead(sizes, seed: 7)
        for (values, expected) in zip(found, first ?? found.map(\.1)) {
          #expect(sameBits(values.1, expected), "\(values.0), \(backend.testDescription)")
        }
        first = first ?? found.map(\.1)
      }
    }
  }

  static let shapes = [
    AttentionShape(heads: 1, keyValueHeads: 1, headSize: 8),
    AttentionShape(heads: 4, keyValueHeads: 4, headSize: 32),
    AttentionShape(heads: 3, keyValueHeads: 1, headSize: 64),
    AttentionShape(heads: 5, keyValueHeads: 1, headSize: 24),
    AttentionShape(heads: 4, keyValueHeads: 2, headSize: 80),
  ]

  @Test(arguments: shapes)
  func `cached attention equals the full pass bit for bit`(shape: AttentionShape) {
    let count = 83
    let width = shape.heads * shape.headSize
    let narrow = shape.keyValueHeads * shape.headSize
    var random = Random(2)
    let (q, k) = (random.values(count * width, scale: 3), random.values(count * narrow))
    let v = random.values(count * narrow)
    for backend in makeBackends() {
      let out = backend.makeBuffer(count: count * width)
      backend.attention(
        out, q: backend.buffer(q), k: backend.buffer(k), v: backend.buffer(v),
        segments: [Segment(ancestors: [], rows: 0..<count)], shape: shape)
      let cache = backend.makeCache(slots: 3, capacity: 90, shape: shape)
      // A cache that an earlier sequence left full of NaN.
      let spoiled = backend.buffer(.init(repeating: .nan, count: 90 * narrow))
      backend.append(
        cache, k: spoiled, v: spoiled, rows: (0..<90).map { CacheRow(slot: 1, position: $0) })
      var cached: [Float] = []
      for position in 0..<count {
        let row = [CacheRow(slot: 1, position: position)]
        func slice(_ values: [Float], _ width: Int) -> CPUBuffer {
          backend.buffer(Array(values[position * width..<(position + 1) * width]))
        }
        backend.append(cache, k: slice(k, narrow), v: slice(v, narrow), rows: row)
        let one = backend.makeBuffer(count: width)
        backend.attend(one, q: slice(q, width), cache, rows: row)
        cached += backend.array(one)
      }
      #expect(sameBits(cached, backend.array(out)), "\(backend.testDescription), \(shape)")
    }
  }

  @Test(arguments: shapes)
  func `a slot copied from a prompt continues as the prompt does`(shape: AttentionShape) {
    let narrow = shape.keyValueHeads * shape.headSize
    let width = shape.heads * shape.headSize
    var random = Random(3)
    let k = random.values(41 * narrow)
    let v = random.values(41 * narrow)
    let q = random.values(width)
    let backend = CPUBackend(threads: 1)
    let cache = backend.makeCache(slots: 2, capacity: 41, shape: shape)
    let noise = backend.buffer(random.values(41 * narrow))
    backend.append(
      cache, k: noise, v: noise, rows: (0..<41).map { CacheRow(slot: 1, position: $0) })
    backend.append(
      cache, k: backend.buffer(k), v: backend.buffer(v),
      rows: (0..<41).map { CacheRow(slot: 0, position: $0) })
    // 37 of 41 positions: the copied panel holds more than was asked for.
    backend.copy(cache, from: 0, to: 1, count: 37)
    let out = backend.makeBuffer(count: 2 * width)
    backend.attend(
      out, q: backend.buffer(q + q), cache,
      rows: [CacheRow(slot: 0, position: 36), CacheRow(slot: 1, position: 36)])
    let found = backend.array(out)
    #expect(sameBits(Array(found[..<width]), Array(found[width...])))
  }

  @Test(arguments: shapes)
  func `a shared prompt attends as separate sequences do`(shape: AttentionShape) {
    let width = shape.heads * shape.headSize
    let narrow = shape.keyValueHeads * shape.headSize
    let segments = tree(of: 21)
    let rows = 3 * 21 + 7
    var random = Random(4)
    let q = random.values(rows * width)
    let k = random.values(rows * narrow)
    let v = random.values(rows * narrow)
    for backend in makeBackends() {
      let shared = backend.makeBuffer(count: rows * width)
      backend.attention(
        shared, q: backend.buffer(q), k: backend.buffer(k), v: backend.buffer(v),
        segments: segments, shape: shape)
      let all = backend.array(shared)
      for segment in segments {
        let path = (segment.ancestors + [segment.rows]).flatMap { Array($0) }
        func pick(_ values: [Float], _ width: Int) -> CPUBuffer {
          backend.buffer(path.flatMap { values[$0 * width..<($0 + 1) * width] })
        }
        let alone = backend.makeBuffer(count: path.count * width)
        backend.attention(
          alone, q: pick(q, width), k: pick(k, narrow), v: pick(v, narrow),
          segments: [Segment(ancestors: [], rows: 0..<path.count)], shape: shape)
        let expected = path.flatMap { all[$0 * width..<($0 + 1) * width] }
        #expect(sameBits(backend.array(alone), expected), "\(backend.name), \(segment)")
      }
    }
  }

  @Test func `a row of the head scores the same alone and in company`() {
    let (rows, width, outputs) = (150, 48, 77)
    var random = Random(5)
    let x = random.values(rows * width)
    let weights = random.values(outputs * width)
    for backend in makeBackends() {
      let packed = backend.pack(
        backend.buffer(weights), at: 0, outputs: outputs, inputs: width, reusing: nil)
      func scores(_ range: Range<Int>) -> HeadScores {
        backend.headScores(
          x: backend.buffer(Array(x[range.lowerBound * width..<range.upperBound * width])),
          w: packed, rows: range.count,
          inverseTemperatures: range.map { 1 + Float($0 % 3) / 4 },
          queries: range.map { .init(row: $0 - range.lowerBound, target: Int32($0 % outputs)) })
      }
      let together = scores(0..<rows)
      for row in stride(from: 0, to: rows, by: 7) {
        let alone = scores(row..<row + 1)
        #expect(sameBits(alone.logProbs, [together.logProbs[row]]))
        #expect(sameBits(alone.entropies, [together.entropies[row]]))
      }
    }
  }

  @Test func `the self-test is one fingerprint for every instruction set`() {
    let found = makeBackends().map { $0.selfTest() }
    #expect(found.allSatisfy { $0 == found[0] })
    #expect(found[0].count == 4 * (5 * 51 + 3 * 5 * 40 + 15))
    #expect(found[0] != ReferenceBackend().selfTest(), "Double sums round otherwise")
  }

  @Test func `the exponential is within 1.5 units in the last place, the same for all`() {
    // Every 2,003rd float from -104 to 89.
    var x: [Float] = [0, -0, .infinity, -.infinity, .nan, 88.8, -88, -1e30, 1e30]
    for bits in stride(from: Float(1e-9).bitPattern, to: Float(104).bitPattern, by: 2003) {
      x.append(-Float(bitPattern: bits))
      if bits < Float(89).bitPattern { x.append(Float(bitPattern: bits)) }
    }
    var first: [UInt32]?
    for table in [FORAGE_PORTABLE, FORAGE_AVX2, FORAGE_AVX512].compactMap({
      forageKernels(Int32($0))
    }) {
      var e = [Float](repeating: 0, count: x.count)
      table.pointee.exponential(&e, x, x.count)
      #expect(Array(e[0..<4]) == [1, 1, .infinity, 0] && e[4].isNaN)
      #expect(Array(e[5..<9]) == [.infinity, 0, 0, .infinity])
      var worst = 0.0
      for i in 9..<x.count {
        let exact = exponential(Double(x[i]))
        if exact < Double(Float.leastNormalMagnitude) {
          #expect(e[i] <= Float.leastNormalMagnitude)
        } else if exact <= Double(Float.greatestFiniteMagnitude) {
          worst = max(worst, abs(Double(e[i]) - exact) / Double(Float(exact).ulp))
        }
      }
      #expect(worst < 1.5, "\(worst) units")
      let bits = e.map(\.bitPattern)
      #expect(bits.enumerated().allSatisfy { $1 == (first ?? bits)[$0] || x[$0].isNaN })
      first = first ?? bits
    }
  }

  @Test func `every task of a loop runs once on a thread of its own number`() {
    for threads in 1...4 {
      let pool = ThreadPool(threads: threads)
      for round in 0..<3000 {
        let count = round % 40
        var runs = [Int](repeating: 0, count: count)
        runs.withUnsafeMutableBufferPointer { runs in
          pool.run(count) { task, worker in
            runs[task] += worker < threads ? 1 : 100
          }
        }
        #expect(runs.allSatisfy { $0 == 1 })
      }
    }
  }
}
