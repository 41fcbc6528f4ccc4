// A ledger's file for those who look: read-only, one short transaction a question, so that the
// process that writes can always fold its log. Every row's digest is checked before it is told.

import CSQLite
import Digests
import Documents
import Experience
import Operations
import Wire

/// Which trajectories to tell of; every condition that is set must hold.
public struct TrajectoryFilter: Sendable, Equatable {
  public enum Order: String, Sendable, CaseIterable {
    case ticket
    /// The highest first.
    case reward
    case ratio
  }

  /// The steps that trained them.
  public var steps: ClosedRange<Int>?
  public var purpose: PurposeFilter?
  public var ticket: Int?
  public var reward: ClosedRange<Double>?
  /// The greatest ratio of its tokens lies above this.
  public var ratioAbove: Double?
  public var isStrict: Bool?
  public var isTrained: Bool?
  public var order = Order.ticket

  public enum PurposeFilter: Sendable, Equatable {
    case train
    case evaluate(version: Int)
  }

  public init() {}
}

/// A completion as the ledger tells of it, without its tokens.
public struct TrajectoryRow: Sendable, Equatable {
  public var key: TicketKey
  public var sample: Int
  /// The step that trained it; nil of an evaluation.
  public var step: Int?
  public var reward: Double?
  public var parts: [RewardPart]
  /// The verifier's.
  public var reason: String
  public var finish: String
  public var tokens: Int
  public var isStrictlyCorrect: Bool
  public var isLenientlyCorrect: Bool
  /// What training saw; nil of an evaluation.
  public var trained: TrainedTrajectory?
  /// 0 where the step trained it for the first time, else how often steps had before.
  public var use: Int

  package init(
    key: TicketKey, sample: Int, step: Int?, reward: Double?, parts: [RewardPart], reason: String,
    finish: String, tokens: Int, isStrictlyCorrect: Bool, isLenientlyCorrect: Bool,
    trained: TrainedTrajectory?, use: Int = 0
  ) {
    self.key = key
    self.sample = sample
    self.step = step
    self.reward = reward
    self.parts = parts
    self.reason = reason
    self.finish = finish
    self.tokens = tokens
    self.isStrictlyCorrect = isStrictlyCorrect
    self.isLenientlyCorrect = isLenientlyCorrect
    self.trained = trained
    self.use = use
  }
}

/// A step as it was committed, and when, in milliseconds since 1970.
public struct CommitRow: Sendable, Equatable {
  public var commit: StepCommit
  public var committedMilliseconds: Int
}

/// How far a ledger is.
public struct LedgerOverview: Sendable, Equatable {
  public var lineage: String
  public var epoch: Int
  /// The newest committed version; nil before a learner's first hello.
  public var version: PolicyVersion?
  /// The batch leased for the next step; nil when none is.
  public var lease: Batch?
  /// Training groups on the disk, retired and waiting, and evaluation groups.
  public var trainingGroups: Int
  public var evaluationGroups: Int
  public var tokens: Int
  public var dropped: [DropCount]
  /// Where it was forked from; nil where it was not.
  public var parent: Parentage?
  /// Of an offline run: the ledger it learns from, and its lineage.
  public var source: String?
  public var sourceLineage: String?
}

public final class LedgerReader {
  public enum Limits {
    public static let maximumRows = 100_000
    /// A verifier names a handful of parts.
    static let maximumPartsBytes = 1 << 20
  }

  let database: Database
  public let lineage: String
  var rows: LedgerRows {
    LedgerRows(database: database) { sql throws(LedgerError) in try self.database.prepare(sql) }
  }

  /// Opens an existing ledger. It may be written by another process meanwhile.
  public init(path: String) throws(LedgerError) {
    guard Files.exists(path) else { throw .missing(path: path) }
    database = try Database(path: path, mode: .readOnly)
    let version = try Schema.checkedVersion(of: database)
    guard version > 0 else { throw .foreign(path: path, problem: "it has no tables yet") }
    guard version == Schema.migrations.count else {
      throw .older(path: path, version: version, known: Schema.migrations.count)
    }
    lineage = try LedgerStore.setting("lineage", in: database) ?? ""
  }

  public func overview() throws(LedgerError) -> LedgerOverview {
    let digests = try rows.digests()
    let newest = digests.keys.max()
    let reasons = try database.prepare(
      "SELECT reason, count(*), sum(tokens) FROM drops GROUP BY reason ORDER BY reason"
    ).rows { DropCount(reason: $0.text(0), groups: $0.integer(1), tokens: $0.integer(2)) }
    return LedgerOverview(
      lineage: lineage,
      epoch: Int(try LedgerStore.setting("epoch", in: database) ?? "0") ?? 0,
      version: newest.map { PolicyVersion(lineage: lineage, number: $0, digest: digests[$0]!) },
      lease: try newest.map { number throws(LedgerError) in try rows.lease(step: number) } ?? nil,
      trainingGroups: try database.integer("SELECT count(*) FROM groups WHERE key >= 0"),
      evaluationGroups: try database.integer("SELECT count(*) FROM groups WHERE key < 0"),
      tokens: try database.integer("SELECT coalesce(sum(tokens), 0) FROM groups"),
      dropped: reasons, parent: try parentage(), source: try rows.setting("source"),
      sourceLineage: try rows.setting("sourceLineage"))
  }

  /// Where this run was forked from; nil where it was not.
  public func parentage() throws(LedgerError) -> Parentage? {
    guard let text = try rows.setting("parent") else { return nil }
    return try Parentage(text: text, path: database.path)
  }

  func announcement() throws(LedgerError) -> Announcement? { try rows.announcement() }

  func storedGroup(_ key: TicketKey) throws(LedgerError) -> StoredGroup? { try rows.group(key) }

  func trainingTickets() throws(LedgerError) -> [Int] {
    try database.prepare("SELECT key FROM groups WHERE key >= 0 ORDER BY key").rows {
      $0.integer(0)
    }
  }

  /// Steps committed, without reading what they were.
  public func committedSteps() throws(LedgerError) -> Int {
    try database.integer("SELECT count(*) FROM commits")
  }

  /// Commits of these steps in order, without their trajectories.
  public func commits(_ steps: ClosedRange<Int> = 0...Int.max) throws(LedgerError) -> [CommitRow] {
    let range: [SQLValue] = [.integer(steps.lowerBound), .integer(steps.upperBound)]
    let clause = "WHERE step BETWEEN ? AND ? ORDER BY step"
    let times = try database.prepare("SELECT committed_ms FROM commits \(clause)").rows(range) {
      $0.integer(0)
    }
    // Commits are only ever added: a longer second answer has the first as its beginning.
    let commits = try rows.commits(clause, range, lineage: lineage)
    return zip(commits, times).map { CommitRow(commit: $0, committedMilliseconds: $1) }
  }

  /// Finished evaluations, by version.
  public func evaluations() throws(LedgerError) -> [EvaluationSummary] { try rows.evaluations() }

  /// A group with its tokens and log-probs; nil when the ledger has none of this ticket.
  public func group(_ key: TicketKey) throws(LedgerError) -> TrajectoryGroup? {
    guard let stored = try rows.group(key) else { return nil }
    do {
      return try TrajectoryGroup(decoding: stored.blob, limits: nil)
    } catch {
      throw .damaged(
        path: database.path, problem: "the group of \(key) cannot be read: \(error.sentence)")
    }
  }

  // MARK: Trajectories

  /// At most `limit` rows, of `Limits.maximumRows` at most.
  public func trajectories(
    _ filter: TrajectoryFilter = .init(), limit: Int = 100
  ) throws(LedgerError) -> [TrajectoryRow] {
    precondition((0...Limits.maximumRows).contains(limit), "\(limit) rows")
    let (conditions, values) = Self.conditions(filter)
    let order =
      switch filter.order {
      case .ticket: "key, sample, use"
      case .reward: "reward DESC, key, sample, use"
      case .ratio: "ratio_greatest DESC, key, sample, use"
      }
    let statement = try database.prepare(
      """
      SELECT \(TableColumns.trajectories), row_digest FROM trajectories
      \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
      ORDER BY \(order) LIMIT \(limit)
      """)
    return try statement.rows(values) { row throws(LedgerError) in try trajectory(row) }
  }

  private static func conditions(_ filter: TrajectoryFilter) -> ([String], [SQLValue]) {
    var conditions: [String] = []
    var values: [SQLValue] = []
    func add(_ condition: String, _ new: SQLValue...) {
      conditions.append(condition)
      values += new
    }
    if let steps = filter.steps {
      add("step BETWEEN ? AND ?", .integer(steps.lowerBound), .integer(steps.upperBound))
    }
    switch filter.purpose {
    case .train: add("key >= 0")
    case .evaluate(let version):
      // Numbers within a version count downward from its first key.
      let first = RowKey.integer(TicketKey(purpose: .evaluate(version: version), number: 0))
      let next = RowKey.integer(TicketKey(purpose: .evaluate(version: version + 1), number: 0))
      add("key <= ? AND key > ?", .integer(first), .integer(next))
    case nil: break
    }
    if let ticket = filter.ticket { add("key = ?", .integer(ticket)) }
    if let reward = filter.reward {
      add("reward BETWEEN ? AND ?", .number(reward.lowerBound), .number(reward.upperBound))
    }
    if let ratio = filter.ratioAbove { add("ratio_greatest > ?", .number(ratio)) }
    if let isStrict = filter.isStrict { add("strict = ?", .of(isStrict)) }
    if let isTrained = filter.isTrained { add("is_trained = ?", .of(isTrained)) }
    return (conditions, values)
  }

  private func trajectory(_ row: Statement) throws(LedgerError) -> TrajectoryRow {
    _ = try rows.checked("trajectories", row)
    let key = RowKey.ticket(row.integer(0))
    // A number that was not one is NULL in the file.
    func float(_ column: Int) -> Float { row.isNull(column) ? .nan : Float(row.number(column)) }
    let trained = TrainedTrajectory(
      ticket: key.number, sample: row.integer(1), isTrained: row.integer(10) == 1,
      advantage: float(11), ratioLeast: float(12), ratioMean: float(13), ratioGreatest: float(14),
      kl: float(15), clippedShare: float(16), entropy: float(17))
    return TrajectoryRow(
      key: key, sample: row.integer(1), step: row.isNull(2) ? nil : row.integer(2),
      reward: row.isNull(3) ? nil : row.number(3), parts: try parts(row.text(4)),
      reason: row.text(5), finish: row.text(6), tokens: row.integer(7),
      isStrictlyCorrect: row.integer(8) == 1, isLenientlyCorrect: row.integer(9) == 1,
      trained: row.isNull(10) ? nil : trained, use: row.integer(18))
  }

  private func parts(_ text: String) throws(LedgerError) -> [RewardPart] {
    guard !text.isEmpty else { return [] }
    do {
      let list = try JSON.parse(
        Array(text.utf8), source: database.path, maximumByteCount: Limits.maximumPartsBytes)
      guard case .array(let items) = list.value else { return [] }
      return try items.map { item throws(DocumentError) in
        let fields = try Fields(item, source: database.path)
        return RewardPart(
          position: try fields.integer("position", in: 0...Int(Int32.max)),
          part: try fields.string("part"),
          value: Float(
            try fields.number(
              "value", in: -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)))
      }
    } catch {
      throw .damaged(path: database.path, problem: "the parts of a reward cannot be read: \(error)")
    }
  }

  // MARK: Verification

  /// Checks the digest of every row and blob, and SQLite's own structures; returns each problem in
  /// words, at most `maximum` of them, with the number of rows looked at.
  public func verify(maximum: Int = 100) throws(LedgerError) -> (rows: Int, problems: [String]) {
    var problems: [String] = []
    var count = 0
    if case .text(let answer) = try database.value("PRAGMA integrity_check(1)"), answer != "ok" {
      problems.append(answer)
    }
    func look(_ body: () throws(LedgerError) -> Void) throws(LedgerError) {
      count += 1
      do throws(LedgerError) {
        try body()
      } catch {
        guard case .damaged(_, let problem) = error else { throw error }
        if problems.count < maximum { problems.append(problem) }
      }
    }
    let keys = try database.prepare("SELECT key FROM groups").rows { $0.integer(0) }
    for key in keys {
      try look { () throws(LedgerError) in _ = try rows.group(RowKey.ticket(key)) }
    }
    // Groups have been looked at with their blobs.
    for (table, columns) in TableColumns.all where table != "groups" {
      _ = try database.prepare("SELECT \(columns), row_digest FROM \(table)").rows {
        row throws(LedgerError) in
        try look { () throws(LedgerError) in _ = try rows.checked(table, row) }
      }
    }
    return (count, problems)
  }
}
