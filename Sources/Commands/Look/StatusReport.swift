// A run's standing, told: the view that `forage run` draws, then what only replay knows.

import Documents
import Operations

struct StatusReport {
  let state: RunState
  /// False of a run known by its address alone: its metrics lie elsewhere.
  let hasMetrics: Bool
  /// Nil of a run known by its address alone.
  let folder: FolderFacts?
  /// Of who asks from within; replay's own where nil.
  var sessionSeconds: Double?

  var isLive: Bool { state.status != nil || !(folder?.processes.isEmpty ?? true) }

  private var step: Int { state.status?["step"]?.integerValue ?? state.step }

  private var elapsedSeconds: Double {
    sessionSeconds ?? (state.status?["service"]?.number("upMilliseconds") ?? 0) / 1000
  }

  // MARK: Text

  var plainLine: String {
    guard state.status != nil else { return (liveness + [progress]).joined(separator: ", ") }
    guard hasMetrics else {
      return ([progress] + queues + state.graph.lines).joined(separator: ", ")
    }
    return RunView.plainLine(state, elapsedSeconds: elapsedSeconds)
  }

  func lines(width: Int) -> [String] {
    guard let status = state.status else {
      return liveness + (isLive ? state.graph.lines.map { "  " + $0 } : []) + atRest
    }
    // Metrics come a step at a time; the first may be long in coming.
    var lines =
      hasMetrics && state.step > 0
      ? RunView.lines(state, elapsedSeconds: elapsedSeconds, width: width)
      : [progress] + state.alarms.map { "  \($0.line)" }
        + state.graph.lines.map { "  " + $0 }
    if let parent = folder?.parent { lines.append("  \(parent)") }
    lines += (liveness + queues + levels + peers(status) + losses(status)).map { "  " + $0 }
    return lines
  }

  private var progress: String { "\(state.name): step \(step) of \(state.steps)" }

  /// Of a run nobody answers for.
  private var liveness: [String] {
    guard let folder else { return [] }
    let holders = folder.processes.map { "\($0.role) \($0.processID)" }.joined(separator: ", ")
    if state.status != nil { return ["processes: \(holders)"] }
    if folder.processes.isEmpty { return ["\(state.name): not running"] }
    if folder.process("replay") != nil {
      return ["\(state.name): replay does not answer; processes: \(holders)"]
    }
    let isBefore = folder.committed == nil
    return [
      "\(state.name): \(isBefore ? "being prepared" : "starting or ending"); processes: \(holders)"
    ]
  }

  private var atRest: [String] {
    guard let folder else { return [] }
    let steps = folder.committed ?? 0
    var lines = [
      "  \(steps) of \(state.steps) steps" + (steps >= state.steps ? ": it has them all" : "")
    ]
    if let parent = folder.parent { lines.append("  \(parent)") }
    if let checkpoint = folder.checkpoint { lines.append("  newest checkpoint: \(checkpoint)") }
    if let evaluation = state.evaluations.last {
      lines.append(
        "  validation: pass@1 \(RunView.format(evaluation.accuracy, 3)) at step "
          + "\(evaluation.version)")
    }
    lines += state.alarms.map { "  \($0.line)" }
    if let sentence = folder.sentence { lines.append("  \(sentence)") }
    guard folder.processes.isEmpty else { return lines }
    lines.append(
      folder.sentence == nil || steps < state.steps
        ? "  continue: forage run --resume \(folder.run.path)"
        : "  next: forage inspect \(folder.run.path)")
    return lines
  }

  /// Queue counts, tickets and evaluations, a line each.
  private var queues: [String] {
    guard let status = state.status else { return [] }
    func count(_ group: String, _ key: String) -> Int { status[group]?[key]?.integerValue ?? 0 }
    let retired = Self.sum(status["groups"]?["retired"])
    var lines = [
      "version \(status.text("version") ?? "none yet"), learner epoch "
        + "\(status["epoch"]?.integerValue ?? 0)",
      "tickets: \(count("tickets", "granted")) granted of \(count("tickets", "ceiling")) that "
        + "pacing allows, \(count("tickets", "held")) held by actors, "
        + "\(count("tickets", "storing")) going to disk, \(count("tickets", "lapsed")) lapsed, "
        + "\(count("tickets", "unfilled")) to be given out again",
      "groups: \(count("groups", "ready")) ready, \(count("groups", "leased")) leased to the "
        + "learner, \(retired) retired (\(Self.words(status["groups"]?["retired"])))",
    ]
    if let curriculum = status["curriculum"] { lines.append(Self.words(curriculum: curriculum)) }
    for evaluation in status["evaluations"]?.elements ?? [] {
      lines.append(
        "evaluation of version \(evaluation["version"]?.integerValue ?? 0): "
          + "\(evaluation["done"]?.integerValue ?? 0) of "
          + "\(evaluation["prompts"]?.integerValue ?? 0) groups, "
          + "\(evaluation["open"]?.integerValue ?? 0) open")
    }
    return lines
  }

  private static func words(curriculum: Document) -> String {
    func count(_ key: String) -> Int { curriculum[key]?.integerValue ?? 0 }
    let isLast = count("level") + 1 == count("levels")
    return "curriculum: \(count("level") + 1) of \(count("levels")) levels open, "
      + "\(count("correct")) of \(count("count")) right at the newest"
      + (isLast
        ? ""
        : "; \(RunView.format(curriculum.number("threshold"), 2)) of \(count("window")) open "
          + "the next")
  }

  /// How full each process's queues are, those of this host that hold anything.
  private var levels: [String] {
    state.accounts.compactMap { account in
      let filled = account.gauges.filter { $0.value > 0 && $0.maximum > 0 }
      guard account.condition != nil, !filled.isEmpty else { return nil }
      let words = filled.map { gauge in
        let prefix = "bytes "
        guard gauge.name.hasPrefix(prefix) else {
          return "\(gauge.value) of \(gauge.maximum) \(gauge.name)"
        }
        return "\(DryRun.bytes(gauge.value)) of \(DryRun.bytes(gauge.maximum)) "
          + gauge.name.dropFirst(prefix.count)
      }
      return "queues of \(account.name): " + words.joined(separator: ", ")
    }
  }

  private func peers(_ status: Document) -> [String] {
    var rows: [[String]] = []
    for peer in status["peers"]?.elements ?? [] where peer.text("role") != "looker" {
      rows.append(Self.cells(peer))
    }
    if rows.isEmpty { return ["nobody has said hello"] }
    let leftOut = status.count("peersLeftOut")
    return TextTable(Self.peerColumns, rows).lines()
      + (leftOut > 0 ? ["and \(leftOut) more, for whom one answer of replay has no room"] : [])
  }

  private static let peerColumns: [(name: String, side: TextTable.Side)] = [
    ("who", .left), ("version", .right), ("holds", .right), ("groups", .right),
    ("sampled", .right), ("idle", .right), ("received", .right), ("sent", .right),
    ("round trip", .right), ("clock", .right),
    ("heard of", .left),
  ]

  private static func cells(_ peer: Document) -> [String] {
    let seconds = RunView.format(Double(peer.count("silentMilliseconds")) / 1000, 1)
    let presence = peer.flag("isPresent") ? "" : ", taken for gone"
    return [
      peer.text("name") ?? "?", RunView.format(peer.number("version"), 0),
      String(peer.count("holding")), String(peer.count("groupsSubmitted")),
      RunView.count(Double(peer.count("tokensSampled"))),
      RunView.clock(Double(peer.count("idleMilliseconds")) / 1000),
      DryRun.bytes(peer.count("bytesReceived")), DryRun.bytes(peer.count("bytesSent")),
      SpanTime.words(microseconds: peer.number("roundTripMicroseconds")),
      SpanTime.offset(
        microseconds: peer.number("offsetMicroseconds"),
        roundTrip: peer.number("roundTripMicroseconds")),
      "\(seconds) s ago\(presence)",
    ]
  }

  /// What was sampled in vain or refused, and a disk that runs full; nothing when there is none.
  private func losses(_ status: Document) -> [String] {
    var lines: [String] = []
    for (key, words) in [("dropped", "dropped"), ("refused", "refused on arrival")] {
      guard case .object(let reasons)? = status["groups"]?[key]?.value else { continue }
      for reason in reasons where (reason.value["groups"]?.integerValue ?? 0) > 0 {
        lines.append(
          "\(words) as \(reason.key): \(reason.value["groups"]?.integerValue ?? 0) groups, "
            + "\(RunView.count(reason.value.number("tokens"))) tokens")
      }
    }
    if status["service"]?.flag("isDiskLow") ?? false {
      lines.append(
        "the disk is low: \(DryRun.bytes(status["service"]?["freeBytes"]?.integerValue ?? 0)) "
          + "free, and groups are refused below "
          + DryRun.bytes(status["service"]?["reserveBytes"]?.integerValue ?? 0))
    }
    if case .object(let codes)? = status["service"]?["refused"]?.value, !codes.isEmpty {
      let counts = codes.map { "\($0.key) \($0.value.integerValue ?? 0)" }
      lines.append("requests refused: \(counts.joined(separator: ", "))")
    }
    lines += Self.words(refusedNames: status["service"]?["refusedNames"]?.elements ?? [])
    if status.count("idlePeersForgotten") > 0 {
      lines.append(
        "\(status.count("idlePeersForgotten")) peers that only said hello made room for others")
    }
    if let turned = status["turnedAway"], turned.count("total") > 0 {
      var reasons: [String] = []
      for member in turned.members where !["keys", "total", "last"].contains(member.key) {
        let count = member.value.integerValue ?? 0
        if count > 0 { reasons.append("\(member.key) \(count)") }
      }
      lines.append(
        "turned away at the door: \(reasons.joined(separator: ", ")); the last: "
          + (turned.text("last") ?? "?"))
    }
    for account in state.accounts where account.condition != nil {
      for gauge in account.gauges {
        switch gauge.name {
        case Watchdog.Gauge.turnedAway:
          lines.append(
            "\(gauge.name) of the \(account.name): \(gauge.value); by reason in its log")
        case Watchdog.Gauge.refused:
          lines.append("\(gauge.name) by the \(account.name): \(gauge.value); whose, in its log")
        default: continue
        }
      }
    }
    return lines
  }

  /// Whose requests no sound peer would make, a line each; those of ordinary life are not told by
  /// name.
  private static func words(refusedNames: [Document]) -> [String] {
    let lines = refusedNames.compactMap { entry -> String? in
      guard let name = entry.text("name") else { return nil }
      return "refused of \(name): \(words(entry["codes"]))"
    }
    let shown = 8
    return lines.prefix(shown)
      + (lines.count > shown ? ["and of \(lines.count - shown) others"] : [])
  }

  private static func sum(_ document: Document?) -> Int {
    guard case .object(let members)? = document?.value else { return 0 }
    return members.reduce(0) { $0 + ($1.value.integerValue ?? 0) }
  }

  /// "trained 120, without-spread 8"
  private static func words(_ document: Document?) -> String {
    guard case .object(let members)? = document?.value else { return "" }
    return members.map { "\($0.key) \($0.value.integerValue ?? 0)" }.joined(separator: ", ")
  }

  // MARK: JSON

  var document: Document {
    .object(
      [
        ("name", .string(state.name)), ("isLive", .bool(isLive)),
        ("step", .integer(state.status == nil ? folder?.committed ?? 0 : step)),
        ("steps", .integer(state.steps)),
      ] + (folder?.members ?? []) + [
        ("alarms", .array(state.alarms.map { AlarmEvent(alarm: $0, isRaised: true).document })),
        ("waits", state.graph.document), ("metrics", state.records.last ?? nil),
        ("replay", state.status ?? nil),
      ])
  }
}

extension Document {
  fileprivate var members: [(key: String, value: Document)] {
    if case .object(let members) = value { return members.map { ($0.key, $0.value) } }
    return []
  }

  /// A count; 0 where there is none.
  fileprivate func count(_ key: String) -> Int { self[key]?.integerValue ?? 0 }

  fileprivate func flag(_ key: String) -> Bool {
    if case .bool(true)? = self[key]?.value { return true }
    return false
  }
}
