// The ledger at work: one thread that owns a ROUTER socket, the state machine and the store.
//
// Each turn of the loop: read what has come, let the ledger judge it, collect the groups it
// accepts, commit them together once they are many or the first has waited long enough,
// acknowledge. Nothing is acknowledged before its commit returned; nothing waits on a peer.

import Digests
import Documents
import Experience
import Glibc
import Messaging
import Operations
import Wire

package final class ReplayService {
  enum Limits {
    static let tickNanoseconds: Int64 = 250_000_000
    static let secondNanoseconds: Int64 = 1_000_000_000
    /// Actors send a heartbeat a second; two and a half hold at least two of each.
    static let closingNanoseconds: Int64 = 2_500_000_000
    /// Messages read between two looks at the clock and the commit.
    static let messagesPerTurn = 1024
    /// A turn of reading ends after so long: what came before is acknowledged, whatever comes now.
    static let turnNanoseconds: Int64 = 50_000_000
    /// A peer that asks faster than it reads loses replies beyond this many; it asks again.
    static let sendQueueMessages = 1024
    /// Messages of one peer in memory before its connection is read no further: as many of the
    /// largest as fill `replay.maximumQueuedBytes`, within these.
    static let receiveQueueMessages = 4...1024
    /// Drops and evaluations that wait for a full disk; then groups are refused unread.
    static let maximumPendingWrites = 65_536
    /// Kept free beside a checkpoint: the log and what SQLite may need to fold it.
    static let logReserveBytes = 2 * (64 << 20)
    /// A log up to here is not held against the free bytes between two ticks.
    static let shortLogBytes = 1 << 20
    /// A lease's message: settings whose batch could be larger are refused.
    static let maximumMessageBytes = RunSettings.maximumLeaseBytes + WireLimits.maximumControlBytes
  }

  let settings: RunSettings
  let folder: RunFolder
  let log: Log
  let store: LedgerStore
  var ledger: Ledger
  var rules: GroupRules
  var cache: BlobCache
  /// Nil but for an offline run.
  var offline: OfflineFeed?
  let socket: Socket
  /// Who may come in; nil where there are no keys.
  let authenticator: Authenticator?
  let strangers: Strangers
  private let door: Door
  private let poller = Poller()
  /// Where peers connect, as bound.
  package let endpoint: String

  /// Waits for the next commit, in order.
  private(set) var pending: [PendingWrite] = []
  private var pendingKeys: [TicketKey] = []
  /// When each of them began to wait.
  private var pendingTimes: [Int64] = []
  private(set) var pendingBytes = 0
  private var pendingSince: Int64 = 0
  /// The group under judgement: what `store` refers to.
  private var arriving: PendingGroup?
  private var actions: [Action] = []
  private var nextAction = 0

  var counters = ServiceCounters()
  var refusalLines = LineBudget()
  var helloLines = LineBudget(linesPerWindow: 200)
  private var dropLines = LineBudget(linesPerWindow: 200)
  /// Whose message was read last, and where that came from.
  var heard: (peer: Peer, address: String?)?
  var probes = ProbeDesk<Peer>(service: "replay")
  var errands = LinkErrands()
  private(set) var freeBytes = Int.max
  private(set) var reserveBytes = 0
  private(set) var isDiskLow = false
  /// The last write found no room.
  private(set) var isDiskFull = false
  private var nextTick: Int64 = 0
  private var nextSecond: Int64 = 0
  private var nextFold: Int64 = 0
  let started = MonotonicClock.now
  private let watchdog: Watchdog?
  let strand: Strand
  var spans: SpanRecorder? { watchdog?.spans }
  /// Of the heartbeat under way: its own moment, and when it came, in microseconds.
  var answering: (sent: Int, received: Int)?

  /// Opens the ledger and listens. Throws `LedgerError`, `MessagingError` or `Failure`.
  package init(
    settings: RunSettings, folder: RunFolder, endpoint: String, context: MessagingContext, log: Log,
    watchdog: Watchdog? = nil, allowedChanges: [String] = []
  ) throws {
    self.watchdog = watchdog
    strand = watchdog?.strand("serve") ?? Strand("serve")
    strand.use("the disk to open the ledger")
    self.settings = settings
    self.folder = folder
    self.log = log
    store = try LedgerStore(
      path: folder.ledger, newLineage: Self.newLineage(of: folder),
      settings: Self.fixedSettings(settings))
    try Self.recordSettings(settings, in: store, folder, allowed: allowedChanges, log)
    var configuration = LedgerConfiguration(settings, lineage: store.lineage)
    configuration.definitions = try Self.definitions(folder)
    configuration.curriculum = try CurriculumRules.read(
      task: settings.task, source: folder.settings)?.rules
    let history = try store.history(reuse: configuration.reuse)
    ledger = Ledger(configuration, history: history, at: MonotonicClock.now)
    rules = GroupRules(settings: settings, initialModel: folder.initialModel)
    if settings.replay.mode == .offline { rules.readModel(log: log) }
    offline = try Self.feed(settings, store: store, rules: rules, log: log)
    cache = BlobCache(maximumBytes: settings.replay.maximumQueuedBytes / 2)

    var limits = SocketLimits()
    limits.maximumFrameBytes = max(
      settings.replay.maximumGroupBytes, WireLimits.maximumProbeFrameBytes)
    limits.maximumMessageBytes = Limits.maximumMessageBytes
    limits.sendQueueMessages = Limits.sendQueueMessages
    limits.receiveQueueMessages = min(
      Limits.receiveQueueMessages.upperBound,
      max(
        Limits.receiveQueueMessages.lowerBound,
        settings.replay.maximumQueuedBytes / settings.replay.maximumGroupBytes))
    let network = settings.network
    let security = try Protection(
      keys: network.keys, allowsUnauthenticated: network.allowUnauthenticated
    ).security(in: context, admitting: [.actor, .learner, .looker])
    authenticator = security.authenticator
    strangers = authenticator?.strangers ?? Strangers()
    socket = try Socket(.router, in: context, limits: limits, security: security)
    self.endpoint = try socket.bind(to: endpoint)
    door = try Door(socket, strangers: strangers)
    poller.add(socket)
    door.add(to: poller)
    if let authenticator { poller.add(authenticator) }
    log.info(
      "serving \(store.lineage) at \(self.endpoint): step \(ledger.nextStep) of "
        + "\(settings.run.steps), \(history.groups.count) groups on hand")
  }

  /// Digests of what the run's task and verifier do, as `forage run` wrote them.
  private static func definitions(_ folder: RunFolder) throws(Failure) -> [NamedDigest] {
    guard Files.exists(folder.definitions) else { return [] }
    var definitions: [NamedDigest] = []
    for line in try Files.readText(folder.definitions, maximumBytes: 4096).split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let digest = Digest(hexadecimal: String(words[1])) else {
        throw Failure(
          "read", on: folder.definitions, happened: "'\(line)' is no name and digest",
          remedy: "restore the file from a copy; without it forage run --resume takes the task as "
            + "it finds it", exitCode: .badInput)
      }
      definitions.append(NamedDigest(name: String(words[0]), digest: digest))
    }
    return definitions
  }

  /// What must not change while a ledger lives: a ticket's work follows from these.
  private static func fixedSettings(_ settings: RunSettings) -> String {
    "run.seed=\(settings.run.seed) learner.groupsPerStep=\(settings.learner.groupsPerStep) "
      + "sampling.groupSize=\(settings.sampling.groupSize) "
      + "evaluation.prompts=\(settings.evaluation.prompts) "
      + "evaluation.samples=\(settings.evaluation.samples)"
  }

  // MARK: The loop

  /// Serves until one of the descriptors becomes readable, then commits and acknowledges what is
  /// queued. Throws when the storage fails: what was acknowledged is safe, and a restart goes on.
  package func serve(until descriptors: [Int32]) throws {
    let stops = descriptors.map { poller.add(fileDescriptor: $0) }
    strand.work("serving")
    while true {
      strand.turn()
      try poller.wait(timeoutMilliseconds: pollMilliseconds)
      try readMessages()
      try flushIfDue()
      try answerProbes()
      try keepRoomToFold()
      try tickIfDue()
      // The end of the supervisor's pipe shows as an error condition, not as something to read.
      if stops.contains(where: { !poller[$0].isEmpty }) { break }
    }
    try tellFarActors()
    try flush()
    strand.use("the disk to fold the log")
    try store.foldLog()
    log.info("stopped: step \(ledger.nextStep) of \(settings.run.steps)")
  }

  /// Actors on other hosts have no supervisor's pipe: each hears from the answer to its next
  /// heartbeat or request that the run is over, and ends. On one host the supervisor has stopped
  /// them.
  private func tellFarActors() throws {
    guard endpoint.hasPrefix("tcp://") else { return }
    ledger.beginClosing()
    let end = MonotonicClock.now + Limits.closingNanoseconds
    while MonotonicClock.now < end {
      try poller.wait(timeoutMilliseconds: min(100, pollMilliseconds))
      try readMessages()
      try flushIfDue()
      try tickIfDue()
      // A stop descriptor stays readable and would turn the wait into a spin.
      usleep(5_000)
    }
  }

  private var pollMilliseconds: Int {
    if !probes.isEmpty { return 0 }
    let now = MonotonicClock.now
    var due = nextTick
    if !pending.isEmpty { due = min(due, pendingSince + commitWaitNanoseconds) }
    // Rounded up, so that a wait does not spin through its last millisecond.
    return Int(max(0, due - now) + 999_999) / 1_000_000
  }

  private var commitWaitNanoseconds: Int64 {
    Int64(settings.replay.commitWaitMilliseconds * 1e6)
  }

  private func readMessages() throws {
    try watchDoor()
    let end = MonotonicClock.now + Limits.turnNanoseconds
    for _ in 0..<Limits.messagesPerTurn where MonotonicClock.now < end {
      guard
        let message = try socket.receiveSigned(onOversized: { oversized in
          self.counters.oversized += 1
          self.actions.append(self.tooLarge(oversized))
        })
      else { break }
      try handle(message)
      if pendingKeys.count >= settings.replay.commitGroups { try flush() }
    }
    try performActions()
  }

  /// Lets newcomers in or not, and tells of those who were turned away.
  private func watchDoor() throws {
    try authenticator?.serve()
    try door.watch()
    for line in authenticator?.takeLines() ?? strangers.takeLines() { log.warning(line) }
  }

  private func tooLarge(_ message: OversizedMessage) -> Action {
    .reply(
      Asker(Peer(message.firstFrame), 0),
      .refused(
        Refusal(
          .tooLarge,
          "a message of \(message.byteCount) bytes in \(message.frameCount) frames; "
            + "replay.maximumGroupBytes is \(settings.replay.maximumGroupBytes)")))
  }

  private func tickIfDue() throws {
    let now = MonotonicClock.now
    guard now >= nextTick else { return }
    nextTick = now + Limits.tickNanoseconds
    if now >= nextSecond {
      nextSecond = now + Limits.secondNanoseconds
      for gauge in gauges { watchdog?.set(gauge.name, to: gauge.value, of: gauge.maximum) }
      if let watchdog { tell(watchdog.meters) }
      watchDisk()
      rules.readModel(log: log)
      strand.use("the disk to fold the log")
      try store.limitLog(freeBytes: isDiskFull ? 0 : freeBytes)
      strand.work("serving")
    }
    try feed(.tick)
  }

  /// A log can fill a small disk within less than a second, and then nothing can fold it.
  private func keepRoomToFold() throws {
    guard store.unfoldedBytes > Limits.shortLogBytes, MonotonicClock.now >= nextFold,
      let free = try? Files.freeBytes(at: folder.path), store.logBytes > free
    else { return }
    strand.use("the disk to fold the log")
    try store.limitLog(freeBytes: free)
    strand.work("serving")
    if store.logBytes > 0 { nextFold = MonotonicClock.now + Limits.secondNanoseconds }
  }

  private func watchDisk() {
    if settings.replay.diskReserveBytes > 0 {
      reserveBytes = settings.replay.diskReserveBytes
    } else {
      // A checkpoint holds the weights, two moments and perhaps masters in Float32, four times the
      // model and some headers.
      let model = Files.byteCount("\(folder.initialModel)/model.safetensors") ?? 0
      reserveBytes = 5 * model + Limits.logReserveBytes
    }
    guard let free = try? Files.freeBytes(at: folder.path) else { return }
    freeBytes = free
    let isLow = free < reserveBytes
    if isLow != isDiskLow {
      let state = isLow ? "groups are refused until there is more" : "groups are taken again"
      log.warning("\(free) bytes are free and the reserve is \(reserveBytes): \(state)")
    }
    isDiskLow = isLow
  }

  // MARK: Events in, actions out

  /// Lets the ledger handle an event and carries out what it asks for.
  func feed(_ event: Event) throws {
    actions += ledger.handle(event, at: MonotonicClock.now)
    try performActions()
  }

  /// Feeds a group; its bytes are kept for the `store` the ledger may answer.
  func feed(_ asker: Asker, arriving group: PendingGroup) throws {
    arriving = group
    defer { arriving = nil }
    try feed(
      .arrived(
        asker,
        Arrival(
          key: group.group.key, version: group.group.version, bytes: group.blob.count,
          tally: group.tally, level: group.group.level)))
  }

  /// In order; results go back to the ledger at once, and what follows from them comes last.
  private func performActions() throws {
    // A nested call would take actions out of order: the outermost one does them all.
    guard nextAction == 0 else { return }
    while nextAction < actions.count {
      let action = actions[nextAction]
      nextAction += 1
      try perform(action)
    }
    actions.removeAll(keepingCapacity: true)
    nextAction = 0
  }

  private func perform(_ action: Action) throws {
    switch action {
    case .reply(let asker, let reply): try send(reply, to: asker)
    case .store(let key): collect(key)
    case .importGroups(let numbers): try importGroups(numbers)
    case .recordDrop(let drop):
      if drop.key.purpose == .train, drop.wasAccepted { cache.forget(drop.key.number) }
      if let more = dropLines.take() {
        log.info("dropped \(drop.key): \(drop.reason.rawValue), \(drop.tokens) tokens\(more)")
      }
      append(.drop(drop))
    case .recordEvaluation(let summary):
      log.info(
        "evaluation of version \(summary.version): strict \(summary.strict), pass@k "
          + "\(summary.passAtK), \(summary.prompts) prompts")
      append(.evaluation(summary))
    case .recordAbandonedEvaluation(let version):
      log.warning("the evaluation of version \(version) is given up: nobody has its weights")
      append(.abandonedEvaluation(version: version))
    case .forgetLease(let step): append(.forgetLease(step: step))
    case .recordEpoch(let record): try recordEpoch(record)
    case .recordLease(let step, let epoch, let batch, let asker):
      try recordLease(step: step, epoch: epoch, batch, asker)
    case .recordCommit(let record): try recordCommit(record)
    case .sendLease(let asker, let batch): try sendLease(batch, to: asker)
    case .sendCommittedLease(let asker, let step): try sendCommittedLease(step, to: asker)
    case .compareCommit(let asker, let commit): try compare(commit, asker)
    }
  }

  // MARK: Group commit

  private func append(_ write: PendingWrite) {
    if pending.isEmpty { pendingSince = MonotonicClock.now }
    pending.append(write)
  }

  private func collect(_ key: TicketKey) {
    guard let group = arriving, group.group.key == key else {
      preconditionFailure("\(key) is to be stored and \(arriving?.group.key as Any) has come")
    }
    collect(group)
  }

  /// Queues a group for the next commit.
  func collect(_ group: PendingGroup) {
    let key = group.group.key
    let now = MonotonicClock.now
    append(.group(group))
    pendingKeys.append(key)
    pendingTimes.append(now)
    pendingBytes += group.blob.count
    if key.purpose == .train { cache.keep(key.number, group.blob, at: now) }
  }

  private func flushIfDue() throws {
    guard !pending.isEmpty else { return }
    if MonotonicClock.now >= pendingSince + commitWaitNanoseconds { try flush() }
  }

  /// One FULL commit of everything pending, then the acknowledgements. False when the disk is full
  /// and nothing was written.
  @discardableResult
  func flush() throws -> Bool {
    guard !pending.isEmpty else { return true }
    let keys = pendingKeys
    let event: Event
    let began = MonotonicClock.now
    let isWritten = try isWritten(pending)
    noteCommit(from: began)
    if isWritten {
      noteRoom()
      pending.removeAll(keepingCapacity: true)
      counters.commits += 1
      counters.groups += keys.count
      event = .stored(keys)
    } else {
      // Nothing of the transaction stands. The senders keep their groups; what counts drops and
      // evaluations waits for room here.
      pending.removeAll {
        if case .group = $0 { true } else { false }
      }
      pendingSince = MonotonicClock.now + Limits.secondNanoseconds
      for key in keys where key.purpose == .train { cache.forget(key.number) }
      event = .notStored(keys, busy("the disk is full"))
    }
    pendingKeys.removeAll(keepingCapacity: true)
    pendingTimes.removeAll(keepingCapacity: true)
    pendingBytes = 0
    if !keys.isEmpty { try feed(event) }
    return isWritten
  }

  private func noteCommit(from began: Int64) {
    guard strand.spans != nil else { return }
    let end = MonotonicClock.now
    strand.span(.commit, id: counters.commits, from: began, to: end, amount: pendingKeys.count)
    for (key, since) in zip(pendingKeys, pendingTimes) where key.purpose == .train {
      strand.span(.groupWait, id: key.number, from: since, to: began)
      strand.span(.fsync, id: key.number, from: began, to: end)
    }
  }

  /// False when the disk is full; any other fault of the storage ends the process, because after a
  /// failed fsync nobody knows what is on the disk but a process that reads it anew.
  private func isWritten(_ writes: [PendingWrite]) throws(LedgerError) -> Bool {
    strand.use("the disk to take a commit")
    defer { strand.work("serving") }
    do {
      try store.write(writes)
      return true
    } catch {
      guard error.isDiskFull else { throw error }
      noteFullDisk(error)
      return false
    }
  }

  /// Said once, not with every attempt.
  func noteFullDisk(_ error: LedgerError) {
    if !isDiskFull { log.warning("\(error); senders keep what they have until there is room") }
    isDiskFull = true
  }

  /// Something was written.
  func noteRoom() {
    if isDiskFull { log.info("the disk has room again: groups are taken") }
    isDiskFull = false
  }

  func busy(_ why: String) -> Refusal {
    Refusal(.busy, "\(why): hold what you have and ask again in a second")
  }
}
