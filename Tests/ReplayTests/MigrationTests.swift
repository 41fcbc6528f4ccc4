// Ledgers of older formats, as the programs of their time wrote them (Fixtures/README.md).

import Experience
import Operations
import Replay
import Testing

@Suite struct MigrationTests {
  static let settings =
    "run.seed=1 learner.groupsPerStep=2 sampling.groupSize=2 evaluation.prompts=2 "
    + "evaluation.samples=2"

  let folder: TemporaryFolder
  var path: String { "\(folder.path)/ledger.sqlite" }

  /// A copy of the file of format 1.
  init() throws {
    folder = try TemporaryFolder()
    try copy(format: 1)
  }

  private func copy(format: Int) throws {
    let fixture = Files.folder(of: #filePath) + "/Fixtures/ledger-\(format).sqlite"
    try Files.writeDurably(path, try Files.read(fixture))
  }

  private func open() throws -> LedgerStore {
    try LedgerStore(path: path, newLineage: "", settings: Self.settings)
  }

  @Test func `a ledger of format 1 is brought up to date and tells what it told`() throws {
    let history = try open().history()
    #expect(history.version?.description == "g-ffba57ba/7@\(history.version!.digest.short)")
    #expect(history.epoch == 1)
    #expect(history.lease == Batch(tickets: [14, 15]))
    #expect(history.groups.keys.sorted() == [14, 15, 16, 17])
    #expect(history.unfilled == [18])
    #expect(history.lowWater == 14)
    #expect(history.accepted == 19)
    #expect(history.fates.values.reduce(0, +) == 14)
    #expect(history.dropped == [.stale: DropTotals(groups: 1, tokens: 20, bytes: 900)])
    #expect(history.refused == [.invalid: DropTotals(groups: 1, tokens: 11, bytes: 800)])
    #expect(history.undelivered.map(\.version) == [4])
    #expect(history.closedEvaluations == [0: true, 4: true, 6: false])
    #expect(history.announcement?.files.map(\.name) == ["config.json", "tokenizer.json"])
    let ledger = Ledger(
      LedgerConfiguration(
        run: "golden", lineage: "g-ffba57ba", settings: .object([]), groupsPerStep: 2, lagMax: 1,
        steps: 9, ticketLeaseNanoseconds: 1_000_000_000), history: history, at: 0)
    #expect(ledger.brokenLaw() == nil)
    let reader = try LedgerReader(path: path)
    // Every row: 22 groups, 36 trajectories, 8 versions, leases, 7 commits, 7 names, 14 retired,
    // 2 drops, 3 evaluations.
    let report = try reader.verify()
    #expect(report.problems.isEmpty)
    #expect(report.rows == 22 + 36 + 8 + 8 + 7 + 7 + 14 + 2 + 3)
    let group = try #require(try reader.group(TicketKey(purpose: .train, number: 3)))
    #expect(group.trajectories.count == 2)
    // Once more: nothing is left to do.
    #expect(try open().history().accepted == 19)
  }

  @Test func `a ledger of format 2 is brought up to date, rows and digests as they were`() throws {
    try copy(format: 2)
    let older = #expect(throws: LedgerError.self) { _ = try LedgerReader(path: path) }
    #expect(older?.description.contains("ledger format 2 and this program reads 3") == true)
    let history = try open().history(
      reuse: ReuseRules(groups: 1, selection: .uniform, maximumUses: 4, maximumLag: 8, seed: 1))
    #expect(history.version?.description.hasPrefix("golden2-d04682a4/8@") == true)
    #expect(history.lowWater == 16)
    #expect(history.accepted == 16)
    #expect(history.reuses == 6)
    #expect(history.lastCommit?.tickets == [14, 15])
    #expect(history.lastCommit?.reused == [8])
    #expect(history.lastCommit?.curriculum == nil)
    #expect(history.openings == [0])
    let reader = try LedgerReader(path: path)
    let report = try reader.verify()
    #expect(report.problems.isEmpty)
    #expect(report.rows == 9 + 9 + 22 + 16 + 56 + 8 + 8 + 3 + 6)
    #expect(try reader.audit().problems.isEmpty)
    try Tampering.run("UPDATE commits SET reused = '[9]' WHERE step = 7", on: path)
    #expect(try reader.verify().problems.count == 1)
  }

  @Test func `it is read by nobody before it is up to date, and the refusal names the format`()
    throws
  {
    let older = #expect(throws: LedgerError.self) { _ = try LedgerReader(path: path) }
    #expect(older?.description.contains("ledger format 1 and this program reads 3") == true)
    _ = try open()
    _ = try LedgerReader(path: path)
  }

  @Test(arguments: [
    "UPDATE groups SET tokens = tokens + 1 WHERE key = 15",
    "UPDATE groups SET blob = zeroblob(length(blob)) WHERE key = 15",
    "UPDATE trajectories SET reward = 9 WHERE key = 3 AND sample = 1",
    "UPDATE commits SET tickets = '[1,0]' WHERE step = 0",
    "UPDATE leases SET tickets = '[1,0]' WHERE step = 0",
  ])
  func `a row that was damaged before is damaged after`(_ sql: String) throws {
    try Tampering.run(sql, on: path)
    _ = try open()
    #expect(try LedgerReader(path: path).verify().problems.count == 1)
  }

  @Test func `a format of the future is refused by its number and left as it is`() throws {
    try Tampering.run("PRAGMA user_version = 4", on: path)
    let newer = #expect(throws: LedgerError.self) { _ = try open() }
    #expect(newer?.description.contains("has ledger format 4") == true)
    let reading = #expect(throws: LedgerError.self) { _ = try LedgerReader(path: path) }
    #expect(reading?.description.contains("has ledger format 4") == true)
    try Tampering.run("PRAGMA user_version = 1", on: path)
    #expect(try open().history().accepted == 19)
  }
}
