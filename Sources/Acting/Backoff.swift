// How long to wait before trying again: doubling, with a cap, and apart from everybody else.
//
// Without jitter all actors of a run would return to a restarted replay in the same millisecond.
// The jitter is addressed by who waits and how often, so a test can say what it will be.

import Experience

package struct Backoff: Sendable {
  /// The first wait is about this long.
  package var firstMilliseconds: Int
  /// No wait is longer, jitter included.
  package var maximumMilliseconds: Int
  private let seed: UInt64
  private var attempts = 0

  package init(firstMilliseconds: Int, maximumMilliseconds: Int, name: String) {
    precondition(
      0 < firstMilliseconds && firstMilliseconds <= maximumMilliseconds,
      "a backoff from \(firstMilliseconds) to \(maximumMilliseconds) milliseconds")
    self.firstMilliseconds = firstMilliseconds
    self.maximumMilliseconds = maximumMilliseconds
    seed = name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// The next wait: between three quarters and all of what doubling has come to.
  package mutating func next() -> Int {
    // 40 doublings of a millisecond are 35 years: the cap has long been reached, nothing overflows.
    let doublings = min(attempts, 40)
    let whole = min(maximumMilliseconds, min(firstMilliseconds, 1 << 22) << doublings)
    attempts += 1
    let quarter = whole / 4
    guard quarter > 0 else { return whole }
    return whole
      - AddressedRandom.integer(
        below: quarter, seed: seed, domain: .backoff, UInt64(attempts))
  }

  /// What was waited for has happened.
  package mutating func reset() { attempts = 0 }
}
