// The talk with replay, as transcripts: what is said, what is lost, what is said again.

import Acting
import Digests
import Experience
import Testing
import Wire

struct ConversationTests {
  /// A conversation with replay's side played by hand.
  struct Talk {
    var conversation: Conversation
    var now = 0
    var progress = Progress(state: "sampling")

    init(giveUp: Int = 60_000) {
      var limits = Conversation.Limits()
      limits.giveUpMilliseconds = giveUp
      conversation = Conversation(
        name: "a", address: "tcp://head:1", numericClass: "f32/x", limits: limits, now: 0)
    }

    mutating func advance(to moment: Int) -> [Conversation.Action] {
      now = moment
      conversation.advance(now: now, progress: progress)
      return conversation.takeActions()
    }

    mutating func hear(_ id: Int, _ reply: Reply) -> [Conversation.Action] {
      conversation.receive(Envelope(id: id, body: reply), now: now)
      return conversation.takeActions()
    }

    /// Through hello and welcome.
    mutating func join() {
      let id = ConversationTests.sent(advance(to: now)).last!.id
      _ = hear(id, .welcome(ConversationTests.welcome()))
      precondition(conversation.isReady, "not ready after the welcome")
    }

    mutating func submit(_ number: Int) -> [Conversation.Action] {
      conversation.submit(ConversationTests.group(number), now: now)
      return conversation.takeActions()
    }

    mutating func ask() -> [Conversation.Action] {
      conversation.askForTickets(TicketRequest(version: nil, count: 4), now: now)
      return conversation.takeActions()
    }
  }

  static func key(_ number: Int) -> TicketKey { TicketKey(purpose: .train, number: number) }

  static func group(_ number: Int, bytes: Int = 100) -> EncodedGroup {
    EncodedGroup(
      key: key(number), payload: [UInt8](repeating: UInt8(number & 255), count: bytes),
      tokenCount: 7)
  }

  static func version(_ number: Int) -> PolicyVersion {
    PolicyVersion(lineage: "l", number: number, digest: Digest(of: [UInt8(number)]))
  }

  static func welcome(weights: String = "ipc:///w") -> Welcome {
    Welcome(
      run: "r", lineage: "l", settings: .object([]), files: [], weightsAddress: weights,
      announceAddress: "", version: nil, epoch: 0, lastCommit: nil)
  }

  static func sent(_ actions: [Conversation.Action]) -> [Envelope<Request>] {
    actions.compactMap { if case .send(let envelope) = $0 { envelope } else { nil } }
  }

  static func answers(_ actions: [Conversation.Action]) -> [Conversation.Answer] {
    actions.compactMap { if case .answer(let answer) = $0 { answer } else { nil } }
  }

  static func submissions(_ actions: [Conversation.Action]) -> [(id: Int, key: TicketKey)] {
    sent(actions).compactMap {
      if case .submit(let submission) = $0.body { ($0.id, submission.key) } else { nil }
    }
  }

  @Test func `a hello comes first and nothing else before its answer`() {
    var talk = Talk()
    talk.conversation.askForTickets(TicketRequest(version: nil, count: 4), now: 0)
    talk.conversation.submit(Self.group(1), now: 0)
    let first = Self.sent(talk.advance(to: 0))
    #expect(first.count == 1)
    guard case .hello(let hello) = first[0].body else {
      Issue.record("the first request was \(first[0].body)")
      return
    }
    #expect(hello.role == .actor && hello.name == "a" && hello.numericClass == "f32/x")
    let then = Self.sent(talk.hear(first[0].id, .welcome(Self.welcome())))
    #expect(then.count == 2)
  }

  @Test func `what an actor works with is declared at once, and in every hello after`() {
    var talk = Talk()
    let first = Self.sent(talk.advance(to: 0))[0]
    _ = talk.hear(first.id, .welcome(Self.welcome()))
    let own = [NamedDigest(name: "task", digest: Digest(of: [7]))]
    talk.conversation.declare(own, now: 1)
    let second = Self.sent(talk.conversation.takeActions())
    #expect(second.count == 1)
    guard case .hello(let hello)? = second.first?.body else {
      Issue.record("no hello after the declaration")
      return
    }
    #expect(hello.files == own)
    let refusal = Refusal(.anotherRun, "another task")
    #expect(talk.hear(second[0].id, .refused(refusal)) == [.fail(.refused(refusal))])
  }

  @Test func `an unanswered hello is tried on a new socket until the patience is over`() {
    var talk = Talk(giveUp: 20_000)
    var hellos = 0
    var reconnects = 0
    var problem: Conversation.Problem?
    for moment in stride(from: 0, through: 21_000, by: 100) where problem == nil {
      for action in talk.advance(to: moment) {
        switch action {
        case .send: hellos += 1
        case .reconnect: reconnects += 1
        case .fail(let given): problem = given
        default: break
        }
      }
    }
    #expect(hellos >= 3)
    #expect(reconnects == hellos - 1)
    #expect(
      problem == .gaveUp(whom: "replay at tcp://head:1 to answer hello", milliseconds: 20_000))
  }

  @Test func `without the learner's addresses the actor waits for the learner by name`() {
    var talk = Talk(giveUp: 5_000)
    let hello = Self.sent(talk.advance(to: 0))[0]
    _ = talk.hear(hello.id, .welcome(Self.welcome(weights: "")))
    #expect(!talk.conversation.isReady)
    #expect(talk.conversation.waiting == "the learner to say hello to replay")
    let again = Self.sent(talk.advance(to: 400))
    #expect(again.count == 1)
    let actions = talk.hear(again[0].id, .welcome(Self.welcome()))
    #expect(actions.contains(.welcomed(Self.welcome())))
    #expect(talk.conversation.isReady)
  }

  @Test func `patience runs out for a learner that never says hello`() {
    var talk = Talk(giveUp: 5_000)
    var problem: Conversation.Problem?
    for moment in stride(from: 0, through: 6_000, by: 50) where problem == nil {
      for action in talk.advance(to: moment) {
        if case .fail(let given) = action { problem = given }
        if case .send(let envelope) = action {
          _ = talk.hear(envelope.id, .welcome(Self.welcome(weights: "")))
        }
      }
    }
    #expect(problem == .gaveUp(whom: "the learner to say hello to replay", milliseconds: 5_000))
  }

  @Test func `heartbeats carry what is held and go on while the compute thread works`() {
    var talk = Talk()
    talk.join()
    let ask = Self.sent(talk.ask())[0]
    _ = talk.hear(
      ask.id, .tickets([Ticket(key: Self.key(4), minimumVersion: 0)]))
    var beats: [Heartbeat] = []
    for moment in stride(from: 0, through: 5_000, by: 100) {
      for envelope in Self.sent(talk.advance(to: moment)) {
        if case .heartbeat(let beat) = envelope.body { beats.append(beat) }
        _ = talk.hear(envelope.id, .alive(Alive(version: nil, isFinished: false)))
      }
    }
    #expect(beats.count == 5)
    #expect(beats.allSatisfy { $0.holding == [Self.key(4)] && $0.state == "sampling" })
  }

  @Test func `an acknowledged group is neither held nor sent again`() {
    var talk = Talk()
    talk.join()
    let ask = Self.sent(talk.ask())[0]
    _ = talk.hear(ask.id, .tickets([Ticket(key: Self.key(4), minimumVersion: 0)]))
    let submission = Self.submissions(talk.submit(4))[0]
    _ = talk.hear(submission.id, .acknowledged(Self.key(4)))
    #expect(talk.conversation.held.isEmpty)
    #expect(talk.conversation.outbox.isEmpty)
    #expect(talk.conversation.outbox.acknowledgedCount == 1)
    // A second acknowledgement of it, as after a resend, changes nothing.
    _ = talk.hear(submission.id, .acknowledged(Self.key(4)))
    #expect(talk.conversation.outbox.acknowledgedCount == 1)
  }

  @Test func `a silent replay is reconnected to, told what is held, and sent everything again`() {
    var talk = Talk()
    talk.join()
    let ask = Self.sent(talk.ask())[0]
    _ = talk.hear(
      ask.id, .tickets((4...6).map { Ticket(key: Self.key($0), minimumVersion: 0) }))
    _ = talk.submit(4)
    _ = talk.submit(5)
    _ = talk.ask()
    var hello: Envelope<Request>?
    var reconnects = 0
    for moment in stride(from: 0, through: 10_000, by: 500) where hello == nil {
      for action in talk.advance(to: moment) {
        if action == .reconnect { reconnects += 1 }
        if case .send(let envelope) = action, case .hello = envelope.body { hello = envelope }
      }
    }
    #expect(reconnects == 1)
    guard let hello, case .hello(let body) = hello.body else {
      Issue.record("no hello after ten seconds of silence")
      return
    }
    #expect(body.holding == [Self.key(4), Self.key(5), Self.key(6)])
    let after = talk.hear(hello.id, .welcome(Self.welcome()))
    #expect(Self.submissions(after).map(\.key) == [Self.key(4), Self.key(5)])
    #expect(Self.sent(after).contains { if case .tickets = $0.body { true } else { false } })
  }

  @Test func `a group too large for the link in ten seconds is given longer each time`() {
    var talk = Talk(giveUp: 600_000)
    talk.join()
    _ = talk.submit(1)
    var reconnections: [Int] = []
    // Nothing comes back while it is on its way: heartbeats stand behind it.
    for moment in stride(from: 0, through: 71_000, by: 500) {
      let actions = talk.advance(to: moment)
      guard actions.contains(.reconnect) else { continue }
      reconnections.append(moment)
      for envelope in Self.sent(actions) {
        if case .hello = envelope.body {
          #expect(Self.submissions(talk.hear(envelope.id, .welcome(Self.welcome()))).count == 1)
        }
      }
    }
    #expect(reconnections == [10_000, 30_000, 70_000])
    // Once one has arrived the patience is the usual one.
    _ = talk.hear(0, .acknowledged(Self.key(1)))
    var next: Int?
    for moment in stride(from: 71_500, through: 90_000, by: 500) where next == nil {
      if talk.advance(to: moment).contains(.reconnect) { next = moment }
    }
    #expect(next == 81_000)
  }

  @Test func `after a group that took long to arrive the next one is given its time at once`() {
    var talk = Talk(giveUp: 600_000)
    talk.join()
    let first = Self.submissions(talk.submit(1))
    _ = talk.advance(to: 9_000)
    // It arrived after nine seconds and was refused, which is an arrival as well.
    _ = talk.hear(first[0].id, .refused(Refusal(.stale, "old")))
    let second = Self.submissions(talk.submit(2))
    talk.now = 25_000
    _ = talk.hear(second[0].id, .acknowledged(Self.key(2)))
    _ = talk.submit(3)
    var next: Int?
    for moment in stride(from: 25_500, through: 80_000, by: 500) where next == nil {
      if talk.advance(to: moment).contains(.reconnect) { next = moment }
    }
    // Twice the 16 s that the second one took.
    #expect(next == 25_000 + 32_000)
  }

  @Test func `no patience is so long that the actor gives up with it`() {
    var talk = Talk(giveUp: 60_000)
    talk.join()
    _ = talk.submit(1)
    var problem: Conversation.Problem?
    var reconnections: [Int] = []
    for moment in stride(from: 0, through: 200_000, by: 500) where problem == nil {
      let actions = talk.advance(to: moment)
      if actions.contains(.reconnect) { reconnections.append(moment) }
      for action in actions {
        if case .fail(let given) = action { problem = given }
        if case .send(let envelope) = action, case .hello = envelope.body {
          _ = talk.hear(envelope.id, .welcome(Self.welcome()))
        }
      }
    }
    #expect(problem == nil)
    #expect(reconnections.prefix(4) == [10_000, 30_000, 60_000, 90_000])
  }

  @Test func `a submission is sent again once it must have arrived, and not before`() {
    var talk = Talk()
    talk.join()
    _ = talk.submit(1)
    var resent: [Int] = []
    // Heartbeats are answered eight seconds late, as behind a full link; the submission never is.
    var due: [(moment: Int, id: Int)] = []
    for moment in stride(from: 0, through: 40_000, by: 500) {
      for envelope in Self.sent(talk.advance(to: moment)) {
        if case .heartbeat = envelope.body { due.append((moment + 8_000, envelope.id)) }
        if case .submit = envelope.body { resent.append(moment) }
      }
      while let first = due.first, first.moment <= moment {
        due.removeFirst()
        _ = talk.hear(first.id, .alive(Alive(version: nil, isFinished: false)))
      }
    }
    #expect(resent.first == 20_000)
    // Before anything sent after it is answered it may be on its way still.
    var outbox = Outbox(name: "a")
    outbox.add(Self.group(1))
    var id = 7
    #expect(outbox.takeSubmissions(now: 0, nextID: &id).map(\.id) == [7])
    outbox.arrivedThrough = 7
    #expect(outbox.takeSubmissions(now: 60_000, nextID: &id).isEmpty)
    #expect(outbox.nextMoment(now: 60_000) == nil)
    outbox.arrivedThrough = 8
    #expect(outbox.takeSubmissions(now: 60_000, nextID: &id).map(\.id) == [8])
  }

  @Test func `a restarted replay asks for a hello and gets it at once on the same socket`() {
    var talk = Talk()
    talk.join()
    let submission = Self.submissions(talk.submit(1))[0]
    let actions = talk.hear(submission.id, .refused(Refusal(.helloFirst, "who are you?")))
    #expect(!actions.contains(.reconnect))
    let hello = Self.sent(actions)
    #expect(hello.count == 1)
    let again = Self.submissions(talk.hear(hello[0].id, .welcome(Self.welcome())))
    #expect(again.map(\.key) == [Self.key(1)])
  }

  @Test func `busy holds the group, waits longer each time and loses nothing`() {
    var talk = Talk()
    talk.join()
    var actions = talk.submit(1)
    var gaps: [Int] = []
    var last = 0
    for _ in 0..<6 {
      let id = Self.submissions(actions)[0].id
      actions = talk.hear(id, .refused(Refusal(.busy, "the disk is full")))
      #expect(Self.submissions(actions).isEmpty)
      while Self.submissions(actions).isEmpty { actions = talk.advance(to: talk.now + 10) }
      gaps.append(talk.now - last)
      last = talk.now
      // Heartbeats are answered meanwhile.
      _ = talk.hear(0, .alive(Alive(version: nil, isFinished: false)))
    }
    #expect(zip(gaps, gaps.dropFirst()).allSatisfy { $0 < $1 })
    #expect(gaps[0] <= 110 && gaps[5] <= 3_300)
    _ = talk.hear(Self.submissions(actions)[0].id, .acknowledged(Self.key(1)))
    #expect(talk.conversation.outbox.isEmpty)
    #expect(talk.conversation.outbox.busyCount == 6)
    #expect(talk.conversation.outbox.dropped.isEmpty)
  }

  @Test(arguments: [Refusal.Code.stale, .unknownTicket, .invalid])
  func `a group that will never be wanted is dropped and counted by its reason`(
    _ code: Refusal.Code
  ) {
    var talk = Talk()
    talk.join()
    let ask = Self.sent(talk.ask())[0]
    _ = talk.hear(ask.id, .tickets([Ticket(key: Self.key(4), minimumVersion: 0)]))
    let submission = Self.submissions(talk.submit(4))[0]
    _ = talk.hear(submission.id, .refused(Refusal(code, "no")))
    #expect(talk.conversation.outbox.dropped == [code: 1])
    #expect(talk.conversation.outbox.isEmpty && talk.conversation.held.isEmpty)
  }

  @Test func `a payload that arrives corrupt is sent again a bounded number of times`() {
    var talk = Talk()
    talk.join()
    var actions = talk.submit(1)
    var sendings = 0
    while let submission = Self.submissions(actions).first {
      sendings += 1
      actions = talk.hear(submission.id, .refused(Refusal(.corrupt, "another digest")))
    }
    #expect(sendings == Outbox.maximumCorruptions)
    #expect(talk.conversation.outbox.dropped == [.corrupt: 1])
  }

  @Test func `tickets granted to a question asked twice are all worked on`() {
    var talk = Talk()
    talk.join()
    let first = Self.sent(talk.ask())[0]
    var second: Envelope<Request>?
    // Heartbeats are answered, the question is not.
    for moment in stride(from: 100, through: 11_000, by: 100) where second == nil {
      for envelope in Self.sent(talk.advance(to: moment)) {
        if case .tickets = envelope.body { second = envelope }
        _ = talk.hear(envelope.id, .alive(Alive(version: nil, isFinished: false)))
      }
    }
    guard let second else {
      Issue.record("the question was not asked again")
      return
    }
    // The first answer comes after all, late, and the second as well.
    #expect(
      Self.answers(talk.hear(first.id, .tickets([Ticket(key: Self.key(1), minimumVersion: 0)])))
        .isEmpty)
    let answer = Self.answers(
      talk.hear(second.id, .tickets([Ticket(key: Self.key(2), minimumVersion: 0)])))
    #expect(
      answer == [
        .tickets([1, 2].map { Ticket(key: Self.key($0), minimumVersion: 0) })
      ])
  }

  @Test func `each question has one answer, of whichever kind`() {
    var talk = Talk()
    talk.join()
    let first = Self.sent(talk.ask())[0]
    #expect(Self.answers(talk.hear(first.id, .fetch(Self.version(3)))) == [.fetch(Self.version(3))])
    #expect(Self.answers(talk.hear(first.id, .fetch(Self.version(3)))).isEmpty)
    let second = Self.sent(talk.ask())[0]
    let wait = Wait(milliseconds: 20, reason: "the learner to commit step 3")
    #expect(Self.answers(talk.hear(second.id, .wait(wait))) == [.wait(wait)])
  }

  @Test func `the end of the run ends the actor, however it is told`() {
    var talk = Talk()
    talk.join()
    #expect(talk.hear(0, .alive(Alive(version: nil, isFinished: true))).contains(.finished))
    let ask = Self.sent(talk.ask())[0]
    #expect(
      talk.hear(ask.id, .wait(Wait(milliseconds: 1, reason: "", isFinished: true)))
        .contains(.finished))
  }

  @Test(arguments: [Refusal.Code.numericClass, .anotherRun, .protocolVersion, .role])
  func `a refusal that nothing here can mend ends the actor`(_ code: Refusal.Code) {
    var talk = Talk()
    let hello = Self.sent(talk.advance(to: 0))[0]
    let refusal = Refusal(code, "because")
    #expect(talk.hear(hello.id, .refused(refusal)) == [.fail(.refused(refusal))])
  }

  @Test func `what is on its way is bounded in count and in bytes, and goes on with each answer`() {
    var talk = Talk()
    talk.join()
    var onTheirWay: [(id: Int, key: TicketKey)] = []
    for number in 0..<200 { onTheirWay += Self.submissions(talk.submit(number)) }
    #expect(onTheirWay.count == Outbox.maximumInFlight)
    var done = 0
    while done < onTheirWay.count {
      let (id, key) = onTheirWay[done]
      onTheirWay += Self.submissions(talk.hear(id, .acknowledged(key)))
      done += 1
    }
    #expect(onTheirWay.map(\.key.number) == Array(0..<200))

    var large = Outbox(name: "a")
    var nextID = 1
    for number in 0..<4 {
      large.add(Self.group(number, bytes: Outbox.maximumInFlightBytes / 2 + 1))
    }
    #expect(large.takeSubmissions(now: 0, nextID: &nextID).count == 1)
  }

  @Test func `newer versions are told once each`() {
    var talk = Talk()
    talk.join()
    func news(_ number: Int) -> [Conversation.Action] {
      talk.hear(0, .alive(Alive(version: Self.version(number), isFinished: false)))
    }
    #expect(news(1) == [.newest(Self.version(1))])
    #expect(news(1).isEmpty)
    #expect(news(0).isEmpty)
    #expect(news(2) == [.newest(Self.version(2))])
  }
}
