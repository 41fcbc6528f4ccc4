// Replay as a process: the real ledger, with the service's loop around it (mirrors `ReplayService`,
// its `+Messages`, `+Steps` and `GroupRules`).

import Digests
import Documents
import Experience
import Replay
import Wire

final class ReplayProcess: Process {
  private(set) var ledger: Ledger
  private var pending: [LedgerDisk.Write] = []
  private var pendingKeys: [TicketKey] = []
  private var isFlushDue = false
  /// The group under judgement: what `store` refers to.
  private var arriving: (key: TicketKey, facts: GroupFacts, blob: [UInt8])?
  private var actions: [Action] = []
  private var nextAction = 0
  private var newestLearner: Peer?

  private var disk: LedgerDisk { world.ledgerDisk }
  private var plan: Plan { world.plan }

  init(in world: World) {
    let plan = world.plan
    let tables = world.ledgerDisk.current
    var configuration = LedgerConfiguration(
      run: "run", lineage: plan.lineage, settings: .object([]), groupsPerStep: plan.batch,
      lagMax: plan.lagMax, steps: plan.steps, ticketLeaseNanoseconds: 4 * second,
      evaluationEvery: plan.evaluationEvery, evaluationPrompts: 2,
      evaluationSamples: plan.limits.groupSize)
    configuration.curriculum = plan.curriculum
    configuration.seed = plan.seed
    var history =
      world.mutation == .retiresTwice ? tables.historyRetiringTwice() : tables.history
    if world.mutation == .forgetsLevels { history.openings = [0] }
    ledger = Ledger(configuration, history: history, at: world.now)
    super.init("replay", in: world)
  }

  func begin() {
    world.after(0, self) { [unowned self] in try tick() }
  }

  private func tick() throws {
    try feed(.tick)
    try flush()
    world.after(250 * millisecond, self) { [unowned self] in try tick() }
  }

  // MARK: Messages

  override func receive(_ frames: [[UInt8]], over link: Link) throws {
    try mayDie()
    let envelope: Envelope<Request>
    do throws(Refusal) {
      envelope = try Envelope<Request>(decoding: frames)
    } catch {
      _ = link.reply(Envelope<Reply>(refusing: frames, error).encoded(), to: link.peer)
      return
    }
    let asker = Asker(link.peer, envelope.id)
    switch envelope.body {
    case .hello(let hello):
      if hello.role == .learner { newestLearner = link.peer }
      try feed(.hello(asker, hello))
    case .tickets(let request): try feed(.tickets(asker, request))
    case .submit(let submission): try submit(submission, envelope.payload, asker)
    case .heartbeat(let heartbeat): try feed(.heartbeat(asker, heartbeat))
    case .lease(var request):
      if world.mutation == .forgetsFence { request.epoch = ledger.epoch }
      try feed(.lease(fenceless(asker), request))
    case .commit(var commit):
      if world.mutation == .forgetsFence { commit.epoch = ledger.epoch }
      try feed(.commit(fenceless(asker), commit))
    default: break
    }
    try flushSoon()
  }

  /// Under the mutation whoever asks is taken for the newest learner, and is still answered.
  private var answeredInstead: [Asker: Peer] = [:]

  private func fenceless(_ asker: Asker) -> Asker {
    guard world.mutation == .forgetsFence, let newestLearner, newestLearner != asker.peer else {
      return asker
    }
    let taken = Asker(newestLearner, asker.id + 1_000_000)
    answeredInstead[taken] = asker.peer
    return taken
  }

  private func submit(_ submission: Submission, _ payload: [[UInt8]], _ asker: Asker) throws {
    guard ledger.knows(asker.peer) else {
      return try send(.refused(Refusal(.helloFirst, "say hello first")), to: asker)
    }
    guard payload.count == 1 else {
      return try send(.refused(Refusal(.malformed, "\(payload.count) frames")), to: asker)
    }
    if world.strikes(oneIn: 40, "busy") {
      return try send(.refused(Refusal(.busy, "the disk is full")), to: asker)
    }
    let group: TrajectoryGroup
    do throws(Refusal) {
      group = try read(payload[0], submission)
    } catch {
      return try feed(.unusable(asker, submission.key, error, bytes: payload[0].count))
    }
    let tally = GroupTally(group)
    let facts = GroupFacts(version: group.version.number, bytes: payload[0].count, tally: tally)
    arriving = (group.key, facts, payload[0])
    defer { arriving = nil }
    try feed(
      .arrived(
        asker,
        Arrival(
          key: group.key, version: group.version, bytes: payload[0].count, tally: tally,
          level: group.level)))
  }

  private func read(_ blob: [UInt8], _ submission: Submission) throws(Refusal) -> TrajectoryGroup {
    guard Digest(of: blob) == submission.digest else {
      throw Refusal(.corrupt, "the payload has another digest than was said")
    }
    let group = try TrajectoryGroup(decoding: blob, limits: plan.limits)
    guard group.key == submission.key else { throw Refusal(.invalid, "another ticket's group") }
    guard group.seed == plan.seed else { throw Refusal(.anotherRun, "another seed") }
    return group
  }

  // MARK: Events in, actions out

  private func feed(_ event: Event) throws {
    actions += ledger.handle(event, at: world.now)
    guard nextAction == 0 else { return }
    while nextAction < actions.count {
      let action = actions[nextAction]
      nextAction += 1
      try mayDie()
      try perform(action)
    }
    actions = []
    nextAction = 0
  }

  private func perform(_ action: Action) throws {
    switch action {
    case .reply(let asker, let reply): try send(reply, to: asker)
    case .store(let key): try collect(key)
    case .importGroups(let numbers):
      preconditionFailure("tickets \(numbers) are of an offline run, and none is simulated here")
    case .recordDrop(let drop): pending.append(.drop(drop))
    case .recordEvaluation(let summary): pending.append(.evaluation(summary))
    case .recordAbandonedEvaluation(let version): pending.append(.abandonedEvaluation(version))
    case .forgetLease: pending.append(.forgetLease)
    case .recordEpoch(let record): try self.record(.epoch(record))
    case .recordLease(let step, _, let batch, let asker):
      try flush()
      // A lease forgotten and not yet written as such must not be recorded anew.
      guard pending.isEmpty else {
        return try feed(.notRecorded(Refusal(.busy, "the disk is full")))
      }
      let tickets = batch.tickets
      guard try blobs(of: tickets, for: asker) != nil else { return }
      if world.mutation == .forgetsLeases { return try feed(.recorded) }
      try record(.lease(step: step, tickets: tickets))
    case .recordCommit(let record):
      try flush()
      try self.record(.commit(record))
    case .sendLease(let asker, let batch):
      guard let blobs = try blobs(of: batch.tickets, for: asker) else { return }
      try send(.lease(batch), to: asker, payload: blobs)
    case .sendCommittedLease(let asker, let step): try sendCommitted(step, to: asker)
    case .compareCommit(let asker, let commit): try compare(commit, asker)
    }
  }

  private func collect(_ key: TicketKey) throws {
    guard let arriving, arriving.key == key else {
      preconditionFailure("\(key) is to be stored and \(arriving?.key as Any) has come")
    }
    pending.append(.group(key, arriving.facts, blob: arriving.blob))
    pendingKeys.append(key)
    try flushSoon()
  }

  // MARK: The disk

  private func flushSoon() throws {
    guard !pending.isEmpty, !isFlushDue else { return }
    if world.mutation == .acknowledgesBeforeCommit, !pendingKeys.isEmpty {
      let keys = pendingKeys
      pendingKeys = []
      try feed(.stored(keys))
    }
    isFlushDue = true
    world.after(5 * millisecond, self) { [unowned self] in try flush() }
  }

  /// One commit of everything pending, then the acknowledgements.
  private func flush() throws {
    isFlushDue = false
    guard !pending.isEmpty else { return }
    let keys = pendingKeys
    let writes = pending
    pendingKeys = []
    if world.strikes(oneIn: 60, "disk full") {
      pending.removeAll { if case .group = $0 { true } else { false } }
      if !keys.isEmpty { try feed(.notStored(keys, Refusal(.busy, "the disk is full"))) }
      return
    }
    pending = []
    try commit(writes)
    if !keys.isEmpty { try feed(.stored(keys)) }
  }

  private func record(_ write: LedgerDisk.Write) throws {
    if world.strikes(oneIn: 60, "not recorded") {
      return try feed(.notRecorded(Refusal(.busy, "the disk is full")))
    }
    try commit([write])
    try feed(.recorded)
  }

  /// A transaction with `synchronous=FULL`: it is on the disk when this returns.
  private func commit(_ writes: [LedgerDisk.Write]) throws {
    try mayDie()
    disk.write(writes)
    if world.strikes(oneIn: 150, "power cut within a commit") {
      world.cutPower()
      throw Crash()
    }
    if world.mutation != .neverSyncs { disk.sync() }
    try mayDie()
  }

  private func blobs(of tickets: [Int], for asker: Asker) throws -> [[UInt8]]? {
    var blobs: [[UInt8]] = []
    for number in tickets {
      let key = TicketKey(purpose: .train, number: number)
      guard let blob = disk.current.blob(key) else {
        world.count("damage found")
        try feed(.damaged(key, lease: asker))
        return nil
      }
      blobs.append(blob)
    }
    return blobs
  }

  // MARK: Steps once more

  private func sendCommitted(_ step: Int, to asker: Asker) throws {
    let commit = disk.current.commits[step]
    let blobs = commit.tickets.compactMap {
      disk.current.blob(TicketKey(purpose: .train, number: $0))
    }
    guard blobs.count == commit.tickets.count else {
      return try send(.refused(Refusal(.corrupt, "step \(step) cannot be repeated")), to: asker)
    }
    world.count("step redone")
    let batch = BatchLease(step: step, epoch: ledger.epoch, tickets: commit.tickets)
    try send(.lease(batch), to: asker, payload: blobs)
  }

  private func compare(_ commit: StepCommit, _ asker: Asker) throws {
    let known = disk.current.commits[commit.step]
    let isSame =
      known.tickets == commit.tickets && known.version == commit.version
      && known.stateDigest == commit.stateDigest && known.outcome == commit.outcome
    world.witness.sees(commit.version, "as repeated")
    guard isSame else {
      return try send(
        .refused(Refusal(.order, "step \(commit.step) was not repeated exactly")), to: asker)
    }
    try send(
      .committed(Committed(step: commit.step, isFinished: ledger.hasAllSteps)), to: asker)
  }

  // MARK: Out

  private func send(_ reply: Reply, to asker: Asker, payload: [[UInt8]] = []) throws {
    if case .acknowledged(let key) = reply { world.witness.sees(acknowledged: key, disk.durable) }
    var asker = asker
    if let peer = answeredInstead.removeValue(forKey: asker) {
      asker = Asker(peer, asker.id - 1_000_000)
    }
    let frames = Envelope(id: asker.id, body: reply, payload: payload).encoded()
    let link = world.links.first { $0.peer == asker.peer }
    if link?.reply(frames, to: asker.peer) != true { try feed(.gone(asker.peer)) }
  }
}

extension ReplayProcess: CustomStringConvertible {
  var description: String {
    "epoch \(ledger.epoch), leased \(ledger.lease?.tickets ?? []), "
      + (ledger.isFinished ? "over" : "at work")
  }
}
