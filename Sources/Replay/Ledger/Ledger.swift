// The ledger of a run: who may sample what with which weights, what is on disk, what is trained.
//
// The obvious service keeps a list of groups in memory and a counter of how far actors may run
// ahead. It loses acknowledged work with its process, and the counter deadlocks: every group that
// is dropped spends a unit of it for ever. Here pacing goes by number (ticket n is granted once
// n / B <= version + lagMax), a group is judged by the version it records, and everything that was
// answered is on disk first. DESIGN section 4 holds the rules.
//
// A pure state machine: events and a time in, actions out; no socket, file, clock or thread.

import Experience
import Wire

package struct Ledger {
  enum Limits {
    /// A request nobody can serve is answered `wait` after this long, so that the asker's own
    /// deadline can be short and an answer lost with a connection costs little.
    static let longPollNanoseconds: Int64 = 1_000_000_000
    /// Unexplained silence of this length between two events (ticks come four times a second)
    /// means that replay itself stood still: no ticket lease runs out over it.
    static let stallNanoseconds: Int64 = 1_000_000_000
    /// After a restart actors get this long to say what they hold before it is given to others.
    static let reconnectNanoseconds: Int64 = 1_000_000_000
    /// A holder whose heartbeats show no progress for so many leases loses its tickets.
    static let leasesWithoutProgress: Int64 = 10
    /// A third unfinished evaluation means that the first will not be finished.
    static let maximumOpenEvaluations = 2
    /// Peers remembered; one that neither holds nor asks anything is forgotten first.
    static let maximumPeers = 8192
    /// A peer silent for so many ticket leases is forgotten.
    static let leasesUntilForgotten: Int64 = 10
  }

  /// What the store has been asked to write and has not yet answered.
  enum Recording {
    case epoch(Asker, Hello, EpochRecord)
    case lease(Asker, step: Int, Batch)
    case commit(Asker, CommitRecord)
  }

  struct Parked {
    var asker: Asker
    var request: TicketRequest
    var since: Int64
  }

  struct ParkedLease {
    var asker: Asker
    var request: LeaseRequest
    var since: Int64
  }

  /// An evaluation's summary and whether the open lease has carried it.
  struct Undelivered {
    var summary: EvaluationSummary
    var wasSent = false
  }

  package let configuration: LedgerConfiguration

  // Steps.
  /// The newest committed version: step `version.number` is the next.
  package internal(set) var version: PolicyVersion?
  var digests: [Int: Digest]
  package internal(set) var epoch: Int
  /// The processes that have been the learner, each once, newest last.
  var learnerInstances: [String]
  /// Who spoke the current epoch's hello; nil after a restart until it does again.
  var learner: Peer?
  var announcement: Announcement?
  var fingerprint: Fingerprint?
  let settingsSpans: [SettingsSpan]
  var lastCommit: StepCommit?
  /// The first version with which each level of the curriculum is open; level 0 always is.
  var openings: [Int]
  /// The recorded batch of the next step.
  package internal(set) var lease: Batch?
  var recording: Recording?
  /// Groups of the source are on their way.
  var isImporting = false

  var book: TicketBook
  var pool: ReusePool
  /// Unfinished, oldest first.
  var evaluations: [Evaluation] = []
  var closedEvaluations: [Int: Bool]
  var undelivered: [Undelivered]

  var peers: [Peer: PeerRecord] = [:]
  /// Peers that made room for newcomers.
  package var idlePeersForgotten = 0
  var parked: [Parked] = []
  var parkedLease: ParkedLease?

  var now: Int64
  /// Until then only tickets that cannot be held by a returning actor are granted: none.
  var reconnectUntil: Int64
  /// Something changed that may let a parked request be served.
  var isStirred = true
  var outbox: [Action] = []

  /// Continues from what the store remembers; `now` is in nanoseconds of a monotonic clock.
  package init(
    _ configuration: LedgerConfiguration, history: LedgerHistory = .init(), at now: Int64
  ) {
    self.configuration = configuration
    version = history.version
    digests = history.digests
    epoch = history.epoch
    learnerInstances = history.learnerInstances
    announcement = history.announcement
    fingerprint = history.fingerprint
    settingsSpans = history.settingsSpans
    lastCommit = history.lastCommit
    openings = history.openings
    lease = history.lease
    book = TicketBook(history)
    pool = ReusePool(configuration.reuse, history)
    closedEvaluations = history.closedEvaluations
    undelivered = history.undelivered.map { Undelivered(summary: $0) }
    self.now = now
    let isFresh = book.next == book.lowWater && book.next == 0
    reconnectUntil = isFresh ? now : now + Limits.reconnectNanoseconds
    reopenEvaluations(history.evaluationGroups)
    checkLaws()
  }

  /// The step to be leased and committed next; the number of steps committed.
  package var nextStep: Int { version?.number ?? 0 }

  package var hasAllSteps: Bool { nextStep >= configuration.steps }

  /// All steps are committed and no evaluation is open.
  package var isFinished: Bool { hasAllSteps && evaluations.isEmpty }
  /// Set by `beginClosing`.
  var isClosing = false

  package mutating func handle(_ event: Event, at time: Int64) -> [Action] {
    advance(to: time)
    outbox = []
    switch event {
    case .hello(let asker, let hello): handleHello(asker, hello)
    case .tickets(let asker, let request): handleTickets(asker, request)
    case .heartbeat(let asker, let heartbeat): handleHeartbeat(asker, heartbeat)
    case .arrived(let asker, let arrival): handleArrival(asker, arrival)
    case .unusable(let asker, let key, let refusal, let bytes):
      handleUnusable(asker, key, refusal, bytes: bytes)
    case .lease(let asker, let request): handleLease(asker, request)
    case .commit(let asker, let commit): handleCommit(asker, commit)
    case .gone(let peer): handleGone(peer)
    case .sourced(let arrivals): handleSourced(arrivals)
    case .stored(let keys): handleStored(keys)
    case .notStored(let keys, let refusal): handleNotStored(keys, refusal)
    case .recorded: handleRecorded()
    case .notRecorded(let refusal): handleNotRecorded(refusal)
    case .damaged(let key, let asker): handleDamaged(key, asker)
    case .tick: handleTick()
    }
    if isStirred { serveParked() }
    checkLaws()
    return outbox
  }

  /// Both laws, after every event: a ledger that has lost count must not answer. Not a
  /// precondition, whose words an optimized build leaves out.
  private func checkLaws() {
    if let broken = book.brokenLaw() { fatalError("the ledger broke a law: \(broken)") }
  }

  /// Time never runs backward here, whatever the caller's clock does.
  private mutating func advance(to time: Int64) {
    let gap = max(0, time - now)
    now += gap
    guard gap > Limits.stallNanoseconds else { return }
    book.postponeLeases(by: gap)
    for index in evaluations.indices { evaluations[index].postponeLeases(by: gap) }
    for peer in peers.keys { peers[peer]!.postpone(by: gap) }
  }

  mutating func reply(_ asker: Asker, _ reply: Reply) {
    outbox.append(.reply(asker, reply))
  }

  mutating func refuse(_ asker: Asker, _ code: Refusal.Code, _ sentence: String) {
    reply(asker, .refused(Refusal(code, sentence)))
  }
}

// MARK: Time

extension Ledger {
  private mutating func handleTick() {
    if reconnectUntil > 0, now >= reconnectUntil {
      reconnectUntil = 0
      isStirred = true
    }
    finishCompleteEvaluations()
    endSilentLeases()
    forgetSilentPeers()
    if isStirred { serveParked() }
    answerLongPolls()
  }

  private mutating func answerLongPolls() {
    let due = now - Limits.longPollNanoseconds
    while let first = parked.first, first.since <= due {
      parked.removeFirst()
      reply(first.asker, .wait(Wait(milliseconds: 0, reason: reasonNoTicket())))
    }
    if let waiting = parkedLease, waiting.since <= due {
      parkedLease = nil
      reply(waiting.asker, .wait(Wait(milliseconds: 0, reason: reasonNoLease())))
    }
  }

  /// Answers what has become answerable, the oldest request first.
  private mutating func serveParked() {
    isStirred = false
    let waiting = parked
    parked = []
    for entry in waiting {
      if let answer = answer(entry.request, of: entry.asker.peer) {
        reply(entry.asker, answer)
      } else {
        parked.append(entry)
      }
    }
    serveParkedLease()
  }
}
