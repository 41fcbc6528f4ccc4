// The ledger's file: one SQLite connection, confined to the thread that opened it, that writes and
// checkpoints. Every other opener is a `LedgerReader`.
//
// Rule: what is acknowledged was committed with `synchronous=FULL`. Why: with NORMAL a power cut
// loses a tenth of it. Rule: one connection writes. Why: SQLite 3.40 can lose the log's end when
// two do. Rule: no mmap. Why: a read error would be a signal instead of an error.

import CSQLite
import Digests
import Documents
import Experience
import Operations
import Wire

/// A group as it waits to be written.
package struct PendingGroup {
  package var group: TrajectoryGroup
  package var tally: GroupTally
  package var blob: [UInt8]
  package var blobDigest: Digest

  package init(group: TrajectoryGroup, tally: GroupTally, blob: [UInt8], blobDigest: Digest) {
    self.group = group
    self.tally = tally
    self.blob = blob
    self.blobDigest = blobDigest
  }
}

/// What the next transaction writes, in order.
package enum PendingWrite {
  case group(PendingGroup)
  case drop(Drop)
  case evaluation(EvaluationSummary)
  case abandonedEvaluation(version: Int)
  case forgetLease(step: Int)
}

package final class LedgerStore {
  enum Limits {
    /// A log of this size is folded back into the file and cut. It grows so far only while a
    /// reader holds on to its beginning.
    static let maximumLogBytes = 64 << 20
    /// A log of so many pages of 16 KiB, 16 MiB, is folded back after a commit. SQLite would do so
    /// by itself, and say nothing of an fsync that fails while it does.
    static let foldedPages = 1024
    /// A leaf page of this size holds three groups of 4 KiB: less is written a group than with
    /// SQLite's 4 KiB pages and an overflow chain each.
    static let pageBytes = 16384
    /// Checking reads every page, about 1 GB/s; a restart should serve within 2 s.
    static let fullCheckBytes = 256 << 20
  }

  let database: Database
  package let path: String
  package let lineage: String
  private var statements: [String: Statement] = [:]

  /// Opens the file, or makes it with a new lineage; refuses another program's, a newer one, a
  /// damaged one and one begun under other settings.
  ///
  /// `settings` names, in words, those that must not change within a lineage.
  package init(path: String, newLineage: String, settings: String) throws(LedgerError) {
    self.path = path
    database = try Self.opened(path)
    try Schema.migrate(database)
    let recorded = try Self.setting("lineage", in: database)
    lineage = recorded ?? newLineage
    if recorded == nil {
      try database.transaction { () throws(LedgerError) in
        try set("lineage", newLineage)
        try set("settings", settings)
        try set("epoch", "0")
      }
    }
    let begun = try Self.setting("settings", in: database) ?? ""
    guard begun == settings else {
      throw .otherSettings(path: path, recorded: begun, given: settings)
    }
  }

  /// Throws where the log of a ledger that nobody writes is damaged: those who only read would see
  /// less than there was.
  package static func auditLog(path: String) throws(LedgerError) {
    try LogAudit.check(path: "\(path)-wal", pageBytes: Limits.pageBytes)
  }

  /// Whether a file is of an older format, or empty: its making was cut short.
  package static func isOlder(path: String) throws(LedgerError) -> Bool {
    try Schema.checkedVersion(of: Database(path: path, mode: .readOnly)) < Schema.migrations.count
  }

  /// Brings a file up to date, which nobody else may write meanwhile.
  package static func upgrade(path: String) throws(LedgerError) {
    try Schema.migrate(try opened(path))
  }

  /// Opens a copy that is about to get a lineage of its own.
  init(forking path: String) throws(LedgerError) {
    self.path = path
    database = try Self.opened(path)
    lineage = try Self.setting("lineage", in: database) ?? ""
  }

  private static func opened(_ path: String) throws(LedgerError) -> Database {
    try auditLog(path: path)
    let database = try Database(path: path, mode: .readWrite)
    _ = try Schema.checkedVersion(of: database)
    try Self.makeDurable(database)
    database.countLogPages()
    // After an fsync that failed, the kernel may show pages of the log that are not on the disk.
    // Folding writes them all anew, so that nothing rests on them.
    _ = try database.value("PRAGMA wal_checkpoint(TRUNCATE)")
    try Self.check(database)
    return database
  }

  /// What `acknowledged` rests on: a log that is fsynced with each commit, and no mapped pages.
  static func makeDurable(_ database: Database) throws(LedgerError) {
    // The page size can be chosen only before the first table, and before WAL.
    try database.execute("PRAGMA page_size = \(Limits.pageBytes)")
    _ = try database.value("PRAGMA journal_mode = WAL")
    try database.execute(
      """
      PRAGMA synchronous = \(FaultHooks.synchronous); PRAGMA mmap_size = 0;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -65536;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = \(Limits.maximumLogBytes);
      """)
  }

  /// SQLite's own check of pages and b-trees; the digests of rows are checked when rows are used.
  private static func check(_ database: Database) throws(LedgerError) {
    let pages = try database.integer("PRAGMA page_count")
    let isSmall = pages * Limits.pageBytes <= Limits.fullCheckBytes
    for sql in isSmall
      ? ["PRAGMA quick_check(1)"]
      : ["run", "versions", "leases", "commits", "retired"].map({ "PRAGMA quick_check(\($0))" })
    {
      if case .text(let answer) = try database.value(sql), answer != "ok" {
        throw .damaged(path: database.path, problem: answer)
      }
    }
  }

  /// A statement, prepared once.
  func prepared(_ sql: String) throws(LedgerError) -> Statement {
    if let statement = statements[sql] { return statement }
    let statement = try database.prepare(sql)
    statements[sql] = statement
    return statement
  }

  // MARK: The run's few names

  static func setting(_ key: String, in database: Database) throws(LedgerError) -> String? {
    try LedgerRows(database: database) { sql throws(LedgerError) in try database.prepare(sql) }
      .setting(key)
  }

  func set(_ key: String, _ value: String) throws(LedgerError) {
    try insert(
      "INSERT OR REPLACE", into: "run", TableColumns.run, [.text(key), .text(value)])
  }

  /// Inserts a row with its digest as one more value.
  func insert(
    _ verb: String = "INSERT", into table: String, _ columns: String, _ values: [SQLValue],
    unchecked: [(String, SQLValue)] = []
  ) throws(LedgerError) {
    let names = ([columns, "row_digest"] + unchecked.map(\.0)).joined(separator: ", ")
    let count = values.count + 1 + unchecked.count
    let marks = Array(repeating: "?", count: count).joined(separator: ", ")
    let digest = SQLValue.blob(RowDigest.of(table, values))
    try prepared("\(verb) INTO \(table) (\(names)) VALUES (\(marks))")
      .run(values + [digest] + unchecked.map(\.1))
  }

  // MARK: Size

  /// Bytes of the write-ahead log.
  package var logBytes: Int { Files.byteCount(path + "-wal") ?? 0 }

  /// Bytes of the log that are not folded yet, as of the last commit.
  package var unfoldedBytes: Int { database.logPages * Limits.pageBytes }

  /// Folds a log beyond its limit back into the file; a reader in a transaction may prevent it, and
  /// then the next call does it. Every page of the log may be new to the file, and its room is
  /// given back only after: a log longer than what is free may have come too far to be folded.
  package func limitLog(freeBytes: Int = .max) throws(LedgerError) {
    if logBytes > min(freeBytes, Limits.maximumLogBytes) {
      // A copy or an audit of a live run reads for long, and the service is not to stand still for
      // it.
      try database.withoutWaiting { () throws(LedgerError) in try foldLog() }
    } else if database.logPages >= Limits.foldedPages {
      try fold("PASSIVE")
    }
  }

  /// Folds all of the log back: at the end of the process.
  package func foldLog() throws(LedgerError) { try fold("TRUNCATE") }

  /// A full disk leaves the log as it is: what it holds is safe there.
  private func fold(_ mode: String) throws(LedgerError) {
    do throws(LedgerError) {
      _ = try database.value("PRAGMA wal_checkpoint(\(mode))")
      database.logPages = 0
    } catch {
      guard error.isDiskFull else { throw error }
    }
  }
}

// MARK: Writing

extension LedgerStore {
  /// Writes all or nothing and returns once it is on the disk.
  package func write(_ writes: [PendingWrite]) throws(LedgerError) {
    guard !writes.isEmpty else { return }
    let now = Int(WallClock.milliseconds)
    try database.transaction { () throws(LedgerError) in
      for write in writes { try perform(write, at: now) }
    }
  }

  private func perform(_ write: PendingWrite, at now: Int) throws(LedgerError) {
    switch write {
    case .group(let pending):
      try insert(pending, at: now)
    case .drop(let drop):
      if drop.wasAccepted {
        try prepared("DELETE FROM groups WHERE key = ?").run([.integer(RowKey.integer(drop.key))])
      }
      try insert(drop, at: now)
    case .evaluation(let summary):
      try insert(
        into: "evaluations", TableColumns.evaluations,
        [
          .integer(summary.version), .integer(1), .integer(summary.prompts),
          .integer(summary.samples), .mean(summary.reward), .mean(summary.strict),
          .mean(summary.lenient), .mean(summary.passAtK), .mean(summary.meanLength),
          .integer(0), .integer(now),
        ])
    case .abandonedEvaluation(let version):
      let unknown = [SQLValue](repeating: .null, count: 7)
      try insert(
        into: "evaluations", TableColumns.evaluations,
        [.integer(version), .integer(0)] + unknown + [.integer(0), .integer(now)])
    case .forgetLease(let step):
      try prepared("DELETE FROM leases WHERE step = ?").run([.integer(step)])
    }
  }

  func insert(_ drop: Drop, at now: Int) throws(LedgerError) {
    try insert(
      into: "drops", TableColumns.drops,
      [
        .integer(RowKey.integer(drop.key)), .text(drop.reason.rawValue),
        .integer(drop.wasAccepted ? 1 : 0), .integer(drop.tokens), .integer(drop.bytes),
        .integer(now),
      ])
  }

  private func insert(_ pending: PendingGroup, at now: Int) throws(LedgerError) {
    let group = pending.group
    let tally = pending.tally
    try insert(
      into: "groups", TableColumns.groups,
      [
        .integer(RowKey.integer(group.key)), .integer(group.version.number), .text(group.actor),
        .text(group.exercise), .text(group.numericClass), .integer(group.prompt.count),
        .integer(tally.samples), .integer(tally.tokens), .number(tally.reward),
        .integer(tally.strict), .integer(tally.lenient), .number(Double(group.temperature)),
        .integer(Int(bitPattern: UInt(group.seed))), .integer(Int(group.times.ticketNanoseconds)),
        .integer(Int(group.times.sampledNanoseconds)), .integer(Int(group.times.judgedNanoseconds)),
        .integer(now), .blob(pending.blobDigest.bytes), .number(tally.spread),
      ], unchecked: [("blob", .blob(pending.blob))])
    if case .evaluate = group.key.purpose {
      for sample in group.trajectories.indices {
        try insertTrajectory(of: group, key: group.key, sample: sample, step: nil, nil)
      }
    }
  }

  private func insertTrajectory(
    of group: TrajectoryGroup?, key: TicketKey, sample: Int, step: Int?,
    _ trained: TrainedTrajectory?, use: Int = 0
  ) throws(LedgerError) {
    let trajectory = group.flatMap {
      $0.trajectories.indices.contains(sample) ? $0.trajectories[sample] : nil
    }
    let verdict = trajectory?.verdict
    let parts = verdict.map { JSON.write(Self.document(of: $0.parts)) }
    try insert(
      "INSERT OR REPLACE", into: "trajectories", TableColumns.trajectories,
      [
        .integer(RowKey.integer(key)), .integer(sample), .of(step), .of(verdict?.reward),
        .of(parts), .of(verdict?.reason), .of(trajectory?.completion.finish.rawValue),
        .of(trajectory?.completion.tokens.count), .of(verdict?.isStrictlyCorrect),
        .of(verdict?.isLenientlyCorrect), .of(trained?.isTrained), .of(trained?.advantage),
        .of(trained?.ratioLeast), .of(trained?.ratioMean), .of(trained?.ratioGreatest),
        .of(trained?.kl), .of(trained?.clippedShare), .of(trained?.entropy),
        .integer(use),
      ])
  }

  private static func document(of parts: [RewardPart]) -> Document {
    .array(
      parts.map {
        .object([
          ("position", .integer($0.position)), ("part", .string($0.part)),
          ("value", .number(Double($0.value))),
        ])
      })
  }

  package func record(_ record: EpochRecord) throws(LedgerError) {
    try database.transaction { () throws(LedgerError) in
      try set("epoch", "\(record.epoch)")
      let learners = LearnerInstances.adding(record.instance, to: try learnerInstances())
      try set("learners", JSON.write(.array(learners.map(Document.string))))
      try set("weights", record.announcement.weightsAddress)
      try set("announce", record.announcement.announceAddress)
      let files = record.announcement.files.map {
        Document.object([("name", .string($0.name)), ("digest", .string($0.digest.hexadecimal))])
      }
      try set("files", JSON.write(.array(files)))
      if let first = record.firstVersion { try insert(first, stateDigest: nil) }
      if let made = record.fingerprint { try setFingerprint(made.fingerprint, from: made.step) }
    }
  }

  private func insert(_ version: PolicyVersion, stateDigest: Digest?) throws(LedgerError) {
    try insert(
      into: "versions", TableColumns.versions,
      [
        .integer(version.number), .blob(version.digest.bytes),
        stateDigest.map { .blob($0.bytes) } ?? .null,
      ])
  }

  package func recordLease(step: Int, epoch: Int, _ batch: Batch) throws(LedgerError) {
    try database.transaction { () throws(LedgerError) in
      try insert(
        into: "leases", TableColumns.leases,
        [
          .integer(step), .integer(epoch), .text(TicketList.write(batch.tickets)),
          .integer(Int(WallClock.milliseconds)), .of(reused: batch.reused),
        ])
    }
  }

  /// The commit, its tickets' fates and a row for each trajectory. `group` gives a ticket's group,
  /// nil when its blob is damaged: then the rows hold what training saw alone.
  package func record(
    _ record: CommitRecord, group: (Int) throws(LedgerError) -> TrajectoryGroup?
  ) throws(LedgerError) {
    let commit = record.commit
    var trained: [Int: [Int: TrainedTrajectory]] = [:]
    for trajectory in commit.trajectories {
      trained[trajectory.ticket, default: [:]][trajectory.sample] = trajectory
    }
    try database.transaction { () throws(LedgerError) in
      try insert(
        into: "commits", TableColumns.commits,
        [
          .integer(commit.step), .integer(commit.epoch), .text(commit.outcome.rawValue),
          .blob(commit.version.digest.bytes), .blob(commit.stateDigest.bytes),
          .of(commit.checkpoint), .text(TicketList.write(commit.tickets)),
          .integer(Int(WallClock.milliseconds)), .of(reused: commit.reused),
          .of(commit.curriculum.map { JSON.write($0.document) }),
        ])
      try insert(commit.version, stateDigest: commit.stateDigest)
      try set("lowWater", "\(record.lowWater)")
      for (position, (number, fate)) in zip(commit.tickets, record.fates).enumerated() {
        try insert(
          into: "retired", TableColumns.retired,
          [.integer(number), .integer(commit.step), .integer(position), .text(fate.rawValue)])
        try insertTrajectories(
          of: number, try group(number), step: commit.step, trained[number] ?? [:], use: 0)
      }
      for (position, number) in commit.reused.enumerated() {
        try insert(
          into: "uses", TableColumns.uses,
          [.integer(commit.step), .integer(position), .integer(number)])
        try insertTrajectories(
          of: number, try group(number), step: commit.step, trained[number] ?? [:],
          use: try uses(of: number))
      }
      for version in record.deliveredEvaluations { try markDelivered(version) }
    }
  }

  /// How often steps have trained a group again.
  private func uses(of number: Int) throws(LedgerError) -> Int {
    try prepared("SELECT count(*) FROM uses WHERE number = ?").rows([.integer(number)]) {
      $0.integer(0)
    }.first ?? 0
  }

  private func insertTrajectories(
    of number: Int, _ group: TrajectoryGroup?, step: Int, _ seen: [Int: TrainedTrajectory],
    use: Int
  ) throws(LedgerError) {
    let samples = Set(seen.keys).union(group.map { Set($0.trajectories.indices) } ?? [])
    for sample in samples.sorted() {
      try insertTrajectory(
        of: group, key: TicketKey(purpose: .train, number: number), sample: sample, step: step,
        seen[sample], use: use)
    }
  }

  private func markDelivered(_ version: Int) throws(LedgerError) {
    let rows = try prepared(
      "SELECT \(TableColumns.evaluations), row_digest FROM evaluations WHERE version = ?"
    ).rows([.integer(version)]) { row throws(LedgerError) in
      try self.rows.checked("evaluations", row)
    }
    for var row in rows {
      // The last column but one.
      row[row.count - 2] = .integer(1)
      try insert("INSERT OR REPLACE", into: "evaluations", TableColumns.evaluations, row)
    }
  }
}

// MARK: Optional columns

extension SQLValue {
  static func of(_ number: Int?) -> SQLValue { number.map { .integer($0) } ?? .null }
  /// SQLite keeps no NaN: a mean over nothing is NULL.
  static func mean(_ number: Double) -> SQLValue { number.isNaN ? .null : .number(number) }
  static func of(reused tickets: [Int]) -> SQLValue {
    tickets.isEmpty ? .null : .text(TicketList.write(tickets))
  }
  static func of(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
  static func of(_ flag: Bool?) -> SQLValue { flag.map { .integer($0 ? 1 : 0) } ?? .null }
  /// SQLite keeps no NaN: it stores NULL.
  static func of(_ number: Float?) -> SQLValue {
    number.flatMap { $0.isNaN ? nil : .number(Double($0)) } ?? .null
  }
}
