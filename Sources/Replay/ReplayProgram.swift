// The replay process: takes the run's lock, opens its ledger, serves until it is told to stop.

import Experience
import Glibc
import HTTP
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
  public static func run(
    folder path: String, allowedChanges: [String] = [], signals: SignalWatch
  ) -> ExitCode {
    // A supervisor appends standard error to the run's own log.
    let log = Log.standardError("replay")
    do {
      let folder = try RunFolder.open(path)
      try serve(folder, allowedChanges, signals, log)
      return .success
    } catch {
      let (line, code) = report(error)
      log.error(line)
      return code
    }
  }

  private static func serve(
    _ folder: RunFolder, _ allowedChanges: [String], _ signals: SignalWatch, _ log: Log
  ) throws {
    let lock = try RunLock(run: folder, role: "replay")
    defer { withExtendedLifetime(lock) {} }
    let parent = try ParentPipe.inherited()
    let settings = try RunSettings.load(path: folder.settings)
    if FaultHooks.synchronous != "FULL" {
      log.warning("FORAGE_SYNCHRONOUS is set: a power cut may take back what is acknowledged")
    }
    let watchdog = try Watchdog(
      "replay", log: log, patienceSeconds: settings.supervisor.patienceSeconds,
      accountPath: folder.account("replay"),
      spans: SpanRecorder(
        "replay", run: folder, maximumBytes: settings.trace.maximumBytes, log: log))
    defer { watchdog.finish() }
    let pages = pages(settings.metrics, watchdog, log)
    defer { pages?.stop() }
    let isStopping = { @Sendable in signals.isStopping || parent?.isOrphaned ?? false }
    watchdog.endStopping(
      withinSeconds: stopSeconds, because: "all that was acknowledged is on the disk",
      isAsked: isStopping)
    let endpoints = try Endpoints.binding(settings.network, run: folder)
    let context = try MessagingContext()
    let strand = watchdog.strand("start")
    let service = try whenThereIsRoom(strand, log, isStopping: isStopping) {
      try ReplayService(
        settings: settings, folder: folder, endpoint: endpoints.replay, context: context, log: log,
        watchdog: watchdog, allowedChanges: allowedChanges)
    }
    watchdog.forget(strand)
    guard let service else { return log.info("stopped before the disk had room") }
    watchdog.setReady()
    try service.serve(
      until: [signals.fileDescriptor] + (parent.map { [$0.fileDescriptor] } ?? []))
    log.info(
      "ended by \(signals.lastSignal ?? "the end of the supervisor"), everything is on the disk")
  }

  private static func pages(
    _ metrics: MetricsSection, _ watchdog: Watchdog, _ log: Log
  ) -> StatusPages? {
    guard let address = metrics.address(of: .replay) else { return nil }
    watchdog.countDurations()
    return StatusPages.start(
      at: address, allowRoutable: metrics.allowRoutable, say: { log.warning($0) },
      metrics: { watchdog.metricsText }, readiness: { watchdog.readiness })
  }

  /// Opens a ledger again and again while the disk has no room to open it; nil when told to stop.
  private static func whenThereIsRoom(
    _ strand: Strand, _ log: Log, isStopping: () -> Bool, _ open: () throws -> ReplayService
  ) throws -> ReplayService? {
    var isSaid = false
    while !isStopping() {
      strand.use("the disk to open the ledger")
      do {
        return try open()
      } catch let error as LedgerError {
        guard error.isDiskFull else { throw error }
        if !isSaid { log.warning("\(error); waiting for the disk to have room") }
        isSaid = true
      }
      strand.use("the disk to have room for opening the ledger")
      let pause = Deadline.after(seconds: 1)
      while !pause.hasPassed, !isStopping() { usleep(50_000) }
    }
    return nil
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
