// forage-learner: puts a run's learner together from its folder and runs it.

import Documents
import Experience
import HTTP
import Messaging
import Objectives
import Operations
import Policy
import Wire

/// What a learner is made of.
struct LearnerParts {
  var settings: RunSettings
  var taker: StepTaker
  var tokenizer: Tokenizer
  var checkpoints: Checkpoints
  var server: WeightServer
  var metrics: MetricsWriter
  var log: Log
  var isStopping: () -> Bool
  var link: ReplayLink
  var strand: Strand
  var meters: Meters
  /// No step is begun after it; never, unless the run was given hours.
  var end = TimeLimit(.never)
}

/// What the command line says beside the run.
struct LearnerOptions {
  var threads: Int?
  var allowsOtherBuild: Bool
  var end: Deadline
}

/// The checkpoint a learner means to go on from.
private final class Candidate {
  var loaded: LoadedCheckpoint

  init(_ loaded: LoadedCheckpoint) { self.loaded = loaded }
}

public enum LearnerProgram {
  static let usage = Usage(
    "forage-learner", "Trains a run's policy on the groups its replay holds.",
    options: [
      .value("run", "DIR", "the run's folder, as forage run made it"),
      .value("threads", "N", "threads to compute with (the run's setting, else all cores)"),
      .flag("allow-other-build", "go on with a run that another build, or machine, began"),
      .value("until", "N", "end at a step boundary by this nanosecond of the monotonic clock"),
    ],
    example: "forage-learner --run runs/arithmetic-001")

  /// From a stop signal to the end of the process: a checkpoint fits in, and the supervisor's own
  /// time for all roles is 25 s.
  static let stopSeconds = 15.0

  /// Runs the program; the status to exit with.
  public static func main(_ words: [String]) -> ExitCode {
    // A supervisor appends standard error to the run's own log.
    let log = Log.standardError("learner")
    do {
      // First of all: a stop signal that comes from here on is one to end well by.
      let signals = try SignalWatch()
      let arguments = try Arguments(words, usage: usage)
      if arguments.wantsHelp {
        Terminal.write(usage.help)
        return .success
      }
      guard let path = arguments.value("run") else {
        throw ArgumentError(program: usage.program, fact: .missingPositional("--run DIR"))
      }
      let run = try RunFolder.open(path)
      let threads = try arguments.integer("threads", in: 1...1024)
      let end = try arguments.integer("until", in: 0...Int.max - 1)
      let options = LearnerOptions(
        threads: threads, allowsOtherBuild: arguments.flag("allow-other-build"),
        end: end.map { Deadline(moment: Int64($0)) } ?? .never)
      try learn(run, options, signals, log: log)
      return .success
    } catch is StopRequested {
      log.info("stopped as asked")
      return .success
    } catch is TimeOver {
      log.info("the hours given are over")
      return .timeOver
    } catch let refusal as Refusal {
      log.error("replay refused: \(refusal.code.rawValue): \(refusal.sentence)")
      return refusal.code == .fenced ? .fenced : .refused
    } catch let error as MessagingError {
      log.error(error.description)
      return ExitCode(rawValue: error.exitStatus) ?? .unavailable
    } catch {
      let (line, code) = FailureReport.report(error)
      log.error(line)
      return code
    }
  }

  private static func learn(
    _ run: RunFolder, _ options: LearnerOptions, _ signals: SignalWatch, log: Log
  ) throws {
    let parent = try ParentPipe.inherited()
    let isStopping = { @Sendable in signals.isStopping || (parent?.isOrphaned ?? false) }
    let lock = try RunLock(run: run, role: "learner")
    defer { withExtendedLifetime(lock) {} }
    let settings = try RunSettings.load(path: run.settings)
    let watchdog = try Watchdog(
      "learner", log: log, patienceSeconds: settings.supervisor.patienceSeconds,
      accountPath: run.account("learner"),
      spans: SpanRecorder(
        "learner", run: run, maximumBytes: settings.trace.maximumBytes, log: log))
    defer { watchdog.finish() }
    watchdog.endStopping(
      withinSeconds: stopSeconds,
      because: "a resume takes the steps after the newest checkpoint once more",
      isAsked: isStopping)
    let pages = pages(settings.metrics, watchdog, log)
    defer { pages?.stop() }
    let strand = watchdog.strand("train")
    strand.use("the disk to give the newest checkpoint")
    let checkpoints = try Checkpoints(folder: run.checkpoints, log: log)
    try checkpoints.removeUnfinished()
    let cores =
      [options.threads ?? 0, settings.learner.threads, settings.run.threads, Machine.coreCount]
      .first { $0 > 0 } ?? 1
    // Every hello names the version of the checkpoint that is tried then.
    let candidate = Candidate(try newest(of: run, checkpoints))

    let context = try MessagingContext()
    let network = settings.network
    let keys =
      network.keys.isEmpty ? nil : try KeyFolder(network.keys).client(.learner)
    let endpoints = try Endpoints.binding(settings.network, run: run)
    let server = try WeightServer(
      WeightServer.Addresses(
        weights: endpoints.weights, announce: endpoints.announce,
        protection: Protection(
          keys: network.keys, allowsUnauthenticated: network.allowUnauthenticated)),
      files: try [
        (name: "config.json", bytes: Array(candidate.loaded.model.configuration.configJSON.utf8)),
        (name: "tokenizer.json", bytes: candidate.loaded.tokenizer.json),
      ] + run.taskFiles(), keepCount: settings.learner.lagMax + 2, watchdog: watchdog, log: log)
    defer { server.stop() }
    let fingerprint = try Fingerprint.ofThisMachine()
    let numericClass = CPUTransformer.numericClassOfThisMachine
    let addresses = try Endpoints.connecting(settings.network, run: run)
    let link = try ReplayLink(
      to: addresses.replay, in: context, keys: keys,
      maximumGroupBytes: settings.replay.maximumGroupBytes,
      patienceSeconds: settings.supervisor.stallSeconds,
      stopDescriptor: signals.fileDescriptor, isStopping: isStopping, strand: strand, log: log
    ) {
      Hello(
        role: .learner, name: "learner", numericClass: numericClass,
        weightsAddress: server.weightsEndpoint, announceAddress: server.announceEndpoint,
        version: candidate.loaded.state.version, files: server.files, fingerprint: fingerprint,
        allowsOtherBuild: options.allowsOtherBuild)
    }
    let welcome = try meet(link, run, checkpoints, candidate, log)
    let loaded = candidate.loaded
    if checkpoints.latest() == nil {
      log.warning("\(checkpoints.folder)/latest names no checkpoint: it is written anew")
      try checkpoints.setLatest(loaded.name)
    }
    let committed = welcome.lastCommit.map { $0.step + 1 } ?? 0
    let number = loaded.state.version.number
    log.info(
      "learner of \(welcome.run) starts at version \(number), \(cores) threads, \(numericClass)"
        + (number < committed ? ", taking steps up to \(committed) once more" : ""))
    let learner = Learner(
      LearnerParts(
        settings: settings,
        taker: try StepTaker.start(
          at: loaded, timeline: try timeline(welcome, settings, run), threads: cores,
          checkpoints: checkpoints),
        tokenizer: loaded.tokenizer, checkpoints: checkpoints, server: server,
        metrics: try MetricsWriter(path: run.metrics), log: log, isStopping: isStopping,
        link: link, strand: strand, meters: watchdog.meters, end: TimeLimit(options.end)))
    watchdog.setReady()
    try learner.run()
  }

  private static func pages(
    _ metrics: MetricsSection, _ watchdog: Watchdog, _ log: Log
  ) -> StatusPages? {
    guard let address = metrics.address(of: .learner) else { return nil }
    watchdog.countDurations()
    return StatusPages.start(
      at: address, allowRoutable: metrics.allowRoutable, say: { log.warning($0) },
      metrics: { watchdog.metricsText }, readiness: { watchdog.readiness })
  }

  private static func newest(
    of run: RunFolder, _ checkpoints: Checkpoints, atMost version: Int? = nil
  ) throws -> LoadedCheckpoint {
    guard let loaded = try checkpoints.newestGood(atMost: version) else { throw noCheckpoint(run) }
    return loaded
  }

  /// Says hello with the newest checkpoint the ledger goes on from: one that is beyond its last
  /// commit, or that it does not know, is passed over for an older one.
  private static func meet(
    _ link: ReplayLink, _ run: RunFolder, _ checkpoints: Checkpoints,
    _ candidate: Candidate, _ log: Log
  ) throws -> Welcome {
    while true {
      let loaded = candidate.loaded
      let older: Int
      do {
        let welcome = try link.meet()
        let committed = welcome.lastCommit.map { $0.step + 1 } ?? 0
        let number = loaded.state.version.number
        if number > committed {
          log.warning("checkpoint \(loaded.name) is beyond the last commit and is passed over")
          older = committed
        } else if number == committed, let last = welcome.lastCommit,
          last.stateDigest != loaded.state.chain
        {
          log.warning("checkpoint \(loaded.name) has another past than the ledger: passed over")
          older = number - 1
        } else {
          return welcome
        }
      } catch let refusal as Refusal
        where refusal.code == .anotherRun && loaded.state.version.number > 0
      {
        log.warning("checkpoint \(loaded.name) is passed over: \(refusal.sentence)")
        older = loaded.state.version.number - 1
      }
      candidate.loaded = try newest(of: run, checkpoints, atMost: older)
    }
  }

  /// The settings of each step: the ledger's, where it has recorded some.
  private static func timeline(
    _ welcome: Welcome, _ settings: RunSettings, _ run: RunFolder
  ) throws -> TrainingTimeline {
    var spans: [(step: Int, settings: RunSettings)] = []
    for span in welcome.settingsSpans {
      let source = "the ledger's settings from step \(span.step) on"
      spans.append((span.step, try RunSettings(span.settings, source: source)))
    }
    if spans.isEmpty { spans = [(0, settings)] }
    return try TrainingTimeline(spans, source: run.settings)
  }

  private static func noCheckpoint(_ run: RunFolder) -> Failure {
    Failure(
      "start the learner of", on: run.path, happened: "no checkpoint in it is whole",
      remedy: "forage run makes the first one; look at \(run.checkpoints)", exitCode: .badInput)
  }
}
