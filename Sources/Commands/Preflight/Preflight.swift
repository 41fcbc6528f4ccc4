// Looks before the night is spent: samples the run's first tickets with its first model, judges
// them, and times the sampling and a learner's step on them.
//
// The tickets are the ones step 0 will train on, sampled with the same random numbers, so what is
// seen is what the run will see. Nothing of it is kept, the weights stay as they are, and no digest
// of the run depends on it.

import Experience
import Learning
import Objectives
import Operations
import Policy
import Tasks
import Tensors
import Wire

struct Preflight {
  /// Tokens a sample's first look takes, to know how many prompts there is time for.
  private static let probeTokens = 8
  private static let probePrompts = 4
  /// A step on one group that took this long is measured well enough.
  private static let enoughSeconds = 1.0
  static let shownCompletions = 3

  let parts: RunParts
  let threads: Int
  let pulse: Pulse

  private var settings: RunSettings { parts.settings }

  /// Nil when asked to stop. Leaves the policy as it was.
  func measure(
    _ policy: Transformer<CPUBackend>, checkpointSeconds: Double = 0
  ) throws -> PreflightFigures? {
    let before = policy.digest()
    guard let (groups, seconds) = sample(policy) else { return nil }
    var figures = judge(groups)
    let tokens = groups.reduce(0) { $0 + $1.tokenCount }
    figures.tokensPerSecond = Double(tokens) / max(seconds, 1e-6)
    figures.checkpointSeconds = checkpointSeconds
    guard try time(policy, groups, &figures) else { return nil }
    guard policy.digest() == before else {
      throw Failure(
        "look at", on: settings.run.name, happened: "the weights changed, and must not have",
        remedy: "report it; --preflight.enabled=false goes on without", exitCode: .internal)
    }
    return figures
  }

  // MARK: Sampling

  private func requests(_ count: Int, newTokens: Int) -> [GenerationRequest] {
    (0..<count).map { number in
      GenerationRequest(
        prompt: parts.reader.tokens(exercise(number)),
        samples: settings.sampling.groupSize, seed: settings.run.seed, domain: .train,
        ticket: UInt64(number), temperature: Float(settings.sampling.temperature),
        maximumNewTokens: newTokens,
        stopTokens: parts.reader.stopTokens(parts.configuration))
    }
  }

  private func exercise(_ number: Int) -> Exercise {
    // A curriculum begins with its first level; other tasks have the one.
    parts.exercises.practice(seed: settings.run.seed, ticket: number, level: 0)
  }

  /// The first tickets' groups, and the seconds they took.
  private func sample(
    _ policy: Transformer<CPUBackend>
  ) -> (groups: [TrajectoryGroup], seconds: Double)? {
    let generator = Generator(policy)
    let most = min(settings.preflight.prompts, settings.learner.groupsPerStep)
    let newTokens = settings.sampling.maximumNewTokens
    let probed = min(Self.probePrompts, most)
    let probe = requests(probed, newTokens: min(Self.probeTokens, newTokens))
    var began = MonotonicClock.now
    // The prompts are read once, then each decode step takes its time.
    var decoding: [Int64] = []
    let looked = generator.generate(
      probe, shouldStop: pulse.shouldStop, progress: { _ in decoding.append(MonotonicClock.now) })
    guard looked != nil else { return nil }
    let first = decoding.first ?? MonotonicClock.now
    let steps = max(1, decoding.count - 1)
    let perStep = Double((decoding.last ?? first) - first) / 1e9 / Double(steps)
    let perPrompt =
      (Double(first - began) / 1e9 + perStep * Double(newTokens)) / Double(probed)
    let affordable = Int(min(1e6, settings.preflight.seconds / max(perPrompt, 1e-9)))
    let count = max(min(2, most), min(most, affordable))
    let asked = requests(count, newTokens: newTokens)
    began = MonotonicClock.now
    guard let completions = generator.generate(asked, shouldStop: pulse.shouldStop) else {
      return nil
    }
    let seconds = MonotonicClock.seconds(since: began)
    let version = PolicyVersion(lineage: "preflight", number: 0, digest: policy.digest())
    var groups: [TrajectoryGroup] = []
    for number in asked.indices {
      guard
        let judged = pulse.judged(
          completions[number], of: exercise(number), by: parts.exercises, parts.tokenizer)
      else { return nil }
      groups.append(group(number, asked[number], judged, version, policy.numericClass))
    }
    return (groups, seconds)
  }

  private func group(
    _ number: Int, _ request: GenerationRequest, _ judged: [Trajectory], _ version: PolicyVersion,
    _ numericClass: String
  ) -> TrajectoryGroup {
    TrajectoryGroup(
      key: TicketKey(purpose: .train, number: number), version: version,
      exercise: exercise(number).name, prompt: request.prompt, trajectories: judged,
      temperature: request.temperature, seed: request.seed, actor: "preflight",
      numericClass: numericClass,
      times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0))
  }

  private func judge(_ groups: [TrajectoryGroup]) -> PreflightFigures {
    var figures = PreflightFigures()
    let all = groups.flatMap(\.trajectories)
    let count = Double(all.count)
    figures.prompts = groups.count
    figures.samples = settings.sampling.groupSize
    figures.reward = all.reduce(0) { $0 + Double($1.verdict.reward) } / count
    figures.strict = Double(all.count { $0.verdict.isStrictlyCorrect }) / count
    figures.lenient = Double(all.count { $0.verdict.isLenientlyCorrect }) / count
    figures.truncated = Double(all.count { $0.completion.isTruncated }) / count
    figures.invalid = all.count { !$0.verdict.isValid }
    figures.meanLength = Double(all.reduce(0) { $0 + $1.completion.tokens.count }) / count
    let spread = groups.count { group in
      let rewards = group.trajectories.map(\.verdict.reward)
      return group.trajectories.allSatisfy(\.verdict.isValid) && rewards.max() != rewards.min()
    }
    figures.spread = Double(spread) / Double(groups.count)
    figures.groupBytes = groups.reduce(0) { $0 + $1.encoded().count } / groups.count
    figures.shown = shown(groups)
    return figures
  }

  /// Of the first groups the completion with the most reward, one each.
  private func shown(_ groups: [TrajectoryGroup]) -> [PreflightSample] {
    groups.prefix(Self.shownCompletions).compactMap { group in
      guard let best = group.trajectories.max(by: { $0.verdict.reward < $1.verdict.reward })
      else { return nil }
      return PreflightSample(
        prompt: parts.tokenizer.decode(group.prompt),
        completion: parts.tokenizer.decode(best.completion.tokens),
        reward: Double(best.verdict.reward), reason: best.verdict.reason)
    }
  }

  // MARK: A step

  /// Times the learner's step at a learning rate of 0 on one group, and where that was quick, on
  /// all of them. Rewards are made up so that every group has spread: time does not depend on them.
  private func time(
    _ policy: Transformer<CPUBackend>, _ groups: [TrajectoryGroup],
    _ figures: inout PreflightFigures
  ) throws -> Bool {
    var reference: CPUTransformer?
    if parts.objective.needsReference {
      let frozen = CPUTransformer(configuration: parts.configuration, sharing: policy)
      try frozen.load(policy.copyWeights())
      reference = frozen
    }
    var settings = OptimizerSettings()
    settings.weightDecay = 0
    let trainer = CohortTrainer(
      policy: policy, reference: reference, optimizer: CPUOptimizer(policy, settings: settings),
      objective: parts.objective,
      schedule: LearningRateSchedule(peak: 0, final: 0, warmUpSteps: 0, steps: 1),
      microbatchTokens: self.settings.learner.microbatchTokens)
    var batch = groups.map(Self.withSpread)
    batch.sort { $0.tokenCount > $1.tokenCount }
    // A group of middle length first: it may be the only one.
    for count in [1, batch.count] {
      let part = count == 1 ? [batch[batch.count / 2]] : batch
      var timer = PhaseTimer()
      do {
        _ = try trainer.train(
          part, step: 0,
          enter: {
            timer.enter($0)
            // A microbatch may take minutes, and how long is what this is to find out.
            pulse.use("the preflight's step: \($0)")
          },
          shouldStop: {
            let ends = pulse.shouldStop()
            pulse.use("the preflight's step")
            return ends
          })
      } catch {
        // Interrupted.
        return false
      }
      timer.enter("digest")
      // Once for the digest, once for the snapshot that is served.
      for _ in 0..<2 { _ = CPUTransformer.digest(policy.copyWeights()) }
      let report = timer.finish()
      var fixed = 0.0
      for phase in report.phases where ["optimizer", "digest"].contains(phase.name) {
        fixed += phase.seconds
      }
      figures.fixedSeconds = fixed
      figures.groupSeconds = (report.wallSeconds - fixed) / Double(count)
      if report.wallSeconds * Double(batch.count) > 8 * Self.enoughSeconds { break }
    }
    return true
  }

  private static func withSpread(_ group: TrajectoryGroup) -> TrajectoryGroup {
    var group = group
    for index in group.trajectories.indices {
      let last = max(0, group.trajectories[index].completion.tokens.count - 1)
      group.trajectories[index].verdict = Verdict(
        parts: [RewardPart(position: last, part: "made", value: index % 2 == 0 ? 1 : 0)],
        reason: "made", isStrictlyCorrect: false, isLenientlyCorrect: false)
    }
    return group
  }
}

extension TrajectoryGroup {
  /// Of its completions.
  fileprivate var tokenCount: Int { trajectories.reduce(0) { $0 + $1.completion.tokens.count } }
}
