// Faults put into the program on purpose, one at a time: a simulator that passes on every seed has
// shown nothing until it has failed where it should. Each is a mistake that somebody could make in
// the glue, the store or the order of a step.

enum Mutation: String, CaseIterable {
  /// Replay answers a group before its commit.
  case acknowledgesBeforeCommit
  /// Commits are written and not synced.
  case neverSyncs
  /// The batch of a lease is not recorded.
  case forgetsLeases
  /// A learner of an older epoch is heard as if it were the newest.
  case forgetsFence
  /// A learner that was cut off and overtaken comes back as if it had never been there.
  case returnsAsNewcomer
  /// After a restart the tickets of the last step are ready once more.
  case retiresTwice
  /// Weights go out before their step is committed.
  case publishesBeforeCommit
  /// A checkpoint is neither synced nor held against its digests.
  case believesCheckpoints
  /// The learner goes on at the last commit with the weights of its checkpoint.
  case skipsRedo
  /// What an actor samples depends on how often it was started.
  case samplesByChance
  /// What is learned depends on who brought the group.
  case learnsWhoSampled
  /// After a reconnection an actor has lost what was not acknowledged, and says it holds it.
  case losesOutbox
  /// After a restart replay grants tickets as if no level had been opened.
  case forgetsLevels
}
