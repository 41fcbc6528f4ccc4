// Sampling and training, small enough to be done by the thousand and honest in what matters: a
// group is a function of the run's seed, the ticket and the weights that sampled it; weights are a
// function of the weights before and of every token of the batch, in its order. So whatever reaches
// training that should not, or fails to, changes every digest after it.

import Digests
import Experience
import Safetensors
import Wire

enum Work {
  /// Weights and all that an optimizer would remember.
  struct Policy: Equatable {
    var tensors: [NamedTensor]
    var updates = 0
    /// The pool of a curriculum; without one it stays as it is.
    var pool = CurriculumState()

    var digest: Digest { Work.digest(tensors) }
  }

  static func first(_ plan: Plan) -> Policy {
    Policy(tensors: tensors(from: Digest(of: Array("first \(plan.seed)".utf8))))
  }

  private static func tensors(from digest: Digest) -> [NamedTensor] {
    let values = digest.bytes.prefix(8).map { Float($0) / 256 }
    return [
      NamedTensor(name: "a.weight", shape: [2, 4], floats: values),
      NamedTensor(name: "b.weight", shape: [1], floats: [values[0] - values[1]]),
    ]
  }

  static func digest(_ tensors: [NamedTensor]) -> Digest {
    let digester = Digester()
    for tensor in tensors {
      digester.update(tensor.name)
      digester.update(tensor.bytes)
    }
    return digester.finish()
  }

  /// `salt` is empty but where a mutation lets chance into it.
  static func group(
    _ key: TicketKey, level: Int?, version: PolicyVersion, actor: String, salt: String, _ plan: Plan
  ) -> TrajectoryGroup {
    let address = "\(plan.seed) \(key) \(level ?? -1) \(version.digest) \(salt)"
    let source = Digest(of: Array(address.utf8)).bytes
    let trajectories = (0..<plan.limits.groupSize).map { sample -> Trajectory in
      let count = 1 + Int(source[sample]) % plan.limits.maximumNewTokens
      let tokens = (0..<count).map { Int32(source[4 + $0 + 4 * sample]) % 64 }
      let isRight = source[20 + sample] % 2 == 0
      return Trajectory(
        completion: Completion(
          tokens: tokens, behaviorLogProbs: tokens.map { -Float($0) / 64 },
          finish: isRight ? .stop : .length),
        verdict: Verdict(
          parts: [RewardPart(position: count - 1, part: "right", value: isRight ? 1 : 0)],
          reason: isRight ? "right" : "", isStrictlyCorrect: isRight, isLenientlyCorrect: isRight))
    }
    return TrajectoryGroup(
      key: key, version: version, exercise: "\(key.number)", prompt: [1, 2],
      trajectories: trajectories, temperature: 1, seed: plan.seed, actor: actor,
      numericClass: "class",
      times: RolloutTimes(ticketNanoseconds: 1, sampledNanoseconds: 2, judgedNanoseconds: 3),
      level: level)
  }

  struct Step: Equatable {
    var policy: Policy
    var version: PolicyVersion
    var outcome: StepOutcome
    var chain: Digest
  }

  /// Who sampled a group, when and under which version enters nowhere.
  static func train(
    _ policy: Policy, chain: Digest, step: Int, on groups: [TrajectoryGroup], _ plan: Plan
  ) -> Step {
    let outcome: StepOutcome = (Int(plan.seed & 3) + step) % 4 == 3 ? .skipped : .trained
    var next = policy
    if outcome == .trained {
      let digester = Digester()
      digester.update(policy.digest.bytes)
      for trajectory in groups.flatMap(\.trajectories) {
        digester.update("\(trajectory.completion.tokens) \(trajectory.verdict.reward)")
      }
      next.tensors = tensors(from: digester.finish())
      next.updates += 1
    }
    if let rules = plan.curriculum { next.pool = rules.advanced(policy.pool, by: groups) }
    let version = PolicyVersion(lineage: plan.lineage, number: step + 1, digest: next.digest)
    let digester = Digester()
    digester.update(chain.bytes)
    digester.update(version.digest.bytes)
    digester.update("\(outcome.rawValue) \(next.updates) \(next.pool)")
    return Step(policy: next, version: version, outcome: outcome, chain: digester.finish())
  }

  static func firstChain(_ plan: Plan) -> Digest { first(plan).digest }

  /// The chain of the whole run where nothing ever goes wrong and nobody waits for anybody: what a
  /// synchronous run's must be.
  static func quietChain(_ plan: Plan) -> Digest {
    var policy = first(plan)
    var chain = firstChain(plan)
    for step in 0..<plan.steps {
      let version = PolicyVersion(lineage: plan.lineage, number: step, digest: policy.digest)
      let groups = (step * plan.batch..<(step + 1) * plan.batch).map {
        // Synchronous: what the steps before have opened.
        let level = plan.curriculum?.level(
          ofTicket: $0, seed: plan.seed, open: policy.pool.level)
        return group(
          TicketKey(purpose: .train, number: $0), level: level, version: version, actor: "",
          salt: "", plan)
      }
      let taken = train(policy, chain: chain, step: step, on: groups, plan)
      (policy, chain) = (taken.policy, taken.chain)
    }
    return chain
  }
}
