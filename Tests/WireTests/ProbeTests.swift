// Probes: what the two services read alike, and how much of them a service takes on.

import Testing
import Wire

@Suite struct ProbeTests {
  @Test func `replay and the weight server read the same probe from the same bytes`() throws {
    let frames = Envelope(
      id: 7, body: Request.probe(Probe(answerBytes: 9)), payload: [[1, 2, 3]]
    ).encoded()
    let asked = try Envelope<BlobRequest>(decoding: frames)
    #expect(asked.body == .probe(Probe(answerBytes: 9)) && asked.payload == [[1, 2, 3]])
    let probed = Probed(service: "weights", receivedBytes: 3)
    let answer = Envelope(id: 7, body: BlobReply.probed(probed), payload: [[4]]).encoded()
    #expect(try Envelope<Reply>(decoding: answer).body == .probed(probed))
  }

  @Test func `a probe beyond the limit is refused, whichever way its bytes go`() throws {
    let most = WireLimits.maximumProbeBytes
    func refusal(sending: Int, wanting: Int) -> Refusal.Code? {
      let control = Array(
        #"{"kind":"probe","protocol":3,"id":7,"body":{"answerBytes":\#(wanting)}}"#.utf8)
      do {
        _ = try Envelope<Request>(decoding: [control, [UInt8](repeating: 0, count: sending)])
        return nil
      } catch { return error.code }
    }
    #expect(refusal(sending: most, wanting: most) == nil)
    #expect(refusal(sending: most + 1, wanting: 0) == .tooLarge)
    #expect(refusal(sending: 0, wanting: most + 1) == .malformed)
    #expect(refusal(sending: 0, wanting: -1) == .malformed)
  }

  @Test func `answers come in the order asked, each with what it asked for`() {
    var desk = ProbeDesk<String>(service: "replay")
    for index in 0..<3 {
      let refused = desk.take(
        Probe(answerBytes: index * 10), id: index, payload: [[UInt8](repeating: 1, count: index)],
        from: "peer \(index)")
      #expect(refused == nil)
    }
    let answers = desk.takeTurn()
    #expect(answers.map(\.id) == [0, 1, 2])
    #expect(answers.map(\.asker) == ["peer 0", "peer 1", "peer 2"])
    #expect(answers.map(\.payload.count) == [0, 10, 20])
    #expect(answers.map(\.body.receivedBytes) == [0, 1, 2])
    #expect(desk.isEmpty && desk.takeTurn().isEmpty)
    #expect(desk.answered == 3 && desk.bytes == 33)
  }

  @Test func `a turn answers a few and no more bytes than its limit and one answer`() {
    var desk = ProbeDesk<Int>(service: "replay")
    let large = Probe(answerBytes: WireLimits.maximumProbeBytes)
    for id in 0..<10 { #expect(desk.take(large, id: id, payload: [[]], from: 0) == nil) }
    #expect(desk.takeTurn().count == ProbeDesk<Int>.bytesPerTurn / large.answerBytes)
    while !desk.isEmpty { _ = desk.takeTurn() }
    for id in 0..<50 {
      #expect(desk.take(Probe(answerBytes: 1), id: id, payload: [[]], from: 0) == nil)
    }
    #expect(desk.takeTurn().count == ProbeDesk<Int>.answersPerTurn)
    #expect(desk.takeTurn().count == 50 - ProbeDesk<Int>.answersPerTurn)
  }

  @Test func `a desk that is full refuses, counts it, and takes more once it has answered`() {
    var desk = ProbeDesk<Int>(service: "replay")
    let probe = Probe(answerBytes: 1)
    for id in 0..<ProbeDesk<Int>.maximumWaiting {
      #expect(desk.take(probe, id: id, payload: [[]], from: 0) == nil)
    }
    #expect(desk.take(probe, id: 1, payload: [[]], from: 0)?.code == .busy)
    #expect(desk.refused == 1)
    _ = desk.takeTurn()
    #expect(desk.take(probe, id: 1, payload: [[]], from: 0) == nil)
  }
}
