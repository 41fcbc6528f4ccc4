// A few steps of a real run, all roles on this host, and what its spans say of each part. At lag 0
// the roles take turns, so that no part is measured while another one has the cores.

import Documents
import Glibc
import Operations

package struct LoopTrial {
  /// The first steps start processes and fill caches.
  static let warmSteps = 2
  private static let longestSeconds = 3600.0

  let actors: Int
  let actorThreads: Int
  /// Seconds, one a step.
  private(set) var steps: [Double] = []
  private(set) var learner: [Double] = []
  /// Seconds, one a batch, of the commonest size.
  private(set) var batches: [Double] = []
  private(set) var batchGroups = 0
  /// Tokens a second of one actor while it samples.
  private(set) var rates: [Double] = []
  private(set) var swaps: [Double] = []
  private(set) var fetches: [Double] = []
  private(set) var versionBytes: [Double] = []
  /// Seconds, one a checkpoint: the last step writes one.
  private(set) var checkpoints: [Double] = []
  /// Of a step's groups.
  private(set) var leaseBytes: [Double] = []

  /// Runs `overrides` of `config` in `folder`, to its end or a signal's.
  init(
    _ config: String, overrides: [String], actors: Int, actorThreads: Int, steps: Int,
    folder: String, signals: SignalWatch
  ) throws {
    self.actors = actors
    self.actorThreads = actorThreads
    let settings = try RunSettings.load(path: config, overrides: overrides)
    let own = Self.overrides(
      of: settings, actors: actors, actorThreads: actorThreads, steps: steps + Self.warmSteps)
    let words =
      ["run", config, "--plain", "--folder", folder] + (overrides + own).map { "--\($0)" }
    let log = "\(folder).out"
    let child = try ChildProcess(
      "\(try Programs.folder())/forage", words, output: .append(log), error: .append(log))
    let deadline = Deadline.after(seconds: Self.longestSeconds)
    var progress = TrialProgress(RunFolder(folder), steps: steps + Self.warmSteps)
    var exit: ChildExit?
    while exit == nil {
      exit = child.wait(deadline: .after(seconds: 0.2))
      progress.tell()
      if exit == nil, signals.isStopping || deadline.hasPassed {
        _ = child.stop(deadline: .after(seconds: 20))
        throw Failure(
          "run", on: config, happened: signals.isStopping ? "it was stopped" : "it took an hour",
          remedy: "measure fewer steps (--repeats)", exitCode: .interrupted)
      }
    }
    guard exit == .exited(0) else {
      let text = (try? Files.readText(log, maximumBytes: 1 << 20)) ?? ""
      let last = text.split(separator: "\n").last.map(String.init) ?? "it said nothing"
      throw Failure(
        "run", on: config, happened: "\(exit.map { "\($0)" } ?? "no end"): \(last)",
        remedy: "try it alone: forage run \(config)", exitCode: .failure)
    }
    try read(RunFolder(folder))
    guard !self.steps.isEmpty, !batches.isEmpty, !fetches.isEmpty, !leaseBytes.isEmpty else {
      throw Failure(
        "measure", on: config, happened: "its spans hold no whole step",
        remedy: "leave trace.maximumBytes at its default, and the disk some room",
        exitCode: .unavailable)
    }
  }

  /// What a trial of so many steps lays over a run's settings, whatever these are.
  package static func overrides(
    of settings: RunSettings, actors: Int, actorThreads: Int, steps: Int
  ) -> [String] {
    // At lag 0 pacing opens one step's groups at a time; settings that ask for more are refused.
    let tickets = min(settings.actor.ticketsPerRequest, settings.learner.groupsPerStep)
    return [
      "learner.lagMax=0", "actor.ticketsPerRequest=\(tickets)", "evaluation.every=0",
      "evaluation.finalPrompts=1", "run.steps=\(steps)", "actor.count=\(actors)",
      "actor.threads=\(actorThreads)", "learner.checkpointEvery=1000000",
      // It measures how long a step takes, and not whether it would teach anything.
      "preflight.enabled=false",
    ]
  }

  private mutating func read(_ run: RunFolder) throws(Failure) {
    let (logs, faults) = SpanLog.all(of: run)
    if let fault = faults.first { throw fault }
    // Before this moment the first steps went by; one clock, for one host.
    var begin = Int64.max
    for log in logs where log.process == "learner" { begin = readLearner(log) }
    for log in logs {
      if log.process == "replay" {
        leaseBytes += log.spans.filter { $0.name == .lease && $0.start >= begin && $0.amount > 0 }
          .map { Double($0.amount) }
      } else if log.process.hasPrefix("actor") {
        readActor(log, since: begin)
      }
    }
  }

  private static func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }

  /// The start of the first step that counts.
  private mutating func readLearner(_ log: SpanLog) -> Int64 {
    var waits: [Int: Int64] = [:]
    for span in log.spans where span.name == .leaseWait {
      waits[span.id, default: 0] += span.duration
    }
    var begin = Int64.max
    checkpoints += log.spans.filter { $0.name == .checkpoint }.map { Self.seconds($0.duration) }
    for span in log.spans where span.name == .step && span.id >= Self.warmSteps {
      begin = min(begin, span.start)
      steps.append(Self.seconds(span.duration))
      learner.append(Self.seconds(span.duration - (waits[span.id] ?? 0)))
    }
    return begin
  }

  private mutating func readActor(_ log: SpanLog, since begin: Int64) {
    let spans = log.spans.filter { $0.start >= begin }.sorted { $0.start < $1.start }
    var found: [(groups: Int, seconds: Double, tokens: Int)] = []
    var start: Int64?
    var tokens = 0
    for span in spans {
      switch span.name {
      case .ticketWait: (start, tokens) = (span.end, 0)
      // A batch that had to fetch or to wait first is none to measure by.
      case .weightsWait, .pause: start = nil
      case .decode: tokens += span.amount
      case .swap: swaps.append(Self.seconds(span.duration))
      case .fetchWeights:
        fetches.append(Self.seconds(span.duration))
        versionBytes.append(Double(span.amount))
      case .handOver:
        if let begun = start { found.append((span.amount, Self.seconds(span.end - begun), tokens)) }
        start = nil
      default: break
      }
    }
    var counts: [Int: Int] = [:]
    for batch in found { counts[batch.groups, default: 0] += 1 }
    // Of two equally common sizes the larger: it is the one that was asked for.
    guard let size = counts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key else {
      return
    }
    // Actors of one trial ask for the same, so the sizes of all are one.
    batchGroups = max(batchGroups, size)
    for batch in found where batch.groups == size && batch.seconds > 0 {
      batches.append(batch.seconds)
      if batch.tokens > 0 { rates.append(Double(batch.tokens) / batch.seconds) }
    }
  }
}

/// What is heard of a trial while it goes.
private struct TrialProgress {
  private static let seconds = 10.0

  private let steps: Int
  private var reader: MetricsReader
  private var state: RunState
  private var next = Deadline.after(seconds: seconds)
  private let began = MonotonicClock.now

  init(_ run: RunFolder, steps: Int) {
    self.steps = steps
    reader = MetricsReader(path: run.metrics)
    state = RunState(name: run.name, steps: steps)
  }

  /// A line on standard error, now and then.
  mutating func tell() {
    guard next.hasPassed else { return }
    next = .after(seconds: Self.seconds)
    if let records = try? reader.read() { state.take(records) }
    let elapsed = RunView.clock(MonotonicClock.seconds(since: began))
    BenchProgress.say(
      state.step == 0
        ? "  preparing the run, for \(elapsed)" : "  step \(state.step) of \(steps) at \(elapsed)")
  }
}
