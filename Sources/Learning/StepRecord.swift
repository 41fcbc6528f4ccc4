// One line of metrics.jsonl: what a step saw and how long each part of it took. The names and
// formulas are those of Docs/METRICS.md; where TRL reports the same thing, its name is used.

import Documents
import Experience
import Objectives
import Operations
import Wire

/// What a step's line is made from.
struct StepRecord {
  /// Parts of rewards that a line tells of, and bytes of a name among them.
  private static let (maximumParts, partNameBytes) = (64, 64)

  var step: Int
  /// Of the run: a group of another one, which an offline run learns from, has no lag here.
  var lineage: String
  var result: StepResult
  var lease: BatchLease
  /// Of the lease, in its order: fresh ones, then those trained once more.
  var groups: [TrajectoryGroup]
  var phases: PhaseReport
  /// Payload bytes of the lease, and of weights served since the step before.
  var leasedBytes: Int
  var servedBytes: Int
  /// What replay received from all actors since the step before.
  var receivedBytes: Int
  /// Actors' idle share and tokens since the last step; nil at the first.
  var actors: ActorRates?
  /// The newest level while the step's tickets were granted last, and the pool after the step; nil
  /// without a curriculum.
  var newestLevel: Int?
  var curriculum: CurriculumState?

  func document() -> Document {
    var members: [(String, Document)] = [("step", .integer(step))]
    func add(_ name: String, _ value: Double?) {
      if let value { members.append((name, .number(value))) }
    }
    func count(_ name: String, _ value: Int) { members.append((name, .integer(value))) }

    members.append(("outcome", .string(result.outcome.rawValue)))
    addRollouts(add, count)
    addLoss(add, count)
    addLag(add, count)
    addReuse(add, count)
    addCurriculum(add, count)
    for drop in lease.dropped {
      count("dropped/\(drop.reason)/groups", drop.groups)
      count("dropped/\(drop.reason)/tokens", drop.tokens)
    }
    count("queue/ready_groups", lease.readyGroups)
    count("queue/wait_mean_ms", lease.waitMeanMilliseconds)
    count("queue/wait_max_ms", lease.waitMaxMilliseconds)
    count("bytes/lease", leasedBytes)
    count("bytes/groups", receivedBytes)
    count("bytes/weights_served", servedBytes)
    add("actors/idle_share", actors?.idleShare)
    add("actors/tokens_per_second", actors?.tokensPerSecond)
    addTimes(add)
    return .object(members)
  }

  private func addRollouts(_ add: (String, Double?) -> Void, _ count: (String, Int) -> Void) {
    let rollouts = result.rollouts
    let trajectories = fresh.flatMap(\.trajectories)
    let total = Double(max(1, trajectories.count))
    add("reward", rollouts.rewardMean)
    add("reward_std", rollouts.rewardDeviation)
    var parts: [(name: String, sum: Double)] = []
    for part in trajectories.flatMap(\.verdict.parts) where part.part != Verdict.invalidPart {
      if let index = parts.firstIndex(where: { $0.name == part.part }) {
        parts[index].sum += Double(part.value)
      } else {
        parts.append((part.part, Double(part.value)))
      }
    }
    // Actors may name as many as they like, and a line of metrics has an end.
    for part in parts.prefix(Self.maximumParts) where part.name.utf8.count <= Self.partNameBytes {
      add("rewards/\(part.name)/mean", part.sum / total)
    }
    add("accuracy/strict", Double(trajectories.count { $0.verdict.isStrictlyCorrect }) / total)
    add("accuracy/lenient", Double(trajectories.count { $0.verdict.isLenientlyCorrect }) / total)
    add("accuracy/completed", Double(trajectories.count { $0.isCompletedCorrect }) / total)
    count("verdicts/invalid", trajectories.count { !$0.verdict.isValid })
    add("frac_reward_zero_std", rollouts.shareWithoutSpread)
    add("completions/mean_length", rollouts.meanLength)
    count("completions/min_length", rollouts.completions == 0 ? 0 : rollouts.lengthLeast)
    count("completions/max_length", rollouts.lengthGreatest)
    add("completions/clipped_ratio", rollouts.truncatedShare)
    count("completions", rollouts.completions)
    count("tokens/sampled", rollouts.tokens)
    count("tokens/trained", result.loss.tokens)
    count("groups/skipped", rollouts.groupsSkipped)
  }

  private func addLoss(_ add: (String, Double?) -> Void, _ count: (String, Int) -> Void) {
    let loss = result.loss
    add("loss", loss.loss)
    add("kl", loss.divergence)
    add("entropy", loss.entropy)
    add("grad_norm", result.gradientNorm)
    add("learning_rate", result.learningRate)
    if loss.tokens > 0 {
      add("ratio/min", loss.ratioLeast)
      add("ratio/mean", loss.ratioMean)
      add("ratio/max", loss.ratioGreatest)
      add("clip_ratio/low_mean", loss.lowClipShare)
      add("clip_ratio/high_mean", loss.highClipShare)
      add("clip_ratio/region_mean", loss.regionClipShare)
      add("clip_ratio/dual_mean", loss.dualClipShare)
    }
    count("clamped/ratios", loss.ratiosClamped)
    count("clamped/divergences", loss.divergencesClamped)
    count("exact/fresh_tokens", result.freshTokens)
    count("exact/mismatched_tokens", result.mismatchedTokens)
    count("pack/rows", result.rows)
    count("pack/microbatches", result.microbatches)
  }

  private func addLag(_ add: (String, Double?) -> Void, _ count: (String, Int) -> Void) {
    let lags = fresh.filter { $0.version.lineage == lineage }.map { step - $0.version.number }
    guard let greatest = lags.max() else { return }
    add("lag/mean", Double(lags.reduce(0, +)) / Double(lags.count))
    count("lag/max", greatest)
  }

  private var fresh: ArraySlice<TrajectoryGroup> { groups.prefix(lease.tickets.count) }

  private func addReuse(_ add: (String, Double?) -> Void, _ count: (String, Int) -> Void) {
    let reused = groups.dropFirst(lease.tickets.count)
    guard lease.reusableGroups > 0 || !reused.isEmpty else { return }
    let lags = reused.map { step - $0.version.number }
    count("reuse/available", lease.reusableGroups)
    count("reuse/groups", reused.count)
    let tokens = reused.flatMap(\.trajectories).reduce(0) { $0 + $1.completion.tokens.count }
    count("reuse/tokens", tokens)
    if let greatest = lags.max() {
      add("reuse/lag_mean", Double(lags.reduce(0, +)) / Double(lags.count))
      count("reuse/lag_max", greatest)
    }
  }

  private func addCurriculum(_ add: (String, Double?) -> Void, _ count: (String, Int) -> Void) {
    guard let curriculum, let newestLevel else { return }
    count("curriculum/level", curriculum.level)
    for level in 0...newestLevel {
      let verdicts = fresh.filter { $0.level == level }.flatMap(\.trajectories).map(\.verdict)
      let judged = verdicts.filter(\.isValid)
      guard !judged.isEmpty else { continue }
      let accuracy = Double(judged.count { $0.isStrictlyCorrect }) / Double(judged.count)
      if level == newestLevel { add("curriculum/accuracy", accuracy) }
      add("curriculum/accuracy/\(level)", accuracy)
    }
  }

  private func addTimes(_ add: (String, Double?) -> Void) {
    add("time/step", phases.wallSeconds)
    for phase in phases.phases { add("time/\(phase.name)", phase.seconds) }
    add("time/coverage", phases.coverage)
    let waiting = phases.phases.first { $0.name == "lease_wait" }?.seconds ?? 0
    if phases.wallSeconds > 0 {
      add("learner/idle_share", waiting / phases.wallSeconds)
      add("learner/tokens_per_second", Double(result.loss.tokens) / phases.wallSeconds)
    }
  }
}

/// What actors did between two leases, by their own heartbeats.
struct ActorRates {
  var idleShare: Double
  var tokensPerSecond: Double

  /// Heartbeats come once a second: rates over less time would be mostly noise.
  static let leastSeconds = 3.0

  /// Nil where no actor stood in both leases, or no time passed.
  init?(before: [ActorShare], after: [ActorShare], seconds: Double) {
    var idle = 0
    var tokens = 0
    var actors = 0
    for actor in after {
      guard let old = before.first(where: { $0.name == actor.name }),
        actor.tokensSampled >= old.tokensSampled
      else { continue }
      idle += actor.idleMilliseconds - old.idleMilliseconds
      tokens += actor.tokensSampled - old.tokensSampled
      actors += 1
    }
    guard actors > 0, seconds > 0 else { return nil }
    idleShare = min(1, max(0, Double(idle) / 1000 / seconds / Double(actors)))
    tokensPerSecond = Double(tokens) / seconds
  }
}

extension EvaluationSummary {
  /// A line of metrics.jsonl of its own: it belongs to a version, not to a step.
  func document() -> Document {
    var members: [(String, Document)] = [
      ("evaluation", .integer(version)), ("eval/prompts", .integer(prompts)),
      ("eval/samples", .integer(samples)), ("eval/reward", .number(reward)),
      ("eval/pass@1", .number(strict)), ("eval/pass@1_interval", .number(strictInterval)),
      ("eval/lenient", .number(lenient)), ("eval/completed_correct", .number(completed)),
      ("eval/invalid_verdicts", .integer(invalid)), ("eval/mean_length", .number(meanLength)),
    ]
    // With one sample both are the same number, and a key stands once.
    if samples > 1 {
      members.append(("eval/pass@\(samples)", .number(passAtK)))
      members.append(("eval/pass@k_interval", .number(passAtKInterval)))
    }
    return .object(members)
  }
}
