import Digests
import Documents
import Experience
import Messaging
import Operations
import Replay
import Testing
import Wire

@Suite struct ServiceTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func running(_ overrides: [String] = []) throws -> ServiceHarness {
    let harness = try ServiceHarness(folder, overrides)
    try harness.start()
    return harness
  }

  /// A learner has named version 0, and an actor has said hello.
  func opened(_ harness: ServiceHarness) throws -> (
    learner: TestPeer, actor: TestPeer, PolicyVersion
  ) {
    let learner = try TestPeer(harness)
    _ = try learner.helloAsLearner()
    let actor = try TestPeer(harness)
    let version = try #require(try actor.hello(actor: "actor-0").version)
    return (learner, actor, version)
  }

  func tickets(_ reply: Reply) throws -> [Ticket] {
    guard case .tickets(let tickets) = reply else { throw TestPeer.Unexpected() }
    return tickets
  }

  @Test func `two actors and a learner take a run to its end`() throws {
    let harness = try running(["evaluation.every=2"])
    let actors = try (0..<2).map { index in
      try WorkerThread(name: "actor-\(index)") { [harness = Handed(harness)] in
        try actToTheEnd(TestPeer(harness.value), name: "actor-\(index)")
      }
    }
    let (batches, evaluations) = try learnToTheEnd(TestPeer(harness))
    for actor in actors {
      if case .failed(let error) = actor.join(deadline: .after(seconds: 30)) { throw error }
      #expect(actor.join(deadline: .now).isFinished)
    }
    // At lag 0 step k trains exactly its own four tickets.
    #expect(batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    #expect(evaluations.map(\.version) == [0, 2, 3])
    // One of two samples is right, in every prompt.
    #expect(evaluations.map(\.strict) == [0.5, 0.5, 0.5])
    #expect(evaluations.map(\.completed) == [0.5, 0.5, 0.5])
    #expect(evaluations.map(\.invalid) == [0, 0, 0])
    #expect(evaluations.map(\.passAtK) == [1, 1, 1])
    try harness.end()
    let reader = try LedgerReader(path: harness.folder.ledger)
    #expect(try reader.commits().map(\.commit.tickets) == batches)
    #expect(try reader.trajectories(limit: 1000).count == 12 * 2 + 9 * 2)
    #expect(try reader.verify().problems == [])
  }

  @Test func `an actor of another task, or a group of another arithmetic, is refused and counted`()
    throws
  {
    let harness = try running()
    try harness.end()
    let ours = Digest(of: [1])
    try Files.writeDurably(harness.folder.definitions, "task \(ours.hexadecimal)\n")
    try harness.start()
    let (_, actor, version) = try opened(harness)
    func hello(_ name: String, _ digest: Digest) throws -> Reply {
      try actor.ask(
        .hello(
          Hello(
            role: .actor, name: "actor-0", numericClass: "class",
            files: [NamedDigest(name: name, digest: digest)]))
      ).body
    }
    #expect(try hello("task", ours).refusal == nil)
    #expect(try hello("what the run does not know", Digest(of: [2])).refusal == nil)
    let granted = try tickets(try actor.tickets(1, version))
    var group = Samples.group(granted[0].key, version: version)
    group.numericClass = "another"
    #expect(try actor.submit(group).refusal == .numericClass)
    #expect(try hello("task", Digest(of: [2])).refusal == .anotherRun)
    // Welcomed before, refused now: it is nobody any more.
    #expect(try actor.tickets(1, version).refusal == .helloFirst)
    let refused = try actor.status()["service"]?["refused"]
    #expect(refused?["another-run"] == .integer(1))
    #expect(refused?["numeric-class"] == .integer(1))
    #expect(refused?["hello-first"] == .integer(1))
    try harness.end()
  }

  @Test func `what was acknowledged is there after a restart, and leases begin afresh`() throws {
    let harness = try running()
    var (learner, actor, version) = try opened(harness)
    let granted = try tickets(try actor.tickets(3, version))
    #expect(granted.map(\.key.number) == [0, 1, 2])
    let first = Samples.group(granted[0].key, version: version)
    #expect(try actor.submit(first) == .acknowledged(granted[0].key))
    try harness.end()
    try harness.start()
    // The old connection is unknown to the new process.
    #expect(try actor.tickets(1, version).refusal == .helloFirst)
    actor = try TestPeer(harness)
    _ = try actor.hello(actor: "actor-0", holding: [granted[1].key])
    #expect(try actor.submit(first) == .acknowledged(granted[0].key))
    // Ticket 1 is still its own; ticket 2 was lost with the old process, so it comes again.
    var next: [Ticket] = []
    while next.isEmpty {
      if case .tickets(let tickets) = try actor.tickets(4, version) { next = tickets }
    }
    #expect(next.map(\.key.number) == [2, 3])
    for number in 1...3 {
      let group = Samples.group(Samples.train(number), version: version)
      #expect(try actor.submit(group) == .acknowledged(Samples.train(number)))
    }
    learner = try TestPeer(harness)
    let welcome = try learner.helloAsLearner()
    #expect(welcome.epoch == 4)
    let lease = try learner.ask(.lease(LeaseRequest(step: 0, epoch: 4)))
    guard case .lease(let batch) = lease.body else { throw TestPeer.Unexpected() }
    #expect(batch.tickets == [0, 1, 2, 3])
    #expect(lease.payload[0] == first.encoded())
    try harness.end()
  }

  @Test func `an errand goes to its actor with the next heartbeat, and the finding back`() throws {
    let harness = try running()
    let (learner, actor, _) = try opened(harness)
    let looker = try TestPeer(harness)
    let errand = LinkErrand(token: "t", repeats: 1, milliseconds: 100, parallel: 2)
    func measure(_ actor: String) throws -> Reply {
      try looker.ask(.measure(MeasureRequest(actor: actor, errand: errand))).body
    }
    func beat(_ peer: TestPeer, _ finding: LinkFinding? = nil) throws -> LinkErrand? {
      var heartbeat = Heartbeat(
        holding: [], version: nil, state: "", stateMilliseconds: 0, tokensSampled: 0,
        groupsSubmitted: 0, idleMilliseconds: 0)
      heartbeat.finding = finding
      guard case .alive(let alive) = try peer.ask(.heartbeat(heartbeat)).body else {
        throw TestPeer.Unexpected()
      }
      return alive.errand
    }
    #expect(try measure("nobody").refusal == .gone)
    #expect(try beat(actor) == nil)
    #expect(try measure("actor-0") == .measured(nil))
    #expect(try beat(learner) == nil)
    #expect(try beat(actor) == errand)
    let underway = LinkFinding(token: "t", outcome: .underway)
    #expect(try beat(actor, underway) == errand)
    #expect(try measure("actor-0") == .measured(underway))
    let found = LinkFinding(token: "t", outcome: .report(.object([("bench", "link")])))
    _ = try beat(learner, found)
    #expect(try measure("actor-0") == .measured(underway))
    _ = try beat(actor, found)
    #expect(try measure("actor-0") == .measured(found))
    try harness.end()
  }

  @Test func `a payload that is not what it says is refused, and the service goes on`() throws {
    let harness = try running()
    let (_, actor, version) = try opened(harness)
    let key = try tickets(try actor.tickets(1, version))[0].key
    let group = Samples.group(key, version: version)
    var blob = group.encoded()
    let digest = Digest(of: blob)
    blob[blob.count - 1] ^= 1
    func submit(_ blob: [UInt8], _ digest: Digest) throws -> Reply {
      try actor.ask(.submit(Submission(key: key, digest: digest)), payload: [blob]).body
    }
    #expect(try submit(blob, digest).refusal == .corrupt)
    #expect(try tickets(try actor.tickets(1, version)).map(\.key) == [key])
    let garbage: [UInt8] = Array(repeating: 7, count: 64)
    #expect(try submit(garbage, Digest(of: garbage)).refusal != nil)
    #expect(try tickets(try actor.tickets(1, version)).map(\.key) == [key])
    // The group of another ticket, temperature or seed.
    let other = Samples.group(Samples.train(9), version: version).encoded()
    #expect(try submit(other, Digest(of: other)).refusal == .invalid)
    let hot = Samples.group(key, version: version, temperature: 2).encoded()
    #expect(try submit(hot, Digest(of: hot)).refusal == .invalid)
    #expect(try actor.submit(group) == .acknowledged(key))
    let dropped = try actor.status()["groups"]?["refused"]
    #expect(dropped?["corrupt"]?["groups"] == 1)
    #expect(dropped?["invalid"]?["groups"]?.value != .integer(0))
    // By the name it said hello under.
    let names = Self.refusedNames(try actor.status())
    #expect(names.map { $0["name"] } == [.string("actor-0")])
    #expect(names.first?["codes"]?["corrupt"] == 1)
    try harness.end()
  }

  private static func refusedNames(_ status: Document) -> [Document] {
    guard case .array(let names)? = status["service"]?["refusedNames"]?.value else { return [] }
    return names
  }

  @Test func `frames that are no message are refused and counted`() throws {
    let harness = try running()
    let peer = try TestPeer(harness)
    for frames in [[[UInt8]()], [Array("{".utf8)], [Array("{}".utf8), [1, 2, 3]]] {
      let answer = try peer.client.exchange(
        frames, matching: { _ in true }, deadlineMilliseconds: 30_000)
      #expect(try Envelope<Reply>(decoding: answer).body.refusal == .malformed)
    }
    let status = try peer.status()
    #expect(status["service"]?["malformed"] == 3)
    // Who never said hello has no name but the address he comes from.
    let names = Self.refusedNames(status)
    #expect(names.count == 1 && names.first?["codes"]?["malformed"] == 3)
    try harness.end()
  }

  @Test func `a probe is answered with as many bytes as it wants, counted, and needs no hello`()
    throws
  {
    let harness = try running()
    let peer = try TestPeer(harness)
    let answer = try peer.ask(
      .probe(Probe(answerBytes: 70_000)), payload: [[UInt8](repeating: 7, count: 5)])
    #expect(answer.body == .probed(Probed(service: "replay", receivedBytes: 5)))
    #expect(answer.payload.map(\.count) == [70_000])
    let service = try peer.status()["service"]
    #expect(service?["probes"] == 1 && service?["probeBytes"] == 70_005)
    try harness.end()
  }

  @Test func `groups beyond the queue's bytes and the message's are refused, not kept`() throws {
    let harness = try running([
      "replay.maximumQueuedBytes=4096", "replay.maximumGroupBytes=4096",
      "replay.commitWaitMilliseconds=1000",
    ])
    let (_, actor, version) = try opened(harness)
    let groups = try tickets(try actor.tickets(2, version)).map {
      Samples.group($0.key, version: version, length: 64)
    }
    // The first waits a second for company; together they are more than the queue holds.
    let blob = groups[0].encoded()
    #expect(blob.count > 2048 && blob.count <= 4096)
    let first = Envelope(
      id: 1000,
      body: Request.submit(Submission(key: groups[0].key, digest: Digest(of: blob))),
      payload: [blob])
    try actor.client.send(first.encoded(), deadlineMilliseconds: 5000)
    #expect(try actor.submit(groups[1]).refusal == .busy)
    let answer = try actor.client.awaitReply(matching: { _ in true }, deadlineMilliseconds: 5000)
    #expect(try Envelope<Reply>(decoding: answer).body == .acknowledged(groups[0].key))
    #expect(try actor.submit(groups[1]) == .acknowledged(groups[1].key))
    let long = blob + Array(repeating: 32, count: 4096)
    #expect(
      try actor.ask(
        .submit(Submission(key: groups[0].key, digest: Digest(of: long))), payload: [long]
      ).body.refusal == .tooLarge)
    try harness.end()
  }

  @Test func `a blob that rots on the disk is dropped and its ticket sampled again`() throws {
    // No room to keep blobs in memory: the lease reads the disk.
    let harness = try running([
      "replay.maximumQueuedBytes=3000", "replay.maximumGroupBytes=3000",
    ])
    let (learner, actor, version) = try opened(harness)
    for ticket in try tickets(try actor.tickets(4, version)) {
      #expect(
        try actor.submit(Samples.group(ticket.key, version: version)) == .acknowledged(ticket.key))
    }
    try Tampering.run(
      "UPDATE groups SET blob = zeroblob(length(blob)) WHERE key = 2", on: harness.folder.ledger)
    let epoch = try #require(try actor.status()["epoch"])
    guard case .integer(let number) = epoch.value else { throw TestPeer.Unexpected() }
    let request = Request.lease(LeaseRequest(step: 0, epoch: number))
    guard case .wait = try learner.ask(request).body else { throw TestPeer.Unexpected() }
    let again = try tickets(try actor.tickets(4, version))
    #expect(again.map(\.key.number) == [2])
    #expect(
      try actor.submit(Samples.group(again[0].key, version: version)) == .acknowledged(again[0].key)
    )
    let lease = try learner.ask(request)
    #expect(lease.payload.count == 4)
    try harness.end()
  }

  @Test func `the status names who waits for whom`() throws {
    let harness = try running()
    let (_, actor, version) = try opened(harness)
    _ = try tickets(try actor.tickets(4, version))
    let idle = try TestPeer(harness)
    _ = try idle.hello(actor: "actor-1")
    let request = Envelope(id: 99, body: Request.tickets(TicketRequest(version: version, count: 1)))
    try idle.client.send(request.encoded(), deadlineMilliseconds: 5000)
    let looker = try TestPeer(harness)
    var waits: [Document] = []
    while waits.isEmpty {
      if case .array(let edges)? = try looker.status()["waits"]?.value { waits = edges }
    }
    #expect(waits.first?["who"] == "actor-1")
    #expect(
      waits.first?["for"]
        == "actors to fill 4 of 4 groups of step 0 (actor-0 holds 4)")
    try harness.end()
  }
}

/// Carries a harness to a thread: its folder, settings and endpoint never change.
struct Handed: @unchecked Sendable {
  let value: ServiceHarness

  init(_ value: ServiceHarness) { self.value = value }
}

extension WorkerOutcome {
  var isFinished: Bool { if case .finished = self { true } else { false } }
}
