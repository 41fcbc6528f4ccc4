// Hours a run was given, as the learner keeps them: a step that would not be done in time is not
// begun. Which step is the last depends on the clock; what a step computes does not.

import Operations

/// Raised between two steps when no further one would be done in time.
struct TimeOver: Error {}

package struct TimeLimit {
  /// Steps of which the longest tells how long the next one takes.
  static let remembered = 3

  private let end: Deadline
  private var newest: [Double] = []

  package init(_ end: Deadline) { self.end = end }

  package mutating func took(seconds: Double) {
    newest.append(seconds)
    if newest.count > Self.remembered { newest.removeFirst() }
  }

  /// Before the first step nothing is known: it is begun while there is any time at all.
  package var allowsStep: Bool {
    !end.hasPassed && end.remainingSeconds >= (newest.max() ?? 0)
  }
}
