// What the tests of Tensors share: reproducible values, buffers from arrays, distances.

import Tensors
import Testing

/// SplitMix64: the same values for the same seed.
struct Random {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  /// In [-1, 1).
  mutating func value() -> Float { Float(Int64(bits() >> 40) - (1 << 23)) / Float(1 << 23) }
  mutating func values(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in value() * scale }
  }
  mutating func below(_ limit: Int) -> Int { Int(bits() % UInt64(limit)) }
}

extension Backend {
  func buffer(_ values: [Float]) -> Buffer {
    let result = makeBuffer(count: values.count)
    values.withUnsafeBufferPointer { upload($0, to: result, at: 0) }
    return result
  }

  func array(_ buffer: Buffer) -> [Float] {
    let total = count(buffer)
    return [Float](unsafeUninitializedCapacity: total) { values, count in
      download(buffer, at: 0, into: .init(rebasing: values[0..<total]))
      count = total
    }
  }
}

/// Every instruction set of this machine with one thread and with two. Made anew for each test:
/// tests run side by side, and a backend serves one thread at a time.
func makeBackends(threads: [Int] = [1, 2]) -> [CPUBackend] {
  InstructionSet.available.flatMap { set in
    threads.map { CPUBackend(threads: $0, instructionSet: set) }
  }
}

extension CPUBackend: CustomTestStringConvertible {
  public var testDescription: String { "\(name), \(threads) threads" }
}

/// The greatest distance, relative to the greatest value expected, or to 1, the size of the inputs:
/// sums of n terms of one size round to about sqrt(n) x 6e-8 of that size, and where they cancel
/// the terms' size remains.
func distance(_ found: [Float], _ expected: [Float]) -> Float {
  precondition(found.count == expected.count, "\(found.count) values for \(expected.count)")
  let size = expected.reduce(Float(1)) { max($0, abs($1)) }
  return zip(found, expected).reduce(Float(0)) {
    let d = abs($1.0 - $1.1) / size
    return d.isNaN ? .infinity : max($0, d)
  }
}

func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.map(\.bitPattern) == b.map(\.bitPattern)
}
