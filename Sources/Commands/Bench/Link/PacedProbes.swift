// Round trips at a steady pace, each timed from the moment it was meant to begin.
//
// A prober that waits for each answer before it asks again asks nothing while the link stands
// still: of a stall of a second it sees one slow answer among ten thousand fast ones, and its p99
// is that of a link without stalls (Tene calls it coordinated omission). So every round trip has
// its moment beforehand, and one that had to wait for the one before it counts from that moment.

import Glibc
import Operations

package struct PacedProbes {
  /// Beyond these a percentile is no better.
  package static let maximumCount = 2_000
  /// Below these there is none.
  package static let minimumCount = 5
  private static let leastInterval: Int64 = 250_000
  /// Of the first round trips, which say how fast the rest may come: one wakes caches and buffers.
  static let trials = 4
  /// Before its moment a thread stops sleeping and looks at the clock: waking up is not the link's.
  static let spinNanoseconds: Int64 = 150_000

  package let count: Int
  package let intervalNanoseconds: Int64

  /// As many as fit `seconds` when each may take four times the `typical` nanoseconds: what a stall
  /// delays is then caught up within a third of its length.
  package init(typical: Int64, seconds: Double) {
    intervalNanoseconds = max(Self.leastInterval, 4 * typical)
    let fitting = seconds * 1e9 / Double(intervalNanoseconds)
    count = min(Self.maximumCount, max(Self.minimumCount, Int(fitting)))
  }

  /// `probe` tells the moment its answer was there; `now` and `wait` are the clock's, or a test's.
  package func run<Fault: Error>(
    now: () -> Int64 = { MonotonicClock.now }, wait: (Int64) -> Void = Self.wait(until:),
    probe: () throws(Fault) -> Int64
  ) throws(Fault) -> Histogram {
    var histogram = Histogram()
    let start = now() + intervalNanoseconds
    for index in 0..<count {
      let intended = start + Int64(index) * intervalNanoseconds
      wait(intended)
      histogram.record(try probe() - intended)
    }
    return histogram
  }

  /// Calibrates on some round trips, then measures; nil when one takes more than `patience`
  /// seconds.
  static func measure(
    seconds: Double, patience: Double, probe: () throws -> Int64
  ) throws -> Histogram? {
    var trials: [Int64] = []
    for index in 0..<Self.trials {
      let start = MonotonicClock.now
      let took = try probe() - start
      if Double(took) / 1e9 > patience { return nil }
      if index > 0 { trials.append(took) }
    }
    let typical = trials.sorted()[trials.count / 2]
    return try PacedProbes(typical: typical, seconds: seconds).run(probe: probe)
  }

  package static func wait(until moment: Int64) {
    let sleep = moment - MonotonicClock.now - spinNanoseconds
    if sleep > 0 {
      var time = timespec(
        tv_sec: Int(sleep / 1_000_000_000), tv_nsec: Int(sleep % 1_000_000_000))
      nanosleep(&time, nil)
    }
    while MonotonicClock.now < moment {}
  }
}
