// What the machine's arithmetic gives at most: float32 products of square matrices that stay in
// cache, on all threads asked for. A benchmark's share of it says how much of the machine is used,
// where seconds alone say how busy the neighbors are.
//
// OpenBLAS is measured with one thread of its own on each of ours, so that its figure and ours
// count the same cores. Where it does not know the processor our own kernels are ahead of it, and a
// limit below the truth would show shares above 1: so both are measured and the faster one counts.

import COpenBLAS

public final class GemmLimit {
  /// Rows, columns and inner size: three matrices of 1 MiB, where every BLAS is at its best.
  public static let size = 512
  /// Of one measurement: some 20 ms.
  private static let productsPerThread = 8
  private static let flopsPerProduct = 2 * Double(size) * Double(size) * Double(size)

  public let threads: Int
  private let backend: CPUBackend
  /// `[size, size]` each; one output a thread.
  private let left: CPUBuffer
  private let right: CPUBuffer
  private let outputs: [CPUBuffer]
  private let packed: CPUPacked

  public init(threads: Int) {
    self.threads = threads
    openblas_set_num_threads(1)
    backend = CPUBackend(threads: threads)
    let count = Self.size * Self.size
    left = backend.makeBuffer(count: count)
    right = backend.makeBuffer(count: count)
    outputs = (0..<threads).map { _ in CPUBuffer(count: count) }
    // Neither zeros nor denormals: some processors are faster or slower on them.
    for index in 0..<count {
      left.floats[index] = 1 + Float(index % 7) / 8
      right.floats[index] = 1 - Float(index % 5) / 8
    }
    packed = backend.pack(
      right, at: 0, outputs: Self.size, inputs: Self.size, reusing: nil)
  }

  /// FLOP/s of the faster of the two.
  public func measure() -> Double { max(measureOpenBLAS(), measureKernels()) }

  /// FLOP/s of `cblas_sgemm`.
  public func measureOpenBLAS() -> Double {
    let products = Self.productsPerThread * threads
    let size = Int32(Self.size)
    return rate(products) {
      backend.pool.run(products) { _, worker in
        cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasTrans, size, size, size, 1, left.floats, size,
          right.floats, size, 0, outputs[worker].floats, size)
      }
    }
  }

  /// FLOP/s of the forward product of `CPUBackend`.
  public func measureKernels() -> Double {
    let products = Self.productsPerThread * threads
    return rate(products) {
      for _ in 0..<products {
        backend.linear(outputs[0], left, packed, bias: nil, rows: Self.size)
      }
    }
  }

  private func rate(_ products: Int, _ body: () -> Void) -> Double {
    let duration = ContinuousClock().measure(body)
    return Self.flopsPerProduct * Double(products) / duration.inSeconds
  }
}

extension Duration {
  /// Never 0, so that a rate is finite.
  var inSeconds: Double {
    max(1e-9, Double(components.seconds) + Double(components.attoseconds) * 1e-18)
  }
}
