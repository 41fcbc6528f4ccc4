// What a ledger keeps of the settings and the build a run's steps were taken under, and what it
// adds up to.

import Documents
import Experience
import Operations
import Replay
import Testing
import Wire

@Suite struct RunRecordTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/ledger.sqlite" }

  init() throws { folder = try TemporaryFolder() }

  func store() throws -> LedgerStore {
    try LedgerStore(path: path, newLineage: "line", settings: "seed 1")
  }

  @Test func `each step has the settings that counted then`() throws {
    let store = try store()
    try store.recordSettings(Samples.settings(), from: 0)
    try store.recordSettings(Samples.settings(["learner.learningRate=5e-5"]), from: 7)
    try store.recordSettings(Samples.settings(["learner.learningRate=4e-5"]), from: 7)
    let record = try LedgerReader(path: path).runRecord()
    #expect(record.settings.map(\.step) == [0, 7])
    #expect(record.settings(at: 6)?.learner.learningRate == 1e-4)
    #expect(record.settings(at: 7)?.learner.learningRate == 4e-5)
    #expect(
      SettingsChange.between(try #require(record.newestSettings), try Samples.settings()).map(\.key)
        == ["learner.learningRate"])
  }

  @Test func `a service refuses a ledger under other settings, and records those allowed`() throws {
    try ServiceHarness(folder).runOnce()
    let changed = ["learner.learningRate=5e-5"]
    let failure = #expect(throws: Failure.self) { try ServiceHarness(folder, changed).runOnce() }
    #expect(failure?.happened.contains("learner.learningRate from 0.0001 to 5e-05") == true)
    try ServiceHarness(folder, changed).runOnce(allowing: ["learner.learningRate"])
    try ServiceHarness(folder, changed).runOnce()
    #expect(throws: Failure.self) { try ServiceHarness(folder).runOnce() }
    // Free ones need no word.
    try ServiceHarness(folder, changed + ["actor.count=1"]).runOnce()
  }

  @Test func `a lineage file that was altered is written anew from the ledger`() throws {
    let harness = try ServiceHarness(folder)
    try harness.runOnce()
    let lineage = try harness.folder.lineage()
    try Files.writeDurably("\(folder.path)/lineage", "another\n")
    try harness.runOnce()
    #expect(try harness.folder.lineage() == lineage)
    try Files.remove("\(folder.path)/lineage")
    try harness.runOnce()
    #expect(try harness.folder.lineage() == lineage)
    // Neither text nor short enough to be read.
    for bytes in [[0xC3, 0x0A], [UInt8](repeating: 0x61, count: 1000)] {
      try Files.writeDurably("\(folder.path)/lineage", bytes)
      try harness.runOnce()
      #expect(try harness.folder.lineage() == lineage)
    }
  }

  @Test func `a learner of another build is let in only when that is meant`() throws {
    let harness = try ServiceHarness(folder)
    try harness.start()
    func hello(_ libm: String, _ processor: String, allows: Bool = false) throws -> Reply {
      try TestPeer(harness).ask(
        .hello(
          Hello(
            role: .learner, name: "learner", numericClass: "class",
            fingerprint: Fingerprint([.init("libm", libm), .init("processor", processor)]),
            allowsOtherBuild: allows))
      ).body
    }
    func epoch(_ reply: Reply) -> Int? {
      if case .welcome(let welcome) = reply { welcome.epoch } else { nil }
    }
    #expect(try epoch(hello("1", "p")) == 1)
    #expect(try epoch(hello("1", "another")) == 2)
    let refusal = try #require(try hello("2", "p").refusal)
    #expect(refusal == .numericClass)
    #expect(try epoch(hello("2", "p", allows: true)) == 3)
    #expect(try hello("1", "p").refusal == .numericClass)
    try harness.end()
    let record = try LedgerReader(path: harness.folder.ledger).runRecord()
    #expect(record.newestFingerprint?.parts.first?.value == "2")
  }
}

@Suite struct LedgerAuditTests {
  let tests: StoreTests

  init() throws {
    tests = try StoreTests()
    let store = try tests.open()
    try tests.fill(store)
    try store.write([
      .drop(
        Drop(key: Samples.train(3), reason: .corrupt, wasAccepted: true, tokens: 8, bytes: 100))
    ])
  }

  @Test func `both laws hold over the rows of a ledger`() throws {
    let audit = try LedgerReader(path: tests.path).audit()
    #expect(audit.problems == [])
    #expect(audit.ticketLaw == "tickets granted 4 = filled 3 + outstanding 0 + un-filled 1")
    #expect(
      audit.groupLaw.hasPrefix(
        "groups accepted 4 = trained 2 + without-spread 0 + skipped 0 + ready 1 + leased 0"))
    #expect(audit.groupLaw.contains("dropped as corrupt 1"))
  }

  @Test(arguments: [
    ("DELETE FROM groups WHERE key = 1", "the group of ticket 1 is gone"),
    ("DELETE FROM retired WHERE number = 0", "ticket 0 of step 0 is not retired"),
    ("UPDATE retired SET step = 5 WHERE number = 0", "retired by step 5"),
    (
      "INSERT INTO retired (number, step, position, fate) VALUES (2, 0, 2, 'trained')",
      "ticket 2 is retired, and no step has it"
    ),
    ("DELETE FROM versions WHERE number = 1", "version 1 is not the one step 0 made"),
    ("UPDATE retired SET fate = 'lost' WHERE number = 0", "the law of groups does not hold"),
  ])
  func `tables that do not tell one story are named`(sql: String, words: String) throws {
    try tests.tamper(sql)
    let problems = try LedgerReader(path: tests.path).audit().problems
    #expect(problems.contains { $0.contains(words) }, "\(problems)")
  }
}

extension ServiceHarness {
  /// Starts and stops it; throws what it threw.
  func runOnce(allowing keys: [String] = []) throws {
    try start(allowing: keys)
    try end()
  }
}
