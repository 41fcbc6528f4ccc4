// Everything before the first process is started: settings checked, the folder made, the task and
// the model made or read, the warm start, the evaluation before, the first checkpoint.
//
// Each part leaves its result in the folder and is skipped when it is there, so a run that was cut
// off here resumes here.

import Acting
import Digests
import Documents
import Experience
import Glibc
import Learning
import Objectives
import Operations
import Policy
import Replay
import Safetensors
import Tasks
import Tensors
import Wire

/// The parts of a run that its settings name, checked.
struct RunParts {
  var settings: RunSettings
  var exercises: any Exercises
  var tokenizer: Tokenizer
  var reader: PromptReader
  var configuration: ModelConfiguration
  var objective: GRPOSettings
  /// Every key of every section with the value it came to.
  var resolved: Document

  /// Reads what the settings name and refuses what cannot work, before anything is made.
  /// `run` nil is a run not yet made.
  init(_ settings: RunSettings, source: String, run: RunFolder? = nil) throws {
    self.settings = settings
    let task = try Fields(settings.task, source: source, path: "task")
    let made = try TaskFactory.make(
      task, files: TaskFileStore.files(of: run), programs: ProgramChild.maker)
    try task.finish()
    let objectiveFields = try Fields(settings.objective, source: source, path: "objective")
    objective = try GRPOSettings(
      objectiveFields, maximumNewTokens: settings.sampling.maximumNewTokens)
    try objectiveFields.finish()
    resolved = settings.resolved.merging(
      .object([("task", task.resolved), ("objective", objectiveFields.resolved)]))
    if let curriculum = try CurriculumRules.read(task: settings.task, source: source) {
      resolved = resolved.merging(
        .object([("task", .object([("curriculum", curriculum.resolved)]))]))
    }
    if let first = run?.initialModel, Files.exists(first) {
      // The run's own copy: the folder it came from may have moved or changed since.
      let folder = try ModelFolder(path: first)
      tokenizer = try folder.tokenizer()
      configuration = folder.configuration
    } else if settings.model.path.isEmpty {
      guard let alphabet = made.alphabet else {
        throw Failure(
          "make a model for", on: source,
          happened: "the task is free text, which has no vocabulary of its own",
          remedy: "name a model's folder in model.path", exitCode: .settings)
      }
      tokenizer = Tokenizer.characters(alphabet, words: made.tags)
      configuration = try Self.newModel(settings, tokenizer)
    } else {
      let folder = try ModelFolder(path: settings.model.path)
      tokenizer = try folder.tokenizer()
      configuration = folder.configuration
    }
    reader = try PromptReader(made, tokenizer)
    if let template = reader.template {
      // By name: actors have the tokenizer, and not the files beside it that tell the template.
      let name = Document.object([("chat", .string(template.rawValue))])
      resolved = resolved.merging(.object([("task", name)]))
    }
    exercises = reader.fitting(
      made, positions: configuration.maximumPositions,
      newTokens: settings.sampling.maximumNewTokens)
    try checkData(source)
    try checkCounts(source)
    try checkLengths(source)
  }

  /// Of each split.
  private static let goldsOfProgram = 4

  /// A verifier that does not know a right answer would teach nothing, all night.
  private func checkData(_ source: String) throws {
    guard let task = exercises as? FileTask else { return try checkMade(source) }
    for split in Split.allCases where task.counts.splits[split] == 0 {
      throw Failure(
        "run", on: source,
        happened: "no prompt of the \(split.rawValue) split leaves room for "
          + "sampling.maximumNewTokens = \(settings.sampling.maximumNewTokens)",
        remedy: "lower it, or use a model with more positions", exitCode: .settings)
    }
    let maker = PromptMaker(tokenizer, maximumPositions: configuration.maximumPositions)
    for split in Split.allCases {
      for exercise in task.all(of: split) {
        do {
          try maker.check(exercise, reader, newTokens: 1)
        } catch {
          let asked = exercise.prompt.prefix(60)
          throw Failure(
            "run", on: source,
            happened: "the \(split.rawValue) split asks \"\(asked)\", and \(error.what)",
            remedy: "name a model whose tokenizer can read the task's files", exitCode: .settings)
        }
      }
    }
    // A program may think for seconds over each, and a file may have thousands: forage data check
    // asks it about all.
    let flaws = task.goldFlaws(atMost: task.verdictSeconds > 0 ? Self.goldsOfProgram : .max)
    guard let first = flaws.first else { return }
    throw Failure(
      "run", on: source,
      happened: "\(flaws.count) gold answers do not get full marks; line \(first.line) of the "
        + "\(first.split.rawValue) split: \(first.reason)",
      remedy:
        "choose the verifier that fits the answers, or task.gold; forage data check tells more",
      exitCode: .settings)
  }

  /// Each level of a made task, and the whole of it.
  private func checkMade(_ source: String) throws {
    let levels = (exercises as? Curriculum)?.levels ?? []
    for (level, task) in (levels + [exercises]).enumerated() {
      guard let flaw = task.firstFlaw(seed: settings.run.seed) else { continue }
      throw Failure(
        "run", on: source,
        happened: "the demonstration of \(flaw.exercise)"
          + (level < levels.count ? ", level \(level)," : "")
          + " does not get full marks: \(flaw.reason)",
        remedy: "choose other settings of the task: forage data check \(source) tells more",
        exitCode: .settings)
    }
  }

  /// Splits of a made task are finite: an evaluation may not ask for more than there is.
  private func checkCounts(_ source: String) throws {
    let validated = settings.evaluation.every > 0 ? settings.evaluation.prompts : 0
    let asked = [
      ("evaluation.prompts", validated, Split.validation),
      ("evaluation.finalPrompts", settings.evaluation.finalPrompts, Split.heldOut),
    ]
    for (key, count, split) in asked {
      guard let available = exercises.count(in: split), count > available else { continue }
      throw Failure(
        "run", on: source,
        happened: "\(key) is \(count), and the \(split.rawValue) split has \(available) exercises",
        remedy: "lower it, or make the split larger", exitCode: .settings)
    }
  }

  private static func newModel(
    _ settings: RunSettings, _ tokenizer: Tokenizer
  ) throws -> ModelConfiguration {
    let section = settings.model
    guard section.hiddenSize % section.heads == 0, section.heads % section.keyValueHeads == 0,
      (section.hiddenSize / section.heads) % 2 == 0
    else {
      throw Failure(
        "make a model of", on: "hiddenSize \(section.hiddenSize)",
        happened: "it does not divide into \(section.heads) heads of an even size that share "
          + "\(section.keyValueHeads) keys and values",
        remedy: "choose heads that divide hiddenSize and keyValueHeads that divides heads",
        exitCode: .settings)
    }
    return ModelConfiguration(
      vocabularySize: tokenizer.vocabularySize, hiddenSize: section.hiddenSize,
      feedForwardSize: section.feedForwardSize, layers: section.layers, heads: section.heads,
      keyValueHeads: section.keyValueHeads, maximumPositions: section.maximumPositions,
      isTied: true, stopTokens: tokenizer.stopTokens)
  }

  /// The longest prompt seen in a sample and the new tokens must fit the model's positions.
  private func checkLengths(_ source: String) throws {
    let sample = (0..<512).map {
      exercises.exercise(seed: settings.run.seed, split: .train, index: $0)
    }
    let longest = sample.map { reader.tokens($0).count }.max() ?? 0
    let isShown = settings.model.path.isEmpty && settings.warmStart.maximumSteps > 0
    let shown = sample.map { tokenizer.encode($0.demonstration ?? "").count + 1 }.max() ?? 0
    guard !isShown || shown <= settings.sampling.maximumNewTokens else {
      throw Failure(
        "run", on: source,
        happened: "a demonstration has \(shown) tokens and sampling.maximumNewTokens is "
          + "\(settings.sampling.maximumNewTokens): the policy could never say what it is shown",
        remedy: "raise sampling.maximumNewTokens", exitCode: .settings)
    }
    let needed = longest + settings.sampling.maximumNewTokens
    guard needed <= configuration.maximumPositions else {
      throw Failure(
        "run", on: source,
        happened: "a prompt of \(longest) tokens and sampling.maximumNewTokens = "
          + "\(settings.sampling.maximumNewTokens) need \(needed) positions, the model has "
          + "\(configuration.maximumPositions)",
        remedy: "lower sampling.maximumNewTokens or use a model with more positions",
        exitCode: .settings)
    }
  }
}

/// Prepares one run's folder.
struct RunPreparation {
  let run: RunFolder
  let parts: RunParts
  let threads: Int
  let say: (String) -> Void
  let pulse: Pulse
  /// A resume named a setting of the task among those that may change.
  var allowsTaskChange = false
  /// What the command line says of this session.
  let session: RunSession

  /// Makes what is missing; false when asked to stop on the way.
  func prepare() throws -> Bool {
    try RunDefinitions.hold(
      run, parts.exercises, seed: parts.settings.run.seed, allowsChange: allowsTaskChange)
    let checkpoints = try Checkpoints(folder: run.checkpoints)
    try checkpoints.removeUnfinished()
    // Before this process holds a model itself.
    let recorded = try firstDigest()
    let memory =
      recorded == nil ? try gate.checkResources(folder: run.path, on: run.path) : nil
    var checkpointSeconds = 0.0
    let policy = Transformer(
      configuration: parts.configuration, backend: CPUBackend(threads: threads))
    let first = Checkpoints.name(step: 0)
    if try checkpoints.names().contains(first) {
      let loaded = try checkpoints.load(first)
      guard recorded == nil || recorded == loaded.state.version.digest else {
        throw Failure(
          "go on from", on: checkpoints.path(first),
          happened: "its weights are \(loaded.state.version.digest.short), and the run began with "
            + "\(recorded?.short ?? "")",
          remedy: "restore the first model: it is the reference of every step", exitCode: .badInput)
      }
      try loaded.model.load(into: policy)
    } else {
      guard recorded == nil else {
        throw Failure(
          "go on from", on: checkpoints.path(first),
          happened: "it is gone, and steps have been taken from it",
          remedy: "restore the first model: it is the reference of every step", exitCode: .badInput)
      }
      guard let seconds = try makeFirstModel(policy, checkpoints) else { return false }
      checkpointSeconds = seconds
    }
    if recorded == nil,
      try !lookAhead(policy, memory, checkpointSeconds: checkpointSeconds)
    {
      return false
    }
    return try evaluateBefore(policy)
  }

  /// Of version 0, as the ledger has it; nil before the first step.
  private func firstDigest() throws -> Digest? {
    guard Files.exists(run.ledger) else { return nil }
    return try LedgerReader(path: run.ledger).digest(ofVersion: 0)
  }

  /// How long its checkpoint took; nil when asked to stop on the way.
  private func makeFirstModel(
    _ policy: Transformer<CPUBackend>, _ checkpoints: Checkpoints
  ) throws -> Double? {
    guard try FirstModel(parts: parts, say: say, pulse: pulse).make(policy) else {
      return nil
    }
    // In BF16 this rounds the policy: version 0 is what will be sampled with.
    let optimizer = Optimizer(
      policy, settings: OptimizerSettings(),
      precision: parts.settings.model.workingPrecision)
    let version = PolicyVersion(lineage: try run.lineage(), number: 0, digest: policy.digest())
    let state = CheckpointState(version: version, chain: version.digest)
    let began = MonotonicClock.now
    let name = try checkpoints.save(
      state, configuration: parts.configuration, weights: policy.copyWeights(),
      tokenizer: parts.tokenizer, optimizer: optimizer)
    try checkpoints.setLatest(name)
    return MonotonicClock.seconds(since: began)
  }

  /// What the first policy promises; false when asked to stop. A run that has steps is past it.
  private func lookAhead(
    _ policy: Transformer<CPUBackend>, _ memory: ResourceForecast?, checkpointSeconds: Double
  ) throws -> Bool {
    guard parts.settings.preflight.isEnabled, parts.settings.replay.mode != .offline else {
      return true
    }
    guard
      let (verdict, resources) = try gate.look(
        at: policy, folder: run.path, memory, checkpointSeconds: checkpointSeconds)
    else { return false }
    try PreflightFile.write(verdict, resources, to: run)
    let known = memory?.refusals ?? []
    try gate.refuse(
      verdict.refusals + resources.refusals.filter { !known.contains($0) }, on: run.path,
      wayOn: "go on all the same with forage run --resume \(run.path) --anyway")
    return true
  }

  private var gate: PreflightGate {
    PreflightGate(
      parts: parts, threads: threads, session: session, say: say, pulse: pulse)
  }

  private func evaluateBefore(_ policy: Transformer<CPUBackend>) throws -> Bool {
    let held = try HeldOutResults(run)
    let plan = try Self.heldOutWords(run, parts)
    if held.result("before") != nil {
      guard let known = held.plan(of: "before"), known != plan else { return true }
      say("before: measured by \(known), and now by \(plan): measured again")
    }
    let began = MonotonicClock.now
    guard let result = Self.heldOut(policy, parts, pulse) else { return false }
    try held.record(
      "before", version: 0, plan: plan, result, seconds: MonotonicClock.seconds(since: began))
    say("before: \(HeldOutResults.words(result.document))")
    return true
  }

  /// By what the evaluation before and after is measured, the digest of what the task and its
  /// verifier do among it.
  static func heldOutWords(_ run: RunFolder, _ parts: RunParts) throws -> String {
    let (sampling, evaluation) = (parts.settings.sampling, parts.settings.evaluation)
    let task = Digest(of: Array(try RunDefinitions.text(run).utf8)).short
    return "\(evaluation.finalPrompts) prompts x \(evaluation.finalSamples), "
      + "\(sampling.maximumNewTokens) tokens, temperature \(evaluation.temperature), top-p "
      + "\(evaluation.topP), top-k \(evaluation.topK), task \(task)"
  }

  /// The evaluation before and after: the same prompts and random numbers each time.
  static func heldOut(
    _ policy: Transformer<CPUBackend>, _ parts: RunParts, _ pulse: Pulse
  ) -> EvaluationResult? {
    let settings = parts.settings
    let plan = EvaluationPlan(
      split: .heldOut, prompts: settings.evaluation.finalPrompts,
      samples: settings.evaluation.finalSamples,
      temperature: Float(settings.evaluation.temperature),
      cut: SamplingCut(topK: settings.evaluation.topK, topP: settings.evaluation.topP),
      isGreedyAsked: true,
      maximumNewTokens: settings.sampling.maximumNewTokens, seed: settings.run.seed)
    return Evaluator(policy: policy, reader: parts.reader, exercises: parts.exercises)
      .evaluate(plan, pulse: pulse)
  }
}
