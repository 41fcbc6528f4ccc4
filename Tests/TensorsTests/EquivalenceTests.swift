import Tensors
import Testing

@Suite struct EquivalenceTests {
  /// Float sums of up to 600 terms in another order, relative to the greatest value.
  static let tolerance: Float = 2e-5

  @Test(arguments: awkwardSizes)
  func `every backend agrees with the reference on rows`(sizes: Sizes) {
    compare(sizes) {
      $0.runRows(sizes, seed: 1)
    } cpu: {
      $0.runRows(sizes, seed: 1)
    }
  }

  @Test(arguments: awkwardSizes.dropLast())
  func `every backend agrees with the reference on attention`(sizes: Sizes) {
    compare(sizes) {
      $0.runAttention(sizes, seed: 2)
    } cpu: {
      $0.runAttention(sizes, seed: 2)
    }
  }

  @Test(arguments: awkwardSizes)
  func `every backend agrees with the reference on the head`(sizes: Sizes) {
    compare(sizes) {
      $0.runHead(sizes, seed: 3)
    } cpu: {
      $0.runHead(sizes, seed: 3)
    }
  }

  @Test func `every backend rounds to bf16 as the reference does, bit for bit`() {
    var random = Random(11)
    // Halfway and next to it, either way; subnormals, the greatest that rounds down, infinity.
    var values: [Float] = [
      0x3F80_8000, 0x3F80_7FFF, 0x3F80_8001, 0x3F81_8000, 0xBF81_8000, 0x0000_8000, 0x0000_8001,
      0x0000_0001, 0x807F_FFFF, 0x7F7F_7FFF, 0x7F7F_8000, 0x7F7F_FFFF, 0x7F80_0000, 0x8000_0000,
    ].map { Float(bitPattern: $0) }
    while values.count < 20_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.bits()))
      if !value.isNaN { values.append(value) }
    }
    let reference = ReferenceBackend()
    let expected = reference.makeBuffer(count: values.count)
    reference.roundToBF16(expected, reference.buffer(values), count: values.count)
    for backend in makeBackends() {
      let found = backend.buffer(values + [.nan, -.nan])
      backend.roundToBF16(found, found, count: values.count + 2)
      let array = backend.array(found)
      #expect(sameBits(Array(array.dropLast(2)), reference.array(expected)))
      #expect(array.suffix(2).allSatisfy { $0.isNaN })
      #expect(array.dropLast(2).allSatisfy { $0.bitPattern & 0xFFFF == 0 })
    }
  }

  private func compare(
    _ sizes: Sizes, _ reference: (ReferenceBackend) -> [(String, [Float])],
    cpu: (CPUBackend) -> [(String, [Float])]
  ) {
    let expected = reference(ReferenceBackend())
    var first: [(String, [Float])]?
    for backend in makeBackends() {
      let found = cpu(backend)
      for (one, other) in zip(found, expected) {
        let off = distance(one.1, other.1)
        #expect(off < Self.tolerance, "\(one.0) on \(backend.testDescription), \(sizes)")
      }
      // Threads and instruction sets change no bit, backward included.
      for (one, other) in zip(found, first ?? found) {
        #expect(sameBits(one.1, other.1), "\(one.0) on \(backend.testDescription), \(sizes)")
      }
      first = first ?? found
    }
  }
}
