// What happens to the ledger, and what it asks to be done: the whole surface of the state machine.
//
// The ledger never touches a socket, a file or a clock. The service turns messages and the store's
// results into events; the ledger answers with actions; the service carries them out in order and
// feeds back what became of the ones that write. So the same events give the same actions, in a
// test, in the simulation and in a run.

import Experience
import Wire

/// Where a peer is reached: the identity frame its connection has on the service's socket.
package struct Peer: Hashable, Sendable {
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }
}

/// A request that wants exactly one reply.
package struct Asker: Hashable, Sendable {
  package let peer: Peer
  /// The request's number, repeated in the reply.
  package let id: Int

  package init(_ peer: Peer, _ id: Int) {
    self.peer = peer
    self.id = id
  }
}

/// What a group's trajectories sum up to: all the ledger knows of its content.
package struct GroupTally: Equatable, Sendable {
  package var samples = 0
  /// Sum over the trajectories.
  package var reward = 0.0
  package var strict = 0
  package var lenient = 0
  /// Strictly right and not truncated. After a restart only groups of evaluations know.
  package var completed = 0
  /// Without a verdict; they count as wrong above. After a restart only groups of evaluations know.
  package var invalid = 0
  /// Completion tokens of all trajectories.
  package var tokens = 0
  /// The standard deviation of the rewards, with count - 1.
  package var spread = 0.0

  package init() {}

  package init(_ group: TrajectoryGroup) {
    samples = group.trajectories.count
    for trajectory in group.trajectories {
      reward += Double(trajectory.verdict.reward)
      strict += trajectory.verdict.isStrictlyCorrect ? 1 : 0
      lenient += trajectory.verdict.isLenientlyCorrect ? 1 : 0
      completed += trajectory.isCompletedCorrect ? 1 : 0
      invalid += trajectory.verdict.isValid ? 0 : 1
      tokens += trajectory.completion.tokens.count
    }
    guard samples > 1 else { return }
    let mean = reward / Double(samples)
    let squares = group.trajectories.reduce(0.0) {
      let distance = Double($1.verdict.reward) - mean
      return $0 + distance * distance
    }
    spread = (squares / Double(samples - 1)).squareRoot()
  }
}

/// A group that came home whole: its digest matches, it decodes, its values are in range.
package struct Arrival: Equatable, Sendable {
  package var key: TicketKey
  package var version: PolicyVersion
  package var bytes: Int
  package var tally: GroupTally
  package var level: Int?

  package init(
    key: TicketKey, version: PolicyVersion, bytes: Int, tally: GroupTally, level: Int? = nil
  ) {
    self.key = key
    self.version = version
    self.bytes = bytes
    self.tally = tally
    self.level = level
  }
}

/// What the ledger remembers of a group on disk.
package struct GroupFacts: Equatable, Sendable {
  /// The number of the version it was sampled with.
  package var version: Int
  package var bytes: Int
  package var tally: GroupTally

  package init(version: Int, bytes: Int, tally: GroupTally) {
    self.version = version
    self.bytes = bytes
    self.tally = tally
  }
}

package enum DropReason: String, Sendable, CaseIterable {
  /// Sampled with a version too old for its ticket or for the step that would train it.
  case stale
  /// Its content breaks a rule, or its version is not of this run.
  case invalid
  /// Its bytes are not what their digest says.
  case corrupt
  /// The run was forked before the step that would have trained it.
  case forked
}

/// A group that will not be trained on: its ticket is reissued under the same number.
package struct Drop: Equatable, Sendable {
  package var key: TicketKey
  package var reason: DropReason
  /// True when the group had been committed before; false when it was turned away on arrival.
  package var wasAccepted: Bool
  package var tokens: Int
  package var bytes: Int

  package init(key: TicketKey, reason: DropReason, wasAccepted: Bool, tokens: Int, bytes: Int) {
    self.key = key
    self.reason = reason
    self.wasAccepted = wasAccepted
    self.tokens = tokens
    self.bytes = bytes
  }
}

/// How a group left the ledger's working set.
package enum Fate: String, Sendable, CaseIterable {
  case trained
  case withoutSpread = "without-spread"
  case skipped
}

/// A step commit with what else changes in the same transaction.
package struct CommitRecord: Equatable, Sendable {
  package var commit: StepCommit
  /// One a fresh ticket, in the batch's order.
  package var fates: [Fate]
  /// Every ticket below this number is retired once the commit stands.
  package var lowWater: Int
  /// Versions whose evaluation the learner has now been told of.
  package var deliveredEvaluations: [Int]

  package init(commit: StepCommit, fates: [Fate], lowWater: Int, deliveredEvaluations: [Int]) {
    self.commit = commit
    self.fates = fates
    self.lowWater = lowWater
    self.deliveredEvaluations = deliveredEvaluations
  }
}

/// Where the learner serves weights and files, remembered over a restart of replay.
package struct Announcement: Equatable, Sendable {
  package var weightsAddress: String
  package var announceAddress: String
  package var files: [NamedDigest]

  package init(weightsAddress: String, announceAddress: String, files: [NamedDigest]) {
    self.weightsAddress = weightsAddress
    self.announceAddress = announceAddress
    self.files = files
  }
}

package struct FingerprintRecord: Equatable, Sendable {
  package var step: Int
  package var fingerprint: Fingerprint

  package init(step: Int, fingerprint: Fingerprint) {
    self.step = step
    self.fingerprint = fingerprint
  }
}

package struct EpochRecord: Equatable, Sendable {
  package var epoch: Int
  /// The process that opens it, as its hello says; "" where it does not.
  package var instance: String
  package var announcement: Announcement
  /// Version 0, when this hello is the first to name it.
  package var firstVersion: PolicyVersion?
  /// The learner's, and the step it counts from, when it is not the one recorded last.
  package var fingerprint: FingerprintRecord?

  package init(
    epoch: Int, instance: String = "", announcement: Announcement, firstVersion: PolicyVersion?,
    fingerprint: FingerprintRecord? = nil
  ) {
    self.epoch = epoch
    self.instance = instance
    self.announcement = announcement
    self.firstVersion = firstVersion
    self.fingerprint = fingerprint
  }
}

package enum Event: Equatable, Sendable {
  // Messages.
  case hello(Asker, Hello)
  case tickets(Asker, TicketRequest)
  case heartbeat(Asker, Heartbeat)
  case arrived(Asker, Arrival)
  /// A submission that is not a group: its digest does not match, or a decoder refused it.
  case unusable(Asker, TicketKey, Refusal, bytes: Int)
  case lease(Asker, LeaseRequest)
  case commit(Asker, StepCommit)
  /// The connection is gone.
  case gone(Peer)
  // Results of actions.
  /// Groups of the source, which are on their way to the disk; none when there is no room.
  case sourced([Arrival])
  case stored([TicketKey])
  /// The disk has no room: nothing was written.
  case notStored([TicketKey], Refusal)
  /// The epoch, lease or commit last asked for is on disk.
  case recorded
  case notRecorded(Refusal)
  /// A stored group's digest does not match; `lease` is whom it was to be sent to.
  case damaged(TicketKey, lease: Asker)
  /// Time has passed.
  case tick
}

package enum Action: Equatable, Sendable {
  case reply(Asker, Reply)
  /// Write the group that has just arrived; answer with `stored` or `notStored`.
  case store(TicketKey)
  /// Take the groups of these tickets from the source and write them; answer with `sourced`, then
  /// `stored` or `notStored`.
  case importGroups([Int])
  /// Count the drop on disk, and forget the group's row if it has one.
  case recordDrop(Drop)
  case recordEpoch(EpochRecord)
  /// Check the groups' digests, then record; answer with `recorded`, `notRecorded` or `damaged`.
  case recordLease(step: Int, epoch: Int, Batch, Asker)
  /// A lease whose group was damaged counts no more.
  case forgetLease(step: Int)
  case recordCommit(CommitRecord)
  case recordEvaluation(EvaluationSummary)
  case recordAbandonedEvaluation(version: Int)
  /// Send the batch with its groups, digests checked.
  case sendLease(Asker, BatchLease)
  /// Send the recorded batch of a step committed before, to be trained again.
  case sendCommittedLease(Asker, step: Int)
  /// Is this commit, of a step committed before, the one on record?
  case compareCommit(Asker, StepCommit)
}
