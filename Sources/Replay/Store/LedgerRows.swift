// Rows read back, their digests checked first: shared by the store and by readers.

import CSQLite
import Digests
import Documents
import Experience
import Wire

/// A list of tickets in one column: a JSON array of integers.
enum TicketList {
  /// The settings allow 65,536 groups a step, of at most 20 digits each.
  static let maximumBytes = 2 << 20

  static func write(_ tickets: [Int]) -> String {
    "[" + tickets.map(String.init).joined(separator: ",") + "]"
  }

  static func read(_ text: String, path: String) throws(LedgerError) -> [Int] {
    do {
      let list = try JSON.parse(
        Array(text.utf8), source: path, maximumByteCount: Self.maximumBytes)
      if case .array(let items) = list.value {
        return items.compactMap {
          if case .integer(let number) = $0.value { number } else { nil }
        }
      }
    } catch {
      throw .damaged(path: path, problem: "a list of tickets cannot be read: \(error)")
    }
    throw .damaged(path: path, problem: "a list of tickets is \"\(text.prefix(40))\"")
  }
}

/// A group's row whose digests match.
package struct StoredGroup {
  package var key: TicketKey
  package var blob: [UInt8]
  package var blobDigest: Digest
}

struct LedgerRows {
  let database: Database
  /// Gives a prepared statement; a store keeps them, a reader makes them anew.
  let prepared: (String) throws(LedgerError) -> Statement

  /// The values of a row whose last column is its digest; throws when it does not match.
  func checked(_ table: String, _ row: Statement) throws(LedgerError) -> [SQLValue] {
    let values = row.values()
    let columns = Array(values.dropLast())
    guard values.last == .blob(RowDigest.of(table, columns)) else {
      let name = columns.first.map { "\($0)" } ?? ""
      throw .damaged(
        path: database.path, problem: "the row \(name) of \(table) does not match its digest")
    }
    return columns
  }

  /// Nil when there is no such group; throws `damaged` when its row or blob was altered.
  func group(_ key: TicketKey) throws(LedgerError) -> StoredGroup? {
    let statement = try prepared(
      "SELECT blob, \(TableColumns.groups), row_digest FROM groups WHERE key = ?")
    try statement.bind([.integer(RowKey.integer(key))])
    defer { statement.reset() }
    guard try statement.step() else { return nil }
    let blob = statement.blob(0)
    let values = (1..<statement.columnCount).map { statement.value($0) }
    let columns = Array(values.dropLast())
    let digest = Digest(of: blob)
    // The last column but one of the first format; spread came later.
    guard values.last == .blob(RowDigest.of("groups", columns)),
      columns[columns.count - 2] == .blob(digest.bytes)
    else {
      throw .damaged(
        path: database.path, problem: "the stored group of \(key) does not match its digest")
    }
    return StoredGroup(key: key, blob: blob, blobDigest: digest)
  }

  /// A digest in a column. A row that matches its own may still have been made by somebody, with
  /// another number of bytes.
  func digest(_ row: Statement, _ column: Int, of what: String) throws(LedgerError) -> Digest {
    let bytes = row.blob(column)
    guard bytes.count == Digest.byteCount else {
      throw .damaged(
        path: database.path,
        problem: "the digest of \(what) has \(bytes.count) bytes, not \(Digest.byteCount)")
    }
    return Digest(bytes: bytes)
  }

  func commit(step: Int, lineage: String) throws(LedgerError) -> StepCommit? {
    try commits("WHERE step = ?", [.integer(step)], lineage: lineage).first
  }

  func lastCommit(lineage: String) throws(LedgerError) -> StepCommit? {
    try commits("ORDER BY step DESC LIMIT 1", [], lineage: lineage).first
  }

  /// Without their trajectories.
  func commits(
    _ clause: String, _ values: [SQLValue], lineage: String
  ) throws(LedgerError) -> [StepCommit] {
    let statement = try prepared(
      "SELECT \(TableColumns.commits), row_digest FROM commits \(clause)")
    return try statement.rows(values) { row throws(LedgerError) in
      _ = try checked("commits", row)
      guard let outcome = StepOutcome(rawValue: row.text(2)) else {
        throw .damaged(path: database.path, problem: "step \(row.integer(0)) is \(row.text(2))")
      }
      let step = row.integer(0)
      return StepCommit(
        step: step, epoch: row.integer(1), outcome: outcome,
        tickets: try TicketList.read(row.text(6), path: database.path),
        reused: try reused(row, 8),
        version: PolicyVersion(
          lineage: lineage, number: step + 1,
          digest: try digest(row, 3, of: "the version of step \(step)")),
        stateDigest: try digest(row, 4, of: "the state of step \(step)"),
        checkpoint: row.isNull(5) ? nil : row.text(5),
        curriculum: row.isNull(9) ? nil : try curriculum(row.text(9)), trajectories: [])
    }
  }

  private func curriculum(_ text: String) throws(LedgerError) -> CurriculumState {
    do {
      let document = try JSON.parse(Array(text.utf8), source: database.path)
      let fields = try Fields(document, source: database.path)
      let state = try CurriculumState(reading: fields)
      try fields.finish()
      return state
    } catch {
      throw .damaged(path: database.path, problem: "a curriculum's state cannot be read: \(error)")
    }
  }

  /// The first version with which each level is open.
  func openings() throws(LedgerError) -> [Int] {
    let firsts = try commits(
      """
      WHERE step IN (SELECT min(step) FROM commits WHERE curriculum IS NOT NULL
        GROUP BY json_extract(curriculum, '$.level')) ORDER BY step
      """, [], lineage: "")
    var openings = [0]
    for commit in firsts {
      // A level is opened by one step, and steps open one at the most.
      if commit.curriculum?.level == openings.count { openings.append(commit.version.number) }
    }
    return openings
  }

  private func reused(_ row: Statement, _ column: Int) throws(LedgerError) -> [Int] {
    row.isNull(column) ? [] : try TicketList.read(row.text(column), path: database.path)
  }

  func lease(step: Int) throws(LedgerError) -> Batch? {
    let statement = try prepared(
      "SELECT \(TableColumns.leases), row_digest FROM leases WHERE step = ?")
    return try statement.rows([.integer(step)]) { row throws(LedgerError) in
      _ = try checked("leases", row)
      return Batch(
        tickets: try TicketList.read(row.text(2), path: database.path),
        reused: try reused(row, 4))
    }.first
  }

  func digests() throws(LedgerError) -> [Int: Digest] {
    let statement = try prepared("SELECT \(TableColumns.versions), row_digest FROM versions")
    let pairs = try statement.rows { row throws(LedgerError) in
      _ = try checked("versions", row)
      return (row.integer(0), try digest(row, 1, of: "version \(row.integer(0))"))
    }
    return Dictionary(uniqueKeysWithValues: pairs)
  }

  func evaluations(_ clause: String = "") throws(LedgerError) -> [EvaluationSummary] {
    let statement = try prepared(
      """
      SELECT \(TableColumns.evaluations), row_digest FROM evaluations
      WHERE is_finished = 1 \(clause) ORDER BY version
      """)
    return try statement.rows { row throws(LedgerError) in
      _ = try checked("evaluations", row)
      let samples = Double(row.integer(2)) * Double(row.integer(3))
      let counts = try evaluationCounts(version: row.integer(0))
      let total = counts.values.reduce((completed: 0, invalid: 0)) {
        ($0.completed + $1.completed, $0.invalid + $1.invalid)
      }
      return EvaluationSummary(
        version: row.integer(0), prompts: row.integer(2), samples: row.integer(3),
        reward: row.number(4), strict: row.number(5),
        strictInterval: try strictInterval(version: row.integer(0)), lenient: row.number(6),
        completed: Double(total.completed) / max(1, samples), invalid: total.invalid,
        passAtK: row.number(7), meanLength: row.number(8))
    }
  }

  /// Of an evaluation's groups: the table of evaluations holds means alone. Taken without the
  /// groups' blobs, which their digests cover: it says how sure a mean is, and decides nothing.
  private func strictInterval(version: Int) throws(LedgerError) -> Double {
    let statement = try prepared(
      "SELECT strict, samples FROM groups WHERE key BETWEEN ? AND ? ORDER BY key DESC")
    let shares = try statement.rows(RowKey.range(ofEvaluation: version)) { row in
      Double(row.integer(0)) / Double(max(1, row.integer(1)))
    }
    return MeanInterval.halfWidth(shares)
  }

  /// What the trajectories of an evaluation's groups say and the groups' own rows do not, by the
  /// groups' keys: samples strictly right and not truncated, and samples without a verdict. As
  /// sums they decide nothing either.
  func evaluationCounts(
    version: Int
  ) throws(LedgerError) -> [Int: (completed: Int, invalid: Int)] {
    let statement = try prepared(
      """
      SELECT key, sum(strict = 1 AND finish = '\(FinishReason.stop.rawValue)'),
        sum(instr(parts, '"part":"\(Verdict.invalidPart)"') > 0)
      FROM trajectories WHERE key BETWEEN ? AND ? GROUP BY key
      """)
    let counts = try statement.rows(RowKey.range(ofEvaluation: version)) {
      ($0.integer(0), (completed: $0.integer(1), invalid: $0.integer(2)))
    }
    return Dictionary(uniqueKeysWithValues: counts)
  }

  /// One of the run's few names and numbers; nil when it has none.
  func setting(_ key: String) throws(LedgerError) -> String? {
    let statement = try prepared("SELECT \(TableColumns.run), row_digest FROM run WHERE key = ?")
    return try statement.rows([.text(key)]) { row throws(LedgerError) in
      _ = try checked("run", row)
      return row.text(1)
    }.first
  }

  /// Where the learner serves, as it last said.
  func announcement() throws(LedgerError) -> Announcement? {
    guard let weights = try setting("weights") else { return nil }
    let text = try setting("files") ?? "[]"
    var files: [NamedDigest] = []
    if let list = try? JSON.parse(Array(text.utf8), source: database.path),
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
      weightsAddress: weights, announceAddress: try setting("announce") ?? "",
      files: files)
  }
}
