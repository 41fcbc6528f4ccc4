// What the ledger's store holds: the tables of a simulated ledger, with the bytes of its groups.

import Digests
import Experience
import Replay
import SimulatedLedger
import Wire

struct LedgerTables {
  private var rows: SimulatedTables
  /// Of every group, also of those trained.
  private(set) var blobs: [TicketKey: [UInt8]] = [:]
  private var digests: [TicketKey: Digest] = [:]
  /// Accepted groups whose drop is on record.
  private(set) var droppedKeys: Set<TicketKey> = []

  init(_ plan: Plan) { rows = SimulatedTables(lagMax: plan.lagMax, batch: plan.batch) }

  var history: LedgerHistory { rows.history }
  var commits: [StepCommit] { rows.commits }
  var trained: Set<Int> { rows.trained }
  /// Rules found broken since this value was made.
  var problems: [String] { rows.problems }

  /// Also what belongs to an evaluation that was given up: nobody waits for it.
  func holds(_ key: TicketKey) -> Bool {
    if case .evaluate(let version) = key.purpose, history.closedEvaluations[version] != nil {
      return true
    }
    return rows.holds(key)
  }

  /// The bytes of a group; nil when they are not those that were stored.
  func blob(_ key: TicketKey) -> [UInt8]? {
    guard let blob = blobs[key], Digest(of: blob) == digests[key] else { return nil }
    return blob
  }

  mutating func damage(_ random: inout SeededGenerator, includingLeased: Bool) -> Bool {
    let leased = Set(includingLeased ? [] : history.lease?.tickets ?? [])
    guard let number = history.groups.keys.filter({ !leased.contains($0) }).min() else {
      return false
    }
    let key = TicketKey(purpose: .train, number: number)
    guard let count = blobs[key]?.count else { return false }
    blobs[key]![random.below(count)] ^= 1
    return true
  }

  /// For the mutation that forgets what the last step retired.
  func historyRetiringTwice() -> LedgerHistory {
    var history = history
    guard let last = commits.last, let version = history.version?.number else { return history }
    for number in last.tickets {
      history.groups[number] = GroupFacts(version: version, bytes: 1, tally: GroupTally())
      history.retired.removeAll { $0 == number }
    }
    // The counts agree, so that the ledger itself sees nothing amiss.
    var left = last.tickets.count
    for fate in Fate.allCases {
      let taken = min(left, history.fates[fate] ?? 0)
      history.fates[fate, default: 0] -= taken
      left -= taken
    }
    history.lowWater = min(history.lowWater, last.tickets.min() ?? history.lowWater)
    return history
  }

  mutating func apply(_ write: LedgerDisk.Write) {
    switch write {
    case .group(let key, let facts, let blob):
      rows.write(key, facts)
      blobs[key] = blob
      digests[key] = Digest(of: blob)
      droppedKeys.remove(key)
    case .drop(let drop):
      rows.write(drop)
      if drop.wasAccepted { droppedKeys.insert(drop.key) }
    case .evaluation(let summary): rows.write(summary)
    case .abandonedEvaluation(let version): rows.abandonEvaluation(version)
    case .forgetLease: rows.forgetLease()
    case .epoch(let record): rows.write(record)
    case .lease(let step, let tickets): rows.writeLease(step: step, Batch(tickets: tickets))
    case .commit(let record): rows.write(record)
    }
  }
}
