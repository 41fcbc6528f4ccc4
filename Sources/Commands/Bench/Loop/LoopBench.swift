// forage bench loop CONFIG: what bounds a run of these settings, and what one more actor or another
// link would bring. A few steps with one actor give the parts, a few with as many as there are
// cores say how much cores get in each other's way; the rest is the model's. The runs are made in
// the folder this is started in, on the disk of a run started there: a commit waits for that disk.

import Documents
import Glibc
import Operations

struct LoopBench {
  private static let actorCounts = [1, 2, 4, 8, 16, 32, 64]

  private let config: String
  private let overrides: [String]
  private let link: LoopLink
  private let linkText: String?
  private let settings: RunSettings
  /// Threads and cores as `forage run` would give them.
  private let plan: RunForecast.Plan

  init(_ arguments: Arguments) throws {
    guard let config = arguments.positional(1) else {
      throw ArgumentError(
        program: arguments.usage.program, fact: .missingPositional("a CONFIG to measure"))
    }
    self.config = config
    overrides = arguments.overrides
    settings = try RunSettings.load(path: config, overrides: overrides)
    guard let plan = RunForecast.Plan(settings) else {
      throw Failure(
        "measure the loop of", on: config, happened: "an offline run has no actors",
        remedy: "name a run of mode buffer or replay", exitCode: .settings)
    }
    self.plan = plan
    linkText = arguments.value("link")
    var bandwidth = Double.infinity
    if let linkText {
      guard let given = LoopLink.bytesPerSecond(linkText) else {
        throw arguments.bad("link", linkText, "as 100Mbit, 1Gbit or 12MB")
      }
      bandwidth = given
    }
    let milliseconds = try arguments.number("round-trip", in: 0...60_000) ?? 0
    link = LoopLink(bytesPerSecond: bandwidth, roundTripSeconds: milliseconds / 1000)
  }

  func run(repeats: Int) throws -> BenchReport {
    let folder = try BenchFolder(in: access(".", W_OK) == 0 ? "." : "/tmp")
    let signals = try SignalWatch()
    let threads = plan.actorThreads
    BenchProgress.say("\(repeats) steps of \(config) with one actor of \(threads) threads")
    let alone = try LoopTrial(
      config, overrides: overrides, actors: 1, actorThreads: threads, steps: repeats,
      folder: "\(folder.path)/alone", signals: signals)
    let crowd = max(1, plan.cores / threads)
    var parallelism = Double(threads)
    if crowd > 1 {
      BenchProgress.say(
        "\(repeats) steps with \(crowd) actors, which share \(plan.cores) cores")
      // The same first model, without the warm start that made it.
      let model = RunFolder("\(folder.path)/alone").initialModel
      let together = try LoopTrial(
        config, overrides: overrides + ["model.path=\(model)", "warmStart.maximumSteps=0"],
        actors: crowd, actorThreads: threads, steps: repeats, folder: "\(folder.path)/together",
        signals: signals)
      let batches = (settings.learner.groupsPerStep + alone.batchGroups - 1) / alone.batchGroups
      let busy = min(crowd, batches)
      // Seconds a group, because the two trials may have batches of two sizes.
      let slower =
        median(together.batches) / Double(together.batchGroups)
        / (median(alone.batches) / Double(alone.batchGroups))
      parallelism = Double(busy * threads) / max(1, slower)
    }
    return report(parts(alone, parallelism: parallelism), alone)
  }

  private func median(_ samples: [Double]) -> Double { BenchFigure("", "", samples).median }

  private func parts(_ trial: LoopTrial, parallelism: Double) -> LoopParts {
    let groups = settings.learner.groupsPerStep
    let batch = median(trial.batches)
    let swap = trial.swaps.isEmpty ? 0 : median(trial.swaps)
    let fetch = median(trial.fetches)
    let learner = median(trial.learner)
    let rounds = (groups + trial.batchGroups - 1) / trial.batchGroups
    let known = learner + fetch + swap + Double(rounds) * batch
    return LoopParts(
      groups: groups, lagMax: settings.learner.lagMax, batchGroups: trial.batchGroups,
      batchSeconds: batch, swapSeconds: swap, fetchSeconds: fetch,
      waitSeconds: max(0, median(trial.steps) - known), learnerSeconds: learner,
      actorThreads: trial.actorThreads,
      learnerThreads: plan.learnerThreads,
      parallelism: parallelism, groupBytes: median(trial.leaseBytes) / Double(groups),
      versionBytes: median(trial.versionBytes))
  }

  // MARK: Telling

  private func report(_ parts: LoopParts, _ trial: LoopTrial) -> BenchReport {
    let waited = zip(trial.steps, trial.learner).map { 100 * (1 - $1 / $0) }
    var figures = [
      BenchFigure("step, one actor at lag 0", "s", trial.steps),
      BenchFigure("learner waited", "%", waited),
      BenchFigure("learner's part", "s", trial.learner),
      BenchFigure("batch of \(parts.batchGroups) groups", "s", trial.batches),
      BenchFigure("one actor alone", "tokens/s", trial.rates.isEmpty ? [0] : trial.rates),
      BenchFigure("fetch of a version", "s", trial.fetches),
      BenchFigure("swap of a version", "s", trial.swaps.isEmpty ? [0] : trial.swaps),
      BenchFigure("other waits", "s", [parts.waitSeconds]),
      BenchFigure(
        "checkpoint, each \(settings.learner.checkpointEvery) steps", "s",
        trial.checkpoints.isEmpty ? [0] : trial.checkpoints),
      BenchFigure("version", "MB", trial.versionBytes.map { $0 / 1e6 }),
      BenchFigure("group", "kB", trial.leaseBytes.map { $0 / 1e3 / Double(parts.groups) }),
      BenchFigure("threads' worth of the cores", "", [parts.parallelism]),
    ]
    var table = TextTable([
      ("actors", .right), ("step s", .right), ("learner waits", .right), ("actors wait", .right),
      ("bound by", .left),
    ])
    for sharesCores in [true, false] {
      let model = LoopModel(parts, link: link, sharesCores: sharesCores)
      let place = sharesCores ? "these cores" : "own hosts"
      table.add(["", "", "", "", sharesCores ? "all on these cores:" : "each on a host like this:"])
      for count in Self.actorCounts {
        let forecast = model.forecast(actors: count)
        table.add([
          "\(count)", BenchNumber.text(forecast.stepSeconds),
          BenchNumber.percent(forecast.learnerWaits), BenchNumber.percent(forecast.actorsWait),
          forecast.bound.rawValue,
        ])
        figures += [
          BenchFigure("\(count) actors on \(place): step", "s", [forecast.stepSeconds]),
          BenchFigure(
            "\(count) actors on \(place): learner waits", "%", [100 * forecast.learnerWaits]),
          BenchFigure(
            "\(count) actors on \(place): actors wait", "%", [100 * forecast.actorsWait]),
        ]
      }
    }
    var report = BenchReport(
      what: "loop",
      settings: [
        ("config", .string(config)), ("overrides", .array(overrides.map(Document.string))),
        ("link", .string(linkText ?? "none")),
        ("round_trip_ms", .number(link.roundTripSeconds * 1000)),
        ("lag_max", .integer(parts.lagMax)), ("actor_threads", .integer(parts.actorThreads)),
      ],
      figures: figures, sentence: sentence(parts, learnerWaited: median(waited)))
    report.table =
      BenchReport(
        what: "", settings: [], figures: Array(figures.prefix { !$0.name.contains(" actors on ") }),
        sentence: ""
      ).lines + [""] + table.lines()
    return report
  }

  private func sentence(_ parts: LoopParts, learnerWaited: Double) -> String {
    let way = linkText.map { "over \($0)" } ?? "within this host"
    // What was measured had no link and no lag.
    var measured = parts
    measured.lagMax = 0
    let now = LoopModel(measured).forecast(actors: 1)
    let model = LoopModel(parts, link: link)
    let one = model.forecast(actors: 1)
    let four = model.forecast(actors: 4)
    return "With one actor on this host \(now.bound.rawValue) took most of a step: the learner "
      + "waited \(BenchNumber.percent(learnerWaited / 100)) of it. At lag \(parts.lagMax) "
      + "\(way), one actor is predicted to take \(BenchNumber.text(one.stepSeconds)) s a step and "
      + "four on these cores \(BenchNumber.text(four.stepSeconds)) s, bound by "
      + "\(four.bound.rawValue)."
  }
}
