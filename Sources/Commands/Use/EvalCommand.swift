// forage eval: how good a model is at a task, asked as a run itself asks: same prompts, same random
// numbers, so that what it says of a run's last checkpoint is what the end of the run said.

import Acting
import Documents
import Learning
import Operations
import Policy
import Safetensors
import Tasks
import Tensors

enum EvalCommand: Command {
  static let usage = Usage(
    "forage eval",
    "Measures accuracy on a task: greedy, pass@1 and pass@k from samples, strict and lenient, "
      + "with the 95 % interval.",
    positionals: [
      Usage.Positional(
        "CONFIG", "a settings file, for its task; a run's own by default", isRequired: false)
    ],
    options: [
      .value("run", "DIR", "evaluate this run's newest checkpoint"),
      .value("step", "N", "of --run: the checkpoint after so many steps; 0 is the warm start's"),
      .value("model", "DIR", "evaluate this Hugging Face folder; needs CONFIG"),
      .value("split", "NAME", "held-out (by default), validation or train"),
      .value("prompts", "N", "evaluation.finalPrompts by default"),
      .value("samples", "N", "of each prompt, evaluation.finalSamples by default; 0: greedy alone"),
      .value("temperature", "T", "of the samples, evaluation.temperature by default"),
      .value("top-p", "P", "draw from tokens of this share, evaluation.topP by default"),
      .value("top-k", "K", "draw from so many tokens, evaluation.topK by default; 0: all"),
      .value("seed", "N", "of prompts and samples, run.seed by default"),
      .flag("json", "the result as one JSON object"),
      .threads,
    ],
    takesOverrides: true, example: "forage eval --run runs/arithmetic-001 --step 0")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let (settings, source) = try settings(arguments)
    let fields = try Fields(settings.task, source: source, path: "task")
    let run = try arguments.value("run").map { path throws(Failure) in try RunFolder.open(path) }
    let made = try TaskFactory.make(
      fields, files: TaskFileStore.files(of: run), programs: ProgramChild.maker)
    let (name, model) = try model(arguments)
    let tokenizer = try model.folder.tokenizer()
    // A run leaves out prompts of a file that do not fit: so does what measures it.
    let reader = try PromptReader(made, tokenizer)
    let exercises = reader.fitting(
      made, positions: model.folder.configuration.maximumPositions,
      newTokens: settings.sampling.maximumNewTokens)
    let plan = try plan(arguments, settings, exercises)
    try check(plan, model, reader, exercises, source: source)
    guard
      let result = Evaluator(policy: model.policy, reader: reader, exercises: exercises)
        .evaluate(plan)
    else { preconditionFailure("the evaluation stopped, and nobody asked it to") }
    let report = EvaluationReport(model: name, plan: plan, result: result)
    Terminal.write(arguments.flag("json") ? JSON.write(report.document) + "\n" : report.text)
    return .success
  }

  private static func settings(_ arguments: Arguments) throws -> (RunSettings, source: String) {
    let run = arguments.value("run")
    guard (run == nil) != (arguments.value("model") == nil) else {
      throw ArgumentError(
        program: usage.program,
        fact: run == nil
          ? .missingPositional("--run or --model")
          : .unexpectedPositional("--model, besides --run,"))
    }
    if let step = arguments.value("step"), run == nil {
      throw arguments.bad("step", step, "no step: a model folder has none, only --run")
    }
    if let config = arguments.positional(0) {
      return (try RunSettings.load(path: config, overrides: arguments.overrides), config)
    }
    guard let run else {
      throw ArgumentError(
        program: usage.program, fact: .missingPositional("CONFIG, which names the task,"))
    }
    let path = try RunFolder.open(run).settings
    return (try RunSettings.load(path: path, overrides: arguments.overrides), path)
  }

  private static func plan(
    _ arguments: Arguments, _ settings: RunSettings, _ exercises: any Exercises
  ) throws -> EvaluationPlan {
    let name = arguments.value("split") ?? Split.heldOut.rawValue
    guard let split = Split(rawValue: name) else {
      throw arguments.bad("split", name, Split.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let available = exercises.count(in: split) ?? 1_000_000
    // The train split is drawn without end, or is as large as the task makes it.
    guard available > 0 else {
      throw arguments.bad("split", name, "a split that has exercises; this task's is empty")
    }
    return EvaluationPlan(
      split: split,
      prompts: try arguments.integer("prompts", in: 1...available)
        ?? min(available, settings.evaluation.finalPrompts),
      samples: try arguments.integer("samples", in: 0...4096) ?? settings.evaluation.finalSamples,
      temperature: Float(
        try arguments.number("temperature", in: 0...100) ?? settings.evaluation.temperature),
      cut: SamplingCut(
        topK: try arguments.integer("top-k", in: 0...1_000_000) ?? settings.evaluation.topK,
        topP: try arguments.number("top-p", in: 0.001...1) ?? settings.evaluation.topP),
      isGreedyAsked: true, maximumNewTokens: settings.sampling.maximumNewTokens,
      seed: try arguments.integer("seed", in: 0...Int.max).map(UInt64.init) ?? settings.run.seed)
  }

  private static func model(_ arguments: Arguments) throws -> (name: String, model: LoadedModel) {
    let threads = try arguments.threads()
    if let path = arguments.value("model") {
      return (path, try LoadedModel(path: path, threads: threads))
    }
    let run = try RunFolder.open(arguments.requiredValue("run"))
    let step = try arguments.integer("step", in: 0...Int.max)
    let loaded = try RunCheckpoints(run).load(step: step)
    return (
      "\(run.checkpoints)/\(loaded.name)",
      try LoadedModel(folder: loaded.model, threads: threads)
    )
  }

  /// A model of another task would score 0 and look bad at this one: it is refused.
  private static func check(
    _ plan: EvaluationPlan, _ model: LoadedModel, _ reader: PromptReader,
    _ exercises: any Exercises, source: String
  ) throws {
    let maker = PromptMaker(
      reader.tokenizer, maximumPositions: model.folder.configuration.maximumPositions)
    for index in 0..<plan.prompts {
      let exercise = exercises.exercise(seed: plan.seed, split: plan.split, index: index)
      do {
        try maker.check(exercise, reader, newTokens: plan.maximumNewTokens)
      } catch {
        throw Failure(
          "evaluate", on: model.folder.path,
          happened: "the task of \(source) asks \"\(exercise.prompt)\", and \(error.what)",
          remedy: "name the settings this model was trained with, or lower "
            + "--sampling.maximumNewTokens", exitCode: .badInput)
      }
    }
  }
}

/// A run's checkpoints, by what a person calls them.
struct RunCheckpoints {
  private let run: RunFolder
  private let checkpoints: Checkpoints

  init(_ run: RunFolder) throws(Failure) {
    self.run = run
    checkpoints = try Checkpoints(folder: run.checkpoints, log: .standardError("checkpoints"))
  }

  /// The name that the run's learner wrote last.
  var latest: String? { checkpoints.latest() }

  /// The newest whole one, or the newest of a step; its digests are checked.
  func load(step: Int?) throws -> LoadedCheckpoint {
    let names = try checkpoints.names()
    guard let step else {
      if let newest = try checkpoints.newestGood() { return newest }
      throw Failure(
        "find a checkpoint in", on: run.checkpoints,
        happened: names.isEmpty ? "there is none yet" : "none of \(names.count) is whole",
        remedy: "wait for the run's first one", exitCode: .noInput)
    }
    let name = Checkpoints.name(step: step)
    // A fork or a crash may have left more than one of a step: "step-000100-2".
    if let found = names.first(where: { $0 == name || $0.hasPrefix(name + "-") }) {
      return try checkpoints.load(found)
    }
    throw Failure(
      "find", on: "\(run.checkpoints)/\(name)", happened: "there is no such checkpoint",
      remedy: names.isEmpty
        ? "there is none yet" : "there are " + names.reversed().joined(separator: ", "),
      exitCode: .noInput)
  }

  /// The tokenizer every checkpoint of the run carries; nil when none can be read.
  func tokenizer() -> Tokenizer? {
    guard let names = try? checkpoints.names() else { return nil }
    for name in names {
      if let tokenizer = try? checkpoints.tokenizer(name) { return tokenizer }
    }
    return nil
  }
}

/// An evaluation told.
struct EvaluationReport {
  let model: String
  let plan: EvaluationPlan
  let result: EvaluationResult

  private var cut: String {
    guard let cut = plan.cut else { return "" }
    return (cut.topK > 0 ? ", top \(cut.topK)" : "")
      + (cut.topP < 1 ? ", top share \(cut.topP)" : "")
  }

  var text: String {
    func row(_ name: String, _ value: String) -> String {
      "  " + name + String(repeating: " ", count: max(1, 24 - name.count)) + value + "\n"
    }
    func number(_ value: Double?) -> String { RunView.format(value, 3) }
    var text =
      "\(model): \(result.prompts) \(plan.split.rawValue) prompts, \(result.samples) samples each "
      + "at temperature \(plan.temperature)\(cut), seed \(plan.seed)\n"
    text += row(
      "greedy", "strict \(number(result.greedyStrict)), lenient \(number(result.greedyLenient))")
    guard result.samples > 0 else { return text }
    text += row(
      "pass@1",
      "strict \(number(result.strict)) ± \(number(result.strictInterval)), "
        + "lenient \(number(result.lenient))")
    text += row(
      "pass@\(result.samples)",
      "strict \(number(result.passAtK)) ± \(number(result.passAtKInterval))")
    text += row("completed and correct", number(result.completed))
    if result.invalid > 0 {
      text += row("without a verdict", "\(result.invalid) samples, counted as wrong")
    }
    text += row("reward", number(result.reward))
    text += row("mean length", "\(RunView.format(result.meanLength, 1)) tokens")
    text += row("truncated", RunView.percent(result.truncated))
    return text
  }

  /// Without samples their figures are not 0: they were not asked for.
  private func isAsked(_ key: String) -> Bool {
    result.samples > 0 || ["prompts", "samples", "greedy", "greedy_lenient"].contains(key)
  }

  var document: Document {
    guard case .object(let members) = result.document.value else { return result.document }
    return .object(
      [
        ("model", .string(model)), ("split", .string(plan.split.rawValue)),
        ("temperature", .shortest(plan.temperature)), ("top_k", .integer(plan.cut?.topK ?? 0)),
        ("top_p", .number(plan.cut?.topP ?? 1)), ("seed", .integer(Int(plan.seed))),
      ] + members.filter { isAsked($0.key) }.map { ($0.key, $0.value) })
  }
}
