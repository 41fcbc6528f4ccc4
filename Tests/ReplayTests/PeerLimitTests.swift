// More hellos than replay keeps peers: those who only say hello make room, those at work stay.

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
