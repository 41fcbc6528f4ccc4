// forage status: how a run stands. Of one that is live: who does what, who waits for whom and since
// when, by replay's own account; of one that is not: how far its folder says it came.

import Documents
import Glibc
import Messaging
import Operations

enum StatusCommand: Command {
  static let intervalSeconds = 1.0
  static let plainSeconds = 10.0
  /// A replay between two commits to a slow disk answers within this.
  static let answerMilliseconds = 3_000

  static let usage = Usage(
    "forage status",
    "Says how a run stands: who does what, who waits for whom and since when, queues, versions "
      + "and drops.",
    positionals: [
      Usage.Positional("RUN|ADDRESS", "the run's folder, or replay's address (tcp://host:port)")
    ],
    options: [
      .value("keys", "FILE", "for an ADDRESS that wants keys: a looker's key"),
      .flag("watch", "again and again, as forage run shows it, until the run ends"),
      .flag(
        "spans", "where the time goes instead: what bounds it, what more actors bring, links"),
      .flag("json", "as JSON; with --watch one line a second"),
      .flag("plain", "plain lines instead of the live view"),
    ],
    example: "forage status runs/arithmetic-001 --watch")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let place = arguments.required(0)
    if arguments.flag("spans") { return try showSpans(place) }
    let source: any StatusSource =
      if place.contains("://") {
        try AddressStatus(place, keys: arguments.value("keys"))
      } else {
        try FolderStatus(RunFolder.open(place))
      }
    let isJSON = arguments.flag("json")
    guard arguments.flag("watch") else {
      let report = try source.look(milliseconds: answerMilliseconds)
      Terminal.write(
        isJSON
          ? JSON.write(report.document, pretty: true) + "\n"
          : report.lines(width: Terminal.columns).joined(separator: "\n") + "\n")
      return .success
    }
    let signals = try SignalWatch()
    let isInteractive = Terminal.isInteractive && !arguments.flag("plain") && !isJSON
    let interval = isInteractive || isJSON ? intervalSeconds : plainSeconds
    var screen = LiveScreen()
    while true {
      let report = try source.look(milliseconds: answerMilliseconds)
      if isJSON {
        Terminal.write(JSON.write(report.document) + "\n")
      } else if isInteractive {
        screen.show(report.lines(width: Terminal.columns))
      } else if !report.isLive {
        Terminal.write(report.lines(width: Terminal.columns).joined(separator: "\n") + "\n")
      } else {
        Terminal.write(report.plainLine + "\n")
      }
      if !report.isLive { return .success }
      let next = Deadline.after(seconds: interval)
      while !next.hasPassed {
        if signals.isStopping { return .success }
        usleep(50_000)
      }
    }
  }
}

extension StatusCommand {
  /// Of each half of a process's spans: what it did last, some minutes of a busy one.
  private static let spanBytes = 2 << 20

  private static func showSpans(_ place: String) throws -> ExitCode {
    let run = try RunFolder.open(place)
    let spans = RunSpans(run, tailBytes: spanBytes)
    for fault in spans.faults { Terminal.complain(fault.description) }
    Terminal.write(
      SpanText.lines(spans, plan: ReportSource.plan(run)).joined(separator: "\n") + "\n")
    return .success
  }
}

/// Where a run can be asked.
protocol StatusSource {
  func look(milliseconds: Int) throws -> StatusReport
}

/// A replay known by its address alone.
final class AddressStatus: StatusSource {
  private let address: String
  private let looker: StatusLooker

  init(_ address: String, keys: String?) throws {
    self.address = address
    looker = try StatusLooker(
      endpoint: address, keys: try keys.map { try ClientKeys.load($0, as: .looker) })
  }

  func look(milliseconds: Int) throws -> StatusReport {
    guard let status = try looker.askStrictly(milliseconds: milliseconds) else {
      throw Failure(
        "ask", on: address, happened: "no answer within \(milliseconds) ms",
        remedy: "check that forage-replay runs there and that this is its own port, not that of "
          + "weights", exitCode: .unavailable)
    }
    var state = RunState(
      name: status.text("run") ?? address, steps: status["steps"]?.integerValue ?? 0)
    state.status = status
    return StatusReport(state: state, hasMetrics: false, folder: nil)
  }
}

/// A run on this host: its folder says what its processes do not.
final class FolderStatus: StatusSource {
  private let run: RunFolder
  private let settings: RunSettings
  private var state: RunState
  private var reader: MetricsReader
  private var looker: StatusLooker?

  init(_ run: RunFolder) throws {
    self.run = run
    settings = try RunSettings.load(path: run.settings)
    state = RunState(name: run.name, steps: settings.run.steps)
    reader = MetricsReader(path: run.metrics)
  }

  func look(milliseconds: Int) throws -> StatusReport {
    if Files.exists(run.metrics) { state.take(try reader.read()) }
    let folder = try FolderFacts(run)
    state.alarms = try AlarmFile(run).standing
    state.status = nil
    state.accounts = run.processAccounts
    state.isReplaySilent = false
    // Without a replay nobody would answer, and waiting for it would say no more.
    if folder.process("replay") != nil {
      let asked =
        try looker
        ?? StatusLooker(
          endpoint: Endpoints.connecting(settings.network, run: run).replay,
          keys: try .looking(settings.network))
      looker = asked
      state.status = try asked.askStrictly(milliseconds: milliseconds)
      state.isReplaySilent = state.status == nil
    }
    return StatusReport(state: state, hasMetrics: true, folder: folder)
  }
}
