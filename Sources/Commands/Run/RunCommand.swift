// forage run: the main job, from a settings file to the closing sentence; or a run that was cut
// off, continued from its folder.

import Documents
import Glibc
import Learning
import Operations
import Policy
import Tensors

/// What the command line says of this session alone, and not of the run.
struct RunSession {
  var isPlain: Bool
  /// What a preflight refuses is said, and done all the same.
  var goesOnAnyway: Bool
  /// The hours given, counted from the start of the program.
  var end: Deadline
  /// A stop signal that comes from here on is one to end well by.
  let signals: SignalWatch

  init(_ arguments: Arguments) throws {
    signals = try SignalWatch()
    isPlain = arguments.flag("plain")
    goesOnAnyway = arguments.flag("anyway")
    let hours = try arguments.number("hours", in: 0.001...10_000)
    end = hours.map { Deadline.after(seconds: 3600 * $0) } ?? .never
  }
}

enum RunCommand: Command {
  static let usage = Usage(
    "forage run",
    "Trains a policy: makes the run's folder, starts replay, learner and actors, shows progress, "
      + "evaluates before and after, and leaves a report.",
    positionals: [Usage.Positional("CONFIG", "a settings file (YAML)", isRequired: false)],
    options: [
      .value("resume", "DIR", "continue the run in this folder; needs no CONFIG"),
      .value("folder", "DIR", "make the run here instead of runs/<name>-NNN"),
      .value("listen", "ADDRESS", "serve actors on other hosts at this address (tcp)"),
      .value("keys", "DIR", "want keys of everybody; forage keys make makes the folder"),
      .value(
        "metrics", "ADDRESS",
        "answer /metrics, /healthz and /readyz at HOST:PORT, and each process at a port after it"),
      .flag("dry-run", "print the resolved settings and what the run will need, and stop"),
      .value("hours", "H", "end after so long, at a step boundary with a checkpoint"),
      .flag("preflight", "look at what CONFIG promises, and stop; nothing is left behind"),
      .flag("anyway", "begin although the preflight refuses"),
      .flag("plain", "plain lines instead of the live view"),
      .value("allow-change", "KEYS", "with --resume: settings that may differ, as a.b,c.d"),
      .flag("restore-settings", "with --resume: write settings.yaml anew from the ledger first"),
      BuildCheck.flag,
    ],
    takesOverrides: true,
    example: "forage run Configs/arithmetic.yaml --learner.learningRate=1e-4")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let session = try RunSession(arguments)
    if let folder = arguments.value("resume") { return try resume(folder, arguments, session) }
    guard let config = arguments.positional(0) else {
      throw ArgumentError(program: usage.program, fact: .missingPositional("CONFIG"))
    }
    var overrides = arguments.overrides
    if let address = arguments.value("listen") { overrides.append("network.listen=\(address)") }
    if let address = arguments.value("metrics") { overrides.append("metrics.listen=\(address)") }
    if let folder = arguments.value("keys") {
      overrides.append("network.keys=\(try Files.realPath(folder))")
    }
    var settings = try RunSettings.load(path: config, overrides: overrides)
    try settings.network.checkListen()
    try RunPages.check(settings)
    try checkKeys(settings.network)
    if settings.replay.mode == .offline {
      // A resume may be typed in another folder.
      overrides.append("replay.source=\(try Files.realPath(settings.replay.source))")
      settings = try RunSettings.load(path: config, overrides: overrides)
    }
    let parts = try RunParts(settings, source: config)
    let offline = try OfflineCheck.words(parts)
    if arguments.flag("dry-run") {
      Terminal.write(try DryRun(parts).text() + (offline.map { "# \($0)\n" } ?? ""))
      return .success
    }
    if arguments.flag("preflight") {
      return try LonePreflight.run(parts, session, on: config)
    }
    if let offline { say(offline) }
    let folder = PreflightGate.nearestFolder(arguments.value("folder") ?? "runs")
    _ = try PreflightGate(
      parts: parts, threads: 1, session: session, say: { _ in }, pulse: .none
    ).checkResources(folder: folder, on: config)
    let run =
      if let folder = arguments.value("folder") { try RunFolder.create(at: folder) } else {
        try RunFolder.create(under: "runs", name: settings.run.name)
      }
    try TaskFileStore.keep(parts.resolved, in: run)
    try Files.writeDurably(run.settings, YAML.write(parts.resolved))
    return try carryOut(run, settings, session)
  }

  private static func resume(
    _ folder: String, _ arguments: Arguments, _ session: RunSession
  ) throws -> ExitCode {
    guard arguments.positional(0) == nil, arguments.value("folder") == nil,
      !arguments.flag("dry-run"), !arguments.flag("preflight")
    else {
      throw Failure(
        "resume", on: folder,
        happened: "CONFIG, --folder, --dry-run and --preflight belong to a new run",
        remedy: "give --resume with the settings to change, if any", exitCode: .usage)
    }
    // Before anything of a run that may be under way is changed.
    let isThere = RunFolder(folder).isRun || Files.exists(RunFolder(folder).ledger)
    let lock = isThere ? try RunLock(run: RunFolder(folder), role: "run") : nil
    if isThere { try Resume.auditLog(RunFolder(folder)) }
    if try Resume.needsUpgrade(RunFolder(folder)) {
      try awaitOrphans(RunFolder(folder), session.signals)
      try Resume.upgrade(RunFolder(folder), say: say)
    }
    if arguments.flag("restore-settings") { try Resume.restore(folder, say: say) }
    let run = try RunFolder.open(folder)
    let allowance = ResumeAllowance(
      changes: arguments.list("allow-change"), otherBuild: arguments.flag("allow-other-build"))
    var overrides = arguments.overrides
    if let address = arguments.value("listen") { overrides.append("network.listen=\(address)") }
    if let address = arguments.value("metrics") { overrides.append("metrics.listen=\(address)") }
    if let keys = arguments.value("keys") {
      overrides.append("network.keys=\(try Files.realPath(keys))")
    }
    let settings = try Resume.settings(run, overrides: overrides, allowance, say: say)
    // They may still hold the ports of their pages.
    try awaitOrphans(run, session.signals)
    try RunPages.check(settings)
    try checkKeys(settings.network)
    return try carryOut(run, settings, session, allowance, lock: lock)
  }

  /// A folder of keys that cannot serve is told before anything is made.
  private static func checkKeys(_ network: NetworkSection) throws {
    guard !network.keys.isEmpty else { return }
    _ = try KeyStore(opening: network.keys).check()
  }

  private static func carryOut(
    _ run: RunFolder, _ settings: RunSettings, _ session: RunSession,
    _ allowance: ResumeAllowance = .init(), lock held: RunLock? = nil
  ) throws -> ExitCode {
    let began = MonotonicClock.now
    let signals = session.signals
    let lock = try held ?? RunLock(run: run, role: "run")
    defer { withExtendedLifetime(lock) {} }
    let log = try Log("run", file: run.log("run"), standardError: false)
    let watchdog = try Watchdog(
      "run", log: log, patienceSeconds: settings.supervisor.patienceSeconds,
      accountPath: run.account("run"))
    defer { watchdog.finish() }
    watchdog.endStopping(
      withinSeconds: stopSeconds,
      because: "its processes find its pipe closed and end by themselves"
    ) { signals.isStopping }
    let pages = RunPages.start(settings, watchdog, log)
    defer { pages?.stop() }
    let strand = watchdog.strand("supervise")
    strand.use("processes of an earlier session to end")
    try awaitOrphans(run, signals)
    let parts = try RunParts(settings, source: run.settings, run: run)
    let cores = settings.run.threads > 0 ? settings.run.threads : Machine.coreCount
    say("run \(run.path): \(cores) threads, log files in \(run.logs)")
    let preparation = RunPreparation(
      run: run, parts: parts, threads: cores, say: say,
      pulse: Pulse(strand, doing: "preparing the run") { signals.isStopping },
      allowsTaskChange: allowance.changes.contains { $0 == "task" || $0.hasPrefix("task.") },
      session: session)
    guard try preparation.prepare() else { return stopped(run) }

    let training = try RunTraining(
      run: run, settings: settings, allowance, cores: cores, signals: signals,
      isPlain: session.isPlain, strand: strand, meters: watchdog.meters,
      end: session.end.before(seconds: try HeldOutResults(run).seconds ?? 0))
    watchdog.setReady()
    let outcome = try training.carryOut()
    watchdog.setReady(false, "the training is over")
    if outcome == .stopped {
      return signals.count > 1 ? .interrupted : stopped(run)
    }
    // All sessions of the run, by the learner's own clock: what a resumed run took as well.
    strand.work("evaluating the last version")
    let pulse = Pulse(strand, doing: "evaluating the last version") { signals.isStopping }
    let learningSeconds = try ReportSource(run).trainingSeconds()
    guard
      let sentence = try conclude(
        run, parts, cores, pulse, seconds: learningSeconds, isTimeOver: outcome == .timeOver)
    else {
      return stopped(run)
    }
    try ReportSource(run).write(sentence: sentence)
    say("whole run \(RunView.clock(MonotonicClock.seconds(since: began)))")
    Terminal.write(
      """

      \(sentence)

      report: \(run.report)
      next:   \(next(run, settings, outcome))

      """)
    return .success
  }

  private static func next(
    _ run: RunFolder, _ settings: RunSettings, _ outcome: TrainingEnd
  ) -> String {
    outcome == .timeOver
      ? "forage run --resume \(run.path)   goes on from there"
      : "forage inspect \(run.path) --step \(settings.run.steps - 1)   reads what it wrote"
  }

  /// A supervisor that was killed leaves processes that checkpoint and end by themselves: this one
  /// begins after them.
  private static func awaitOrphans(_ run: RunFolder, _ signals: SignalWatch) throws {
    let deadline = Deadline.after(seconds: orphanSeconds)
    for role in ["learner", "replay"] {
      var isSaid = false
      while let holder = RunLock.holder(path: "\(run.locks)/\(role).lock") {
        if !isSaid { say("waiting for the \(role) of an earlier session, process \(holder)") }
        isSaid = true
        guard !deadline.hasPassed, !signals.isStopping else {
          throw Failure(
            "begin", on: run.path, happened: "process \(holder) still holds the \(role)'s lock",
            remedy: "end it first: kill \(holder)", exitCode: .locked)
        }
        usleep(100_000)
      }
    }
  }

  /// From a signal to the end, whatever is under way.
  private static let stopSeconds = 24.5

  /// Longer than a learner may take for its last checkpoint.
  private static let orphanSeconds = 30.0

  /// Evaluates the last version and says, in a sentence, what the run came to.
  private static func conclude(
    _ run: RunFolder, _ parts: RunParts, _ cores: Int, _ pulse: Pulse, seconds: Double,
    isTimeOver: Bool
  ) throws -> String? {
    let checkpoints = try Checkpoints(folder: run.checkpoints)
    pulse.use("the disk to give the last checkpoint")
    guard let last = try checkpoints.newestGood() else {
      throw Failure(
        "evaluate", on: run.checkpoints, happened: "no checkpoint in it is whole",
        remedy: "look at the learner's log", exitCode: .badInput)
    }
    let held = try HeldOutResults(run)
    let version = last.state.version.number
    let policy = Transformer(
      configuration: parts.configuration, backend: CPUBackend(threads: cores))
    try last.model.load(into: policy)
    say("evaluating version \(version)")
    let began = MonotonicClock.now
    guard let result = RunPreparation.heldOut(policy, parts, pulse) else { return nil }
    try held.record(
      "after", version: version, plan: RunPreparation.heldOutWords(run, parts), result,
      seconds: MonotonicClock.seconds(since: began))
    say("after: \(HeldOutResults.words(result.document))")
    let before = held.result("before")
    func number(_ key: String, _ document: Document?) -> String {
      RunView.format(document?[key]?.numberValue, 3)
    }
    return "\(parts.settings.run.name): held-out accuracy went from "
      + "\(number("pass@1", before)) to \(number("pass@1", result.document)) sampled (pass@1), "
      + "from \(number("greedy", before)) to \(number("greedy", result.document)) greedy, in "
      + "\(RunView.clock(seconds)) of reinforcement learning, \(version) "
      + (isTimeOver
        ? "of \(parts.settings.run.steps) steps: the hours given are over." : "steps.")
  }

  private static func stopped(_ run: RunFolder) -> ExitCode {
    Terminal.write("\nstopped; continue with: forage run --resume \(run.path)\n")
    return .success
  }

  static func say(_ line: String) { Terminal.write(line + "\n") }
}
