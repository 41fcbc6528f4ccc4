// Messages come back as they went, and what is not one is refused with a code and a sentence.

import Documents
import Experience
import Safetensors
import Testing
import Wire

@Suite struct EnvelopeTests {
  @Test func `every request reads back as it was written`() throws {
    for envelope in Samples.requests {
      #expect(try Envelope<Request>(decoding: envelope.encoded()) == envelope)
    }
  }

  /// A terminal obeys such characters: a name has none, and in words each becomes a blank.
  @Test func `no control character of a peer reaches a terminal`() throws {
    func heartbeat(_ state: String) -> Envelope<Request> {
      Envelope(
        id: 1,
        body: .heartbeat(
          Heartbeat(
            holding: [], version: nil, state: state, stateMilliseconds: 1, tokensSampled: 2,
            groupsSubmitted: 3, idleMilliseconds: 4)))
    }
    let read = try Envelope<Request>(decoding: heartbeat("a\u{1b}]52;c\u{7}\nb").encoded())
    #expect(read == heartbeat("a ]52;c  b"))
    for name in ["a\nb", "\u{9b}31m", "a\u{7f}"] {
      let hello = Envelope(
        id: 1, body: Request.hello(Hello(role: .actor, name: name, numericClass: "class")))
      let refusal = #expect(throws: Refusal.self) {
        try Envelope<Request>(decoding: hello.encoded())
      }
      #expect(refusal?.code == .malformed)
    }
  }

  @Test func `every reply reads back as it was written`() throws {
    for envelope in Samples.replies {
      #expect(try Envelope<Reply>(decoding: envelope.encoded()) == envelope)
    }
  }

  @Test func `every message of the weight server reads back as it was written`() throws {
    for envelope in Samples.blobRequests {
      #expect(try Envelope<BlobRequest>(decoding: envelope.encoded()) == envelope)
    }
    for envelope in Samples.blobReplies {
      #expect(try Envelope<BlobReply>(decoding: envelope.encoded()) == envelope)
    }
    let announcement = Samples.snapshot.encodedAnnouncement()
    #expect(try Snapshot(decodingAnnouncement: announcement) == Samples.snapshot)
  }

  @Test func `a commit's trajectories travel as columns with every bit, NaN too`() throws {
    var rows = Samples.trajectories
    rows[1].kl = Float(bitPattern: 0x7FC0_1234)
    let envelope = Envelope(id: 1, body: Request.commit(Samples.commit(rows)))
    let frames = envelope.encoded()
    #expect(frames.count == 2)
    guard case .commit(let read) = try Envelope<Request>(decoding: frames).body else {
      Issue.record("not a commit")
      return
    }
    #expect(read.trajectories.map(\.kl.bitPattern) == rows.map(\.kl.bitPattern))
    #expect(read.trajectories[2] == rows[2])
  }

  @Test func `the largest lease and its tickets fit a control frame`() throws {
    let numbers = Array(0..<WireLimits.maximumPayloadFrames).map { WireLimits.maximumVersion - $0 }
    let lease = BatchLease(step: 1, epoch: 1, tickets: numbers)
    let frames = Envelope(
      id: 1, body: Reply.lease(lease), payload: Array(repeating: [], count: numbers.count)
    ).encoded()
    #expect(frames[0].count < WireLimits.maximumControlBytes)
    #expect(try Envelope<Reply>(decoding: frames).body == .lease(lease))

    let key = TicketKey(purpose: .evaluate(version: WireLimits.maximumVersion), number: 1 << 30)
    let beat = Envelope(
      id: 1,
      body: Request.heartbeat(
        Heartbeat(
          holding: Array(repeating: key, count: WireLimits.maximumHeldTickets), version: nil,
          state: "", stateMilliseconds: 0, tokensSampled: 0, groupsSubmitted: 0,
          idleMilliseconds: 0)))
    #expect(try Envelope<Request>(decoding: beat.encoded()) == beat)
    let tickets = Envelope(
      id: 1,
      body: Reply.tickets(
        Array(
          repeating: Ticket(key: key, minimumVersion: WireLimits.maximumVersion),
          count: WireLimits.maximumTickets)))
    #expect(try Envelope<Reply>(decoding: tickets.encoded()) == tickets)
  }

  @Test func `a sentence too long is cut between characters and marked`() throws {
    let long = String(repeating: "é", count: WireLimits.maximumSentenceBytes)
    let frames = Envelope(id: 1, body: Reply.refused(Refusal(.busy, long))).encoded()
    guard case .refused(let refusal) = try Envelope<Reply>(decoding: frames).body else {
      Issue.record("not a refusal")
      return
    }
    // 1024 bytes less the mark's three leave 1021: 510 of two bytes each.
    #expect(refusal.sentence == String(repeating: "é", count: 510) + "...")
  }

  @Test func `a mean over nothing is null on the wire and not a number after it`() throws {
    let evaluation = EvaluationSummary(
      version: 1, prompts: 0, samples: 0, reward: .nan, strict: 0, lenient: 0, completed: 0,
      invalid: 0, passAtK: 0, meanLength: .infinity)
    let lease = BatchLease(step: 0, epoch: 0, tickets: [], evaluations: [evaluation])
    let frames = Envelope(id: 1, body: Reply.lease(lease)).encoded()
    guard case .lease(let read) = try Envelope<Reply>(decoding: frames).body else {
      Issue.record("not a lease")
      return
    }
    #expect(read.evaluations[0].reward.isNaN && read.evaluations[0].meanLength.isNaN)
    #expect(read.evaluations[0].strict == 0)
  }
}

@Suite struct ControlFrameRefusalTests {
  private func refusal(_ text: String, payload: [[UInt8]] = []) -> Refusal? {
    do {
      _ = try Envelope<Request>(decoding: [Array(text.utf8)] + payload)
      return nil
    } catch {
      return error
    }
  }

  private static let digest = Samples.digest.hexadecimal

  @Test(arguments: [
    // What is wrong, and what the sentence must name.
    ("", "not JSON"), ("[]", "expected a mapping"), ("{", "not JSON"),
    (#"{"kind": "status", "id": 1}"#, "protocol"),
    (#"{"kind": "status", "protocol": 3}"#, "id"), (#"{"protocol": 3, "id": 1}"#, "kind"),
    (#"{"kind": "status", "protocol": 3, "id": -1}"#, "id"),
    (#"{"kind": "status", "protocol": 3, "id": 1e3}"#, "id"),
    (#"{"kind": "status", "protocol": 3, "id": 1, "id": 2}"#, "id"),
    (#"{"kind": "status", "protocol": 3, "id": 1, "body": 3}"#, "body"),
    (#"{"kind": "status", "protocol": 3, "id": 1, "body": {"x": 1}}"#, "x"),
    (#"{"kind": "status", "protocol": 3, "id": 1, "bdy": {}}"#, "did you mean body"),
    (#"{"kind": "ticket", "protocol": 3, "id": 1, "body": {}}"#, "did you mean tickets"),
    (#"{"kind": "tickets", "protocol": 3, "id": 1, "body": {"count": 0}}"#, "count"),
    (#"{"kind": "tickets", "protocol": 3, "id": 1, "body": {"count": 4097}}"#, "4096"),
    (#"{"kind": "tickets", "protocol": 3, "id": 1, "body": {"count": "2"}}"#, "count"),
    (
      #"{"kind": "tickets", "protocol": 3, "id": 1, "body": {"count": 1, "version": {"lineage": "a", "number": 1, "digest": "AB"}}}"#,
      "hexadecimal"
    ),
    (
      #"{"kind": "tickets", "protocol": 3, "id": 1, "body": {"count": 1, "version": {"lineage": "a", "number": 2147483648, "digest": ""}}}"#,
      "body.version.number"
    ),
    (#"{"kind": "lease", "protocol": 3, "id": 1, "body": {"step": 1}}"#, "body.epoch"),
    (
      #"{"kind": "hello", "protocol": 3, "id": 1, "body": {"role": "boss", "name": "a", "numericClass": ""}}"#,
      "body.role"
    ),
    (
      #"{"kind": "hello", "protocol": 3, "id": 1, "body": {"role": "actor", "name": "a", "numericClass": "", "holding": [{"purpose": "train"}]}}"#,
      "body.holding[0].number"
    ),
    (
      #"{"kind": "hello", "protocol": 3, "id": 1, "body": {"role": "actor", "name": "a", "numericClass": "", "holding": [{"purpose": "evaluate", "number": 1}]}}"#,
      "body.holding[0].version"
    ),
    (
      #"{"kind": "hello", "protocol": 3, "id": 1, "body": {"role": "actor", "name": "a", "numericClass": "", "holding": [{"purpose": "train", "number": 1, "version": 2}]}}"#,
      "body.holding[0].version"
    ),
  ])
  func `what is no request is malformed, and the sentence names the place`(
    text: String, place: String
  ) {
    let refusal = refusal(text)
    #expect(refusal?.code == .malformed)
    #expect(refusal?.sentence.contains(place) == true, "\(refusal?.sentence ?? "")")
  }

  @Test func `another protocol is told so, whatever else its messages hold`() {
    let refusal = refusal(#"{"protocol": 4, "novelty": [], "kind": 5, "body": {"y": 1}}"#)
    #expect(refusal?.code == .protocolVersion)
    #expect(refusal?.sentence.contains("protocol 4, expected 3") == true)
  }

  /// Replay writes a report again, and must not be made to write more than a frame may hold.
  @Test func `a finding is as large as its report is when written again`() {
    func refusal(_ count: Int) -> Refusal? {
      let report = Array(repeating: "1e5", count: count).joined(separator: ",")
      return self.refusal(
        #"{"kind": "heartbeat", "protocol": 3, "id": 1, "body": {"holding": [], "state": "", "#
          + #""stateMilliseconds": 0, "tokensSampled": 0, "groupsSubmitted": 0, "#
          + #""idleMilliseconds": 0, "finding": {"token": "t", "report": [\#(report)]}}}"#)
    }
    // 100000.0 and a comma.
    let most = WireLimits.maximumFindingBytes / 9
    #expect(refusal(most - 1) == nil)
    #expect(refusal(most + 1)?.sentence.contains("report") == true)
    #expect(refusal(200_000)?.code == .malformed)
  }

  @Test func `names and lists beyond their maximum are malformed`() {
    let name = String(repeating: "n", count: WireLimits.maximumNameBytes + 1)
    let key = #"{"purpose": "train", "number": 1}"#
    let keys = Array(repeating: key, count: WireLimits.maximumHeldTickets + 1)
      .joined(separator: ",")
    for body in [
      #""role": "actor", "name": "\#(name)", "numericClass": """#,
      #""role": "actor", "name": "", "numericClass": "", "holding": [\#(keys)]"#,
    ] {
      let refusal = refusal(#"{"kind": "hello", "protocol": 3, "id": 1, "body": {\#(body)}}"#)
      #expect(refusal?.code == .malformed)
      #expect(refusal?.sentence.contains("expected at most") == true)
    }
  }

  @Test func `frames beyond their maximum are too large and none are malformed`() throws {
    let status = Envelope(id: 1, body: Request.status).encoded()[0]
    let spaces = [UInt8](repeating: 0x20, count: WireLimits.maximumControlBytes)
    let cases: [([[UInt8]], Refusal.Code)] = [
      ([], .malformed), ([status + spaces], .tooLarge),
      ([status] + Array(repeating: [], count: WireLimits.maximumPayloadFrames + 1), .tooLarge),
      ([status, []], .malformed),
    ]
    for (frames, code) in cases {
      let error = #expect(throws: Refusal.self) { _ = try Envelope<Request>(decoding: frames) }
      #expect(error?.code == code)
    }
  }

  @Test func `payload frames are exactly those of the kind`() throws {
    let submit = Samples.requests.first { if case .submit = $0.body { true } else { false } }!
    let commit = Samples.requests.first { if case .commit = $0.body { true } else { false } }!
    let lease = Samples.replies.first { if case .lease = $0.body { true } else { false } }!
    for frames in [
      [submit.encoded()[0]], submit.encoded() + [[]], [commit.encoded()[0]],
      commit.encoded() + [[]],
    ] {
      let error = #expect(throws: Refusal.self) { _ = try Envelope<Request>(decoding: frames) }
      #expect(error?.code == .malformed)
    }
    for frames in [lease.encoded().dropLast(), lease.encoded() + [[]]] as [[[UInt8]]] {
      let error = #expect(throws: Refusal.self) { _ = try Envelope<Reply>(decoding: frames) }
      #expect(error?.code == .malformed)
    }
  }

  @Test func `columns of a commit of another length, type or name are malformed`() throws {
    let frames = Envelope(id: 1, body: Request.commit(Samples.commit(Samples.trajectories)))
      .encoded()
    let blob = try SafetensorsBlob(parsing: frames[1], source: "test")
    func with(_ change: (inout SafetensorsBlob) -> Void) -> [UInt8] {
      var changed = blob
      change(&changed)
      return changed.serialized()
    }
    let broken = [
      with { $0.tensors.removeLast() }, with { $0.tensors[0].name = "tickets" },
      with { $0.tensors[1] = NamedTensor(name: "advantage", shape: [2], floats: [0, 0]) },
      with { $0.tensors[1] = NamedTensor(name: "advantage", shape: [3], integers: [0, 0, 0]) },
      with { $0.tensors.append(NamedTensor(name: "more", shape: [0], floats: [])) },
      with { $0.tensors[0].bytes[7] = 0x80 },
      with { $0.tensors[$0.tensors.count - 1].bytes[0] = 2 },
    ]
    for columns in broken {
      let error = #expect(throws: Refusal.self) {
        _ = try Envelope<Request>(decoding: [frames[0], columns])
      }
      #expect(error?.code == .malformed)
    }
  }

  @Test func `a chunk must lie within its blob`() throws {
    let envelope = Envelope(
      id: 1, body: BlobReply.chunk(digest: Samples.digest, offset: 4, total: 5), payload: [[1, 2]])
    let error = #expect(throws: Refusal.self) {
      _ = try Envelope<BlobReply>(decoding: envelope.encoded())
    }
    #expect(error?.code == .malformed)
  }

  @Test func `a refusal answers under the number of what it refuses, when that can be read`() {
    let broken = Array(#"{"kind": "nonsense", "protocol": 3, "id": 77}"#.utf8)
    let refusal = Refusal(.malformed, "")
    #expect(Envelope<Reply>(refusing: [broken], refusal).id == 77)
    #expect(Envelope<BlobReply>(refusing: [broken], refusal).id == 77)
    #expect(Envelope<Reply>(refusing: [[1, 2]], refusal).id == 0)
    #expect(Envelope<Reply>(refusing: [], refusal).id == 0)
  }

  @Test func `an announcement is nothing else`() {
    let status = Envelope(id: 1, body: Request.status).encoded()[0]
    let error = #expect(throws: Refusal.self) { _ = try Snapshot(decodingAnnouncement: status) }
    #expect(error?.code == .malformed)
  }
}
