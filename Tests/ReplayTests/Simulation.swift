// A seeded run of ledger, store, actors and learner in which everything that may go wrong does:
// messages are lost, repeated and reordered, leases expire, the disk fills, blobs rot, and replay,
// actors and learners are killed. The two laws are recounted after every event; then the faults
// stop, and the run must come to its end.

import Documents
import Experience
import Operations
import Replay
import SimulatedLedger
import Wire

/// Rules found broken, in order, beside those of the disk.
final class Problems {
  private(set) var all: [String] = []

  func add(_ problem: String) { all.append(problem) }

  func require(_ isTrue: Bool, _ problem: @autoclosure () -> String) {
    if !isTrue { all.append(problem()) }
  }
}

struct SimulatedActor {
  var peer: Peer
  var name: String
  var hasHello = false
  var version: Int?
  var tickets: [Ticket] = []
  /// Sampled and not yet acknowledged, with the version used.
  var unacknowledged: [TicketKey: Int] = [:]
  var asked: Int?
  var isOver = false

  var holding: [TicketKey] { tickets.map(\.key) + unacknowledged.keys.sorted() }
}

struct SimulatedLearner {
  enum Phase {
    case unknown
    case ready
    case leased(Batch)
    case over
  }

  var peer: Peer
  var epoch = 0
  var step = 0
  var phase = Phase.unknown
  /// The request in flight.
  var asked: Int?
}

struct Simulation {
  static let digests: [Digest] = (0..<64).map {
    Digest(bytes: Array(repeating: UInt8($0 + 1), count: 32))
  }

  let seed: UInt64
  private(set) var configuration: LedgerConfiguration
  var random: SeededGenerator
  var now: Int64 = 1
  var disk: SimulatedTables
  var ledger: Ledger
  var actors: [SimulatedActor] = []
  var learner: SimulatedLearner
  var nextPeer = 0
  var nextRequest = 1

  var requests: [(asker: Asker, event: Event)] = []
  var replies: [(asker: Asker, reply: Reply)] = []
  /// Asked of this life of replay and not yet answered.
  var open: [Asker: Int] = [:]
  /// Accepted by the ledger, not yet on the disk.
  var writing: [(key: TicketKey, facts: GroupFacts)] = []
  /// Arrived in this life, by key: what `store` refers to.
  var arrived: [TicketKey: GroupFacts] = [:]
  /// What the ledger waits for the disk to record.
  var recording: Action?
  var isFaulty = true
  /// Every kind of fault that happened: a simulation in which none does proves nothing.
  var faults: [String: Int] = [:]
  var events = 0
  let problems = Problems()
  var lost: Set<Peer> = []

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(state: seed)
    let lagMax = random.below(3)
    let batch = 1 + random.below(4)
    configuration = LedgerConfiguration(
      run: "run", lineage: "line", settings: .object([]), groupsPerStep: batch, lagMax: lagMax,
      steps: 2 + random.below(4), ticketLeaseNanoseconds: 2_000_000_000,
      evaluationEvery: random.below(3), evaluationPrompts: 1 + random.below(3),
      reuse: Self.reuse(seed, &random))
    disk = SimulatedTables(lagMax: lagMax, batch: batch, reuse: configuration.reuse)
    ledger = Ledger(configuration, at: now)
    learner = SimulatedLearner(peer: Peer([0]))
    learner.peer = freshPeer()
    for index in 0...random.below(3) {
      actors.append(SimulatedActor(peer: freshPeer(), name: "actor-\(index)"))
    }
  }

  /// Every other run trains some groups more than once.
  private static func reuse(_ seed: UInt64, _ random: inout SeededGenerator) -> ReuseRules? {
    guard random.chance(2) else { return nil }
    let selections: [ReplaySelection] = [.uniform, .newest, .prioritized]
    return ReuseRules(
      groups: 1 + random.below(3), selection: selections[random.below(3)],
      maximumUses: 2 + random.below(3), maximumLag: 1 + random.below(4), seed: seed)
  }

  mutating func freshPeer() -> Peer {
    nextPeer += 1
    return Peer([UInt8(nextPeer >> 8), UInt8(nextPeer & 255)])
  }

  /// A version as it was committed; one that is not yet has the digest training would give it.
  func version(_ number: Int) -> PolicyVersion {
    PolicyVersion(
      lineage: configuration.lineage, number: number,
      digest: disk.history.digests[number] ?? Self.digests[number])
  }

  func require(_ isTrue: Bool, _ problem: @autoclosure () -> String) {
    problems.require(isTrue, problem())
  }

  mutating func fault(_ name: String) { faults[name, default: 0] += 1 }

  // MARK: Running

  /// A fault phase of `turns` random choices, then fair rounds to the end; what went wrong, or nil.
  mutating func run(turns: Int, rounds: Int) -> String? {
    for _ in 0..<turns {
      turn()
      if let problem { return problem }
    }
    isFaulty = false
    for _ in 0..<rounds {
      fairRound()
      if let problem { return problem }
      if isOver { return nil }
    }
    let over = actors.map { $0.isOver ? "over" : "asks \($0.asked ?? 0), holds \($0.holding)" }
    return "no end after \(rounds) fair rounds: step \(ledger.nextStep) of \(configuration.steps), "
      + "learner \(learner.phase), actors \(over), \(JSON.write(.object(ledger.status())))"
  }

  private var problem: String? { (problems.all + disk.problems).first }

  private var isOver: Bool {
    guard case .over = learner.phase else { return false }
    let alive = Set(actors.map(\.peer) + [learner.peer])
    return ledger.isFinished && actors.allSatisfy(\.isOver)
      && open.keys.allSatisfy { !alive.contains($0.peer) }
  }

  private mutating func turn() {
    switch random.below(24) {
    case 0...5: deliverRequest()
    case 6...10: deliverReply()
    case 11...15: if !actors.isEmpty { act(random.below(actors.count)) }
    case 16...17: actAsLearner()
    case 18...19: completeWriting()
    case 20: completeRecording()
    case 21: feed(.tick, after: random.chance(10) ? 3_000_000_000 : 300_000_000)
    case 22: breakSomething()
    default: feed(.tick, after: 10_000_000)
    }
  }

  private mutating func fairRound() {
    while !requests.isEmpty { deliverRequest() }
    completeRecording()
    completeWriting()
    while !replies.isEmpty { deliverReply() }
    for index in actors.indices { act(index) }
    actAsLearner()
    feed(.tick, after: 250_000_000)
  }

  // MARK: The wire

  mutating func ask(_ peer: Peer, _ event: (Asker) -> Event) -> Int {
    let asker = Asker(peer, nextRequest)
    nextRequest += 1
    requests.append((asker, event(asker)))
    return asker.id
  }

  private mutating func deliverRequest() {
    guard !requests.isEmpty else { return }
    let index = isFaulty ? random.below(requests.count) : 0
    if index > 0 { fault("reordered") }
    let request = requests[index]
    if isFaulty, random.chance(12) {
      fault("repeated")
    } else {
      requests.remove(at: index)
      if isFaulty, random.chance(12) { return fault("lost request") }
    }
    open[request.asker, default: 0] += 1
    if case .arrived(_, let arrival) = request.event {
      arrived[arrival.key] = GroupFacts(
        version: arrival.version.number, bytes: arrival.bytes, tally: arrival.tally)
    }
    feed(request.event, after: 1000)
  }

  private mutating func deliverReply() {
    guard !replies.isEmpty else { return }
    let index = isFaulty ? random.below(replies.count) : 0
    let (asker, reply) = replies.remove(at: index)
    if isFaulty, random.chance(12) { return fault("lost reply") }
    if asker.peer == learner.peer {
      hearAsLearner(asker.id, reply)
    } else if let index = actors.firstIndex(where: { $0.peer == asker.peer }) {
      hear(index, asker.id, reply)
    }
  }

  // MARK: Replay

  private mutating func feed(_ event: Event, after nanoseconds: Int64) {
    now += nanoseconds
    events += 1
    for action in ledger.handle(event, at: now) { perform(action) }
    if let broken = ledger.brokenLaw() { problems.add(broken) }
  }

  private mutating func perform(_ action: Action) {
    switch action {
    case .reply(let asker, let reply): answer(asker, reply)
    case .store(let key): writing.append((key, arrived[key]!))
    case .importGroups(let numbers): problems.add("\(numbers) are taken from a source")
    case .recordDrop(let drop): disk.write(drop)
    case .recordEvaluation(let summary): disk.write(summary)
    case .recordAbandonedEvaluation(let version):
      fault("abandoned evaluation")
      disk.abandonEvaluation(version)
    case .forgetLease: disk.forgetLease()
    case .recordEpoch, .recordLease, .recordCommit:
      require(recording == nil, "two recordings at once")
      recording = action
    case .sendLease(let asker, let batch):
      if isFaulty, !batch.tickets.isEmpty, random.chance(30) {
        fault("damaged lease")
        let key = TicketKey(purpose: .train, number: batch.batch[random.below(batch.batch.count)])
        return feed(.damaged(key, lease: asker), after: 1000)
      }
      answer(asker, .lease(batch))
    case .sendCommittedLease(let asker, let step):
      let known = disk.commits[step]
      let batch = BatchLease(
        step: step, epoch: ledger.epoch, tickets: known.tickets, reused: known.reused)
      answer(asker, .lease(batch))
    case .compareCommit(let asker, let commit):
      let known = disk.commits[commit.step]
      let isSame = known.batch == commit.batch && known.version == commit.version
      require(isSame, "step \(commit.step) was repeated differently")
      answer(asker, .committed(Committed(step: commit.step, isFinished: ledger.hasAllSteps)))
    }
  }

  private mutating func answer(_ asker: Asker, _ reply: Reply) {
    if lost.contains(asker.peer) { return }
    guard let count = open[asker] else {
      return problems.add("\(asker) is answered twice, with \(reply)")
    }
    open[asker] = count > 1 ? count - 1 : nil
    if case .acknowledged(let key) = reply {
      require(disk.holds(key), "\(key) is acknowledged and not on the disk")
    }
    replies.append((asker, reply))
  }

  private mutating func completeWriting() {
    guard !writing.isEmpty else { return }
    let keys = writing.map(\.key)
    let batch = writing
    writing = []
    if isFaulty, random.chance(10) {
      fault("disk full")
      return feed(.notStored(keys, Refusal(.busy, "the disk is full")), after: 1000)
    }
    // An evaluation given up meanwhile has rows nobody counts.
    for (key, facts) in batch where disk.history.closedEvaluations[evaluated(key)] == nil {
      disk.write(key, facts)
    }
    feed(.stored(keys), after: 1000)
  }

  private func evaluated(_ key: TicketKey) -> Int {
    if case .evaluate(let version) = key.purpose { version } else { -1 }
  }

  private mutating func completeRecording() {
    guard let action = recording else { return }
    // The service writes groups first: a lease names groups that are on the disk.
    recording = nil
    if isFaulty, random.chance(12) {
      fault("not recorded")
      return feed(.notRecorded(Refusal(.busy, "the disk is full")), after: 1000)
    }
    switch action {
    case .recordEpoch(let record): disk.write(record)
    case .recordLease(let step, _, let batch, let asker):
      if isFaulty, random.chance(8) {
        fault("damaged blob")
        let key = TicketKey(purpose: .train, number: batch.all[random.below(batch.all.count)])
        return feed(.damaged(key, lease: asker), after: 1000)
      }
      disk.writeLease(step: step, batch)
      if !batch.reused.isEmpty { fault("reused group") }
    case .recordCommit(let record): disk.write(record)
    default: problems.add("\(action) is no recording")
    }
    if isFaulty, random.chance(20) {
      // Written, and killed before anybody heard of it.
      fault("killed after a record")
      return restartReplay()
    }
    feed(.recorded, after: 1000)
  }

  // MARK: Faults

  private mutating func breakSomething() {
    if random.chance(12), disk.history.version != nil { return fork() }
    switch random.below(6) {
    case 0, 1:
      fault("killed replay")
      restartReplay()
    case 2, 3:
      fault("killed actor")
      let index = random.below(actors.count)
      actors[index] = SimulatedActor(peer: freshPeer(), name: actors[index].name)
    case 4:
      fault("killed learner")
      learner = SimulatedLearner(peer: freshPeer())
    default:
      fault("connection lost")
      let index = random.below(actors.count)
      let gone = actors[index].peer
      actors[index].peer = freshPeer()
      actors[index].hasHello = false
      actors[index].asked = nil
      lost.insert(gone)
      requests.removeAll { $0.asker.peer == gone }
      feed(.gone(gone), after: 1000)
    }
  }

  /// Goes back to a committed step; the parent's peers stay with the parent.
  private mutating func fork() {
    fault("forked")
    configuration.lineage += "'"
    disk.fork(after: random.below(disk.commits.count + 1), lineage: configuration.lineage)
    for index in actors.indices {
      actors[index] = SimulatedActor(peer: freshPeer(), name: actors[index].name)
    }
    learner = SimulatedLearner(peer: freshPeer())
    restartReplay()
  }

  private mutating func restartReplay() {
    requests.removeAll()
    replies.removeAll()
    open.removeAll()
    writing.removeAll()
    arrived.removeAll()
    recording = nil
    ledger = Ledger(configuration, history: disk.history, at: now)
    if let broken = ledger.brokenLaw() { problems.add("after a restart: \(broken)") }
  }
}
