// An actor as a process: the real `Conversation` with its `Outbox`, `Fetcher` and `FetchPlan`, with
// the socket loop and the compute loop around them (mirrors `SocketLoop`, `ComputeLoop`).

import Acting
import Experience
import Wire

final class ActorProcess: Process {
  private enum Compute {
    case waitingForFiles
    case asking
    /// Weights were asked for; the tickets are what they are for.
    case fetching(number: Int, isExact: Bool, then: [Ticket])
    /// Samples or sleeps; a timer goes on.
    case busy(String)
  }

  private var conversation: Conversation
  private var fetcher = Fetcher(maximumFileBytes: 4096, maximumSnapshotBytes: 4096)
  private var plan: FetchPlan?
  private var replay: Link!
  private var weights: Link?
  private var weightsConnectedAt = 0
  private var compute = Compute.waitingForFiles

  private var held: PolicyVersion?
  private var offered: FetchedSnapshot?
  private var named: Int?
  private var newest = -1
  private var sampledTokens = 0
  /// Under a mutation alone: groups it has forgotten.
  private var lost: Set<TicketKey> = []
  private var nextTurn = Int64.max
  private(set) var isOver = false

  private var milliseconds: Int { Int(world.now / millisecond) }

  override init(_ name: String, in world: World) {
    conversation = Conversation(
      name: name, address: World.replayAddress, numericClass: "class",
      now: Int(world.now / millisecond))
    super.init(name, in: world)
    replay = Link(from: self, to: World.replayAddress, in: world)
  }

  func begin() {
    world.after(0, self) { [unowned self] in try turn() }
  }

  // MARK: The socket thread

  override func receive(_ frames: [[UInt8]], over link: Link) throws {
    if link === replay {
      guard let reply = try? Envelope<Reply>(decoding: frames) else {
        return world.witness.require(false, "\(name) cannot read a reply of replay")
      }
      conversation.receive(reply, now: milliseconds)
    } else if link === weights {
      if let reply = try? Envelope<BlobReply>(decoding: frames) {
        fetcher.receive(reply, now: milliseconds)
      }
    }
    try turn()
  }

  func hear(announcement frame: [UInt8]) throws {
    if let snapshot = try? Snapshot(decodingAnnouncement: frame) {
      plan?.hear(of: snapshot.version)
    }
    try turn()
  }

  private func turn() throws {
    if isOver { return }
    try mayDie()
    conversation.advance(now: milliseconds, progress: progress)
    fetcher.advance(now: milliseconds)
    for action in conversation.takeActions() { try perform(action) }
    if isOver { return }
    try fetch()
    for action in conversation.takeActions() { try perform(action) }
    let due = Int64(conversation.nextMoment(now: milliseconds)) * millisecond
    let moment = max(
      world.now + millisecond, fetcher.goal == nil ? due : min(due, world.now + second))
    guard moment < nextTurn || nextTurn <= world.now else { return }
    nextTurn = moment
    world.after(moment - world.now, self) { [unowned self] in
      if nextTurn <= world.now { try turn() }
    }
  }

  private var progress: Progress {
    var state = "waiting"
    if case .busy(let doing) = compute { state = doing }
    return Progress(version: held, state: state, tokensSampled: sampledTokens)
  }

  private func perform(_ action: Conversation.Action) throws {
    switch action {
    case .send(let envelope):
      if case .submit(let submission) = envelope.body, lost.contains(submission.key) { return }
      replay.send(envelope.encoded())
    case .reconnect: replay.cut()
    case .welcomed(let welcome):
      if world.mutation == .losesOutbox, plan != nil { lost.formUnion(conversation.outbox.keys) }
      join(welcome)
    case .answer(let answer): try take(answer)
    case .newest(let version): plan?.hear(of: version)
    case .finished: isOver = true
    case .fail(let problem):
      world.count("actor gave up")
      world.witness.require(world.isFaulty, "\(name) gave up: \(problem)")
      throw Crash()
    case .note: break
    }
  }

  private func join(_ welcome: Welcome) {
    if plan == nil { plan = FetchPlan(lineage: world.plan.lineage, files: welcome.files) }
    if let version = welcome.version { plan?.hear(of: version) }
    if weights?.address != welcome.weightsAddress {
      weights = Link(from: self, to: welcome.weightsAddress, in: world)
      weightsConnectedAt = milliseconds
      fetcher.reconnected(now: milliseconds)
    }
  }

  private func fetch() throws {
    guard plan != nil else { return }
    if let outcome = fetcher.takeOutcome(), let result = plan?.finish(outcome) {
      switch result {
      case .files: try compute(.busy("building"), for: 10)
      case .demanded(let fetched):
        guard case .fetching(_, _, let tickets) = compute else { break }
        try load(fetched)
        try fill(tickets)
      case .gone(let number, _):
        guard case .fetching(_, _, let tickets) = compute else { break }
        world.count("version gone")
        if let first = tickets.first, first.neededVersion == number {
          conversation.release(first.key)
          try fill(Array(tickets.dropFirst()))
        } else {
          try compute(.busy("waiting"), for: 200)
        }
      case .offered(let fetched): offered = fetched
      case .failed(let problem):
        // A blob damaged three times over; the supervisor starts another actor.
        world.count("fetch given up")
        world.witness.require(world.isFaulty, "\(name) cannot fetch: \(problem)")
        throw Crash()
      }
    }
    plan?.begin(&fetcher, now: milliseconds)
    for request in fetcher.takeRequests() { weights?.send(request.encoded()) }
    // The address may have changed with the learner.
    if fetcher.goal != nil, milliseconds - fetcher.lastHeardMilliseconds > 15_000,
      milliseconds - weightsConnectedAt > 15_000
    {
      weightsConnectedAt = milliseconds
      fetcher.reconnected(now: milliseconds)
      conversation.greetAgain(now: milliseconds)
    }
  }

  // MARK: The compute thread

  private func compute(_ state: Compute, for duration: Int) throws {
    compute = state
    world.after(Int64(duration) * millisecond, self) { [unowned self] in
      try ask()
      try turn()
    }
  }

  private func ask() throws {
    if isOver { return }
    if named == nil {
      if let fetched = offered, fetched.snapshot.version.number > held?.number ?? -1 {
        offered = nil
        try load(fetched)
      } else if let held, held.number < newest {
        return demand(newest, isExact: false, then: [])
      }
    }
    newest = max(newest, held?.number ?? -1)
    compute = .asking
    conversation.askForTickets(TicketRequest(version: held, count: 2), now: milliseconds)
  }

  private func take(_ answer: Conversation.Answer) throws {
    guard case .asking = compute else { preconditionFailure("an answer nobody waits for") }
    switch answer {
    case .tickets(let tickets):
      named = tickets.allSatisfy { $0.key.purpose == .train } ? nil : held?.number
      try fill(tickets)
    case .fetch(let version):
      let isExact = held.map { version.number < $0.number || version.number == named } ?? false
      named = version.number
      demand(version.number, isExact: isExact, then: [])
    case .wait(let wait):
      named = nil
      try compute(.busy("waiting"), for: max(1, wait.milliseconds))
    }
  }

  private func demand(_ number: Int, isExact: Bool, then tickets: [Ticket]) {
    compute = .fetching(number: number, isExact: isExact, then: tickets)
    plan?.want(FetchPlan.Demand(version: number, isExact: isExact))
  }

  private func load(_ fetched: FetchedSnapshot) throws {
    let claimed = fetched.snapshot.version
    let (written, tensors) = try SnapshotCodec.decode(fetched.bytes)
    world.witness.require(
      written == claimed && Work.digest(tensors) == claimed.digest,
      "\(name) was served something else than version \(claimed)")
    held = claimed
  }

  private func canFill(_ ticket: Ticket) -> Bool {
    guard let held else { return false }
    if case .evaluate(let version) = ticket.key.purpose { return held.number == version }
    return held.number >= ticket.minimumVersion
  }

  private func fill(_ tickets: [Ticket]) throws {
    guard !tickets.isEmpty else { return try compute(.busy("between"), for: 1) }
    let ready = tickets.filter(canFill)
    let others = tickets.filter { !canFill($0) }
    guard !ready.isEmpty else {
      let first = others[0]
      return demand(
        first.neededVersion, isExact: first.key.purpose != .train, then: others)
    }
    compute = .busy("sampling")
    let sampled = held
    let duration = Int64(20 + world.random.below(300)) * millisecond
    world.after(duration, self) { [unowned self] in
      guard let sampled else { return }
      for ticket in ready { try submit(ticket, sampled) }
      try fill(others)
      try turn()
    }
  }

  private func submit(_ ticket: Ticket, _ version: PolicyVersion) throws {
    try mayDie()
    let salt = world.mutation == .samplesByChance ? "\(world.random.next())" : ""
    let group = Work.group(
      ticket.key, level: ticket.level, version: version, actor: name, salt: salt, world.plan)
    let tokens = group.trajectories.reduce(0) { $0 + $1.completion.tokens.count }
    sampledTokens += tokens
    conversation.submit(
      EncodedGroup(key: ticket.key, payload: group.encoded(), tokenCount: tokens),
      now: milliseconds)
  }
}

extension Ticket {
  fileprivate var neededVersion: Int {
    if case .evaluate(let version) = key.purpose { version } else { minimumVersion }
  }
}

extension ActorProcess: CustomStringConvertible {
  var description: String {
    "\(isOver ? "over" : "\(compute)"), version \(held?.number ?? -1), "
      + "holds \(conversation.held.sorted())"
      + ", waits for \(conversation.waiting ?? "nobody"), fetches \(fetcher.state)"
  }
}
