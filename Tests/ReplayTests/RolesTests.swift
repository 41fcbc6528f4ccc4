// Under keys: what each role's key may ask of replay, and that a hello cannot say otherwise.

import Digests
import Documents
import Experience
import Glibc
import Messaging
import Operations
import Testing
import Wire

@Suite struct RolesTests {
  let folder: TemporaryFolder
  let keys: TemporaryFolder
  let harness: ServiceHarness

  init() throws {
    folder = try TemporaryFolder()
    keys = try TemporaryFolder()
    let server = try KeyPair.random()
    try Self.write("server", .server, server, server: nil, to: keys.path)
    var list = ""
    for (name, role) in Self.names {
      let pair = try KeyPair.random()
      try Self.write(name, role, pair, server: server.publicKey, to: keys.path)
      list += "\(role.rawValue) \(pair.publicKey) \(name)\n"
    }
    try Files.writeDurably("\(keys.path)/allowed", list, mode: 0o600)
    harness = try ServiceHarness(folder, ["network.keys=\(keys.path)"])
    try harness.start()
  }

  private static let names: [(String, KeyRole)] = [
    ("learner", .learner), ("actor", .actor), ("far", .actor), ("looker", .looker),
  ]

  private static func write(
    _ name: String, _ role: KeyRole, _ pair: KeyPair, server: PublicKey?, to folder: String
  ) throws {
    let file = KeyFile(
      name: name, role: role, publicKey: pair.publicKey, secretKey: pair.secretKey, server: server)
    try Files.writeDurably(
      "\(folder)/\(name).key", file.encoded(comment: "a test's", withSecret: true), mode: 0o600)
  }

  private func peer(_ name: String) throws -> TestPeer {
    let role = try #require(Self.names.first { $0.0 == name }?.1)
    return try TestPeer(
      endpoint: harness.endpoint, deadlineMilliseconds: 30_000,
      keys: .load("\(keys.path)/\(name).key", as: role))
  }

  private static func hello(_ role: Role, _ name: String = "somebody") -> Request {
    .hello(Hello(role: role, name: name, numericClass: "class"))
  }

  /// Every kind of request, and the roles whose keys may make it.
  private static let matrix: [(request: Request, roles: [String])] = [
    (hello(.actor), ["actor"]), (hello(.learner), ["learner"]), (hello(.looker), ["looker"]),
    (.tickets(TicketRequest(version: nil, count: 1)), ["actor"]),
    (
      .submit(Submission(key: TicketKey(purpose: .train, number: 0), digest: Digest(of: [1]))),
      ["actor"]
    ),
    (
      .heartbeat(
        Heartbeat(
          holding: [], version: nil, state: "", stateMilliseconds: 0, tokensSampled: 0,
          groupsSubmitted: 0, idleMilliseconds: 0)), ["actor", "learner", "looker"]
    ),
    (.lease(LeaseRequest(step: 0, epoch: 1)), ["learner"]),
    (
      .commit(
        StepCommit(
          step: 0, epoch: 1, outcome: .trained, tickets: [0],
          version: PolicyVersion(lineage: "x", number: 1, digest: Digest(of: [1])),
          stateDigest: Digest(of: [1]), checkpoint: nil, trajectories: [])), ["learner"]
    ), (.status, ["actor", "learner", "looker"]),
    (.probe(Probe(answerBytes: 1)), ["actor", "learner", "looker"]),
    (
      .measure(
        MeasureRequest(
          actor: "a", errand: LinkErrand(token: "t", repeats: 1, milliseconds: 1, parallel: 2))),
      ["looker"]
    ),
  ]

  @Test func `a key may ask what its role asks, and nothing else`() throws {
    var refused = 0
    for role in ["actor", "learner", "looker"] {
      for (request, roles) in Self.matrix {
        // A connection of its own each: a hello must not decide about the next request.
        let payload: [[UInt8]] =
          switch request {
          case .submit, .probe: [[1]]
          default: []
          }
        let answer = try peer(role).ask(request, payload: payload).body
        #expect((answer.refusal == .role) == !roles.contains(role), "\(role): \(answer)")
        refused += answer.refusal == .role ? 1 : 0
      }
    }
    // Of 33 pairs go on: 3 hellos, an actor's 2, a learner's 2, 3 heartbeats, 3 questions, 3 probes
    // and a looker's errand.
    #expect(refused == 33 - 3 - 2 - 2 - 3 - 3 - 3 - 1)
    let status = try peer("looker").status()
    #expect(status["turnedAway"]?["other-role"]?.value == .integer(refused))
    #expect(status["turnedAway"]?["keys"] == .bool(true))
  }

  @Test func `a name is not taken from a peer under another key`() throws {
    let learner = try peer("learner")
    _ = try learner.ask(Self.hello(.learner))
    let first = try peer("actor")
    guard case .welcome = try first.ask(Self.hello(.actor, "actor-0")).body else {
      Issue.record("no welcome")
      return
    }
    let other = try peer("far").ask(Self.hello(.actor, "actor-0")).body
    #expect(other.refusal == .role)
    // Under its own key a name moves on to the new connection, as after a restart.
    guard case .welcome = try peer("actor").ask(Self.hello(.actor, "actor-0")).body else {
      Issue.record("no welcome")
      return
    }
    guard case .array(let peers)? = try peer("looker").status()["peers"]?.value else {
      Issue.record("no peers")
      return
    }
    let bearers = peers.filter { $0["name"] == "actor-0" }
    #expect(bearers.map { $0["key"] } == ["actor"])
  }

  @Test func `a withdrawn key ends at its next hello`() throws {
    let far = try peer("far")
    guard case .welcome = try far.ask(Self.hello(.actor, "far-0")).body else {
      Issue.record("no welcome")
      return
    }
    let list = try Files.readText("\(keys.path)/allowed")
    let kept = list.split(separator: "\n").filter { !$0.hasSuffix(" far") }
    try Files.writeDurably(
      "\(keys.path)/allowed", kept.joined(separator: "\n") + "\n", mode: 0o600)
    let tickets = Request.tickets(TicketRequest(version: nil, count: 1))
    var refusal: Refusal.Code?
    for _ in 0..<100 where refusal != .helloFirst {
      usleep(50_000)
      refusal = try far.ask(tickets).body.refusal
    }
    #expect(refusal == .helloFirst)
    #expect(try far.ask(Self.hello(.actor, "far-0")).body.refusal == .role)
  }
}
