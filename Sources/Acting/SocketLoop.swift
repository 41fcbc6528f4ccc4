// The thread that owns an actor's sockets: it moves messages between replay, the weight server and
// the two state machines (`Conversation`, `Fetcher`), and orders and deliveries between these and
// the compute thread. It decides nothing itself.

import Experience
import Messaging
import Operations
import Policy
import Wire

final class SocketLoop {
  /// A weight server silent this long is connected to anew, and its address asked for again.
  static let weightsSilenceMilliseconds = 15_000
  /// A compute thread that was told to stop is waited for; it looks once a token step.
  static let stopSeconds = 10.0
  /// A control frame and the largest group the settings allow.
  static let maximumFrameBytes = 1 << 30
  /// Messages that wait for a connection. Replay is taken for silent long before as many are made.
  static let maximumUnsent = 1024
  static let maximumUnsentBytes = 64 << 20

  private let options: ActorOptions
  private let log: Log
  private let context: MessagingContext
  private let keys: ClientKeys?
  private let wake: EventFD
  private let port: ComputePort
  private let worker: WorkerThread
  private let signals: SignalWatch?
  private let parent: ParentPipe?
  private let watchdog: Watchdog?
  private let strand: Strand

  private var conversation: Conversation
  private var replay: DealerClient
  private var unsentToReplay: [Unsent] = []
  private var times: MessageTimes
  private var heartbeats: Heartbeats
  private let errands: LinkErrandRunner
  private var welcome: Welcome?

  private var fetcher = Fetcher(maximumFileBytes: Rollouts.maximumFileBytes)
  private var plan: FetchPlan?
  private var weights: DealerClient?
  private var unsentToWeights: [Unsent] = []
  private var announcements: Announcements?
  private var weightsConnectedAt = 0

  /// A message that waits for its connection; `ticket` where it carries a group.
  private struct Unsent {
    var frames: Frames
    var ticket: TicketKey?
    var bytes: Int { frames.reduce(0) { $0 + $1.count } }
  }

  /// Why it ended well; nil while it runs.
  private var ending: String?

  init(
    _ options: ActorOptions, numericClass: String, port: ComputePort, worker: WorkerThread,
    wake: EventFD, signals: SignalWatch?, parent: ParentPipe?, watchdog: Watchdog? = nil, log: Log
  ) throws {
    self.watchdog = watchdog
    strand = watchdog?.strand("sockets") ?? Strand("sockets")
    times = MessageTimes(strand)
    heartbeats = Heartbeats(strand, watchdog?.spans)
    errands = LinkErrandRunner(keys: options.keys, log: log)
    self.options = options
    self.log = log
    self.wake = wake
    self.port = port
    self.worker = worker
    self.signals = signals
    self.parent = parent
    context = try MessagingContext()
    keys = options.keys.isEmpty ? nil : try ClientKeys.load(options.keys, as: .actor)
    var limits = Conversation.Limits()
    limits.giveUpMilliseconds = Int(options.giveUpSeconds * 1000)
    conversation = Conversation(
      name: options.name, address: options.address, numericClass: numericClass, limits: limits,
      now: Self.now)
    replay = try Self.connect(to: options.address, peer: "replay", in: context, keys)
  }

  private static var now: Int { Int(MonotonicClock.now / 1_000_000) }

  private static func connect(
    to address: String, peer: String, in context: MessagingContext, _ keys: ClientKeys?
  ) throws(MessagingError) -> DealerClient {
    var limits = SocketLimits()
    limits.maximumFrameBytes = maximumFrameBytes
    limits.maximumMessageBytes = maximumFrameBytes + WireLimits.maximumControlBytes
    return try DealerClient(to: address, peer: peer, in: context, limits: limits, keys: keys)
  }

  /// Until the run is over or the actor is told to stop; why, in words.
  func run() throws -> String {
    defer { errands.stop() }
    while true {
      account()
      wake.drain()
      if let ending = try whyToEnd() { return ending }
      takeOrders()
      try receive()
      conversation.advance(now: Self.now, progress: progress)
      fetcher.advance(now: Self.now)
      try carryOut()
      try fetch()
      try send()
      try wait()
    }
  }

  /// What this thread says of itself, once a turn.
  private func account() {
    if let whom = conversation.waiting {
      strand.wait(for: whom, until: .after(seconds: 1))
    } else if let busy {
      strand.wait(for: busy, until: .after(seconds: 1))
    } else {
      strand.work("carrying messages")
    }
    let outbox = conversation.outbox
    watchdog?.set("bytes in the outbox", to: outbox.bytes, of: Outbox.maximumBytes)
    watchdog?.set("groups in the outbox", to: outbox.count, of: Outbox.maximumCount)
    watchdog?.set("bytes handed over", to: port.orders.bytes, of: ComputePort.maximumOrderBytes)
    guard let meters = watchdog?.meters else { return }
    let progress = port.progress
    meters.set(ActorMeters.tokens, Double(progress.tokensSampled))
    meters.set(ActorMeters.idleSeconds, Double(progress.idleMilliseconds) / 1000)
    meters.set(ActorMeters.version, Double(progress.version?.number ?? -1))
  }

  private func whyToEnd() throws -> String? {
    if let signals, signals.isStopping { return "\(signals.lastSignal ?? "a signal") came" }
    if let parent, parent.isOrphaned { return "the supervisor is gone" }
    switch worker.outcome {
    case .running: return ending
    case .failed(let error): throw error
    case .finished: return "the compute thread ended"
    }
  }

  /// Whom this actor waits for with groups in hand, and why.
  private var busy: String? {
    conversation.outbox.busyReason.map {
      "replay to take \(conversation.outbox.count) groups (\($0))"
    }
  }

  private var progress: Progress {
    var progress = port.progress
    guard progress.state.hasPrefix("waiting") else { return progress }
    if fetcher.goal != nil { progress.state = fetcher.state }
    if let busy { progress.state = "waiting for \(busy)" }
    return progress
  }

  private func takeOrders() {
    while conversation.hasRoom, let order = port.orders.pop().element {
      switch order {
      case .tickets(let request): conversation.askForTickets(request, now: Self.now)
      case .group(let group):
        times.take(group)
        conversation.submit(group, now: Self.now)
      case .release(let key): conversation.release(key)
      case .definitions(let definitions): conversation.declare(definitions, now: Self.now)
      case .weights(let version, let isExact):
        // It may have come between the question and now.
        if !isExact, let fetched = port.takeNewest(than: (version ?? 0) - 1) {
          port.deliver(.weights(fetched))
          continue
        }
        plan?.want(FetchPlan.Demand(version: version, isExact: isExact))
      }
    }
  }

  // MARK: replay

  private func receive() throws {
    while let frames = try replay.socket.receive() {
      do {
        let envelope = try Envelope<Reply>(decoding: frames)
        switch envelope.body {
        case .acknowledged(let key): times.acknowledged(key)
        case .alive(let alive):
          heartbeats.answered(alive)
          let links = [options.address] + [weights?.endpoint].compactMap(\.self)
          errands.hear(alive.errand, links: links)
        default: break
        }
        conversation.receive(envelope, now: Self.now)
      } catch {
        log.warning("a message of replay was left aside: \(error.sentence)")
      }
    }
    while let frames = try weights?.socket.receive() {
      do {
        let envelope = try Envelope<BlobReply>(decoding: frames)
        times.receive(envelope, version: fetcher.version)
        fetcher.receive(envelope, now: Self.now)
      } catch {
        log.warning("a message of the weight server was left aside: \(error.sentence)")
      }
    }
    while let frame = try announcements?.next() {
      // A hint: one that can not be read is as one that was lost.
      if let snapshot = try? Snapshot(decodingAnnouncement: frame) {
        plan?.hear(of: snapshot.version)
      }
    }
    // They throw where the keys do not fit.
    try replay.readEvents()
    try weights?.readEvents()
  }

  private func carryOut() throws {
    for action in conversation.takeActions() {
      switch action {
      case .send(let envelope): unsentToReplay.append(unsent(envelope))
      case .reconnect:
        unsentToReplay = []
        replay = try Self.connect(to: options.address, peer: "replay", in: context, keys)
      case .welcomed(let welcome): try join(welcome)
      case .answer(let answer): port.deliver(.answer(answer))
      case .newest(let version): plan?.hear(of: version)
      case .finished: ending = "the run is finished"
      case .fail(let problem): throw Self.failure(problem, address: options.address)
      case .note(let text): log.info(text)
      }
    }
  }

  private func unsent(_ envelope: Envelope<Request>) -> Unsent {
    switch envelope.body {
    case .submit(let submission):
      return Unsent(frames: envelope.encoded(), ticket: submission.key)
    case .heartbeat(let heartbeat):
      var stamped = heartbeats.stamped(heartbeat, isIdle: unsentToReplay.isEmpty)
      stamped.finding = errands.finding
      return Unsent(frames: Envelope(id: envelope.id, body: Request.heartbeat(stamped)).encoded())
    default: return Unsent(frames: envelope.encoded())
    }
  }

  private func join(_ new: Welcome) throws {
    defer { welcome = new }
    let address = Self.reachable(new.weightsAddress, from: options.address)
    if let old = welcome {
      guard old.run == new.run, old.lineage == new.lineage, old.files == new.files,
        old.settings == new.settings
      else {
        throw Failure(
          "go on with", on: "run \(old.run)",
          happened: "replay at \(options.address) now serves run \(new.run), lineage "
            + "\(new.lineage), with other settings or files",
          remedy: "start this actor again")
      }
    } else {
      for name in Rollouts.fileNames {
        guard new.files.contains(where: { $0.name == name }) else {
          throw Failure(
            "join", on: "run \(new.run)", happened: "the learner serves no \(name)",
            remedy: "start learner and actor from one build of forage", exitCode: .refused)
        }
      }
      plan = FetchPlan(
        lineage: new.lineage, files: new.files.filter { Rollouts.needs($0.name) })
    }
    let settings = try RunSettings(new.settings, source: "the settings of run \(new.run)")
    heartbeats.wantsSpans = settings.trace.maximumBytes > 0
    if let version = new.version { plan?.hear(of: version) }
    if weights?.endpoint != address { try connectToWeights() }
    let announced = Self.reachable(new.announceAddress, from: options.address)
    if !announced.isEmpty, announcements?.endpoint != announced {
      announcements = try Announcements(at: announced, in: context, keys)
    }

    func connectToWeights() throws {
      weights = try Self.connect(to: address, peer: "the weight server", in: context, keys)
      weightsConnectedAt = Self.now
      unsentToWeights = []
      fetcher.reconnected(now: Self.now)
    }
  }

  // MARK: weights

  private func fetch() throws {
    guard plan != nil else { return }
    let outcome = fetcher.takeOutcome()
    if let outcome { times.fetched(outcome) }
    if let outcome, let result = plan?.finish(outcome) {
      switch result {
      case .files(let files): try deliver(files)
      case .demanded(let fetched): port.deliver(.weights(fetched))
      case .gone(let version, let sentence):
        port.deliver(.gone(version: version, sentence: sentence))
      case .offered(let fetched): port.offer(fetched)
      case .failed(let problem):
        throw Failure(
          "fetch from", on: weights?.endpoint ?? "the weight server", happened: problem,
          remedy: "start learner and actor from one build of forage", exitCode: .badInput)
      }
    }
    let wasIdle = fetcher.goal == nil
    plan?.begin(&fetcher, now: Self.now)
    if wasIdle, fetcher.goal != nil { times.begin() }
    try reviveWeights()
    for request in fetcher.takeRequests() {
      times.ask(request)
      unsentToWeights.append(Unsent(frames: request.encoded()))
    }
  }

  private func deliver(_ files: [String: [UInt8]]) throws {
    guard let welcome else { preconditionFailure("files before a welcome") }
    let shape = try ModelConfiguration(
      configJSON: files["config.json"] ?? [], source: "config.json of the learner")
    fetcher.maximumSnapshotBytes = SnapshotCodec.maximumBytes(
      shapes: shape.parameterShapes.map(\.shape))
    port.deliver(.run(welcome, files: files))
  }

  /// Connects anew to a weight server that is asked and says nothing.
  private func reviveWeights() throws {
    guard fetcher.goal != nil, let old = weights else { return }
    let silence = Self.now - fetcher.lastHeardMilliseconds
    if silence >= Int(options.giveUpSeconds * 1000), plan?.isWaitedFor == true {
      throw Failure(
        "fetch from", on: old.endpoint, happened: "nothing came for \(silence / 1000) s",
        remedy: "check that the learner runs and that this host reaches that address",
        exitCode: .unavailable)
    }
    guard silence >= Self.weightsSilenceMilliseconds,
      Self.now - weightsConnectedAt >= Self.weightsSilenceMilliseconds
    else { return }
    log.info(
      "the weight server at \(old.endpoint) has been silent for \(silence / 1000) s: reconnecting")
    weights = try Self.connect(to: old.endpoint, peer: "the weight server", in: context, keys)
    weightsConnectedAt = Self.now
    unsentToWeights = []
    fetcher.reconnected(now: Self.now)
    conversation.greetAgain(now: Self.now)
  }

  // MARK: moving and waiting

  private func send() throws {
    try send(&unsentToReplay, to: replay)
    if let weights { try send(&unsentToWeights, to: weights) }
  }

  /// Sends in order until there is no room or no connection. Whatever is not answered is asked
  /// again in time, so what exceeds the bound may be left out.
  private func send(_ messages: inout [Unsent], to client: DealerClient) throws {
    var count = 0
    while count < messages.count {
      let began = MonotonicClock.now
      guard try client.socket.send(messages[count].frames) == .sent else { break }
      if let key = messages[count].ticket {
        times.submitted(key, bytes: messages[count].bytes, from: began)
      }
      count += 1
    }
    messages.removeFirst(count)
    if messages.count > Self.maximumUnsent {
      messages.removeFirst(messages.count - Self.maximumUnsent)
    }
    var bytes = messages.reduce(0) { $0 + $1.bytes }
    while bytes > Self.maximumUnsentBytes, messages.count > 1 {
      bytes -= messages.removeFirst().bytes
    }
  }

  private func wait() throws {
    let poller = Poller()
    poller.add(replay, for: unsentToReplay.isEmpty ? .readable : [.readable, .writable])
    if let weights {
      poller.add(weights, for: unsentToWeights.isEmpty ? .readable : [.readable, .writable])
    }
    if let announcements { announcements.add(to: poller) }
    poller.add(fileDescriptor: wake.fileDescriptor)
    if let signals { poller.add(fileDescriptor: signals.fileDescriptor) }
    if let parent { poller.add(fileDescriptor: parent.fileDescriptor) }
    let now = Self.now
    var patience = conversation.nextMoment(now: now) - now
    if fetcher.goal != nil { patience = min(patience, fetcher.sleepMilliseconds) }
    try poller.wait(timeoutMilliseconds: max(1, patience))
  }

  /// An address that names no host of its own is on the host that replay was reached at.
  static func reachable(_ address: String, from known: String) -> String {
    for wildcard in ["tcp://*:", "tcp://0.0.0.0:", "tcp://[::]:"]
    where address.hasPrefix(wildcard) && known.hasPrefix("tcp://") {
      guard let colon = known.lastIndex(of: ":") else { break }
      return String(known[...colon] + address.dropFirst(wildcard.count))
    }
    return address
  }

  private static func failure(_ problem: Conversation.Problem, address: String) -> Failure {
    switch problem {
    case .refused(let refusal):
      let remedy =
        switch refusal.code {
        case .numericClass:
          "run it on a processor of the same family, with the same build, or give up exactness"
        case .protocolVersion: "start replay and actor from one build of forage"
        default: "check that the address is that of the run's replay"
        }
      return Failure(
        "join the run at", on: address,
        happened: "replay refused (\(refusal.code.rawValue)): \(refusal.sentence)",
        remedy: remedy, exitCode: .refused)
    case .gaveUp(let whom, let milliseconds):
      return Failure(
        "wait for", on: whom, happened: "nothing came for \(milliseconds / 1000) s",
        remedy: "check that the run is up (forage status) and reachable from here, or wait longer "
          + "with --give-up-seconds",
        exitCode: .unavailable)
    }
  }
}

/// The subscription to the learner's announcements.
private final class Announcements {
  private let socket: Socket
  let endpoint: String

  init(
    at endpoint: String, in context: MessagingContext, _ keys: ClientKeys?
  ) throws(MessagingError) {
    self.endpoint = endpoint
    socket = try Socket(.subscriber, in: context, security: SocketSecurity(keys))
    try socket.connect(to: endpoint)
    try socket.subscribe()
  }

  func next() throws(MessagingError) -> [UInt8]? { try socket.receive()?.first }

  func add(to poller: Poller) { poller.add(socket) }
}
