// forage sft: the warm start of a run alone. Supervised learning on the task's worked
// demonstrations, into a Hugging Face folder that a run's model.path can name.

import Documents
import Experience
import Operations
import Policy
import Tasks
import Tensors

enum SFTCommand: Command {
  static let usage = Usage(
    "forage sft",
    "Supervised learning on a task's worked demonstrations: until pass@1 lies between "
      + "warmStart.stopAtLeast and stopAtMost, or for --steps, into a Hugging Face folder.",
    positionals: [Usage.Positional("CONFIG", "a settings file (YAML)")],
    options: [
      .value("output", "DIR", "the folder to make"),
      .value("steps", "N", "so many steps, whatever the accuracy"),
      .threads,
    ],
    takesOverrides: true,
    example: "forage sft Configs/arithmetic.yaml --output models/warm --steps 200")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let config = arguments.required(0)
    let output = try arguments.requiredValue("output")
    let steps = try arguments.integer("steps", in: 1...10_000_000)
    var settings = try RunSettings.load(path: config, overrides: arguments.overrides)
    if let steps { settings.warmStart.maximumSteps = steps }
    let parts = try RunParts(settings, source: config)
    try check(parts, output: output, source: config)
    let threads = try arguments.threads() ?? settings.run.threads
    let model = try firstModel(parts, threads: threads > 0 ? threads : Machine.coreCount)
    let signals = try SignalWatch()
    var warmStart = WarmStart(
      settings: settings, policy: model, reader: parts.reader, exercises: parts.exercises)
    warmStart.stopsWithinBand = steps == nil

    RunCommand.say(
      "\(RunView.count(Double(model.parameterCount))) parameters, \(settings.warmStart.batch) "
        + "demonstrations a step")
    let began = MonotonicClock.now
    do {
      let accuracy = try warmStart.run(
        pulse: Pulse(Strand("sft"), doing: "supervised learning") { signals.isStopping },
        progress: { show($0, every: settings.warmStart.evaluateEvery) })
      try write(model, parts, to: output)
      let time = RunView.clock(MonotonicClock.seconds(since: began))
      RunCommand.say(
        accuracy.map { "done in \(time): pass@1 \(RunView.format($0, 3)) on the validation split" }
          ?? "stopped after \(time)")
    } catch {
      // What the steps came to is not lost: the next try may begin with it.
      try write(model, parts, to: output)
      RunCommand.say("the model as it is now: \(output)")
      throw error
    }
    RunCommand.say("model: \(output)\nnext:  forage eval --model \(output) \(config)")
    return .success
  }

  private static func show(_ progress: WarmStartProgress, every interval: Int) {
    guard progress.step % interval == 0, let accuracy = progress.accuracy else { return }
    RunCommand.say(
      "  step \(progress.step): loss \(RunView.format(progress.loss, 3)) nats a token, pass@1 "
        + RunView.format(accuracy, 3))
  }

  /// Everything that can be refused is refused before the first step.
  private static func check(_ parts: RunParts, output: String, source: String) throws {
    let first = parts.exercises.exercise(seed: parts.settings.run.seed, split: .train, index: 0)
    guard first.demonstration != nil else {
      throw Failure(
        "learn from the demonstrations of", on: source, happened: "its task has none",
        remedy: "name a task with worked demonstrations, such as arithmetic", exitCode: .settings)
    }
    guard parts.settings.warmStart.maximumSteps > 0 else {
      throw Failure(
        "learn", on: source, happened: "warmStart.maximumSteps is 0",
        remedy: "raise it, or give --steps", exitCode: .settings)
    }
    guard !Files.exists(output) else {
      throw Failure(
        "make", on: output, happened: "it exists already", remedy: "name another folder",
        exitCode: .cannotCreate)
    }
    try Files.makeFolder(Files.folder(of: output))
  }

  private static func firstModel(
    _ parts: RunParts, threads: Int
  ) throws -> Transformer<CPUBackend> {
    let policy = Transformer(
      configuration: parts.configuration, backend: CPUBackend(threads: threads))
    if parts.settings.model.path.isEmpty {
      policy.initialize(seed: parts.settings.run.seed)
    } else {
      try ModelFolder(path: parts.settings.model.path).load(into: policy)
    }
    return policy
  }

  /// Written aside and renamed: there is the whole folder or none.
  private static func write(
    _ model: Transformer<CPUBackend>, _ parts: RunParts, to output: String
  ) throws {
    let aside = "\(Files.folder(of: output))/.\(Files.name(of: output)).part"
    try Files.remove(aside)
    try Files.makeFolder(aside)
    try ModelFolder.write(
      to: aside, configuration: parts.configuration, weights: model.copyWeights(),
      tokenizer: parts.tokenizer)
    try Files.renameDurably(from: aside, to: output)
  }
}
