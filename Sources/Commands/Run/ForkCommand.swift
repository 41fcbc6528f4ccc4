// forage fork: goes back to a checkpoint of a run and on from there as a run of its own.
//
// The new folder holds the first model and the checkpoint under a new lineage, the ledger as it
// stood after that step with later groups dropped as `forked`, the task's files, and the metrics up
// to it. It is made aside and then gets its name. The parent is only read, and may go on.

import Digests
import Documents
import Experience
import Learning
import Operations
import Policy
import Replay
import Wire

enum ForkCommand: Command {
  static let usage = Usage(
    "forage fork",
    "Goes back to a checkpoint of a run and on from there in a new folder; what came after is "
      + "dropped there, and counted.",
    positionals: [Usage.Positional("RUN", "the run's folder; it is only read")],
    options: [
      .value("step", "N", "steps to keep: there must be a checkpoint after so many"),
      .value("folder", "DIR", "make the fork here instead of beside RUN"),
    ],
    takesOverrides: true,
    example: "forage fork runs/arithmetic-001 --step 600 --learner.learningRate=1e-4")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let parent = try RunFolder.open(arguments.required(0))
    guard let steps = try arguments.integer("step", in: 0...Int(Int32.max)) else {
      throw ArgumentError(program: usage.program, fact: .missingPositional("--step N"))
    }
    let reader = try LedgerReader(path: parent.ledger)
    let parts = try settings(of: parent, reader, arguments.overrides)
    let settings = try RunSettings(document: parts.resolved, source: parent.settings)
    guard steps < settings.run.steps else {
      throw Failure(
        "fork", on: parent.path,
        happened: "run.steps is \(settings.run.steps): after step \(steps) nothing is left to do",
        remedy: "fork at an earlier step, or raise run.steps: --run.steps=\(2 * steps)",
        exitCode: .settings)
    }
    let checkpoints = try Checkpoints(folder: parent.checkpoints)
    guard let parentage = try reader.parentage(steps: steps, folder: parent.path),
      let checkpoint = try checkpoint(checkpoints, of: parentage)
    else { throw try nothing(checkpoints, steps, reader, parent) }

    let pending =
      if let folder = arguments.value("folder") { try PendingRunFolder(at: folder) } else {
        try PendingRunFolder(under: Files.folder(of: parent.path), name: settings.run.name)
      }
    let fork = pending.aside
    let lineage: String
    let dropped: DropCount
    do {
      lineage = try fork.lineage(named: pending.target.name)
      let copies = try Checkpoints(folder: fork.checkpoints)
      for name in Set([Checkpoints.name(step: 0), checkpoint]).sorted() {
        try copies.adopt(name, from: checkpoints, lineage: lineage)
      }
      try copies.setLatest(checkpoint)
      FaultHooks.reach("fork.checkpoints")
      dropped = try reader.fork(
        to: fork.ledger, lineage: lineage, settings: settings, parent: parentage)
      FaultHooks.reach("fork.ledger")
      try RunDefinitions.copyFiles(from: parent, to: fork)
      try copyMetrics(parent, fork, steps)
      try Files.writeDurably(fork.settings, YAML.write(parts.resolved))
      FaultHooks.reach("fork.settings")
      _ = try pending.settle()
      FaultHooks.reach("fork.settled")
    } catch {
      pending.discard()
      throw error
    }
    let path = pending.target.path
    Terminal.write(
      """
      \(path): \(lineage), from \(parentage.lineage) after \(steps) steps; \
      \(dropped.groups) later groups (\(dropped.tokens) tokens) dropped as forked
      next: forage run --resume \(path)

      """)
    return .success
  }

  /// The parent's with what was typed over them; refuses what its groups rest on.
  private static func settings(
    of parent: RunFolder, _ reader: LedgerReader, _ overrides: [String]
  ) throws -> RunParts {
    let typed = try RunParts(
      RunSettings.load(path: parent.settings, overrides: overrides), source: parent.settings,
      run: parent)
    let settings = try RunSettings(document: typed.resolved, source: parent.settings)
    let begun = try reader.runRecord().newestSettings ?? RunSettings.load(path: parent.settings)
    let changes = SettingsChange.between(begun, settings)
    try SettingsChange.check(changes, allowed: changes.map(\.key), on: parent.path)
    for change in changes { Terminal.write("changed: \(change)\n") }
    return typed
  }

  /// The checkpoint that is this version and no other, its digests checked.
  private static func checkpoint(
    _ checkpoints: Checkpoints, of parentage: Parentage
  ) throws -> String? {
    for name in try checkpoints.names(version: parentage.steps) {
      guard let state = try? checkpoints.readState(name) else { continue }
      if state.version.digest == parentage.digest, state.chain == parentage.chain { return name }
    }
    return nil
  }

  private static func nothing(
    _ checkpoints: Checkpoints, _ steps: Int, _ reader: LedgerReader, _ parent: RunFolder
  ) throws -> Failure {
    let committed = try reader.committedSteps()
    let known = try checkpoints.names().reversed().joined(separator: ", ")
    return Failure(
      "fork", on: parent.path,
      happened: steps > committed
        ? "it has \(committed) steps, not \(steps)"
        : "it has no whole checkpoint of the version after \(steps) steps; it has \(known)",
      remedy:
        "fork at a step that has one; learner.checkpointEvery says how often they are written",
      exitCode: .noInput)
  }

  /// Lines of steps and evaluations that the fork keeps, and the evaluation before.
  private static func copyMetrics(
    _ parent: RunFolder, _ fork: RunFolder, _ steps: Int
  ) throws {
    let copies = [
      (parent.metrics, fork.metrics),
      ("\(parent.path)/evaluations.jsonl", "\(fork.path)/evaluations.jsonl"),
    ]
    for (old, new) in copies where Files.exists(old) {
      var reader = MetricsReader(path: old)
      let writer = try MetricsWriter(path: new)
      for line in try reader.read() {
        let step = line["step"]?.integerValue ?? -1
        let version = line["evaluation"]?.integerValue ?? line["version"]?.integerValue ?? 0
        if step < steps, version <= steps, line.text("label") != "after" { try writer.append(line) }
      }
    }
  }
}
