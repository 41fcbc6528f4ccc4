// Going back: what a fork keeps, what it drops, and that both laws hold in it by themselves.

import Digests
import Experience
import Operations
import Replay
import Testing
import Wire

@Suite struct ForkTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { "\(folder.path)/\(name).sqlite" }

  /// Four steps of two groups, two groups of the fifth leased, one ready, one dropped before.
  private func parent() throws {
    let store = try LedgerStore(
      path: path("parent"), newLineage: "line", settings: "the parent's")
    try store.record(StoreTests.epoch(1))
    let groups = (0..<11).map {
      Samples.group(Samples.train($0), version: Samples.version($0 / 4, lineage: "line"))
    }
    try store.write(groups.map { .group(Samples.pending($0)) })
    let key = TicketKey(purpose: .evaluate(version: 3), number: 0)
    let evaluated = Samples.group(key, version: Samples.version(3, lineage: "line"))
    try store.write([.group(Samples.pending(evaluated)), .abandonedEvaluation(version: 3)])
    let stale = Drop(
      key: Samples.train(11), reason: .stale, wasAccepted: true, tokens: 8, bytes: 100)
    try store.write([
      .group(Samples.pending(Samples.group(Samples.train(11), version: StoreTests.first)))
    ])
    try store.write([.drop(stale)])
    for step in 0..<4 {
      let tickets = [2 * step, 2 * step + 1]
      var record = StoreTests.commit(tickets: tickets, step: step)
      record.lowWater = 2 * step + 2
      // The third step trains one of the first once more.
      if step == 2 { record.commit.reused = [0] }
      try store.recordLease(
        step: step, epoch: 1, Batch(tickets: tickets, reused: record.commit.reused))
      try store.record(record) { groups[$0] }
    }
    try store.recordLease(step: 4, epoch: 1, Batch(tickets: [8, 9]))
    try store.foldLog()
  }

  private func fork(after steps: Int, as name: String) throws -> DropCount {
    let reader = try LedgerReader(path: path("parent"))
    let parentage = try #require(try reader.parentage(steps: steps, folder: "runs/parent-001"))
    return try reader.fork(
      to: path(name), lineage: name, settings: try Samples.settings(), parent: parentage)
  }

  private func ledger(_ history: LedgerHistory, lineage: String) -> Ledger {
    Ledger(
      LedgerConfiguration(
        run: "run", lineage: lineage, settings: .object([]), groupsPerStep: 2, lagMax: 1, steps: 9,
        ticketLeaseNanoseconds: 1_000_000_000), history: history, at: 0)
  }

  @Test(arguments: 0...4)
  func `both laws hold after a fork, and each later group is dropped as forked`(_ steps: Int) throws
  {
    try parent()
    let dropped = try fork(after: steps, as: "fork")
    #expect(dropped.groups == 11 - 2 * steps)
    #expect(dropped.tokens == 8 * dropped.groups)
    let store = try LedgerStore(path: path("fork"), newLineage: "", settings: "the parent's")
    let history = try store.history()
    #expect(store.lineage == "fork")
    #expect(history.version?.number == steps)
    #expect(history.version?.lineage == "fork")
    #expect(history.version?.digest == Samples.version(steps, lineage: "").digest)
    #expect(history.accepted == 12)
    #expect(history.fates.values.reduce(0, +) == 2 * steps)
    #expect(history.dropped[.forked]?.groups == 11 - 2 * steps)
    #expect(history.dropped[.stale]?.groups == 1)
    #expect(history.unfilled.sorted() == Array(2 * steps...11))
    #expect(history.lowWater == 2 * steps)
    #expect(history.lease == nil)
    #expect(history.groups.isEmpty)
    #expect(history.announcement == nil)
    #expect(history.closedEvaluations == (steps >= 3 ? [3: false] : [:]))
    let ledger = ledger(history, lineage: "fork")
    #expect(ledger.brokenLaw() == nil)
    let reader = try LedgerReader(path: path("fork"))
    #expect(try reader.verify().problems.isEmpty)
    #expect(try reader.audit().problems == [])
    #expect(try reader.commits().map(\.commit.batch).count == steps)
    #expect(try reader.parentage()?.lineage == "line")
    #expect(try reader.parentage()?.steps == steps)
    #expect(try reader.runRecord().settings.map(\.step) == [steps])
  }

  @Test func `the parent is as it was, and forks of forks name their own parent`() throws {
    try parent()
    let before = try LedgerReader(path: path("parent")).overview()
    _ = try fork(after: 3, as: "fork")
    #expect(try LedgerReader(path: path("parent")).overview() == before)
    #expect(before.parent == nil)
    let reader = try LedgerReader(path: path("fork"))
    let again = try #require(try reader.parentage(steps: 1, folder: "runs/fork"))
    let dropped = try reader.fork(
      to: path("again"), lineage: "again", settings: try Samples.settings(), parent: again)
    #expect(dropped.groups == 4)
    let history = try LedgerStore(
      path: path("again"), newLineage: "", settings: "the parent's"
    ).history()
    // Dropped once in each fork.
    #expect(history.dropped[.forked]?.groups == 9)
    #expect(history.accepted == 12)
    #expect(ledger(history, lineage: "again").brokenLaw() == nil)
    #expect(try LedgerReader(path: path("again")).parentage()?.lineage == "fork")
  }

  @Test func `a step the parent has not reached has no parentage`() throws {
    try parent()
    #expect(try LedgerReader(path: path("parent")).parentage(steps: 5, folder: "") == nil)
  }

  @Test func `dropped groups' tickets are granted again, as far as the pace allows`() throws {
    try parent()
    _ = try fork(after: 2, as: "fork")
    let history = try LedgerStore(
      path: path("fork"), newLineage: "", settings: "the parent's"
    ).history()
    var ledger = ledger(history, lineage: "fork")
    let peer = Peer([1])
    let second: Int64 = 1_000_000_000
    let version = PolicyVersion(
      lineage: "fork", number: 2, digest: Samples.version(2, lineage: "").digest)
    _ = ledger.handle(
      .hello(Asker(peer, 1), Hello(role: .actor, name: "a", numericClass: "")), at: 2 * second)
    _ = ledger.handle(.tick, at: 2 * second + 1)
    func ask(_ id: Int) -> Reply? {
      let actions = ledger.handle(
        .tickets(Asker(peer, id), TicketRequest(version: version, count: 3)), at: 2 * second + 2)
      guard case .reply(_, let reply)? = actions.first else { return nil }
      return reply
    }
    func granted(_ reply: Reply?) -> [Int]? {
      guard case .tickets(let tickets)? = reply else { return nil }
      return tickets.map(\.key.number)
    }
    #expect(granted(ask(2)) == [4, 5, 6])
    #expect(granted(ask(3)) == [7])
    // Up to 11 all are to be given out again, but not yet. Nothing is to be fetched for them
    // either: the actor holds the newest version, and would fetch it again and again.
    #expect(ask(4) == nil)
  }
}
