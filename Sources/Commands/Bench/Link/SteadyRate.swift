// Bytes a second of a stream, once it flows: what arrives first left a buffer or a bucket that was
// full before, and tells of that and not of the link.

import Operations

package struct SteadyRate {
  private let warmNanoseconds: Int64
  private var first: Int64?
  private var start: Int64?
  private var end: Int64 = 0
  /// All that came, and what came after the warm-up.
  package private(set) var totalBytes = 0
  package private(set) var steadyBytes = 0
  private(set) var arrivals = 0

  package init(warmSeconds: Double) { warmNanoseconds = Int64(warmSeconds * 1e9) }

  /// `bytes` have come by `now`.
  package mutating func note(_ bytes: Int, now: Int64) {
    totalBytes += bytes
    let first = self.first ?? now
    self.first = first
    guard start != nil else {
      // The bytes of the arrival that opens the window came before it.
      if now - first >= warmNanoseconds { start = now }
      end = now
      return
    }
    steadyBytes += bytes
    arrivals += 1
    end = now
  }

  var steadyNanoseconds: Int64 { start.map { end - $0 } ?? 0 }

  /// Whether it flowed for long enough after the warm-up: a thread that had no core for most of the
  /// time saw a buffer being emptied, at the speed of memory.
  package func isTold(by seconds: Double) -> Bool {
    Double(steadyNanoseconds) / 1e9 >= seconds / 2
  }

  /// Nil before anything came after the warm-up.
  package var bytesPerSecond: Double? {
    steadyNanoseconds > 0 ? Double(steadyBytes) * 1e9 / Double(steadyNanoseconds) : nil
  }
}
