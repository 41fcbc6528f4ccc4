// Reading a ledger back: what the state machine goes on from.

import Digests
import Documents
import Experience
import Wire

extension LedgerStore {
  var rows: LedgerRows {
    LedgerRows(database: database) { sql throws(LedgerError) in try self.prepared(sql) }
  }

  package func group(_ key: TicketKey) throws(LedgerError) -> StoredGroup? { try rows.group(key) }

  /// Without its trajectories; nil when the step is not committed.
  package func commit(step: Int) throws(LedgerError) -> StepCommit? {
    try rows.commit(step: step, lineage: lineage)
  }

  /// A group whose row is damaged counts as it stands here, so that both laws hold, and is found
  /// when its blob is read, before anybody trains on it. `reuse` asks for the groups that may be
  /// trained on again too.
  package func history(reuse: ReuseRules? = nil) throws(LedgerError) -> LedgerHistory {
    var history = LedgerHistory()
    history.epoch = Int(try Self.setting("epoch", in: database) ?? "0") ?? 0
    history.learnerInstances = try learnerInstances()
    history.announcement = try rows.announcement()
    let record = try runRecord()
    history.fingerprint = record.newestFingerprint
    history.settingsSpans = record.spans
    history.digests = try rows.digests()
    if let newest = history.digests.keys.max() {
      history.version = PolicyVersion(
        lineage: lineage, number: newest, digest: history.digests[newest]!)
      history.lastCommit = try rows.lastCommit(lineage: lineage)
      history.lease = try rows.lease(step: newest)
      history.openings = try rows.openings()
    }
    try readTickets(into: &history)
    for ticket in history.lease?.tickets ?? [] where history.groups[ticket] == nil {
      throw .damaged(
        path: path, problem: "the learner's lease has ticket \(ticket), and its group is not there")
    }
    if let reuse { try readReusable(reuse, into: &history) }
    try readDrops(into: &history)
    try readEvaluations(into: &history)
    return history
  }

  /// None in a ledger of before they were told.
  func learnerInstances() throws(LedgerError) -> [String] {
    guard let text = try Self.setting("learners", in: database) else { return [] }
    guard let document = try? JSON.parse(Array(text.utf8), source: path),
      case .array(let learners) = document.value
    else { throw .damaged(path: path, problem: "its list of learners is \"\(text)\"") }
    return learners.compactMap { if case .string(let learner) = $0.value { learner } else { nil } }
  }

  private func readTickets(into history: inout LedgerHistory) throws(LedgerError) {
    history.lowWater = Int(try Self.setting("lowWater", in: database) ?? "0") ?? 0
    let retired = try prepared("SELECT \(TableColumns.retired), row_digest FROM retired")
    let fates = try retired.rows { row throws(LedgerError) in
      _ = try rows.checked("retired", row)
      return (number: row.integer(0), name: row.text(3))
    }
    for (number, name) in fates {
      guard let fate = Fate(rawValue: name) else {
        throw .damaged(path: path, problem: "the fate of ticket \(number) is \"\(name)\"")
      }
      history.fates[fate, default: 0] += 1
      if number >= history.lowWater { history.retired.append(number) }
    }
    let open = try facts(
      """
      WHERE key >= ? AND NOT EXISTS (SELECT 1 FROM retired WHERE number = groups.key)
      """, [.integer(history.lowWater)])
    for (key, facts) in open { history.groups[key.number] = facts }
    history.accepted = history.groups.count + history.fates.values.reduce(0, +)
  }

  private func facts(
    _ clause: String, _ values: [SQLValue]
  ) throws(LedgerError) -> [(TicketKey, GroupFacts)] {
    let statement = try prepared(
      """
      SELECT key, version, samples, tokens, reward, strict, lenient, length(blob), spread
      FROM groups \(clause)
      """)
    return try statement.rows(values) { row in
      var tally = GroupTally()
      tally.samples = row.integer(2)
      tally.tokens = row.integer(3)
      tally.reward = row.number(4)
      tally.strict = row.integer(5)
      tally.lenient = row.integer(6)
      tally.spread = row.number(8)
      let facts = GroupFacts(version: row.integer(1), bytes: row.integer(7), tally: tally)
      return (RowKey.ticket(row.integer(0)), facts)
    }
  }

  /// Groups that a step has trained and that are young enough to be trained again.
  private func readReusable(
    _ rules: ReuseRules, into history: inout LedgerHistory
  ) throws(LedgerError) {
    // A group is no newer than the step that retired it.
    let least = (history.version?.number ?? 0) - rules.maximumLag
    let groups = try prepared(
      """
      SELECT groups.key, version, spread FROM retired JOIN groups ON groups.key = retired.number
      WHERE step >= ? AND fate = ? AND version >= ?
      """
    ).rows([.integer(least), .text(Fate.trained.rawValue), .integer(least)]) {
      ($0.integer(0), ReusableGroup(version: $0.integer(1), spread: $0.number(2), uses: 1))
    }
    history.reusable = Dictionary(uniqueKeysWithValues: groups)
    let uses = try prepared("SELECT \(TableColumns.uses), row_digest FROM uses").rows {
      row throws(LedgerError) in
      _ = try rows.checked("uses", row)
      return row.integer(2)
    }
    history.reuses = uses.count
    for number in uses { history.reusable[number]?.uses += 1 }
  }

  private func readDrops(into history: inout LedgerHistory) throws(LedgerError) {
    let drops = try prepared("SELECT \(TableColumns.drops), row_digest FROM drops").rows {
      row throws(LedgerError) in
      _ = try rows.checked("drops", row)
      return (
        name: row.text(1), wasAccepted: row.integer(2) == 1, tokens: row.integer(3),
        bytes: row.integer(4)
      )
    }
    for drop in drops {
      guard let reason = DropReason(rawValue: drop.name) else {
        throw .damaged(path: path, problem: "a group was dropped as \"\(drop.name)\"")
      }
      if drop.wasAccepted {
        history.dropped[reason, default: .init()].add(tokens: drop.tokens, bytes: drop.bytes)
        history.accepted += 1
      } else {
        history.refused[reason, default: .init()].add(tokens: drop.tokens, bytes: drop.bytes)
      }
    }
    history.unfilled = try prepared(
      """
      SELECT DISTINCT key FROM drops WHERE was_accepted = 1 AND key >= ?
        AND NOT EXISTS (SELECT 1 FROM groups WHERE groups.key = drops.key)
      """
    ).rows([.integer(history.lowWater)]) { $0.integer(0) }
  }

  private func readEvaluations(into history: inout LedgerHistory) throws(LedgerError) {
    let closed = try prepared(
      "SELECT \(TableColumns.evaluations), row_digest FROM evaluations"
    ).rows { row throws(LedgerError) in
      _ = try rows.checked("evaluations", row)
      return (row.integer(0), row.integer(1) == 1)
    }
    history.closedEvaluations = Dictionary(uniqueKeysWithValues: closed)
    history.undelivered = try rows.evaluations("AND is_delivered = 0")
    for (key, facts) in try facts("WHERE key < 0", []) {
      guard case .evaluate(let version) = key.purpose else { continue }
      if history.closedEvaluations[version] == nil {
        history.evaluationGroups[version, default: [:]][key.number] = facts
      }
    }
    for (version, groups) in history.evaluationGroups {
      let counts = try rows.evaluationCounts(version: version)
      for number in groups.keys {
        let key = TicketKey(purpose: .evaluate(version: version), number: number)
        guard let count = counts[RowKey.integer(key)] else { continue }
        history.evaluationGroups[version]?[number]?.tally.completed = count.completed
        history.evaluationGroups[version]?[number]?.tally.invalid = count.invalid
      }
    }
  }
}
