// The actor's side of the talk with replay: a pure state machine, answers and time in, actions out.
//
// No socket, clock or thread is in here, so every order of losses and delays can be written down as
// a test. A hello comes first, and again whenever replay was restarted or silent; with it goes the
// list of tickets held, and after it everything unacknowledged is sent again. Times are
// milliseconds of one monotonic clock.

import Experience
import Wire

/// What an actor is doing, as its heartbeats tell.
package struct Progress: Equatable, Sendable {
  package var version: PolicyVersion?
  package var state: String
  package var stateMilliseconds: Int
  package var tokensSampled: Int
  package var idleMilliseconds: Int

  package init(
    version: PolicyVersion? = nil, state: String = "", stateMilliseconds: Int = 0,
    tokensSampled: Int = 0, idleMilliseconds: Int = 0
  ) {
    self.version = version
    self.state = state
    self.stateMilliseconds = stateMilliseconds
    self.tokensSampled = tokensSampled
    self.idleMilliseconds = idleMilliseconds
  }
}

package struct Conversation: Sendable {
  package enum Action: Equatable, Sendable {
    case send(Envelope<Request>)
    /// Close the socket with all it holds and make a new one.
    case reconnect
    /// A hello was answered and the learner has said its own: first time or again.
    case welcomed(Welcome)
    /// The answer to the compute thread's question.
    case answer(Answer)
    /// A hint: replay knows of this version.
    case newest(PolicyVersion)
    case finished
    /// Nothing here can mend it: end with this.
    case fail(Problem)
    /// A line for the log.
    case note(String)
  }

  package enum Answer: Equatable, Sendable {
    case tickets([Ticket])
    case fetch(PolicyVersion)
    case wait(Wait)
  }

  package enum Problem: Error, Equatable, Sendable {
    /// Replay refused, for good.
    case refused(Refusal)
    /// Whom it waited for, and how long.
    case gaveUp(whom: String, milliseconds: Int)
  }

  package struct Limits: Sendable {
    package var heartbeatMilliseconds = 1_000
    /// A hello unanswered this long is tried on a new socket.
    package var helloMilliseconds = 3_000
    /// Replay silent this long, heartbeats unanswered, is reconnected to. A heartbeat goes behind
    /// the groups that are on their way, so that a large one on a thin link makes silence: while
    /// there are any, it may last twice as long as the last one took to arrive, and twice as long
    /// again after each connection that ended in silence.
    package var silenceMilliseconds = 10_000
    package var mostSilenceMilliseconds = 320_000
    /// Waiting this long without being able to work ends the actor.
    package var giveUpMilliseconds = 600_000

    package init() {}
  }

  private enum Phase {
    case greeting(id: Int, since: Int)
    case pausing(until: Int, onNewSocket: Bool)
    case ready
  }

  private struct Ask {
    var request: TicketRequest
    /// nil: to be sent, not before `notBefore`.
    var id: Int?
    var sentAt = 0
    var notBefore = 0
  }

  package let name: String
  package let address: String
  package let numericClass: String
  package let limits: Limits

  package private(set) var outbox: Outbox
  /// Tickets granted whose groups replay has neither acknowledged nor refused.
  package private(set) var held: Set<TicketKey> = []
  /// The answer to a question asked before: work that nobody has asked for yet.
  private var spare: [Ticket] = []
  private var phase: Phase
  private var ask: Ask?
  /// Digests of what tickets are filled with, once that is known; hellos tell them.
  private var definitions: [NamedDigest] = []
  private var nextID = 1
  private var actions: [Action] = []
  private var backoff: Backoff
  private var busyBackoff: Backoff
  private var lastHeard: Int
  private var lastHeartbeat: Int
  /// Connections in a row that were given up in silence with groups on their way.
  private var silentConnections = 0
  /// From sending to answer, of the group answered last.
  private var deliveryMilliseconds = 0
  /// Since when no work is possible; nil while it is.
  private var stuckSince: Int?
  private var waitsFor: String
  private var newest: PolicyVersion?

  package init(
    name: String, address: String, numericClass: String, limits: Limits = Limits(), now: Int
  ) {
    self.name = name
    self.address = address
    self.numericClass = numericClass
    self.limits = limits
    outbox = Outbox(name: name)
    outbox.arrivedThrough = 0
    backoff = Backoff(firstMilliseconds: 200, maximumMilliseconds: 5_000, name: name)
    busyBackoff = Backoff(firstMilliseconds: 100, maximumMilliseconds: 5_000, name: name + "/busy")
    lastHeard = now
    lastHeartbeat = now
    stuckSince = now
    waitsFor = "replay at \(address) to answer hello"
    phase = .pausing(until: now, onNewSocket: false)
  }

  package var isReady: Bool { if case .ready = phase { true } else { false } }

  /// For whom it waits before any work is possible; nil while work is.
  package var waiting: String? { stuckSince == nil ? nil : waitsFor }

  /// Whether `submit` may be called.
  package var hasRoom: Bool { outbox.hasRoom }

  package mutating func takeActions() -> [Action] {
    defer { actions = [] }
    return actions
  }

  // MARK: what the compute thread wants

  /// Asks for work; one `answer` will follow, however many attempts it takes.
  package mutating func askForTickets(_ request: TicketRequest, now: Int) {
    precondition(ask == nil, "asked for \(request.count) tickets during another question")
    if !spare.isEmpty {
      actions.append(.answer(.tickets(spare)))
      spare = []
      return
    }
    ask = Ask(request: request)
    pump(now: now)
  }

  package mutating func submit(_ group: EncodedGroup, now: Int) {
    outbox.add(group)
    pump(now: now)
  }

  /// The actor can not fill this ticket: replay reissues it when its lease ends.
  package mutating func release(_ key: TicketKey) { held.remove(key) }

  /// What this actor works with is known now: replay is told at once, so that one of another task
  /// is refused before its first group.
  package mutating func declare(_ definitions: [NamedDigest], now: Int) {
    self.definitions = definitions
    greetAgain(now: now)
  }

  /// Asks hello again where it is: addresses may have changed.
  package mutating func greetAgain(now: Int) {
    guard isReady else { return }
    hello(now: now)
  }

  // MARK: time

  package mutating func advance(now: Int, progress: Progress) {
    if let stuckSince, now - stuckSince >= limits.giveUpMilliseconds {
      actions.append(.fail(.gaveUp(whom: waitsFor, milliseconds: now - stuckSince)))
      return
    }
    switch phase {
    case .pausing(let until, let onNewSocket):
      guard now >= until else { return }
      if onNewSocket { actions.append(.reconnect) }
      hello(now: now)
    case .greeting(_, let since):
      guard now - since >= limits.helloMilliseconds else { return }
      pause(now: now, waitsFor: "replay at \(address) to answer hello", onNewSocket: true)
    case .ready:
      if now - lastHeard >= patienceMilliseconds {
        silentConnections = outbox.isEmpty ? 0 : silentConnections + 1
        note("replay at \(address) has been silent for \((now - lastHeard) / 1000) s: reconnecting")
        stuckSince = lastHeard
        waitsFor = "replay at \(address), silent"
        actions.append(.reconnect)
        hello(now: now)
        return
      }
      if let sent = ask, sent.id != nil, now - sent.sentAt >= patienceMilliseconds {
        ask?.id = nil
      }
      if now - lastHeartbeat >= limits.heartbeatMilliseconds { heartbeat(progress, now: now) }
      pump(now: now)
    }
  }

  private var patienceMilliseconds: Int {
    guard !outbox.isEmpty else { return limits.silenceMilliseconds }
    let wanted =
      max(limits.silenceMilliseconds, 2 * deliveryMilliseconds) << min(silentConnections, 16)
    // What is silence for so long is no reason yet to give up.
    let most = min(limits.mostSilenceMilliseconds, limits.giveUpMilliseconds / 2)
    return max(limits.silenceMilliseconds, min(wanted, most))
  }

  /// Replay has answered to a group, whatever it said: it had arrived.
  private mutating func noteArrival(sentAt: Int?, now: Int) {
    silentConnections = 0
    if let sentAt { deliveryMilliseconds = now - sentAt }
  }

  /// By when `advance` wants to be called again.
  package func nextMoment(now: Int) -> Int {
    var moment = now + limits.heartbeatMilliseconds
    switch phase {
    case .pausing(let until, _): moment = min(moment, until)
    case .greeting(_, let since): moment = min(moment, since + limits.helloMilliseconds)
    case .ready:
      moment = min(moment, lastHeartbeat + limits.heartbeatMilliseconds)
      if let ask, ask.id == nil { moment = min(moment, ask.notBefore) }
      if let next = outbox.nextMoment(now: now) { moment = min(moment, next) }
    }
    return max(moment, now)
  }

  // MARK: answers

  package mutating func receive(_ envelope: Envelope<Reply>, now: Int) {
    lastHeard = now
    switch envelope.body {
    case .welcome(let welcome): welcomed(welcome, id: envelope.id, now: now)
    case .tickets(let tickets): granted(tickets, id: envelope.id, now: now)
    case .fetch(let version): answer(.fetch(version), id: envelope.id)
    case .wait(let wait):
      if wait.isFinished { actions.append(.finished) } else { answer(.wait(wait), id: envelope.id) }
    case .acknowledged(let key):
      noteArrival(sentAt: outbox.sentAt(key: key), now: now)
      outbox.acknowledge(key)
      held.remove(key)
      pump(now: now)
    case .alive(let alive):
      outbox.arrivedThrough = max(outbox.arrivedThrough, envelope.id)
      if alive.isFinished { actions.append(.finished) }
      heard(of: alive.version)
    case .refused(let refusal): refused(refusal, id: envelope.id, now: now)
    case .lease, .committed, .status, .probed, .measured:
      note("replay answered with what no actor asks for; it was left aside")
    }
  }

  private mutating func welcomed(_ welcome: Welcome, id: Int, now: Int) {
    guard case .greeting(let asked, _) = phase, asked == id else { return }
    guard !welcome.weightsAddress.isEmpty else {
      pause(now: now, waitsFor: "the learner to say hello to replay", onNewSocket: false)
      return
    }
    phase = .ready
    stuckSince = nil
    backoff.reset()
    lastHeartbeat = now
    outbox.reconnected()
    ask?.id = nil
    actions.append(.welcomed(welcome))
    heard(of: welcome.version)
    pump(now: now)
  }

  private mutating func granted(_ tickets: [Ticket], id: Int, now: Int) {
    guard let sent = ask, sent.id == id else {
      // The answer to a question that was asked again: granted all the same, so it is kept.
      for ticket in tickets where held.insert(ticket.key).inserted { spare.append(ticket) }
      return
    }
    busyBackoff.reset()
    let fresh = spare + tickets.filter { held.insert($0.key).inserted }
    spare = []
    ask = nil
    actions.append(
      fresh.isEmpty
        ? .answer(.wait(Wait(milliseconds: 50, reason: "replay to have a ticket")))
        : .answer(.tickets(fresh)))
  }

  private mutating func answer(_ answer: Answer, id: Int) {
    guard let sent = ask, sent.id == id else { return }
    ask = nil
    actions.append(.answer(answer))
  }

  private mutating func refused(_ refusal: Refusal, id: Int, now: Int) {
    switch refusal.code {
    case .helloFirst where isReady:
      note("replay does not know this actor (it was restarted): saying hello again")
      hello(now: now)
    case .helloFirst: break
    case .anotherRun, .numericClass, .protocolVersion, .role:
      actions.append(.fail(.refused(refusal)))
    case _ where outbox.contains(id: id):
      noteArrival(sentAt: outbox.sentAt(id: id), now: now)
      if let key = outbox.refuse(id: id, refusal, now: now) {
        held.remove(key)
        note(
          "the group of \(key) was refused and dropped (\(refusal.code.rawValue)): "
            + refusal.sentence)
      }
      pump(now: now)
    case .busy where ask?.id == id:
      ask?.id = nil
      ask?.notBefore = now + busyBackoff.next()
    case .busy:
      guard case .greeting(let asked, _) = phase, asked == id else { return }
      pause(now: now, waitsFor: "replay at \(address), busy", onNewSocket: false)
    default:
      guard case .greeting(let asked, _) = phase, asked == id else {
        if ask?.id == id { actions.append(.fail(.refused(refusal))) }
        return
      }
      actions.append(.fail(.refused(refusal)))
    }
  }

  // MARK: steps

  private mutating func hello(now: Int) {
    let id = makeID()
    phase = .greeting(id: id, since: now)
    if stuckSince == nil {
      stuckSince = now
      waitsFor = "replay at \(address) to answer hello"
    }
    actions.append(
      .send(
        Envelope(
          id: id,
          body: .hello(
            Hello(
              role: .actor, name: name, numericClass: numericClass, holding: held.sorted(),
              files: definitions)))))
  }

  private mutating func pause(now: Int, waitsFor whom: String, onNewSocket: Bool) {
    if whom != waitsFor || stuckSince == now { note("waiting for \(whom)") }
    if stuckSince == nil { stuckSince = now }
    waitsFor = whom
    phase = .pausing(until: now + backoff.next(), onNewSocket: onNewSocket)
  }

  private mutating func heartbeat(_ progress: Progress, now: Int) {
    lastHeartbeat = now
    send(
      .heartbeat(
        Heartbeat(
          holding: held.sorted(), version: progress.version, state: progress.state,
          stateMilliseconds: progress.stateMilliseconds, tokensSampled: progress.tokensSampled,
          groupsSubmitted: outbox.acknowledgedCount, idleMilliseconds: progress.idleMilliseconds)))
  }

  /// Sends what may be sent now.
  private mutating func pump(now: Int) {
    guard isReady else { return }
    if let waiting = ask, waiting.id == nil, now >= waiting.notBefore {
      let id = send(.tickets(waiting.request))
      ask?.id = id
      ask?.sentAt = now
    }
    for envelope in outbox.takeSubmissions(now: now, nextID: &nextID) {
      actions.append(.send(envelope))
    }
  }

  @discardableResult private mutating func send(_ body: Request) -> Int {
    let id = makeID()
    actions.append(.send(Envelope(id: id, body: body)))
    return id
  }

  private mutating func makeID() -> Int {
    defer { nextID += 1 }
    return nextID
  }

  private mutating func heard(of version: PolicyVersion?) {
    guard let version, version.number > newest?.number ?? -1 else { return }
    newest = version
    actions.append(.newest(version))
  }

  private mutating func note(_ text: String) { actions.append(.note(text)) }
}
