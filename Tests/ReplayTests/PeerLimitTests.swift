// More hellos than replay keeps peers: those who only say hello make room, those at work stay.

import Documents
import Replay
import Testing
import Wire

@Suite struct PeerLimitTests {
  /// Above the ledger's limit of 8192 peers.
  private static let flood = 9000

  private func asker(_ number: Int) -> Asker { Asker(Peer(Array("flood-\(number)".utf8)), 1) }

  /// How a hello of a peer never seen was refused; nil for a welcome.
  private func hello(_ number: Int, _ transcript: inout Transcript) -> Refusal.Code? {
    let hello = Hello(role: .looker, name: "flood", numericClass: "")
    let actions = transcript.ledger.handle(.hello(asker(number), hello), at: transcript.now)
    for case .reply(_, .refused(let refusal)) in actions { return refusal.code }
    return nil
  }

  @Test func `a flood of hellos pushes out its own, and newcomers come in`() {
    var transcript = Transcript(batch: 2, lagMax: 0)
    transcript.run(TranscriptTests.opening)
    transcript.run("a tickets 1 with 0  =>  a: tickets 0")
    for number in 0..<Self.flood {
      transcript.now += 1
      #expect(hello(number, &transcript) == nil)
    }
    #expect(transcript.ledger.idlePeersForgotten > 0)
    // b said hello before the flood and asked for nothing: it is asked to say hello again, and is
    // then served as a is, who was at work.
    transcript.run(
      """
      b tickets 1 with 0  =>  b: refused hello-first
      b hello             =>  b: welcome 0
      b tickets 1 with 0  =>  b: tickets 1
      a group 0 of 0      =>  store 0
      """)
  }

  @Test func `what is told of thousands of peers with long names fits a control frame`() {
    var transcript = Transcript(batch: 2, lagMax: 1)
    transcript.run("learner hello with 0 => record epoch 1\nrecorded => learner: welcome 1")
    // Six bytes each as JSON writes them.
    let name = String(repeating: "\u{1}", count: 250)
    let beat = Heartbeat(
      holding: [], version: nil, state: String(repeating: "\u{2}", count: 1000),
      stateMilliseconds: 0, tokensSampled: 0, groupsSubmitted: 0, idleMilliseconds: 0)
    for number in 0..<2000 {
      let hello = Hello(role: .actor, name: name + "\(number)", numericClass: name)
      _ = transcript.ledger.handle(.hello(asker(number), hello), at: transcript.now)
      _ = transcript.ledger.handle(.heartbeat(asker(number), beat), at: transcript.now)
      let request = TicketRequest(version: Transcript.version(0), count: 1)
      _ = transcript.ledger.handle(.tickets(asker(number), request), at: transcript.now)
    }
    let peers = transcript.ledger.peerStatus()
    #expect(peers.count > 20)
    #expect(peers.contains { $0.members.contains { $0 == "isLearner" && $1 == .bool(true) } })
    let document = Document.object(
      transcript.ledger.status() + [("peers", .array(peers.map { .object($0.members) }))])
    let reply = Envelope(id: 1, body: Reply.status(document)).encoded()
    #expect(reply[0].count <= WireLimits.maximumControlBytes)
    let shares = transcript.ledger.actorShares()
    #expect(shares.count > 30)
    var lease = BatchLease(step: 0, epoch: 1, tickets: Array(0..<4096), reused: [])
    lease.actors = shares.map(\.share)
    let groups = [[UInt8]](repeating: [], count: lease.tickets.count)
    let frames = Envelope(id: 1, body: Reply.lease(lease), payload: groups).encoded()
    #expect(frames[0].count <= WireLimits.maximumControlBytes)
  }

  @Test func `where all are at work a newcomer hears busy`() {
    var transcript = Transcript(batch: 2, lagMax: 0)
    var accepted = 0
    for number in 0..<Self.flood {
      transcript.now += 1
      guard hello(number, &transcript) == nil else { break }
      accepted += 1
      let beat = Heartbeat(
        holding: [], version: nil, state: "", stateMilliseconds: 0, tokensSampled: 0,
        groupsSubmitted: 0, idleMilliseconds: 0)
      _ = transcript.ledger.handle(.heartbeat(asker(number), beat), at: transcript.now)
    }
    #expect(accepted == 8192)
    #expect(hello(Self.flood, &transcript) == .busy)
    #expect(transcript.ledger.idlePeersForgotten == 0)
  }
}
