// A ledger as it stood after so many steps, under a new lineage: going back, with drops.
//
// The fork has the parent's rows up to its step: groups, leases and commits that made the version
// it goes on from, so that it can be inspected and verified alone. Every later group is dropped as
// `forked` and counted, so that both laws hold in the fork by themselves: what the parent had
// accepted is retired or dropped. The tickets of dropped groups are open again under their numbers.

import CSQLite
import Documents
import Experience
import Operations
import Wire

/// Where a run was forked from.
public struct Parentage: Sendable, Equatable, CustomStringConvertible {
  public var lineage: String
  /// Steps that the fork has in common with its parent.
  public var steps: Int
  /// Of the version it goes on from, and of the chain up to it.
  public var digest: Digest
  public var chain: Digest
  /// The parent's folder, as it was named when the fork was made.
  public var folder: String

  /// "forked from arithmetic-001-5e0c11aa after 100 steps (runs/arithmetic-001)"
  public var description: String { "forked from \(lineage) after \(steps) steps (\(folder))" }

  var text: String {
    JSON.write(
      .object([
        ("lineage", .string(lineage)), ("steps", .integer(steps)),
        ("digest", .string(digest.hexadecimal)), ("chain", .string(chain.hexadecimal)),
        ("folder", .string(folder)),
      ]))
  }

  init(text: String, path: String) throws(LedgerError) {
    do {
      let fields = try Fields(JSON.parse(Array(text.utf8), source: path), source: path)
      lineage = try fields.string("lineage")
      steps = try fields.integer("steps", in: 0...Int.max)
      guard let digest = Digest(hexadecimal: try fields.string("digest")),
        let chain = Digest(hexadecimal: try fields.string("chain"))
      else { throw fields.error("digest", "is not one") }
      self.digest = digest
      self.chain = chain
      folder = try fields.string("folder")
    } catch {
      throw .damaged(path: path, problem: "where it was forked from cannot be read: \(error)")
    }
  }

  init(lineage: String, steps: Int, digest: Digest, chain: Digest, folder: String) {
    self.lineage = lineage
    self.steps = steps
    self.digest = digest
    self.chain = chain
    self.folder = folder
  }
}

extension LedgerReader {
  /// The version after `steps` steps, as the parentage of a fork; nil when the run is not so far.
  public func parentage(steps: Int, folder: String) throws(LedgerError) -> Parentage? {
    guard let digest = try rows.digests()[steps] else { return nil }
    let last = steps == 0 ? nil : try rows.commit(step: steps - 1, lineage: lineage)
    return Parentage(
      lineage: lineage, steps: steps, digest: digest, chain: last?.stateDigest ?? digest,
      folder: folder)
  }

  /// Writes this ledger as it stood after `parent.steps` steps to a file that is not there yet.
  ///
  /// `settings` are the fork's, as a ledger names them. Returns what was dropped.
  public func fork(
    to path: String, lineage: String, settings: RunSettings, parent: Parentage
  ) throws(LedgerError) -> DropCount {
    let quoted = path.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "''")
    // One consistent reading, also of a ledger that is being written.
    try database.execute("VACUUM INTO '\(quoted)'")
    do {
      try Files.synchronizeFile(path)
    } catch {
      throw .damaged(path: path, problem: "\(error)")
    }
    let store = try LedgerStore(forking: path)
    let dropped = try store.cut(to: parent, lineage: lineage, settings: settings)
    try store.foldLog()
    if let broken = TicketBook(try store.history()).brokenLawByRecount() {
      throw .damaged(path: path, problem: "the fork breaks a law: \(broken)")
    }
    return dropped
  }
}

extension LedgerStore {
  /// All or nothing.
  fileprivate func cut(
    to parent: Parentage, lineage: String, settings: RunSettings
  ) throws(LedgerError) -> DropCount {
    var dropped = DropCount(reason: DropReason.forked.rawValue, groups: 0, tokens: 0)
    try database.transaction { () throws(LedgerError) in
      for drop in try laterGroups(parent.steps) {
        try insert(drop, at: Int(WallClock.milliseconds))
        try prepared("DELETE FROM groups WHERE key = ?").run([.integer(drop.key.number)])
        dropped.groups += 1
        dropped.tokens += drop.tokens
      }
      let steps = SQLValue.integer(parent.steps)
      for table in ["retired", "uses", "commits", "leases", "trajectories"] {
        try prepared("DELETE FROM \(table) WHERE step >= ?").run([steps])
      }
      try prepared("DELETE FROM versions WHERE number > ?").run([steps])
      try prepared("DELETE FROM evaluations WHERE version > ?").run([steps])
      let next = TicketKey(purpose: .evaluate(version: parent.steps + 1), number: 0)
      for table in ["groups", "trajectories"] {
        try prepared("DELETE FROM \(table) WHERE key <= ?").run([.integer(RowKey.integer(next))])
      }
      // Addresses of the parent's learner.
      for key in ["weights", "announce"] {
        try prepared("DELETE FROM run WHERE key = ?").run([.text(key)])
      }
      try set("lowWater", "\(try lowestOpenTicket())")
      try set("lineage", lineage)
      try set("parent", parent.text)
      try cutRecords(after: parent.steps)
      try set("settings@\(parent.steps)", JSON.write(settings.resolved))
    }
    return dropped
  }

  /// Settings and fingerprints that count from a later step on.
  private func cutRecords(after steps: Int) throws(LedgerError) {
    for key in try prepared("SELECT key FROM run").rows([], { $0.text(0) }) {
      guard let mark = key.firstIndex(of: "@"), let from = Int(key[mark...].dropFirst()),
        from > steps
      else { continue }
      try prepared("DELETE FROM run WHERE key = ?").run([.text(key)])
    }
  }

  /// Training groups that no step below `steps` has retired.
  private func laterGroups(_ steps: Int) throws(LedgerError) -> [Drop] {
    try prepared(
      """
      SELECT key, tokens, length(blob) FROM groups WHERE key >= 0
        AND NOT EXISTS (SELECT 1 FROM retired WHERE number = key AND step < ?) ORDER BY key
      """
    ).rows([.integer(steps)]) {
      Drop(
        key: TicketKey(purpose: .train, number: $0.integer(0)), reason: .forked,
        wasAccepted: true, tokens: $0.integer(1), bytes: $0.integer(2))
    }
  }

  private func lowestOpenTicket() throws(LedgerError) -> Int {
    var mark = 0
    for number in try prepared("SELECT number FROM retired ORDER BY number").rows(
      [],
      {
        $0.integer(0)
      })
    {
      guard number == mark else { break }
      mark += 1
    }
    return mark
  }
}
