// Under keys: who gets in, who does not, and how each side hears of it.

import Glibc
import Messaging
import Testing

@Suite struct AuthenticatorTests {
  @Test func `an allowed key gets in, and each message tells whose it is`() throws {
    let head = try Head()
    let door = try Gate(head)
    let reply = try door.ask(under: head.client("actor-7"))
    #expect(reply == [[7]])
    #expect(door.keys == [try head.key("actor-7")])
    #expect(door.turnedAway == 0)
  }

  @Test func `an unknown key is refused, counted and told apart from silence`() throws {
    let head = try Head()
    let door = try Gate(head)
    let stranger = try KeyPair.random()
    let keys = ClientKeys(
      name: "x", role: .actor, pair: stranger, server: try head.serverKey())
    let reason = try door.refusal(keys)
    #expect(reason == .keyRefused(.unknownKey(stranger.publicKey)))
    #expect(door.counts == [.unknownKey: 1])
    #expect(door.lines.contains { $0.contains("127.0.0.1: unknown-key: \(stranger.publicKey)") })
  }

  @Test func `a peer without keys hears that keys are wanted`() throws {
    let door = try Gate(Head())
    #expect(try door.refusal(nil) == .keyRefused(.needsKeys))
  }

  @Test func `a peer that expects another server hears so instead of trying for ever`() throws {
    let head = try Head()
    let door = try Gate(head)
    var keys = try head.client("actor-7")
    keys = ClientKeys(
      name: keys.name, role: .actor, pair: keys.pair, server: try KeyPair.random().publicKey)
    #expect(try door.refusal(keys) == .keyRefused(.otherServer))
    #expect((door.counts[.otherServer] ?? 0) >= 5)
  }

  @Test func `who is on the list is let in while another door of the service is tried`() throws {
    let head = try Head()
    let door = try Gate(head)
    let (address, keys) = (door.address, try head.client("actor-7"))
    let answered = try door.serving(
      {
        for round in 0..<10 as Range<UInt8> {
          let client = try DealerClient(
            to: address, peer: "replay", in: MessagingContext(), keys: keys)
          let reply = try client.exchange(
            [[round]], matching: { _ in true }, deadlineMilliseconds: 30_000)
          guard reply == [[round]] else { return false }
        }
        return true
      }, meanwhile: { try door.openAnother() })
    #expect(answered)
  }

  @Test func `a peer with keys hears that a service has none`() throws {
    let context = try MessagingContext()
    let socket = try Socket(.router, in: context)
    let address = try socket.bind(to: "tcp://127.0.0.1:*")
    let head = try Head()
    let client = try DealerClient(
      to: address, peer: "replay", in: context, keys: head.client("actor-7"))
    let error = #expect(throws: MessagingError.self) {
      try client.exchange([[1]], matching: { _ in true }, deadlineMilliseconds: 20_000)
    }
    #expect(error?.reason == .keyRefused(.hasNoKeys))
  }

  @Test func `a peer that hangs up in every handshake is not taken for one with other keys`()
    throws
  {
    // What a forwarded port does while its far end is down: it takes connections and drops them.
    let listener = try Hangup()
    let head = try Head()
    let client = try DealerClient(
      to: listener.address, peer: "replay", in: MessagingContext(), keys: head.client("actor-7"))
    let error = #expect(throws: MessagingError.self) {
      try client.exchange([[1]], matching: { _ in true }, deadlineMilliseconds: 4_000)
    }
    guard case .timedOut = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(listener.dropped >= 5)
  }

  @Test func `a role that may not come to a door is refused there`() throws {
    let head = try Head()
    let door = try Gate(head, admitting: [.learner])
    let keys = try head.client("actor-7")
    #expect(
      try door.refusal(keys) == .keyRefused(.unknownKey(keys.pair.publicKey)))
    #expect(door.counts == [.otherRole: 1])
  }

  @Test func `a key added to the list gets in at once, and a withdrawn one is nobody's`() throws {
    let head = try Head()
    let door = try Gate(head)
    let pair = try KeyPair.random()
    let keys = ClientKeys(name: "late", role: .actor, pair: pair, server: try head.serverKey())
    #expect(try door.refusal(keys) == .keyRefused(.unknownKey(pair.publicKey)))
    try head.allow("late", .actor, pair.publicKey)
    // The connection stands, and the list is looked at once a second.
    let address = door.address
    let stop = Box<Bool>()
    try door.serving {
      let client = try DealerClient(
        to: address, peer: "replay", in: MessagingContext(), keys: keys)
      while stop.value == nil {
        _ = try client.exchange([[7]], matching: { _ in true }, deadlineMilliseconds: 30_000)
        usleep(10_000)
      }
    } meanwhile: {
      if door.known == [true] { try head.rewriteList(without: "late") }
      if door.known.last == false { stop.put(true) }
    }
    #expect(door.known.first == true)
    #expect(door.known.last == false)
    #expect(door.lines.contains { $0.contains("withdrawn: late") })
  }

  @Test func `after the door hung up on everybody only those on the list hear again`() throws {
    let head = try Head()
    let context = try MessagingContext()
    let security = try Protection.keys(head.folder).security(
      in: context, admitting: [.actor, .learner])
    guard case .server(let authenticator) = security else { throw Unready() }
    let publisher = try Socket(.publisher, in: context, security: security)
    let address = try publisher.bind(to: "tcp://127.0.0.1:*")
    let door = try Door(publisher, strangers: authenticator.strangers)
    let far = try MessagingContext()
    let kept = try Socket(.subscriber, in: far, security: .client(head.client("actor-7")))
    let withdrawn = try Socket(.subscriber, in: far, security: .client(head.client("actor")))
    try kept.connect(to: address)
    try kept.subscribe()
    try withdrawn.connect(to: address)
    try withdrawn.subscribe()
    /// Announces for a while; how often each heard.
    func announce(milliseconds: Int, until isEnough: (Int, Int) -> Bool) throws -> (Int, Int) {
      var heard = (kept: 0, withdrawn: 0)
      for _ in 0..<milliseconds where !isEnough(heard.kept, heard.withdrawn) {
        try authenticator.serve()
        try door.watch()
        _ = try publisher.send([[1]])
        while try kept.receive() != nil { heard.kept += 1 }
        while try withdrawn.receive() != nil { heard.withdrawn += 1 }
        usleep(1000)
      }
      return heard
    }
    let before = try announce(milliseconds: 10_000) { $0 > 0 && $1 > 0 }
    #expect(before.0 > 0 && before.1 > 0)
    try head.rewriteList(without: "actor")
    for _ in 0..<1000 where authenticator.withdrawals == 0 {
      _ = try announce(milliseconds: 10) { _, _ in false }
    }
    #expect(authenticator.withdrawals == 1)
    try door.hangUp()
    // What was on its way is heard still.
    _ = try announce(milliseconds: 200) { _, _ in false }
    let after = try announce(milliseconds: 10_000) { kept, _ in kept > 100 }
    #expect(after.0 > 100)
    #expect(after.1 == 0)
    #expect(authenticator.strangers.counts[.unknownKey] ?? 0 > 0)
  }

  @Test func `a list that cannot be read leaves the one before in force`() throws {
    let head = try Head()
    let door = try Gate(head)
    try head.write("allowed", "actor nonsense\n", mode: 0o600)
    #expect(try door.ask(under: head.client("actor-7")) == [[7]])
    #expect(door.lines.contains { $0.contains("line 1 is not \"ROLE PUBLIC NAME\"") })
  }

  @Test func `an authenticator that lets anybody in stops the bind`() throws {
    let head = try Head()
    let context = try MessagingContext()
    let security = try Protection.keys(head.folder).security(in: context, admitting: [.actor])
    guard case .server(let authenticator) = security else { fatalError() }
    let socket = try Socket(.router, in: context, security: security)
    authenticator.fault = .admitsAll
    let error = #expect(throws: MessagingError.self) { try socket.bind(to: "tcp://127.0.0.1:*") }
    #expect(error?.description.contains("a throw-away key was let in") == true)
    #expect(error?.exitStatus == 77)
    authenticator.fault = .refusesAll
    let other = #expect(throws: MessagingError.self) { try socket.bind(to: "tcp://127.0.0.1:*") }
    #expect(other?.description.contains("a known key was refused") == true)
    authenticator.fault = nil
    _ = try socket.bind(to: "tcp://127.0.0.1:*")
  }

  @Test func `an authenticator that answers nobody stops the bind`() throws {
    let head = try Head()
    let context = try MessagingContext()
    let security = try Protection.keys(head.folder).security(in: context, admitting: [.actor])
    guard case .server(let authenticator) = security else { fatalError() }
    let socket = try Socket(.publisher, in: context, security: security)
    authenticator.proofMilliseconds = 500
    authenticator.fault = .answersNobody
    let error = #expect(throws: MessagingError.self) { try socket.bind(to: "tcp://127.0.0.1:*") }
    #expect(error?.description.contains("neither refused nor let in") == true)
    // And a handler that is gone altogether is where ZeroMQ lets anybody in.
    authenticator.proofMilliseconds = 30_000
    authenticator.fault = .isGone
    let gone = #expect(throws: MessagingError.self) { try socket.bind(to: "tcp://127.0.0.1:*") }
    #expect(
      gone?.description.contains("a throw-away key was let in") == true,
      "\(String(describing: gone))")
  }
}
