// What a store remembers of a run: all the ledger needs to go on where it stood.

import Experience
import Wire

package struct LedgerHistory: Sendable {
  package var epoch = 0
  /// The processes that have been the learner, each once, newest last.
  package var learnerInstances: [String] = []
  package var announcement: Announcement?
  /// Of the learner that was let in last.
  package var fingerprint: Fingerprint?
  package var settingsSpans: [SettingsSpan] = []
  /// The newest committed version; nil before a learner has named version 0.
  package var version: PolicyVersion?
  /// Digests of the versions a group may still have been sampled with, or an evaluation needs.
  package var digests: [Int: Digest] = [:]
  /// Without its trajectories.
  package var lastCommit: StepCommit?
  /// The first version with which each level of the curriculum is open.
  package var openings = [0]
  /// The recorded batch of the next step.
  package var lease: Batch?

  /// Every ticket below is retired; `retired` lists those that are, at or above it.
  package var lowWater = 0
  package var retired: [Int] = []
  /// Ready or leased, by number.
  package var groups: [Int: GroupFacts] = [:]
  /// Dropped and not filled again.
  package var unfilled: [Int] = []
  package var accepted = 0
  /// Retired groups that may be trained on again, by number, and reuses so far.
  package var reusable: [Int: ReusableGroup] = [:]
  package var reuses = 0
  package var fates: [Fate: Int] = [:]
  package var dropped: [DropReason: DropTotals] = [:]
  package var refused: [DropReason: DropTotals] = [:]

  /// Groups of evaluations without a summary, by version and number.
  package var evaluationGroups: [Int: [Int: GroupFacts]] = [:]
  /// Evaluations that are over: true when finished, false when abandoned.
  package var closedEvaluations: [Int: Bool] = [:]
  /// Finished, and not yet told to a learner whose step committed.
  package var undelivered: [EvaluationSummary] = []

  package init() {}
}

/// Who has been the learner, as far back as anybody who was cut off may come from.
package enum LearnerInstances {
  package static let maximumCount = 256

  /// "" is a learner that does not say which process it is: none can be told from another.
  package static func adding(_ instance: String, to instances: [String]) -> [String] {
    guard instances.last != instance else { return instances }
    return Array((instances + [instance]).suffix(maximumCount))
  }
}
