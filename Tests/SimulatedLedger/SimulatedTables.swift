// What a ledger's store holds, as tables a process reads when it starts: for simulations, which
// crash and reopen it. Its rules are checked where rows are written: a group is written once and
// trained once, a step follows the last, a version has one digest, a reuse is allowed.

import Experience
import Replay
import Wire

package struct SimulatedTables {
  /// Rules that were broken, in the order found.
  package private(set) var problems: [String] = []
  package private(set) var history = LedgerHistory()
  package private(set) var commits: [StepCommit] = []
  /// Every ticket that a committed step has trained.
  package private(set) var trained: Set<Int> = []
  private let lagMax: Int
  private let batch: Int
  private let reuse: ReuseRules?
  /// Every group that was ever leased, by ticket, and the steps that trained it.
  private var leased: [Int: GroupFacts] = [:]
  private var uses: [Int: Int] = [:]
  /// Of each commit's tickets.
  private var fates: [[Fate]] = []

  package init(lagMax: Int, batch: Int, reuse: ReuseRules? = nil) {
    self.lagMax = lagMax
    self.batch = batch
    self.reuse = reuse
  }

  private mutating func require(_ isTrue: Bool, _ problem: String) {
    if !isTrue { problems.append(problem) }
  }

  /// Is this group on the disk, waiting or retired?
  package func holds(_ key: TicketKey) -> Bool {
    switch key.purpose {
    case .train: history.groups[key.number] != nil || trained.contains(key.number)
    case .evaluate(let version):
      history.evaluationGroups[version]?[key.number] != nil
        || history.closedEvaluations[version] == true
    }
  }

  package mutating func write(_ key: TicketKey, _ facts: GroupFacts) {
    switch key.purpose {
    case .train:
      require(history.groups[key.number] == nil, "\(key) is written twice")
      require(!trained.contains(key.number), "\(key) is written after it was trained")
      history.groups[key.number] = facts
      history.unfilled.removeAll { $0 == key.number }
      history.accepted += 1
    case .evaluate(let version):
      guard history.closedEvaluations[version] == nil else { return }
      require(history.evaluationGroups[version]?[key.number] == nil, "\(key) is written twice")
      history.evaluationGroups[version, default: [:]][key.number] = facts
    }
  }

  package mutating func write(_ drop: Drop) {
    var totals = drop.wasAccepted ? history.dropped : history.refused
    let old = totals[drop.reason] ?? DropTotals()
    totals[drop.reason] = DropTotals(
      groups: old.groups + 1, tokens: old.tokens + drop.tokens, bytes: old.bytes + drop.bytes)
    if drop.wasAccepted {
      require(history.groups[drop.key.number] != nil, "\(drop.key) is dropped and was not there")
      history.dropped = totals
      history.groups[drop.key.number] = nil
      history.unfilled.append(drop.key.number)
    } else {
      history.refused = totals
    }
  }

  package mutating func write(_ record: EpochRecord) {
    require(record.epoch > history.epoch, "epoch \(record.epoch) after \(history.epoch)")
    history.epoch = record.epoch
    history.learnerInstances = LearnerInstances.adding(
      record.instance, to: history.learnerInstances)
    history.announcement = record.announcement
    if let first = record.firstVersion {
      history.version = first
      history.digests[0] = first.digest
    }
  }

  package mutating func writeLease(step: Int, _ batch: Batch) {
    let tickets = batch.tickets
    requireReuse(batch.reused, step: step)
    require(history.lease == nil, "step \(step) is leased twice")
    require(
      tickets.count == self.batch && tickets == tickets.sorted(), "step \(step) leases \(tickets)")
    for number in tickets {
      let version = history.groups[number]?.version ?? -1
      require(version >= 0, "ticket \(number) is leased and not on the disk")
      require(
        version >= step - lagMax,
        "ticket \(number) of version \(version) is leased to step \(step)")
    }
    if lagMax == 0 {
      let expected = Array(step * self.batch..<(step + 1) * self.batch)
      require(tickets == expected, "step \(step) leases \(tickets), not \(expected)")
    }
    for number in tickets { leased[number] = history.groups[number] }
    history.lease = batch
  }

  private mutating func requireReuse(_ reused: [Int], step: Int) {
    guard let reuse else { return require(reused.isEmpty, "step \(step) reuses \(reused)") }
    require(reused.count <= reuse.groups, "step \(step) reuses \(reused.count) groups")
    require(Set(reused).count == reused.count, "step \(step) reuses one of \(reused) twice")
    for number in reused {
      require(trained.contains(number), "ticket \(number) is reused before it was trained")
      require(history.reusable[number] != nil, "ticket \(number) had no spread and is reused")
      let version = leased[number]?.version ?? -1
      require(
        version >= step - reuse.maximumLag,
        "ticket \(number) of version \(version) is reused in step \(step)")
    }
  }

  package mutating func forgetLease() { history.lease = nil }

  package mutating func write(_ record: CommitRecord) {
    let commit = record.commit
    require(
      Batch(tickets: commit.tickets, reused: commit.reused) == history.lease,
      "a commit of another batch than the lease")
    require(commit.step == commits.count, "step \(commit.step) is committed after \(commits.count)")
    require(commit.epoch == history.epoch, "a commit of epoch \(commit.epoch)")
    for (number, fate) in zip(commit.tickets, record.fates) {
      let isNew = trained.insert(number).inserted
      require(isNew, "ticket \(number) is in two committed steps")
      history.groups[number] = nil
      history.retired.append(number)
      history.fates[fate, default: 0] += 1
      uses[number, default: 0] += 1
      if fate == .trained, let facts = leased[number], reuse != nil {
        history.reusable[number] = ReusableGroup(
          version: facts.version, spread: facts.tally.spread, uses: 1)
      }
    }
    for number in commit.reused {
      uses[number, default: 0] += 1
      require(
        uses[number]! <= reuse?.maximumUses ?? 1, "ticket \(number) is used \(uses[number]!) times")
      history.reusable[number]?.uses += 1
      history.reuses += 1
    }
    history.lowWater = record.lowWater
    history.retired.removeAll { $0 < record.lowWater }
    history.lease = nil
    history.version = commit.version
    history.digests[commit.version.number] = commit.version.digest
    history.lastCommit = commit
    history.lastCommit?.trajectories = []
    if commit.curriculum?.level == history.openings.count {
      history.openings.append(commit.version.number)
    }
    history.undelivered.removeAll { record.deliveredEvaluations.contains($0.version) }
    commits.append(commit)
    fates.append(record.fates)
  }

  /// The same history as it stood after `steps` steps, under another lineage: what came later is
  /// dropped, as `LedgerReader.fork` does.
  package mutating func fork(after steps: Int, lineage: String) {
    let later = commits[steps...].flatMap(\.tickets) + history.groups.keys.sorted()
    for number in later {
      let facts = history.groups.removeValue(forKey: number) ?? leased[number]
      var totals = history.dropped[.forked] ?? DropTotals()
      totals = DropTotals(
        groups: totals.groups + 1, tokens: totals.tokens + (facts?.tally.tokens ?? 0),
        bytes: totals.bytes + (facts?.bytes ?? 0))
      history.dropped[.forked] = totals
      if !history.unfilled.contains(number) { history.unfilled.append(number) }
    }
    commits.removeSubrange(steps...)
    fates.removeSubrange(steps...)
    // A ledger's rows hold no lineage: they are read back under the one the ledger has now.
    for index in commits.indices {
      let old = commits[index].version
      commits[index].version = PolicyVersion(
        lineage: lineage, number: old.number, digest: old.digest)
    }
    trained = Set(commits.flatMap(\.tickets))
    history.lowWater = 0
    while trained.contains(history.lowWater) { history.lowWater += 1 }
    history.retired = trained.filter { $0 >= history.lowWater }
    history.fates = Dictionary(fates.flatMap { $0 }.map { ($0, 1) }, uniquingKeysWith: +)
    recountUses()
    history.lease = nil
    history.version = PolicyVersion(
      lineage: lineage, number: steps, digest: history.digests[steps]!)
    history.digests = history.digests.filter { $0.key <= steps }
    history.lastCommit = commits.last
    history.openings.removeAll { $0 > steps }
    history.announcement = nil
    history.closedEvaluations = history.closedEvaluations.filter { $0.key <= steps }
    history.evaluationGroups = history.evaluationGroups.filter { $0.key <= steps }
    history.undelivered.removeAll { $0.version > steps }
  }

  private mutating func recountUses() {
    uses = [:]
    history.reusable = [:]
    for (commit, fates) in zip(commits, fates) {
      for (number, fate) in zip(commit.tickets, fates) {
        uses[number, default: 0] += 1
        guard fate == .trained, reuse != nil, let facts = leased[number] else { continue }
        history.reusable[number] = ReusableGroup(
          version: facts.version, spread: facts.tally.spread, uses: 1)
      }
      for number in commit.reused {
        uses[number, default: 0] += 1
        history.reusable[number]?.uses += 1
      }
    }
    history.reuses = commits.reduce(0) { $0 + $1.reused.count }
  }

  package mutating func write(_ summary: EvaluationSummary) {
    history.closedEvaluations[summary.version] = true
    history.evaluationGroups[summary.version] = nil
    history.undelivered.append(summary)
  }

  package mutating func abandonEvaluation(_ version: Int) {
    history.closedEvaluations[version] = false
    history.evaluationGroups[version] = nil
  }
}
