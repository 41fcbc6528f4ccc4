// Where a preflight stands in a run: what it needs of the machine before anything is made, the
// sample of the first policy before anything is trained. A refusal is a `Failure` with the status
// `unpromising`; with --anyway it is said, and the run goes on.

import Documents
import Operations
import Policy
import Tensors

struct PreflightGate {
  let parts: RunParts
  let threads: Int
  let session: RunSession
  let say: (String) -> Void
  let pulse: Pulse

  /// Memory and disk. `folder` is the run's, or the nearest that is there above it.
  func checkResources(folder: String, on run: String) throws -> ResourceForecast? {
    guard parts.settings.preflight.isEnabled else { return nil }
    let forecast = try ResourceForecast(parts, folder: folder)
    try refuse(forecast.refusals, on: run, wayOn: "go on all the same with --anyway")
    return forecast
  }

  /// The sample of the first policy; nil when asked to stop. `memory` was looked at before the
  /// model was made.
  func look(
    at policy: Transformer<CPUBackend>, folder: String, _ memory: ResourceForecast?,
    checkpointSeconds: Double
  ) throws -> (verdict: PreflightVerdict, resources: ResourceForecast)? {
    let preflight = Preflight(parts: parts, threads: threads, pulse: pulse)
    guard let figures = try preflight.measure(policy, checkpointSeconds: checkpointSeconds) else {
      return nil
    }
    let verdict = PreflightVerdict(
      figures, parts.settings, stepsLeft: parts.settings.run.steps,
      secondsLeft: session.end == .never ? nil : session.end.remainingSeconds)
    let resources = try ResourceForecast(
      parts, folder: folder, groupBytes: figures.groupBytes,
      memoryFree: memory?.memoryFree ?? Machine.availableMemoryBytes)
    for line in verdict.lines + [resources.line] { say("preflight: \(line)") }
    return (verdict, resources)
  }

  /// Throws unless there is nothing, or the person said to go on.
  func refuse(_ refusals: [PreflightRefusal], on run: String, wayOn: String) throws(Failure) {
    guard !refusals.isEmpty else { return }
    guard session.goesOnAnyway else {
      throw PreflightRefusal.failure(refusals, on: run, wayOn: wayOn)
    }
    for refusal in refusals { say("preflight: \(refusal.what); going on all the same") }
  }

  /// The nearest folder there is, from `path` upward.
  static func nearestFolder(_ path: String) -> String {
    var path = path
    while !Files.isFolder(path) {
      let above = Files.folder(of: path)
      if above == path { return above }
      path = above
    }
    return path
  }
}

/// preflight.json: what was predicted, for whoever compares it with what came.
struct PreflightFile {
  /// As `forage run` printed them; none where the run had no preflight.
  let lines: [String]

  init(_ run: RunFolder) throws {
    var lines: [String] = []
    if Files.exists(run.preflight) {
      let bytes = try Files.read(run.preflight, maximumBytes: 1 << 20)
      for line in try JSON.parse(bytes, source: run.preflight)["lines"]?.elements ?? [] {
        if let text = line.stringValue { lines.append(text) }
      }
    }
    self.lines = lines
  }

  static func write(
    _ verdict: PreflightVerdict, _ resources: ResourceForecast, to run: RunFolder
  ) throws(Failure) {
    let lines = (verdict.lines + [resources.line]).map(Document.string)
    let document = Document.object([
      ("figures", verdict.figures.document), ("step_seconds", .number(verdict.time.stepSeconds)),
      ("memory_bytes", .integer(resources.memoryNeeded)),
      ("disk_bytes", .integer(resources.diskNeeded)), ("lines", .array(lines)),
    ])
    try Files.writeDurably(run.preflight, JSON.write(document, pretty: true) + "\n")
  }
}

/// forage run CONFIG --preflight: the look alone, which leaves nothing behind.
enum LonePreflight {
  /// It is a look, not the ledger: the end of a prompt and the beginning of a completion.
  private static let promptCharacters = 200
  private static let completionCharacters = 400

  static func run(_ parts: RunParts, _ session: RunSession, on source: String) throws -> ExitCode {
    let settings = parts.settings
    let cores = settings.run.threads > 0 ? settings.run.threads : Machine.coreCount
    let pulse = Pulse(Strand("preflight"), doing: "looking") { session.signals.isStopping }
    let gate = PreflightGate(
      parts: parts, threads: cores, session: session, say: RunCommand.say, pulse: pulse)
    let folder = PreflightGate.nearestFolder("runs")
    let memory = try ResourceForecast(parts, folder: folder)
    try gate.refuse(memory.refusals, on: source, wayOn: "begin all the same with --anyway")
    guard settings.replay.mode != .offline else {
      RunCommand.say("preflight: \(memory.line)")
      return .success
    }
    let policy = Transformer(
      configuration: parts.configuration, backend: CPUBackend(threads: cores))
    let model = FirstModel(parts: parts, say: RunCommand.say, pulse: pulse)
    guard try model.make(policy) else { return .interrupted }
    // Rounds the policy where the run would.
    _ = Optimizer(
      policy, settings: OptimizerSettings(), precision: settings.model.workingPrecision)
    guard
      let (verdict, resources) = try gate.look(
        at: policy, folder: folder, memory, checkpointSeconds: 0)
    else { return .interrupted }
    for sample in verdict.figures.shown {
      let text =
        sample.prompt.suffix(promptCharacters) + "|"
        + sample.completion.prefix(completionCharacters)
      RunCommand.say("\nreward \(RunView.format(sample.reward, 3)), \(sample.reason):")
      for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        RunCommand.say("    \(line)")
      }
    }
    try gate.refuse(
      verdict.refusals + resources.refusals.filter { !memory.refusals.contains($0) }, on: source,
      wayOn: "begin all the same with --anyway")
    return .success
  }
}
