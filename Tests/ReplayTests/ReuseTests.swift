// Groups trained on more than once: which, how often, how old, and that it is recorded first.

import Experience
import Operations
import Replay
import Testing
import Wire

@Suite struct ReuseTests {
  static func rules(
    groups: Int = 1, _ selection: ReplaySelection = .newest, uses: Int = 2, lag: Int = 8
  ) -> ReuseRules {
    ReuseRules(groups: groups, selection: selection, maximumUses: uses, maximumLag: lag, seed: 1)
  }

  /// Step k of one ticket at lag 0, all of it, with the lease it must get.
  static func step(_ number: Int, again: String = "", commit: String = "") -> String {
    """
    a tickets 1 with \(number)        =>  a: tickets \(number)
    a group \(number) of \(number)    =>  store \(number)
    stored \(number)                  =>  a: ack \(number)
    learner lease \(number)           =>  record lease \(number) of \(number)\(again)
    recorded                          =>  learner: lease \(number) of \(number)\(again)
    learner commit \(number)\(commit) =>  record commit \(number), trained
    recorded                          =>  learner: committed \(number)
    """
  }

  @Test func `a batch carries a trained group once more, as often as the limit allows`() {
    var transcript = Transcript(batch: 1, lagMax: 0, reuse: Self.rules(uses: 3))
    transcript.run(
      [
        TranscriptTests.opening, Self.step(0), Self.step(1, again: " again 0"),
        Self.step(2, again: " again 1"), Self.step(3, again: " again 2"),
        Self.step(4, again: " again 3"),
      ].joined(separator: "\n"))
    var old = Transcript(batch: 1, lagMax: 0, reuse: Self.rules(groups: 2, uses: 3))
    old.run(
      [
        TranscriptTests.opening, Self.step(0), Self.step(1, again: " again 0"),
        // Ticket 0 is used for the third time, and no more.
        Self.step(2, again: " again 1 0"), Self.step(3, again: " again 2 1"),
      ].joined(separator: "\n"))
  }

  @Test func `a group older than the bound is not reused`() {
    var transcript = Transcript(batch: 1, lagMax: 0, reuse: Self.rules(groups: 9, uses: 99, lag: 2))
    transcript.run(
      [
        TranscriptTests.opening, Self.step(0), Self.step(1, again: " again 0"),
        Self.step(2, again: " again 1 0"), Self.step(3, again: " again 2 1"),
      ].joined(separator: "\n"))
  }

  @Test func `groups without spread and those of a skipped step are not reused`() {
    var transcript = Transcript(batch: 2, lagMax: 0, reuse: Self.rules(groups: 9))
    transcript.run(
      TranscriptTests.opening + """

        a tickets 2 with 0    =>  a: tickets 0 1
        a group 0 of 0        =>  store 0
        a group 1 of 0        =>  store 1
        stored 0 1            =>  a: ack 0; a: ack 1
        learner lease 0       =>  record lease 0 of 0 1
        recorded              =>  learner: lease 0 of 0 1
        learner commit 0      =>  record commit 0, trained without-spread
        recorded              =>  learner: committed 0
        a tickets 2 with 1    =>  a: tickets 2 3
        a group 2 of 1        =>  store 2
        a group 3 of 1        =>  store 3
        stored 2 3            =>  a: ack 2; a: ack 3
        learner lease 1       =>  record lease 1 of 2 3 again 0
        recorded              =>  learner: lease 1 of 2 3 again 0
        learner commit 1 skipped digest 1  =>  record commit 1, skipped skipped
        recorded              =>  learner: committed 1
        """)
    #expect(transcript.ledger.brokenLaw() == nil)
    #expect(transcript.ledger.status().contains { $0.0 == "groups" && $0.1["reusable"] == 0 })
    #expect(transcript.ledger.status().contains { $0.0 == "groups" && $0.1["reuses"] == 1 })
  }

  @Test func `asked again, the lease is the same, and a commit names all of it`() {
    var transcript = Transcript(batch: 1, lagMax: 0, reuse: Self.rules())
    transcript.run(
      TranscriptTests.opening + "\n" + Self.step(0) + """

        a tickets 1 with 1      =>  a: tickets 1
        a group 1 of 1          =>  store 1
        stored 1                =>  a: ack 1
        learner lease 1         =>  record lease 1 of 1 again 0
        recorded                =>  learner: lease 1 of 1 again 0
        learner lease 1         =>  learner: lease 1 of 1 again 0
        rival hello with 1      =>  record epoch 2
        recorded                =>  rival: welcome 2
        rival lease 1           =>  rival: lease 1 of 1 again 0
        rival commit 1 fresh    =>  rival: refused order
        rival commit 1          =>  record commit 1, trained
        """)
  }

  @Test func `a damaged group is reused no more, and no ticket is open for it`() {
    var transcript = Transcript(batch: 1, lagMax: 0, reuse: Self.rules())
    transcript.run(
      TranscriptTests.opening + "\n" + Self.step(0) + """

        a tickets 1 with 1      =>  a: tickets 1
        a group 1 of 1          =>  store 1
        stored 1                =>  a: ack 1
        learner lease 1         =>  record lease 1 of 1 again 0
        damaged 0               =>  record lease 1 of 1
        recorded                =>  learner: lease 1 of 1
        a tickets 1 with 1
        tick 1000               =>  a: wait for the learner to commit step 1
        """)
  }

  // MARK: The order

  static func candidates(_ spreads: [Double]) -> [ReplayOrder.Candidate] {
    spreads.enumerated().map {
      ReplayOrder.Candidate(number: $0.offset, version: $0.offset / 2, spread: $0.element)
    }
  }

  @Test(arguments: ReplaySelection.allCases)
  func `an order holds each group once and is the same when asked again`(_ by: ReplaySelection) {
    let some = Self.candidates([0.5, 0, 2, 1, 0, 3])
    let order = ReplayOrder.sorted(some, by: by, seed: 7, round: 3)
    #expect(order.sorted() == Array(0..<6))
    #expect(ReplayOrder.sorted(some.reversed(), by: by, seed: 7, round: 3) == order)
    switch by {
    case .recorded: #expect(order == [0, 1, 2, 3, 4, 5])
    case .newest: #expect(order == [5, 4, 3, 2, 1, 0])
    case .uniform: #expect(order != ReplayOrder.sorted(some, by: by, seed: 7, round: 4))
    case .prioritized: #expect(order.suffix(2) == [1, 4])
    }
  }

  @Test func `the first choice falls on each in proportion to its spread, or on all alike`() {
    let spreads = [1.0, 3, 0, 4]
    for selection in [ReplaySelection.prioritized, .uniform] {
      var first = [0.0, 0, 0, 0]
      let rounds = 20_000
      for round in 0..<rounds {
        let order = ReplayOrder.sorted(
          Self.candidates(spreads), by: selection, seed: 5, round: round)
        first[order[0]] += 1 / Double(rounds)
      }
      for (share, spread) in zip(first, spreads) {
        let expected = selection == .uniform ? 0.25 : spread / 8
        // Five standard deviations of a share of 1/2 in 20,000 draws.
        #expect(abs(share - expected) < 0.018, "\(selection): \(first)")
      }
    }
  }
}

@Suite struct ReuseStoreTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/ledger.sqlite" }

  init() throws { folder = try TemporaryFolder() }

  private func fill() throws {
    let store = try LedgerStore(path: path, newLineage: "line", settings: "seed 1")
    try store.record(StoreTests.epoch(1))
    let groups = (0..<4).map { Samples.group(Samples.train($0), version: StoreTests.first) }
    try store.write(groups.map { .group(Samples.pending($0)) })
    try store.recordLease(step: 0, epoch: 1, Batch(tickets: [0, 1]))
    try store.record(StoreTests.commit(tickets: [0, 1])) { groups[$0] }
    try store.recordLease(step: 1, epoch: 1, Batch(tickets: [2, 3], reused: [1]))
    var again = StoreTests.commit(tickets: [2, 3], step: 1)
    again.commit.reused = [1]
    again.commit.trajectories += StoreTests.commit(tickets: [1], step: 1).commit.trajectories
    again.lowWater = 4
    try store.record(again) { groups[$0] }
  }

  @Test func `a reuse is on record with its step, its place and what training saw`() throws {
    try fill()
    let reader = try LedgerReader(path: path)
    #expect(try reader.commits().map(\.commit.batch) == [[0, 1], [2, 3, 1]])
    var filter = TrajectoryFilter()
    filter.ticket = 1
    let rows = try reader.trajectories(filter)
    #expect(rows.map(\.sample) == [0, 0, 1, 1])
    #expect(rows.map(\.use) == [0, 1, 0, 1])
    #expect(rows.map(\.step) == [0, 1, 0, 1])
    #expect(rows.allSatisfy { $0.reason.isEmpty == false && $0.trained != nil })
    #expect(try reader.verify().problems.isEmpty)
  }

  @Test func `what may be reused is read back with its uses`() throws {
    try fill()
    let store = try LedgerStore(path: path, newLineage: "", settings: "seed 1")
    let rules = ReuseTests.rules(lag: 8)
    let history = try store.history(reuse: rules)
    let spread = GroupTally(Samples.group(Samples.train(0), version: StoreTests.first)).spread
    #expect(spread > 0)
    #expect(history.reuses == 1)
    #expect(history.reusable.keys.sorted() == [0, 1, 2, 3])
    #expect(history.reusable[1] == ReusableGroup(version: 0, spread: spread, uses: 2))
    #expect(history.reusable[2] == ReusableGroup(version: 0, spread: spread, uses: 1))
    #expect(history.fates == [.trained: 4])
    #expect(try store.history(reuse: ReuseTests.rules(lag: 1)).reusable.isEmpty)
    let tampered = "UPDATE uses SET number = 0"
    try Tampering.run(tampered, on: path)
    #expect(throws: LedgerError.self) { _ = try store.history(reuse: rules) }
    #expect(try LedgerReader(path: path).verify().problems.count == 1)
  }

  @Test func `a service sends the groups of both kinds, and a restart repeats the lease`() throws {
    let harness = try ServiceHarness(
      folder, ["replay.mode=replay", "replay.reusedGroups=3", "replay.selection=prioritized"])
    try harness.start()
    let endpoint = harness.endpoint
    let actor = try WorkerThread(name: "actor") {
      try actToTheEnd(
        try TestPeer(endpoint: endpoint, deadlineMilliseconds: 30_000), name: "actor-0")
    }
    _ = try learnToTheEnd(try TestPeer(harness))
    _ = actor.join(deadline: .after(seconds: 30))
    try harness.end()
    let reader = try LedgerReader(path: harness.folder.ledger)
    let commits = try reader.commits().map(\.commit)
    #expect(commits.map(\.tickets.count) == [4, 4, 4])
    #expect(commits.map(\.reused.count) == [0, 3, 3])
    #expect(try reader.verify().problems == [])
    #expect(try reader.audit().problems == [])
    // The same batch again for who takes the last step once more.
    try harness.start()
    let learner = try TestPeer(harness)
    let epoch = try learner.helloAsLearner().epoch
    let answer = try learner.ask(.lease(LeaseRequest(step: 2, epoch: epoch)))
    guard case .lease(let batch) = answer.body else { throw TestPeer.Unexpected() }
    #expect(batch.batch == commits[2].batch)
    #expect(answer.payload.count == 7)
    try harness.end()
  }
}
