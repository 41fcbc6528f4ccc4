// An actor as a process: two threads, one exit status.

import HTTP
import Messaging
import Operations
import Policy

public enum RolloutActor {
  /// Runs until the run is over or this process is told to stop; the status to exit with.
  public static func main(_ options: ActorOptions, signals: SignalWatch) -> ExitCode {
    let log = Log.standardError(options.name, level: options.isVerbose ? .debug : .info)
    do {
      let parent = try ParentPipe.inherited()
      let watchdog = try Watchdog(
        options.name, log: log,
        accountPath: Environment.value(ProcessAccount.environmentName),
        spans: SpanRecorder.inherited(options.name, log: log))
      watchdog.endStopping(
        withinSeconds: SocketLoop.stopSeconds,
        because: "its tickets are given to others when their leases end"
      ) { signals.isStopping || parent?.isOrphaned ?? false }
      let pages = pages(options, watchdog, log)
      defer { pages?.stop() }
      let ending = try run(
        options, signals: signals, parent: parent, watchdog: watchdog, log: log)
      watchdog.finish()
      log.info(ending)
      return .success
    } catch let error as MessagingError {
      log.error(error.description)
      return ExitCode(rawValue: error.exitStatus) ?? .unavailable
    } catch {
      let (line, exitCode) = FailureReport.report(error)
      log.error(line)
      return exitCode
    }
  }

  private static func pages(
    _ options: ActorOptions, _ watchdog: Watchdog, _ log: Log
  ) -> StatusPages? {
    guard !options.metrics.isEmpty else { return nil }
    watchdog.countDurations()
    return StatusPages.start(
      at: options.metrics, allowRoutable: options.allowRoutableMetrics, say: { log.warning($0) },
      metrics: { watchdog.metricsText }, readiness: { watchdog.readiness })
  }

  /// The same within a process that has other things to do; why it ended, in words.
  package static func run(
    _ options: ActorOptions, signals: SignalWatch?, parent: ParentPipe?,
    watchdog: Watchdog? = nil, log: Log
  ) throws -> String {
    let wake = try EventFD()
    let port = ComputePort(wake: wake, strand: watchdog?.strand("compute") ?? Strand("compute"))
    let loop = ComputeLoop(
      name: options.name, threads: options.threads, port: port, watchdog: watchdog, log: log)
    let worker = try WorkerThread(name: "compute", wakes: wake) { try loop.run() }
    defer {
      port.stop()
      _ = worker.join(deadline: .after(seconds: SocketLoop.stopSeconds))
    }
    let sockets = try SocketLoop(
      options, numericClass: CPUTransformer.numericClassOfThisMachine, port: port, worker: worker,
      wake: wake, signals: signals, parent: parent, watchdog: watchdog, log: log)
    return try sockets.run()
  }
}
