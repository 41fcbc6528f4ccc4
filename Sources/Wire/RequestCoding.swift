// Requests to replay, as control frames: the kind names the case, the body has its fields.

import Documents
import Experience

private enum RequestKind: String, CaseIterable {
  case hello, tickets, submit, heartbeat, lease, commit, status, probe, measure
}

extension Request: WireBody {
  var kind: String {
    let kind: RequestKind =
      switch self {
      case .hello: .hello
      case .tickets: .tickets
      case .submit: .submit
      case .heartbeat: .heartbeat
      case .lease: .lease
      case .commit: .commit
      case .status: .status
      case .probe: .probe
      case .measure: .measure
      }
    return kind.rawValue
  }

  var members: [(String, Document)] {
    switch self {
    case .hello(let hello): hello.members
    case .tickets(let request):
      optional("version", request.version.map(Document.version))
        + [("count", .integer(request.count))]
    case .submit(let submission):
      [("key", .key(submission.key)), ("digest", .digest(submission.digest))]
    case .heartbeat(let heartbeat): heartbeat.members
    case .lease(let request):
      [("step", .integer(request.step)), ("epoch", .integer(request.epoch))]
    case .commit(let commit): commit.members
    case .status: []
    case .probe(let probe): probe.members
    case .measure(let request): request.members
    }
  }

  var ownFrames: [[UInt8]] {
    switch self {
    case .commit(let commit): commit.ownFrames
    case .heartbeat(let heartbeat): heartbeat.spans.map { [$0.columns] } ?? []
    default: []
    }
  }

  var payloadCount: Int {
    switch self {
    case .submit, .probe: 1
    default: 0
    }
  }

  static func read(_ control: ControlFrame, frames: inout [[UInt8]]) throws(Refusal) -> Request {
    var request: Request
    var trajectoryCount = 0
    var spanCount = 0
    do throws(DocumentError) {
      let body = control.body
      switch try control.kind(among: RequestKind.self) {
      case .hello: request = .hello(try Hello(reading: body))
      case .tickets:
        request = .tickets(
          TicketRequest(
            version: try body.optionalVersion("version"),
            count: try body.integer("count", in: 1...WireLimits.maximumTickets)))
      case .submit:
        request = .submit(
          Submission(key: try body.section("key").ticketKey(), digest: try body.digest("digest")))
      case .heartbeat:
        request = .heartbeat(try Heartbeat(reading: body, spanCount: &spanCount))
      case .lease:
        request = .lease(
          LeaseRequest(step: try body.versionNumber("step"), epoch: try body.count("epoch")))
      case .commit:
        let commit = try StepCommit(reading: body, trajectoryCount: &trajectoryCount)
        request = .commit(commit)
      case .status: request = .status
      case .probe: request = .probe(try Probe(reading: body))
      case .measure: request = .measure(try MeasureRequest(reading: body))
      }
      try control.finish()
    } catch {
      throw Refusal(malformed: error)
    }
    if case .probe = request { try Probe.check(frames) }
    if case .commit(var commit) = request {
      try commit.takeTrajectories(count: trajectoryCount, from: &frames)
      request = .commit(commit)
    }
    if case .heartbeat(var heartbeat) = request, heartbeat.spans != nil {
      try heartbeat.spans?.takeRows(count: spanCount, from: &frames)
      request = .heartbeat(heartbeat)
    }
    return request
  }
}

extension Hello {
  fileprivate var members: [(String, Document)] {
    [
      ("role", .string(role.rawValue)), ("name", .string(name)),
      ("numericClass", .string(numericClass)),
      ("holding", .list(holding, atMost: WireLimits.maximumHeldTickets, Document.key)),
      ("weightsAddress", .string(weightsAddress)), ("announceAddress", .string(announceAddress)),
      ("files", .list(files, atMost: WireLimits.maximumFiles, Document.file)),
    ] + optional("version", version.map(Document.version))
      + optional("fingerprint", fingerprint.parts.isEmpty ? nil : fingerprint.document)
      + optional("allowsOtherBuild", allowsOtherBuild ? .bool(true) : nil)
      + optional("instance", instance.isEmpty ? nil : .string(instance))
  }

  fileprivate init(reading body: Fields) throws(DocumentError) {
    self.init(
      role: try body.choice("role"), name: try body.name("name"),
      numericClass: try body.name("numericClass"), holding: try body.ticketKeys("holding"),
      weightsAddress: try body.address("weightsAddress"),
      announceAddress: try body.address("announceAddress"),
      version: try body.optionalVersion("version"), files: try body.files("files"),
      fingerprint: try body.fingerprint("fingerprint"),
      allowsOtherBuild: try body.bool("allowsOtherBuild", default: false),
      instance: try body.has("instance") ? body.name("instance") : "")
  }
}

extension Heartbeat {
  fileprivate var members: [(String, Document)] {
    [("holding", .list(holding, atMost: WireLimits.maximumHeldTickets, Document.key))]
      + optional("version", version.map(Document.version)) + [
        ("state", .sentence(state)), ("stateMilliseconds", .integer(stateMilliseconds)),
        ("tokensSampled", .integer(tokensSampled)),
        ("groupsSubmitted", .integer(groupsSubmitted)),
        ("idleMilliseconds", .integer(idleMilliseconds)),
      ] + optional("sentMicroseconds", sentMicroseconds.map(Document.integer))
      + optional("offsetMicroseconds", offsetMicroseconds.map(Document.integer))
      + optional("roundTripMicroseconds", roundTripMicroseconds.map(Document.integer))
      + optional("spans", spans?.document)
      + optional("finding", finding?.document)
  }

  fileprivate init(reading body: Fields, spanCount: inout Int) throws(DocumentError) {
    self.init(
      holding: try body.ticketKeys("holding"), version: try body.optionalVersion("version"),
      state: try body.sentence("state"), stateMilliseconds: try body.count("stateMilliseconds"),
      tokensSampled: try body.count("tokensSampled"),
      groupsSubmitted: try body.count("groupsSubmitted"),
      idleMilliseconds: try body.count("idleMilliseconds"))
    sentMicroseconds = try body.optionalCount("sentMicroseconds")
    if body.has("offsetMicroseconds") {
      offsetMicroseconds = try body.integer(
        "offsetMicroseconds", in: -WireLimits.maximumNumber...WireLimits.maximumNumber)
    }
    roundTripMicroseconds = try body.optionalCount("roundTripMicroseconds")
    if body.has("spans") {
      spans = try SpanBatch(reading: body.section("spans"), count: &spanCount)
    }
    if body.has("finding") { finding = try LinkFinding(reading: body.section("finding")) }
  }
}
