// What the ledger's store holds, as tables a process reads when it starts. Its rules are checked
// where rows are written: a group is written once and trained once, a step follows the last, a
// version has one digest.

import Digests
import Experience
import Replay
import Wire

struct LedgerTables {
  private let plan: Plan
  private(set) var history = LedgerHistory()
  private(set) var commits: [StepCommit] = []
  /// Of every group, also of those trained.
  private(set) var blobs: [TicketKey: [UInt8]] = [:]
  private var digests: [TicketKey: Digest] = [:]
  private(set) var trained: Set<Int> = []
  /// Accepted groups whose drop is on record.
  private(set) var droppedKeys: Set<TicketKey> = []
  /// Rules found broken since this value was made.
  private(set) var problems: [String] = []

  init(_ plan: Plan) { self.plan = plan }

  private mutating func require(_ isTrue: Bool, _ problem: String) {
    if !isTrue { problems.append(problem) }
  }

  func holds(_ key: TicketKey) -> Bool {
    switch key.purpose {
    case .train: history.groups[key.number] != nil || trained.contains(key.number)
    case .evaluate(let version):
      history.evaluationGroups[version]?[key.number] != nil
        || history.closedEvaluations[version] != nil
    }
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
    case .group(let key, let facts, let blob): insert(key, facts, blob)
    case .drop(let drop): insert(drop)
    case .evaluation(let summary):
      history.closedEvaluations[summary.version] = true
      history.evaluationGroups[summary.version] = nil
      history.undelivered.append(summary)
    case .abandonedEvaluation(let version):
      history.closedEvaluations[version] = false
      history.evaluationGroups[version] = nil
    case .forgetLease: history.lease = nil
    case .epoch(let record): insert(record)
    case .lease(let step, let tickets): insert(step: step, lease: tickets)
    case .commit(let record): insert(record)
    }
  }

  private mutating func insert(_ key: TicketKey, _ facts: GroupFacts, _ blob: [UInt8]) {
    blobs[key] = blob
    digests[key] = Digest(of: blob)
    switch key.purpose {
    case .train:
      require(history.groups[key.number] == nil, "\(key) is written twice")
      require(!trained.contains(key.number), "\(key) is written after it was trained")
      history.groups[key.number] = facts
      history.unfilled.removeAll { $0 == key.number }
      history.accepted += 1
      droppedKeys.remove(key)
    case .evaluate(let version):
      guard history.closedEvaluations[version] == nil else { return }
      require(history.evaluationGroups[version]?[key.number] == nil, "\(key) is written twice")
      history.evaluationGroups[version, default: [:]][key.number] = facts
    }
  }

  private mutating func insert(_ drop: Drop) {
    var totals = drop.wasAccepted ? history.dropped : history.refused
    let old = totals[drop.reason] ?? DropTotals()
    totals[drop.reason] = DropTotals(
      groups: old.groups + 1, tokens: old.tokens + drop.tokens, bytes: old.bytes + drop.bytes)
    guard drop.wasAccepted else {
      history.refused = totals
      return
    }
    require(history.groups[drop.key.number] != nil, "\(drop.key) is dropped and was not there")
    history.dropped = totals
    history.groups[drop.key.number] = nil
    history.unfilled.append(drop.key.number)
    droppedKeys.insert(drop.key)
  }

  private mutating func insert(_ record: EpochRecord) {
    require(record.epoch > history.epoch, "epoch \(record.epoch) after \(history.epoch)")
    history.epoch = record.epoch
    history.announcement = record.announcement
    if let first = record.firstVersion {
      history.version = first
      history.digests[0] = first.digest
    }
  }

  private mutating func insert(step: Int, lease tickets: [Int]) {
    require(history.lease == nil, "step \(step) is leased twice")
    require(
      tickets.count == plan.batch && tickets == tickets.sorted(), "step \(step) leases \(tickets)")
    for number in tickets {
      let version = history.groups[number]?.version ?? -1
      require(version >= 0, "ticket \(number) is leased and not on the disk")
      require(
        version >= step - plan.lagMax,
        "ticket \(number) of version \(version) is leased to step \(step)")
    }
    if plan.lagMax == 0 {
      let expected = Array(step * plan.batch..<(step + 1) * plan.batch)
      require(tickets == expected, "step \(step) leases \(tickets), not \(expected)")
    }
    history.lease = Batch(tickets: tickets)
  }

  private mutating func insert(_ record: CommitRecord) {
    let commit = record.commit
    require(commit.step == commits.count, "step \(commit.step) is committed after \(commits.count)")
    require(
      commit.tickets == history.lease?.tickets, "step \(commit.step) commits a batch never leased")
    require(commit.epoch == history.epoch, "a commit of epoch \(commit.epoch)")
    for (number, fate) in zip(commit.tickets, record.fates) {
      let isNew = trained.insert(number).inserted
      require(isNew, "ticket \(number) is in two committed steps")
      history.groups[number] = nil
      history.retired.append(number)
      history.fates[fate, default: 0] += 1
    }
    history.lowWater = record.lowWater
    history.retired.removeAll { $0 < record.lowWater }
    history.lease = nil
    history.version = commit.version
    history.digests[commit.version.number] = commit.version.digest
    history.lastCommit = commit
    history.lastCommit?.trajectories = []
    history.undelivered.removeAll { record.deliveredEvaluations.contains($0.version) }
    commits.append(commit)
  }
}
