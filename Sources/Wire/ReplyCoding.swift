// Replay's answers as control frames: the kind names the case, the body has its fields.

import Documents
import Experience

private enum ReplyKind: String, CaseIterable {
  case welcome, tickets, fetch, wait, acknowledged, alive, lease, committed, status, probed
  case measured, refused
}

extension Reply: WireBody {
  var kind: String {
    let kind: ReplyKind =
      switch self {
      case .welcome: .welcome
      case .tickets: .tickets
      case .fetch: .fetch
      case .wait: .wait
      case .acknowledged: .acknowledged
      case .alive: .alive
      case .lease: .lease
      case .committed: .committed
      case .status: .status
      case .probed: .probed
      case .measured: .measured
      case .refused: .refused
      }
    return kind.rawValue
  }

  var members: [(String, Document)] {
    switch self {
    case .welcome(let welcome): welcome.members
    case .tickets(let tickets):
      [("tickets", .list(tickets, atMost: WireLimits.maximumTickets, Document.ticket))]
    case .fetch(let version): [("version", .version(version))]
    case .wait(let wait):
      [
        ("milliseconds", .integer(wait.milliseconds)), ("reason", .sentence(wait.reason)),
        ("isFinished", .bool(wait.isFinished)),
      ]
    case .acknowledged(let key): [("key", .key(key))]
    case .alive(let alive):
      optional("version", alive.version.map(Document.version))
        + [("isFinished", .bool(alive.isFinished))]
        + optional("sentMicroseconds", alive.sentMicroseconds.map(Document.integer))
        + optional("receivedMicroseconds", alive.receivedMicroseconds.map(Document.integer))
        + optional("answeredMicroseconds", alive.answeredMicroseconds.map(Document.integer))
        + optional("errand", alive.errand?.document)
    case .lease(let lease): lease.members
    case .committed(let committed):
      [("step", .integer(committed.step)), ("isFinished", .bool(committed.isFinished))]
    case .status(let document): [("status", document)]
    case .probed(let probed): probed.members
    case .measured(let finding): optional("finding", finding?.document)
    case .refused(let refusal): Document.refusal(refusal)
    }
  }

  var ownFrames: [[UInt8]] {
    if case .welcome(let welcome) = self { welcome.lastCommit?.ownFrames ?? [] } else { [] }
  }

  var payloadCount: Int {
    switch self {
    case .lease(let lease): lease.batch.count
    case .probed: 1
    default: 0
    }
  }

  static func read(_ control: ControlFrame, frames: inout [[UInt8]]) throws(Refusal) -> Reply {
    var trajectoryCount = 0
    var reply: Reply
    do throws(DocumentError) {
      reply = try read(control, trajectoryCount: &trajectoryCount)
      try control.finish()
    } catch {
      throw Refusal(malformed: error)
    }
    if case .probed = reply { try Probe.check(frames) }
    if case .welcome(var welcome) = reply {
      try welcome.lastCommit?.takeTrajectories(count: trajectoryCount, from: &frames)
      reply = .welcome(welcome)
    }
    return reply
  }

  private static func read(
    _ control: ControlFrame, trajectoryCount: inout Int
  ) throws(DocumentError) -> Reply {
    let body = control.body
    switch try control.kind(among: ReplyKind.self) {
    case .welcome:
      return .welcome(try Welcome(reading: body, trajectoryCount: &trajectoryCount))
    case .tickets:
      return .tickets(
        try body.list("tickets", maximumCount: WireLimits.maximumTickets) {
          (ticket) throws(DocumentError) in
          Ticket(
            key: try ticket.section("key").ticketKey(),
            minimumVersion: try ticket.versionNumber("minimumVersion"),
            level: ticket.has("level") ? try ticket.level("level") : nil)
        })
    case .fetch: return .fetch(try body.version("version"))
    case .wait:
      return .wait(
        Wait(
          milliseconds: try body.count("milliseconds"), reason: try body.sentence("reason"),
          isFinished: try body.bool("isFinished")))
    case .acknowledged: return .acknowledged(try body.section("key").ticketKey())
    case .alive:
      var alive = Alive(
        version: try body.optionalVersion("version"), isFinished: try body.bool("isFinished"))
      alive.sentMicroseconds = try body.optionalCount("sentMicroseconds")
      alive.receivedMicroseconds = try body.optionalCount("receivedMicroseconds")
      alive.answeredMicroseconds = try body.optionalCount("answeredMicroseconds")
      if body.has("errand") { alive.errand = try LinkErrand(reading: body.section("errand")) }
      return .alive(alive)
    case .lease: return .lease(try BatchLease(reading: body))
    case .committed:
      return .committed(
        Committed(
          step: try body.versionNumber("step"), isFinished: try body.bool("isFinished")))
    case .status: return .status(try body.anything("status"))
    case .probed: return .probed(try Probed(reading: body))
    case .measured:
      return .measured(
        body.has("finding") ? try LinkFinding(reading: body.section("finding")) : nil)
    case .refused: return .refused(try body.refusal())
    }
  }
}

extension Fields {
  /// A value of any shape, which must be there.
  fileprivate func anything(_ key: String) throws(DocumentError) -> Document {
    guard let document = document(key) else { throw error(key, "missing") }
    return document
  }
}

extension Welcome {
  fileprivate var members: [(String, Document)] {
    [
      ("run", .string(run)), ("lineage", .string(lineage)), ("settings", settings),
      ("files", .list(files, atMost: WireLimits.maximumFiles, Document.file)),
      ("weightsAddress", .string(weightsAddress)), ("announceAddress", .string(announceAddress)),
      ("epoch", .integer(epoch)),
    ] + optional("version", version.map(Document.version))
      + optional("lastCommit", lastCommit.map { .object($0.members) })
      + optional("settingsSpans", settingsSpans.isEmpty ? nil : spans)
  }

  private var spans: Document {
    .list(settingsSpans, atMost: WireLimits.maximumSettingsSpans) {
      .object([("step", .integer($0.step)), ("settings", $0.settings)])
    }
  }

  fileprivate init(reading body: Fields, trajectoryCount: inout Int) throws(DocumentError) {
    self.init(
      run: try body.name("run"), lineage: try body.name("lineage"),
      settings: try body.anything("settings"), files: try body.files("files"),
      weightsAddress: try body.address("weightsAddress"),
      announceAddress: try body.address("announceAddress"),
      version: try body.optionalVersion("version"), epoch: try body.count("epoch"),
      lastCommit: body.has("lastCommit")
        ? try StepCommit(
          reading: body.section("lastCommit"), trajectoryCount: &trajectoryCount) : nil,
      settingsSpans: try body.list(
        "settingsSpans", maximumCount: WireLimits.maximumSettingsSpans
      ) { (span) throws(DocumentError) in
        SettingsSpan(
          step: try span.versionNumber("step"), settings: try span.anything("settings"))
      })
  }
}
