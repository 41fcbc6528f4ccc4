// forage bench step: one GRPO step of the learner on made groups, from trajectories to new weights,
// with its phases and its shares of the machine's arithmetic and of its memory's speed.

import Digests
import Documents
import Experience
import Learning
import Objectives
import Operations
import Policy

struct StepBench {
  private let groups: Int
  private let completions: Int
  private let prompt: Int
  private let new: Int
  private let microbatch: Int
  private let model: BenchModel

  init(_ arguments: Arguments) throws {
    groups = try arguments.integer("groups", in: 1...65_536) ?? 32
    // One completion has no spread, so nothing would be trained.
    completions = try arguments.integer("completions", in: 2...4096) ?? 8
    prompt = try arguments.integer("prompt", in: 1...1_048_576) ?? 12
    new = try arguments.integer("new", in: 1...1_048_576) ?? 12
    microbatch = try arguments.integer("microbatch", in: 16...16_777_216) ?? 8192
    model = try BenchModel(arguments, positions: prompt + new - 1)
  }

  func run(repeats: Int) throws -> BenchReport {
    // Weights, gradients, two moments, the reference, and both models' layouts.
    let policy = try model.load(copies: 7)
    let trainer = try trainer(policy)
    let version = PolicyVersion(lineage: "bench", number: 0, digest: Digest(of: []))
    let batch = (0..<groups).map {
      MadeGroups.group(
        $0, version: version, prompt: prompt, completions: completions, new: new,
        vocabulary: model.configuration.vocabularySize)
    }
    let limits = MachineLimits(threads: model.threads)
    _ = try step(trainer, batch, 0)
    var reports: [PhaseReport] = []
    for index in 0..<repeats {
      reports.append(try limits.around { try step(trainer, batch, index + 1) })
      BenchProgress.repeated(
        index, of: repeats, "\(BenchNumber.text(reports[index].wallSeconds)) s")
    }
    return report(reports, limits)
  }

  private func trainer(_ policy: CPUTransformer) throws -> CohortTrainer {
    let reference = CPUTransformer(configuration: model.configuration, sharing: policy)
    try reference.load(policy.copyWeights())
    return CohortTrainer(
      policy: policy, reference: reference,
      optimizer: CPUOptimizer(policy, settings: OptimizerSettings()), objective: GRPOSettings(),
      schedule: LearningRateSchedule(peak: 1e-6, final: 1e-6, warmUpSteps: 0, steps: 1),
      microbatchTokens: microbatch)
  }

  private func step(
    _ trainer: CohortTrainer, _ batch: [TrajectoryGroup], _ index: Int
  ) throws -> PhaseReport {
    var timer = PhaseTimer()
    let result = try trainer.train(batch, step: index, enter: { timer.enter($0) })
    let report = timer.finish()
    guard result.outcome == .trained else {
      throw Failure(
        "take step", on: "\(index) on made groups",
        happened: "its outcome is \(result.outcome.rawValue), so its time says nothing",
        remedy: "try another model", exitCode: .notFinite)
    }
    return report
  }

  private func report(_ reports: [PhaseReport], _ limits: MachineLimits) -> BenchReport {
    let work = ModelWork(model.configuration)
    let flops = work.step(groups: groups, completions: completions, prompt: prompt, new: new)
    let rows = groups * (prompt + completions * (new - 1))
    let bytes = work.stepBytes(passes: (rows + microbatch - 1) / microbatch)
    let tokens = Double(groups * completions * new)
    let seconds = BenchFigure("step", "s", reports.map(\.wallSeconds))
    let rate = BenchFigure("trained", "tokens/s", reports.map { tokens / $0.wallSeconds })
    let share = BenchFigure(
      "of the GEMM limit", "%", zip(reports, limits.flops).map { 100 * flops / $0.wallSeconds / $1 }
    )
    let memory = BenchFigure(
      "of the memory limit", "%",
      zip(reports, limits.bytes).map { 100 * bytes / $0.wallSeconds / $1 })
    let bound = BenchFigure(
      "the limits allow", "s",
      zip(limits.flops, limits.bytes).map { max(flops / $0, bytes / $1) })
    let phases = reports[0].phases.map(\.name).map { name in
      BenchFigure(
        "phase \(name)", "% of the step",
        reports.map { report in
          let spent = report.phases.first { $0.name == name }?.seconds ?? 0
          return 100 * spent / report.wallSeconds
        })
    }
    let longest = phases.max { $0.median < $1.median }
    return BenchReport(
      what: "step",
      settings: model.settings + [
        ("groups", .integer(groups)), ("completions", .integer(completions)),
        ("prompt", .integer(prompt)), ("new", .integer(new)), ("microbatch", .integer(microbatch)),
        ("gflop", .number(flops / 1e9)),
      ],
      figures: [seconds, rate] + phases + limits.figures + [share, memory, bound],
      sentence: "A step on \(groups) groups of \(completions) completions takes \(seconds.text), "
        + "\(BenchNumber.percent(share.median / 100)) of the machine's arithmetic and "
        + "\(BenchNumber.percent(memory.median / 100)) of its memory's speed, measured beside it"
        + (longest.map { "; most of it, \(BenchNumber.text($0.median)) %, is in \($0.name)" } ?? "")
        + ".")
  }
}
