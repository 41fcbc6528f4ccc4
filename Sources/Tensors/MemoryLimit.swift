// What the machine's memory gives at most: the triad a = b + s c of STREAM (McCalpin, 1995) over
// arrays far larger than any cache, on all threads asked for.

public final class MemoryLimit {
  /// Three arrays of 64 MiB: a server's last-level cache has up to 32 MiB a core complex.
  private static let vectors = (64 << 20) / MemoryLayout<SIMD16<Float>>.stride
  /// Pieces a thread takes at a time, so that a thread that is late delays nobody.
  private static let piecesPerThread = 16

  public let threads: Int
  private let pool: ThreadPool
  private let a: UnsafeMutablePointer<SIMD16<Float>>
  private let b: UnsafeMutablePointer<SIMD16<Float>>
  private let c: UnsafeMutablePointer<SIMD16<Float>>

  public init(threads: Int) {
    self.threads = threads
    pool = ThreadPool(threads: threads)
    a = .allocate(capacity: Self.vectors)
    b = .allocate(capacity: Self.vectors)
    c = .allocate(capacity: Self.vectors)
    a.initialize(repeating: SIMD16(repeating: 0), count: Self.vectors)
    b.initialize(repeating: SIMD16(repeating: 1), count: Self.vectors)
    c.initialize(repeating: SIMD16(repeating: 2), count: Self.vectors)
  }

  deinit {
    a.deallocate()
    b.deallocate()
    c.deallocate()
  }

  /// Bytes/s, two reads and one write an element, as STREAM counts them.
  public func measure() -> Double {
    let pieces = Self.piecesPerThread * threads
    let duration = ContinuousClock().measure {
      pool.run(pieces) { piece, _ in
        let range = Self.vectors * piece / pieces..<Self.vectors * (piece + 1) / pieces
        for index in range { a[index] = b[index] + 3 * c[index] }
      }
    }
    let bytes = 3 * Self.vectors * MemoryLayout<SIMD16<Float>>.stride
    return Double(bytes) / duration.inSeconds
  }
}
