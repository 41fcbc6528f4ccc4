// The machine's limits as they are while a benchmark runs: measured again beside every repeat,
// because a neighbor's load moves both alike.

import Tensors

final class MachineLimits {
  private let gemm: GemmLimit
  private let memory: MemoryLimit
  private var last: (flops: Double, bytes: Double)
  /// FLOP/s and bytes/s, one a repeat.
  private(set) var flops: [Double] = []
  private(set) var bytes: [Double] = []

  init(threads: Int) {
    gemm = GemmLimit(threads: threads)
    memory = MemoryLimit(threads: threads)
    // The first of each wakes the threads and the memory.
    _ = gemm.measure()
    _ = memory.measure()
    last = (gemm.measure(), memory.measure())
  }

  /// Runs one repeat. Its limits are the faster of those measured right before and right after: a
  /// neighbor that ran in one of them only is no limit of the machine.
  func around<Result>(_ work: () throws -> Result) rethrows -> Result {
    let result = try work()
    let now = (flops: gemm.measure(), bytes: memory.measure())
    flops.append(max(last.flops, now.flops))
    bytes.append(max(last.bytes, now.bytes))
    last = now
    return result
  }

  var figures: [BenchFigure] {
    [
      BenchFigure("GEMM limit", "GFLOP/s", flops.map { $0 / 1e9 }),
      BenchFigure("memory limit", "GB/s", bytes.map { $0 / 1e9 }),
    ]
  }
}
