// Learning from another run's ledger: what is taken, when, in which order, and what is refused.

import Digests
import Experience
import Operations
import Replay
import Testing
import Wire

@Suite struct OfflineTests {
  @Test func `groups are taken from the source a batch at a time, and no actor is let in`() {
    var transcript = Transcript(batch: 2, lagMax: 0, steps: 2, isOffline: true)
    transcript.run(
      """
      learner hello with 0  =>  record epoch 1
      recorded              =>  learner: welcome 1
      a hello               =>  a: refused role
      learner lease 0       =>  import 0 1
      tick 100
      sourced 0 1
      learner lease 0       =>  learner: wait for the later request of this peer
      stored 0 1            =>  record lease 0 of 0 1
      recorded              =>  learner: lease 0 of 0 1
      learner commit 0      =>  record commit 0, trained without-spread
      recorded              =>  learner: committed 0
      learner lease 1       =>  import 2 3
      # The disk is full: nothing is taken until the learner asks again.
      sourced
      tick 1000             =>  learner: wait for replay to take the groups of step 1 from disk
      learner lease 1       =>  import 2 3
      sourced 2 3
      full 2 3
      tick 1000             =>  learner: wait for replay to take the groups of step 1 from disk
      learner lease 1       =>  import 2 3
      sourced 2 3
      stored 2 3            =>  record lease 1 of 2 3
      recorded              =>  learner: lease 1 of 2 3
      # A stored copy that is damaged is taken once more.
      learner lease 1       =>  learner: lease 1 of 2 3
      damaged 2             =>  forget lease 1; drop 2 corrupt; import 2
      sourced 2
      stored 2              =>  record lease 1 of 2 3
      recorded              =>  learner: lease 1 of 2 3
      learner commit 1      =>  record commit 1, trained without-spread
      recorded              =>  learner: committed 1
      """)
    #expect(transcript.ledger.isFinished)
  }

  static func listed(_ spreads: [Double]) -> [SourceGroup] {
    spreads.enumerated().map {
      SourceGroup(
        number: 10 + $0.offset, blobDigest: Digest(of: [UInt8($0.offset)]), version: $0.offset,
        spread: $0.element)
    }
  }

  @Test(arguments: ReplaySelection.allCases)
  func `each pass holds each group once, and any ticket can be asked for alone`(
    _ selection: ReplaySelection
  ) {
    let groups = Self.listed([1, 0, 2, 3, 0.5])
    var feed = OfflineFeed(groups, selection, seed: 3, path: "")
    let numbers = (0..<15).map { feed.entry($0).number }
    for pass in 0..<3 {
      #expect(numbers[5 * pass..<5 * pass + 5].sorted() == [10, 11, 12, 13, 14])
    }
    for ticket in [14, 0, 7] {
      var alone = OfflineFeed(groups, selection, seed: 3, path: "")
      #expect(alone.entry(ticket).number == numbers[ticket])
    }
    switch selection {
    case .recorded: #expect(numbers.prefix(5) == [10, 11, 12, 13, 14])
    case .newest: #expect(numbers.prefix(5) == [14, 13, 12, 11, 10])
    case .uniform, .prioritized: #expect(numbers[..<5] != numbers[5..<10])
    }
  }

  // MARK: A service over a source

  /// A finished run of 12 groups in a folder of its own.
  private func source() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let harness = try ServiceHarness(folder)
    try harness.start()
    let learner = try TestPeer(harness)
    let endpoint = harness.endpoint
    let actor = try WorkerThread(name: "actor") {
      try actToTheEnd(
        try TestPeer(endpoint: endpoint, deadlineMilliseconds: 30_000), name: "actor-0")
    }
    _ = try learnToTheEnd(learner)
    _ = actor.join(deadline: .after(seconds: 30))
    try harness.end()
    return folder
  }

  @Test func `an offline run trains what the source holds, and repeats its batches`() throws {
    let source = try source()
    func run(_ folder: TemporaryFolder) throws -> [String] {
      let harness = try ServiceHarness(
        folder,
        [
          "replay.mode=offline", "replay.source=\(source.path)", "replay.maximumUses=2",
          "run.steps=6",
        ])
      try harness.start()
      let (batches, evaluations) = try learnToTheEnd(try TestPeer(harness))
      #expect(batches == (0..<6).map { step in Array(4 * step..<4 * step + 4) })
      #expect(evaluations.isEmpty)
      let refused = #expect(throws: TestPeer.Unexpected.self) {
        _ = try TestPeer(harness).hello(actor: "actor-9")
      }
      #expect(refused != nil)
      try harness.end()
      let reader = try LedgerReader(path: harness.folder.ledger)
      #expect(try reader.verify().problems.isEmpty)
      #expect(try reader.audit().problems.isEmpty)
      let lineage = try LedgerReader(path: "\(source.path)/ledger.sqlite").lineage
      #expect(try reader.overview().sourceLineage == lineage)
      return try (0..<24).map {
        let group = try #require(try reader.group(TicketKey(purpose: .train, number: $0)))
        return group.exercise
      }
    }
    let one = try TemporaryFolder()
    let two = try TemporaryFolder()
    let exercises = try run(one)
    #expect(try run(two) == exercises)
    #expect(Set(exercises[..<12]).count == 12)
    #expect(Set(exercises[12...]) == Set(exercises[..<12]))
    #expect(Array(exercises[12...]) != Array(exercises[..<12]))
  }

  @Test func `a source that gives too few groups, or others, is refused with the arithmetic`()
    throws
  {
    let source = try source()
    func refusal(_ overrides: [String]) throws -> String {
      let folder = try TemporaryFolder()
      let harness = try ServiceHarness(
        folder, ["replay.mode=offline", "replay.source=\(source.path)"] + overrides)
      try harness.start()
      do {
        try harness.waitForEnd()
        return ""
      } catch { return "\(error)" }
    }
    let few = try refusal(["run.steps=7", "replay.maximumUses=2"])
    #expect(few.contains("7 x 4") && few.contains("12 x replay.maximumUses 2 = 24"), "\(few)")
    #expect(few.contains("lower run.steps to 6"))
    let size = try refusal(["run.steps=1", "sampling.groupSize=3"])
    #expect(size.contains("ticket 0 of") && size.contains("2 trajectories, expected 3"), "\(size)")
    let short = try refusal(["run.steps=1", "sampling.maximumNewTokens=3"])
    #expect(short.contains("expected 1 to 3"), "\(short)")
    let warm = try refusal(["run.steps=1", "sampling.temperature=0.5"])
    #expect(warm.contains("temperature"), "\(warm)")
  }

  @Test func `a source of an older format is refused by its number`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/ledger.sqlite"
    let fixture = Files.folder(of: #filePath) + "/Fixtures/ledger-1.sqlite"
    try Files.writeDurably(path, try Files.read(fixture))
    let older = #expect(throws: LedgerError.self) { _ = try OfflineSource(folder.path) }
    #expect(older?.description.contains("ledger format 1") == true)
  }

  @Test func `a source that changed under a run is found when its group is needed`() throws {
    let source = try source()
    let stock = try OfflineSource(source.path).stock(
      limits: GroupLimits(
        groupSize: 2, maximumPositions: 72, maximumNewTokens: 64, vocabularySize: 99),
      temperature: 1)
    #expect(stock.count == 12)
    var entry = stock.groups[3]
    _ = try OfflineSource(source.path).group(entry, as: 0)
    entry.blobDigest = Digest(of: [1])
    let changed = #expect(throws: LedgerError.self) {
      _ = try OfflineSource(source.path).group(entry, as: 0)
    }
    #expect(changed?.description.contains("another than when this run began") == true)
    let foreign = #expect(throws: Refusal.self) {
      _ = try OfflineSource(source.path).stock(
        limits: GroupLimits(
          groupSize: 2, maximumPositions: 72, maximumNewTokens: 64, vocabularySize: 4),
        temperature: 1)
    }
    #expect(foreign?.sentence.contains("the vocabulary has 4") == true)
  }
}
