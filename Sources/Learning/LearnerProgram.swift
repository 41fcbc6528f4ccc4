// forage-learner: puts a run's learner together from its folder and runs it.

import Documents
import Experience
import Messaging
import Objectives
import Operations
import Policy
import Wire

/// What a learner is made of.
struct LearnerParts {
  var settings: RunSettings
  var trainer: CohortTrainer
  var tokenizer: Tokenizer
  var checkpoints: Checkpoints
  var server: WeightServer
  var metrics: MetricsWriter
  var log: Log
  var isStopping: () -> Bool
  var link: ReplayLink
  var state: CheckpointState
}

public enum LearnerProgram {
  static let usage = Usage(
    "forage-learner", "Trains a run's policy on the groups its replay holds.",
    options: [
      .value("run", "DIR", "the run's folder, as forage run made it"),
      .value("threads", "N", "threads to compute with; the settings' share by default"),
    ],
    example: "forage-learner --run runs/arithmetic-001")

  /// Runs the program; the status to exit with.
  public static func main(_ words: [String]) -> ExitCode {
    // A supervisor appends standard error to the run's own log.
    let log = Log.standardError("learner")
    do {
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
      try learn(run, threads: threads, log: log)
      return .success
    } catch is StopRequested {
      log.info("stopped as asked")
      return .success
    } catch let refusal as Refusal {
      log.error("replay refused: \(refusal.code.rawValue): \(refusal.sentence)")
      return refusal.code == .fenced ? .fenced : .refused
    } catch let error as MessagingError {
      log.error(error.description)
      // Linux's number of "address already in use"; libzmq passes it on.
      if case .system(errno: 98) = error.reason { return .portTaken }
      return .unavailable
    } catch {
      let (line, code) = FailureReport.report(error)
      log.error(line)
      return code
    }
  }

  private static func learn(_ run: RunFolder, threads: Int?, log: Log) throws {
    let signals = try SignalWatch()
    let parent = try ParentPipe.inherited()
    let isStopping = { signals.isStopping || (parent?.isOrphaned ?? false) }
    let lock = try RunLock(run: run, role: "learner")
    defer { withExtendedLifetime(lock) {} }
    let settings = try RunSettings.load(path: run.settings)
    let checkpoints = try Checkpoints(folder: run.checkpoints, log: log)
    try checkpoints.removeUnfinished()
    let cores = threads ?? (settings.learner.threads > 0 ? settings.learner.threads : 1)
    guard var loaded = try checkpoints.newestGood() else { throw noCheckpoint(run) }

    let context = try MessagingContext()
    let endpoints = try Endpoints.binding(settings.network, run: run)
    let server = try WeightServer(
      WeightServer.Addresses(
        weights: endpoints.weights, announce: endpoints.announce,
        security: settings.network.allowUnauthenticated ? .noneOnAnyNetwork : .none),
      files: [
        (name: "config.json", bytes: Array(loaded.model.configuration.configJSON.utf8)),
        (name: "tokenizer.json", bytes: loaded.tokenizer.json),
      ], keepCount: settings.learner.lagMax + 2, log: log)
    defer { server.stop() }
    let numericClass = CPUTransformer.numericClassOfThisMachine
    let addresses = try Endpoints.connecting(settings.network, run: run)
    var version = loaded.state.version
    let link = try ReplayLink(
      to: addresses.replay, in: context, maximumGroupBytes: settings.replay.maximumGroupBytes,
      patienceSeconds: settings.supervisor.stallSeconds,
      stopDescriptor: signals.fileDescriptor, isStopping: isStopping, log: log
    ) {
      Hello(
        role: .learner, name: "learner", numericClass: numericClass,
        weightsAddress: server.weightsEndpoint, announceAddress: server.announceEndpoint,
        version: version, files: server.files)
    }
    let welcome = try link.meet()
    let committed = welcome.lastCommit.map { $0.step + 1 } ?? 0
    if version.number > committed {
      // The ledger is the authority: a checkpoint beyond its last commit does not count.
      log.warning("checkpoint \(loaded.name) is beyond the last commit and is passed over")
      guard let older = try checkpoints.newestGood(atMost: committed) else {
        throw noCheckpoint(run)
      }
      loaded = older
      version = older.state.version
      try link.meet()
    }
    log.info(
      "learner of \(welcome.run) starts at version \(version), \(cores) threads, \(numericClass)"
        + (version.number < committed ? ", taking steps up to \(committed) once more" : ""))
    let learner = Learner(
      LearnerParts(
        settings: settings,
        trainer: try trainer(
          settings, run: run, loaded, threads: cores, checkpoints: checkpoints),
        tokenizer: loaded.tokenizer, checkpoints: checkpoints, server: server,
        metrics: try MetricsWriter(path: run.metrics), log: log, isStopping: isStopping,
        link: link, state: loaded.state))
    try learner.run()
  }

  /// The trainer in the state of a checkpoint: policy, reference, moments.
  static func trainer(
    _ settings: RunSettings, run: RunFolder, _ loaded: LoadedCheckpoint, threads: Int,
    checkpoints: Checkpoints
  ) throws -> CohortTrainer {
    let objective = try GRPOSettings(
      settings.objective, source: run.settings,
      maximumNewTokens: settings.sampling.maximumNewTokens)
    let policy = CPUTransformer(configuration: loaded.model.configuration, threads: threads)
    try policy.load(loaded.weights)
    guard policy.digest() == loaded.state.version.digest else {
      throw Failure(
        "load", on: checkpoints.path(loaded.name),
        happened: "its weights have digest \(policy.digest().short), its state says "
          + loaded.state.version.digest.short,
        remedy: "use an older checkpoint: move this folder away", exitCode: .badInput)
    }
    var reference: CPUTransformer?
    if objective.needsReference {
      let first = try checkpoints.load(Checkpoints.name(step: 0))
      let frozen = CPUTransformer(configuration: first.model.configuration, sharing: policy)
      try frozen.load(first.weights)
      reference = frozen
    }
    let section = settings.learner
    let optimizer = CPUOptimizer(
      policy,
      settings: OptimizerSettings(
        beta1: section.beta1, beta2: section.beta2, epsilon: section.epsilon,
        weightDecay: section.weightDecay, clipNorm: section.clipNorm))
    try optimizer.load(loaded.optimizer, source: checkpoints.path(loaded.name))
    return CohortTrainer(
      policy: policy, reference: reference, optimizer: optimizer, objective: objective,
      schedule: LearningRateSchedule(
        peak: section.learningRate, final: section.finalLearningRate,
        warmUpSteps: section.warmUpSteps, steps: settings.run.steps),
      microbatchTokens: section.microbatchTokens, shufflesRewards: section.shufflesRewards)
  }

  private static func noCheckpoint(_ run: RunFolder) -> Failure {
    Failure(
      "start the learner of", on: run.path, happened: "no checkpoint in it is whole",
      remedy: "forage run makes the first one; look at \(run.checkpoints)", exitCode: .badInput)
  }
}
