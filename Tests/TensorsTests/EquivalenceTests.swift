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
