import CSQLite
import Digests
import Experience
import Operations
import Replay
import Testing
import Wire

/// Changes a ledger's file behind its back.
enum Tampering {
  static func run(_ sql: String, on path: String) throws {
    var handle: OpaquePointer?
    let opened = sqlite3_open(path, &handle)
    defer { sqlite3_close_v2(handle) }
    try #require(opened == SQLITE_OK)
    try #require(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK)
  }
}

@Suite struct StoreTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/ledger.sqlite" }

  init() throws { folder = try TemporaryFolder() }

  func open(settings: String = "seed 1") throws -> LedgerStore {
    try LedgerStore(path: path, newLineage: "line", settings: settings)
  }

  static let first = Samples.version(0, lineage: "line")

  static func epoch(_ number: Int) -> EpochRecord {
    EpochRecord(
      epoch: number, instance: "process \(number)",
      announcement: Announcement(
        weightsAddress: "w", announceAddress: "a",
        files: [NamedDigest(name: "config.json", digest: first.digest)]),
      firstVersion: number == 1 ? first : nil)
  }

  static func commit(tickets: [Int], step: Int = 0) -> CommitRecord {
    let trained = tickets.flatMap { ticket in
      (0..<2).map {
        TrainedTrajectory(
          ticket: ticket, sample: $0, isTrained: true, advantage: $0 == 0 ? 1 : -1,
          ratioLeast: 0.5, ratioMean: 1, ratioGreatest: Float(1 + ticket), kl: .nan,
          clippedShare: 0.25, entropy: 2)
      }
    }
    let commit = StepCommit(
      step: step, epoch: 1, outcome: .trained, tickets: tickets,
      version: Samples.version(step + 1, lineage: "line"), stateDigest: first.digest,
      checkpoint: "step-000001", trajectories: trained)
    return CommitRecord(
      commit: commit, fates: tickets.map { _ in .trained }, lowWater: 2, deliveredEvaluations: [])
  }

  /// Four groups, two of them trained by step 0.
  func fill(_ store: LedgerStore) throws {
    try store.record(Self.epoch(1))
    let groups = (0..<4).map { Samples.group(Samples.train($0), version: Self.first) }
    try store.write(groups.map { .group(Samples.pending($0)) })
    try store.recordLease(step: 0, epoch: 1, Batch(tickets: [0, 1]))
    try store.record(Self.commit(tickets: [0, 1])) { groups[$0] }
  }

  func tamper(_ sql: String) throws { try Tampering.run(sql, on: path) }

  @Test func `a ledger read back is the ledger that was written`() throws {
    try fill(try open())
    let store = try open()
    let history = try store.history()
    #expect(history.epoch == 1)
    #expect(history.learnerInstances == ["process 1"])
    #expect(history.version == Samples.version(1, lineage: "line"))
    #expect(history.digests[0] == Self.first.digest)
    #expect(history.announcement == Self.epoch(1).announcement)
    #expect(history.lastCommit?.tickets == [0, 1])
    #expect(history.lastCommit?.checkpoint == "step-000001")
    #expect(history.lease == nil)
    #expect(history.lowWater == 2)
    #expect(history.groups.keys.sorted() == [2, 3])
    #expect(history.accepted == 4)
    #expect(history.fates == [.trained: 2])
    let group = Samples.group(Samples.train(2), version: Self.first)
    var known = GroupTally(group)
    known.completed = 0
    #expect(history.groups[2]?.tally == known)
    #expect(try store.group(Samples.train(2))?.blob == group.encoded())
    let ledger = Ledger(
      LedgerConfiguration(
        run: "run", lineage: "line", settings: .object([]), groupsPerStep: 2, lagMax: 1, steps: 9,
        ticketLeaseNanoseconds: 1_000_000_000), history: history, at: 0)
    #expect(ledger.brokenLaw() == nil)
  }

  @Test func `a recorded lease outlives the process`() throws {
    do {
      let store = try open()
      try store.record(Self.epoch(1))
      let groups = (0..<3).map { Samples.group(Samples.train($0), version: Self.first) }
      try store.write(groups.map { .group(Samples.pending($0)) })
      try store.recordLease(step: 0, epoch: 1, Batch(tickets: [0, 2], reused: [1]))
    }
    #expect(try open().history().lease == Batch(tickets: [0, 2], reused: [1]))
  }

  @Test func `drops are counted and their tickets are open again`() throws {
    let store = try open()
    try store.record(Self.epoch(1))
    let group = Samples.group(Samples.train(0), version: Self.first)
    try store.write([.group(Samples.pending(group))])
    let drop = Drop(
      key: Samples.train(0), reason: .stale, wasAccepted: true, tokens: 8, bytes: 100)
    var other = drop
    other.wasAccepted = false
    other.reason = .invalid
    try store.write([.drop(drop), .drop(other)])
    var history = try store.history()
    #expect(history.unfilled == [0])
    #expect(history.dropped == [.stale: DropTotals(groups: 1, tokens: 8, bytes: 100)])
    #expect(history.refused == [.invalid: DropTotals(groups: 1, tokens: 8, bytes: 100)])
    #expect(history.accepted == 1)
    // Filled again: accepted twice, dropped once.
    try store.write([.group(Samples.pending(group))])
    history = try store.history()
    #expect(history.unfilled.isEmpty)
    #expect(history.accepted == 2)
  }

  @Test func `a transaction that fails leaves nothing behind`() throws {
    let store = try open()
    let group = Samples.pending(Samples.group(Samples.train(0), version: Self.first))
    #expect(throws: LedgerError.self) { try store.write([.group(group), .group(group)]) }
    #expect(try store.history().groups.isEmpty)
    try store.write([.group(group)])
    #expect(try store.history().groups.count == 1)
  }

  @Test(arguments: [
    // A byte within the blob, a column beside it, a missing tail.
    """
    UPDATE groups SET blob = CAST(substr(blob, 1, 200) || x'00' || substr(blob, 202) AS BLOB)
    WHERE key = 2
    """,
    "UPDATE groups SET reward = reward + 1 WHERE key = 2",
    "UPDATE groups SET blob = substr(blob, 1, length(blob) - 1) WHERE key = 2",
    "UPDATE groups SET version = 1 WHERE key = 2",
  ])
  func `a flipped byte in a group is found before it is used`(_ sql: String) throws {
    try fill(try open())
    try tamper(sql)
    let store = try open()
    #expect(throws: LedgerError.self) { _ = try store.group(Samples.train(2)) }
    #expect(try store.group(Samples.train(3)) != nil)
    let report = try LedgerReader(path: path).verify()
    #expect(report.problems.count == 1)
    #expect(report.problems.first?.contains("ticket 2") == true)
  }

  @Test(arguments: [
    "UPDATE commits SET outcome = 'empty'", "UPDATE leases SET tickets = '[1,0]'",
    "UPDATE versions SET digest = zeroblob(32) WHERE number = 1",
    "UPDATE trajectories SET advantage = 5 WHERE key = 1",
    "UPDATE trajectories SET use = 1 WHERE key = 1",
    "UPDATE groups SET spread = NULL WHERE key = 2",
    "UPDATE leases SET reused = '[3]'", "UPDATE commits SET reused = '[3]'",
    "UPDATE retired SET fate = 'skipped' WHERE number = 1",
    "UPDATE run SET value = '2' WHERE key = 'epoch'",
  ])
  func `an altered row of any table is found`(_ sql: String) throws {
    try fill(try open())
    #expect(try LedgerReader(path: path).verify().problems.isEmpty)
    try tamper(sql)
    #expect(try LedgerReader(path: path).verify().problems.isEmpty == false)
  }

  @Test func `a digest of another length is named, though its row matches its own`() throws {
    try fill(try open())
    let row = RowDigest.of("versions", [.integer(1), .blob([1, 2, 3]), .blob([4])])
    try tamper(
      """
      UPDATE versions SET digest = x'010203', state_digest = x'04',
        row_digest = x'\(Digest(bytes: row).hexadecimal)' WHERE number = 1
      """)
    let error = #expect(throws: LedgerError.self) {
      _ = try LedgerReader(path: path).parentage(steps: 1, folder: "runs/a")
    }
    #expect(error?.description.contains("the digest of version 1 has 3 bytes, not 32") == true)
  }

  @Test func `foreign, newer and other runs' files are refused with a sentence`() throws {
    try tamper("CREATE TABLE songs (title TEXT)")
    let foreign = #expect(throws: LedgerError.self) { _ = try open() }
    #expect(foreign?.description.contains("is not a ledger of Forage") == true)
    try Files.remove(path)

    _ = try open()
    let other = #expect(throws: LedgerError.self) { _ = try open(settings: "seed 2") }
    #expect(other?.description.contains("begun under settings seed 1") == true)
    try tamper("PRAGMA user_version = 99")
    let newer = #expect(throws: LedgerError.self) { _ = try open() }
    #expect(newer?.description.contains("ledger format 99") == true)

    try Files.remove(path)
    #expect(throws: LedgerError.self) { _ = try LedgerReader(path: path) }
    try Files.writeDurably(path, Array("not a database, but long enough".utf8))
    #expect(throws: LedgerError.self) { _ = try open() }
  }

  @Test func `a name with a NUL in it is read as it was written`() throws {
    let store = try open()
    try store.record(Self.epoch(1))
    let group = Samples.group(Samples.train(0), version: Self.first, actor: "before\0after")
    try store.write([.group(Samples.pending(group))])
    let reread = try open()
    #expect(try reread.group(Samples.train(0))?.blob == group.encoded())
    #expect(try reread.history().groups[0] != nil)
    #expect(try reread.history().dropped.isEmpty)
  }

  @Test func `a damaged page is found when the ledger is opened`() throws {
    do {
      let store = try open()
      try store.record(Self.epoch(1))
      let groups = (0..<60).map {
        Samples.group(Samples.train($0), version: Self.first, length: 60)
      }
      try store.write(groups.map { .group(Samples.pending($0)) })
      try store.foldLog()
    }
    var bytes = try Files.read(path)
    // The head of the last page: a b-tree's header.
    let start = bytes.count - 16384
    for index in start..<start + 64 { bytes[index] = 0xff }
    try Files.writeDurably(path, bytes)
    #expect(throws: LedgerError.self) { _ = try open() }
  }

  @Test func `a torn last commit is dropped, a log that would lose commits is refused`() throws {
    let store = try open()
    try fill(store)
    let log = try Files.read("\(path)-wal")
    let main = try Files.read(path)
    let copy = "\(folder.path)/copy.sqlite"
    func opened(_ log: [UInt8]) throws -> LedgerHistory {
      try? Files.remove("\(copy)-shm")
      try Files.writeDurably(copy, main)
      try Files.writeDurably("\(copy)-wal", log)
      return try LedgerStore(path: copy, newLineage: "line", settings: "seed 1").history()
    }
    #expect(try opened(log).lastCommit?.step == 0)
    // As a power cut within the last commit leaves it: short, or long with nothing in it.
    #expect(try opened(Array(log.dropLast(100))).lastCommit == nil)
    let frame = 24 + 16384
    #expect(
      try opened(log.dropLast(frame) + [UInt8](repeating: 0, count: frame)).lastCommit == nil)
    // One bit of the header, and of each part of the first frame: number, size, salt, sums, page.
    for place in [0, 9, 17, 30, 35, 39, 45, 50, 60, 5000] {
      var damaged = log
      damaged[place] ^= 4
      let error = #expect(throws: LedgerError.self, "byte \(place)") { try opened(damaged) }
      #expect(error?.isDamage == true && "\(error!)".contains("copy.sqlite-wal"))
    }
  }

  @Test func `a log is left alone until it is long, or longer than what is free`() throws {
    let store = try open()
    try fill(store)
    let written = store.logBytes
    #expect(written > 0)
    #expect(store.unfoldedBytes > 0 && store.unfoldedBytes <= written)
    try store.limitLog()
    #expect(store.logBytes == written)
    try store.limitLog(freeBytes: written)
    #expect(store.logBytes == written)
    try store.limitLog(freeBytes: written - 1)
    #expect(store.logBytes == 0)
  }

  @Test func `a reader answers by step, reward and ratio while the store is open`() throws {
    let store = try open()
    try fill(store)
    let reader = try LedgerReader(path: path)
    var filter = TrajectoryFilter()
    filter.steps = 0...0
    filter.reward = 1...1
    filter.ratioAbove = 1.5
    // Ticket t has a greatest ratio of 1 + t; sample 0 has reward 1.
    let rows = try reader.trajectories(filter)
    #expect(rows.map(\.key.number) == [1])
    #expect(rows.first?.sample == 0)
    #expect(rows.first?.reason == "right")
    #expect(rows.first?.parts.map(\.part) == ["format", "correct"])
    #expect(rows.first?.parts.map(\.value) == [0.25, 0.75])
    #expect(rows.first?.trained?.clippedShare == 0.25)
    // What was not a number comes back as none.
    #expect(rows.first?.trained?.kl.isNaN == true)
    #expect(try reader.trajectories().count == 4)
    #expect(try reader.commits().map(\.commit.tickets) == [[0, 1]])
    #expect(try reader.group(Samples.train(3))?.exercise == "add 3")
    let overview = try reader.overview()
    #expect(overview.trainingGroups == 4)
    #expect(overview.version == Samples.version(1, lineage: "line"))
  }

  @Test func `evaluations come back, delivered or not`() throws {
    let store = try open()
    try store.record(Self.epoch(1))
    let key = TicketKey(purpose: .evaluate(version: 0), number: 2)
    var group = Samples.group(key, version: Self.first)
    group.trajectories[1].verdict = .invalid("the program died: \"part\":\"invalid\"")
    let pending = Samples.pending(group)
    try store.write([.group(pending)])
    // Neighbors on both sides, which are none of it.
    let later = TicketKey(purpose: .evaluate(version: 1), number: 0)
    try store.write([
      .group(Samples.pending(Samples.group(later, version: Self.first))),
      .group(Samples.pending(Samples.group(Samples.train(0), version: Self.first))),
    ])
    #expect(pending.tally.completed == 1)
    #expect(pending.tally.invalid == 1)
    // A process that starts anew knows of the group what the one before knew.
    let tally = try #require(try store.history().evaluationGroups[0]?[2]?.tally)
    #expect(tally == pending.tally)
    // Means over 3 prompts of 2 samples; one group of them is there to count.
    let summary = EvaluationSummary(
      version: 0, prompts: 3, samples: 2, reward: 0.5, strict: 0.25, lenient: 0.5,
      completed: 1.0 / 6, invalid: 1, passAtK: 0.75, meanLength: 4)
    try store.write([.evaluation(summary), .abandonedEvaluation(version: 25)])
    let history = try store.history()
    #expect(history.undelivered == [summary])
    #expect(history.closedEvaluations == [0: true, 25: false])
    #expect(history.evaluationGroups[0] == nil)
    #expect(try LedgerReader(path: path).evaluations() == [summary])
    var filter = TrajectoryFilter()
    filter.purpose = .evaluate(version: 0)
    #expect(try LedgerReader(path: path).trajectories(filter).map(\.sample) == [0, 1])
  }
}
