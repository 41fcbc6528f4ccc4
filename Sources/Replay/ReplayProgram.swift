// The replay process: takes the run's lock, opens its ledger, serves until it is told to stop.

import Experience
import Messaging
import Operations

public enum ReplayProgram {
  public static let usage = Usage(
    "forage-replay", "Keeps the ledger of a run and serves it to actors and the learner.",
    options: [
      .value("run", "DIR", "the run's folder, as forage run made it"),
      .value("allow-change", "KEYS", "settings that may differ from those recorded: a.b,c.d"),
    ],
    example: "forage-replay --run runs/arithmetic-001")

  /// From a stop signal to the end: far actors are told for 2.5 s, and the log is folded.
  static let stopSeconds = 4.5

  /// Runs to the end; what went wrong is in the log and on standard error.
  public static func run(folder path: String, allowedChanges: [String] = []) -> ExitCode {
    // A supervisor appends standard error to the run's own log.
    let log = Log.standardError("replay")
    do {
      let folder = try RunFolder.open(path)
      try serve(folder, allowedChanges, log)
      return .success
    } catch {
      let (line, code) = report(error)
      log.error(line)
      return code
    }
  }

  private static func serve(
    _ folder: RunFolder, _ allowedChanges: [String], _ log: Log
  ) throws {
    let lock = try RunLock(run: folder, role: "replay")
    defer { withExtendedLifetime(lock) {} }
    let signals = try SignalWatch()
    let parent = try ParentPipe.inherited()
    let settings = try RunSettings.load(path: folder.settings)
    let watchdog = try Watchdog(
      "replay", log: log, patienceSeconds: settings.supervisor.patienceSeconds,
      accountPath: folder.account("replay"))
    defer { watchdog.finish() }
    watchdog.endStopping(
      withinSeconds: stopSeconds, because: "all that was acknowledged is on the disk"
    ) { signals.isStopping || parent?.isOrphaned ?? false }
    let endpoints = try Endpoints.binding(settings.network, run: folder)
    let context = try MessagingContext()
    let service = try ReplayService(
      settings: settings, folder: folder, endpoint: endpoints.replay, context: context, log: log,
      watchdog: watchdog, allowedChanges: allowedChanges)
    try service.serve(
      until: [signals.fileDescriptor] + (parent.map { [$0.fileDescriptor] } ?? []))
    log.info(
      "ended by \(signals.lastSignal ?? "the end of the supervisor"), everything is on the disk")
  }

  /// An error in words, and the status that tells a supervisor what a restart may do.
  package static func report(_ error: any Error) -> (line: String, exitCode: ExitCode) {
    switch error {
    case let error as LedgerError: (error.description, code(of: error))
    case let error as MessagingError:
      (error.description, ExitCode(rawValue: error.exitStatus) ?? .unavailable)
    default: FailureReport.report(error)
    }
  }

  private static func code(of error: LedgerError) -> ExitCode {
    switch error {
    case .sqlite: .storage
    case .missing: .noInput
    case .otherSettings: .settings
    case .foreign, .newer, .older, .damaged: .badInput
    }
  }
}
