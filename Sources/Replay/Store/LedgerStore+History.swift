// Reading a ledger back: what the state machine goes on from.

import Digests
import Documents
import Experience
import Wire

extension LedgerStore {
  private var rows: LedgerRows {
    LedgerRows(database: database) { sql throws(LedgerError) in try self.prepared(sql) }
  }

  package func group(_ key: TicketKey) throws(LedgerError) -> StoredGroup? { try rows.group(key) }

  /// Without its trajectories; nil when the step is not committed.
  package func commit(step: Int) throws(LedgerError) -> StepCommit? {
    try rows.commit(step: step, lineage: lineage)
  }

  /// Groups that are damaged are left out here and found when their blob is read: a row's columns
  /// are checked, which is enough to judge staleness.
  package func history() throws(LedgerError) -> LedgerHistory {
    var history = LedgerHistory()
    history.epoch = Int(try Self.setting("epoch", in: database) ?? "0") ?? 0
    history.announcement = try announcement()
    let record = try runRecord()
    history.fingerprint = record.newestFingerprint
    history.settingsSpans = record.spans
    history.digests = try rows.digests()
    if let newest = history.digests.keys.max() {
      history.version = PolicyVersion(
        lineage: lineage, number: newest, digest: history.digests[newest]!)
      history.lastCommit = try rows.lastCommit(lineage: lineage)
      history.lease = try rows.lease(step: newest)
    }
    try readTickets(into: &history)
    try readDrops(into: &history)
    try readEvaluations(into: &history)
    return history
  }

  private func announcement() throws(LedgerError) -> Announcement? {
    guard let weights = try Self.setting("weights", in: database) else { return nil }
    let text = try Self.setting("files", in: database) ?? "[]"
    var files: [NamedDigest] = []
    if let list = try? JSON.parse(Array(text.utf8), source: path),
      case .array(let items) = list.value
    {
      for item in items {
        guard case .string(let name)? = item["name"]?.value,
          case .string(let digits)? = item["digest"]?.value,
          let digest = Digest(hexadecimal: digits)
        else { continue }
        files.append(NamedDigest(name: name, digest: digest))
      }
    }
    return Announcement(
      weightsAddress: weights, announceAddress: try Self.setting("announce", in: database) ?? "",
      files: files)
  }

  private func readTickets(into history: inout LedgerHistory) throws(LedgerError) {
    history.lowWater = Int(try Self.setting("lowWater", in: database) ?? "0") ?? 0
    history.retired = try prepared("SELECT number FROM retired WHERE number >= ?")
      .rows([.integer(history.lowWater)]) { $0.integer(0) }
    let fates = try prepared("SELECT fate, count(*) FROM retired GROUP BY fate").rows {
      ($0.text(0), $0.integer(1))
    }
    for (name, count) in fates {
      guard let fate = Fate(rawValue: name) else {
        throw .damaged(path: path, problem: "a ticket's fate is \"\(name)\"")
      }
      history.fates[fate] = count
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
      SELECT key, version, samples, tokens, reward, strict, lenient, length(blob)
      FROM groups \(clause)
      """)
    return try statement.rows(values) { row in
      var tally = GroupTally()
      tally.samples = row.integer(2)
      tally.tokens = row.integer(3)
      tally.reward = row.number(4)
      tally.strict = row.integer(5)
      tally.lenient = row.integer(6)
      let facts = GroupFacts(version: row.integer(1), bytes: row.integer(7), tally: tally)
      return (RowKey.ticket(row.integer(0)), facts)
    }
  }

  private func readDrops(into history: inout LedgerHistory) throws(LedgerError) {
    let sums = try prepared(
      """
      SELECT reason, was_accepted, count(*), sum(tokens), sum(bytes) FROM drops
      GROUP BY reason, was_accepted
      """
    ).rows {
      (
        $0.text(0), $0.integer(1),
        DropTotals(groups: $0.integer(2), tokens: $0.integer(3), bytes: $0.integer(4))
      )
    }
    for (name, wasAccepted, totals) in sums {
      guard let reason = DropReason(rawValue: name) else {
        throw .damaged(path: path, problem: "a group was dropped as \"\(name)\"")
      }
      if wasAccepted == 1 {
        history.dropped[reason] = totals
        history.accepted += totals.groups
      } else {
        history.refused[reason] = totals
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
    let closed = try prepared("SELECT version, is_finished FROM evaluations").rows {
      ($0.integer(0), $0.integer(1) == 1)
    }
    history.closedEvaluations = Dictionary(uniqueKeysWithValues: closed)
    history.undelivered = try rows.evaluations("AND is_delivered = 0")
    for (key, facts) in try facts("WHERE key < 0", []) {
      guard case .evaluate(let version) = key.purpose else { continue }
      if history.closedEvaluations[version] == nil {
        history.evaluationGroups[version, default: [:]][key.number] = facts
      }
    }
  }
}
