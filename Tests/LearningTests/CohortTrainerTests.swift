// A step on a cohort: what cuts it into microbatches changes nothing, what is fresh has a ratio of
// one, and what teaches nothing moves nothing.

import Experience
import Learning
import Objectives
import Policy
import Testing
import Wire

/// A small policy with groups sampled from it.
struct Bench {
  static let shape = ModelConfiguration(
    vocabularySize: 17, hiddenSize: 32, feedForwardSize: 48, layers: 2, heads: 4,
    keyValueHeads: 2, maximumPositions: 64, initializerRange: 0.3)

  let policy: CPUTransformer
  let reference: CPUTransformer
  let optimizer: CPUOptimizer

  init(seed: UInt64 = 4, precision: WorkingPrecision = .f32) throws {
    policy = CPUTransformer(configuration: Self.shape, threads: 1)
    policy.initialize(seed: seed)
    optimizer = CPUOptimizer(policy, settings: OptimizerSettings(), precision: precision)
    reference = CPUTransformer(configuration: Self.shape, sharing: policy)
    try reference.load(policy.copyWeights())
  }

  func trainer(
    _ objective: GRPOSettings = GRPOSettings(), microbatchTokens: Int = 4096, shuffles: Bool = false
  ) -> CohortTrainer {
    CohortTrainer(
      policy: policy, reference: reference, optimizer: optimizer, objective: objective,
      schedule: LearningRateSchedule(peak: 1e-3, final: 1e-4, warmUpSteps: 1, steps: 10),
      microbatchTokens: microbatchTokens, shufflesRewards: shuffles)
  }

  /// Groups of four, rewarded for how often token 3 was sampled; group 2 has no spread.
  func groups(version: Int = 0) throws -> [TrajectoryGroup] {
    let requests = (0..<5).map { ticket in
      GenerationRequest(
        prompt: (0...ticket).map { Int32(($0 * 5 + ticket) % 17) }, samples: 4, seed: 9,
        domain: .train, ticket: UInt64(ticket), temperature: ticket == 1 ? 0.8 : 1,
        maximumNewTokens: 6 + ticket, stopTokens: [2])
    }
    let sampled = try #require(CPUGenerator(policy).generate(requests))
    return zip(requests, sampled).enumerated().map { ticket, pair in
      TrajectoryGroup(
        key: TicketKey(purpose: .train, number: ticket),
        version: PolicyVersion(lineage: "test", number: version, digest: policy.digest()),
        exercise: "made", prompt: pair.0.prompt,
        trajectories: pair.1.map { completion in
          let count = ticket == 2 ? 1 : completion.tokens.count { $0 == 3 || $0 > 12 }
          return Trajectory(
            completion: completion,
            verdict: Verdict(
              parts: [
                RewardPart(
                  position: completion.tokens.count - 1, part: "count", value: Float(count))
              ], reason: "counted", isStrictlyCorrect: count > 0, isLenientlyCorrect: count > 0))
        }, temperature: pair.0.temperature, seed: 9, actor: "test",
        numericClass: policy.numericClass,
        times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0))
    }
  }
}

@Suite struct CohortTrainerTests {
  @Test func `microbatches of any size give the same step`() throws {
    var steps: [(weights: [[Float]], loss: Double, rows: Int, count: Int)] = []
    for budget in [4096, 40, 16] {
      let bench = try Bench()
      let groups = try bench.groups()
      let result = try bench.trainer(microbatchTokens: budget).train(groups, step: 0)
      let weights = try bench.policy.copyWeights().map { try $0.floats() }
      steps.append((weights, result.loss.loss, result.rows, result.microbatches))
    }
    #expect(steps[0].count == 1 && steps[1].count > 2 && steps[2].count > steps[1].count)
    #expect(steps[2].rows >= steps[0].rows)
    for step in steps.dropFirst() {
      // The loss is a report in Double of the same scalars.
      #expect(abs(step.loss - steps[0].loss) < 1e-9)
      // One Adam step is 1e-3 times nearly a sign: a gradient that is rounding noise may turn it.
      for (mine, whole) in zip(step.weights, steps[0].weights) {
        let far = zip(mine, whole).count { abs($0 - $1) > 1e-4 }
        #expect(far * 50 <= mine.count)
      }
    }
  }

  @Test func `fresh groups have a ratio of one, bit for bit, and k3 is zero at the start`() throws {
    let bench = try Bench()
    let result = try bench.trainer().train(bench.groups(), step: 0)
    #expect(result.outcome == .trained)
    #expect(result.freshTokens > 50 && result.mismatchedTokens == 0)
    #expect(result.loss.ratioLeast == 1 && result.loss.ratioGreatest == 1)
    #expect(result.loss.divergence == 0)
    #expect(result.trajectories.count == 20)
    #expect(result.trajectories.filter { $0.ticket == 2 }.allSatisfy { !$0.isTrained })
  }

  @Test func `a second step on the same groups moves the ratio toward the advantage`() throws {
    let bench = try Bench()
    let groups = try bench.groups()
    let trainer = bench.trainer()
    _ = try trainer.train(groups, step: 0)
    let again = try trainer.train(groups, step: 1)
    let moved = again.trajectories.filter { $0.isTrained && abs($0.advantage) > 0.5 }
    #expect(moved.count > 3)
    let right = moved.count { ($0.ratioMean > 1) == ($0.advantage > 0) }
    #expect(right * 10 >= moved.count * 8)
    #expect(again.freshTokens == 0)
  }

  @Test func `a cohort without spread leaves weights and moments as they were`() throws {
    let bench = try Bench()
    let trainer = bench.trainer()
    _ = try trainer.train(bench.groups(), step: 0)
    let before = (bench.policy.digest(), bench.optimizer.state())
    let result = try trainer.train([bench.groups()[2]], step: 1)
    #expect(result.outcome == .empty)
    #expect(bench.policy.digest() == before.0)
    #expect(bench.optimizer.state() == before.1)
  }

  @Test func `a log-prob that is not finite skips the step`() throws {
    let bench = try Bench()
    var groups = try bench.groups()
    groups[0].trajectories[0].completion.behaviorLogProbs[0] = .nan
    let before = bench.policy.digest()
    let result = try bench.trainer().train(groups, step: 0)
    #expect(result.outcome == .skipped)
    #expect(bench.policy.digest() == before)
    #expect(bench.optimizer.updates == 0)
  }

  @Test func `a behavior log-prob of -100 stays finite and is counted`() throws {
    let bench = try Bench()
    var groups = try bench.groups()
    groups[0].trajectories[0].completion.behaviorLogProbs[0] = -100
    let result = try bench.trainer().train(groups, step: 0)
    #expect(result.outcome == .trained)
    #expect(result.loss.ratiosClamped == 1)
    #expect(result.gradientNorm.isFinite)
  }

  @Test func `shuffled rewards keep each group's rewards and change who has them`() {
    var group = CohortGroup(
      ticket: 7,
      completions: (0..<8).map {
        CohortCompletion(reward: Float($0), isTruncated: false, behavior: [-1])
      })
    let before = group.completions.map(\.reward)
    group.shuffleRewards(seed: 3)
    #expect(group.completions.map(\.reward).sorted() == before)
    #expect(group.completions.map(\.reward) != before)
    var other = group
    other.ticket = 8
    other.shuffleRewards(seed: 3)
    #expect(other.completions.map(\.reward) != group.completions.map(\.reward))
  }

  @Test func `asked to stop, a step ends before it changes anything`() throws {
    let bench = try Bench()
    let before = bench.policy.digest()
    let groups = try bench.groups()
    #expect(throws: StepInterrupted.self) {
      try bench.trainer().train(groups, step: 0, shouldStop: { true })
    }
    #expect(bench.policy.digest() == before)
  }

  @Test func `supervised steps lower the loss of what they see`() throws {
    let bench = try Bench()
    let trainer = SupervisedTrainer(
      policy: bench.policy, optimizer: bench.optimizer, microbatchTokens: 12)
    let batch = [
      Demonstration(prompt: [1, 4], completion: [5, 6, 2]),
      Demonstration(prompt: [1, 7], completion: [8, 2]),
      Demonstration(prompt: [3], completion: [9, 10, 11, 12, 2]),
    ]
    var losses: [Double] = []
    for _ in 0..<30 { losses.append(trainer.train(batch, learningRate: 1e-2)) }
    #expect(losses[29] < losses[0] / 10)
  }
}
