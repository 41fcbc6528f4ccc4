// How good is a policy: greedy accuracy, pass@1 and pass@k from samples, strict and lenient, on a
// fixed set of prompts, the same whenever it is asked.
//
//   pass@1 = mean over prompts of the share of its samples that are correct
//   pass@k = share of prompts with a correct sample among all k
//   interval = 1.96 standard errors of either over prompts (samples of one prompt are not
//              independent, so prompts are what is counted)

import Acting
import Documents
import Experience
import Glibc
import Policy
import Tasks
import Tensors
import Wire

/// What to ask.
struct EvaluationPlan {
  var split: Split
  var prompts: Int
  /// Samples a prompt at `temperature`; 0 asks greedily alone.
  var samples: Int
  var temperature: Float
  /// Nil draws from all tokens.
  var cut: SamplingCut?
  var isGreedyAsked: Bool
  var maximumNewTokens: Int
  var seed: UInt64
}

/// The answer.
struct EvaluationResult: Equatable {
  var prompts = 0
  var samples = 0
  var greedyStrict: Double?
  var greedyLenient: Double?
  var strict = 0.0
  /// Half the width of the 95 % interval of `strict`.
  var strictInterval = 0.0
  var lenient = 0.0
  /// Strict, and not truncated.
  var completed = 0.0
  /// Samples whose verifier gave no verdict; they count as wrong above.
  var invalid = 0
  var passAtK = 0.0
  /// Pass@1 of the prompts of each level of a curriculum; empty without one.
  var levels: [Double] = []
  var passAtKInterval = 0.0
  var reward = 0.0
  var meanLength = 0.0
  var truncated = 0.0

  var document: Document {
    var members: [(String, Document)] = [
      ("prompts", .integer(prompts)), ("samples", .integer(samples)),
    ]
    if let greedyStrict { members.append(("greedy", .number(greedyStrict))) }
    if let greedyLenient { members.append(("greedy_lenient", .number(greedyLenient))) }
    members += [
      ("pass@1", .number(strict)), ("pass@1_interval", .number(strictInterval)),
      ("lenient", .number(lenient)), ("completed_correct", .number(completed)),
      ("pass@k", .number(passAtK)), ("pass@k_interval", .number(passAtKInterval)),
      ("reward", .number(reward)),
      ("mean_length", .number(meanLength)), ("truncated", .number(truncated)),
      ("invalid_verdicts", .integer(invalid)),
    ]
    if !levels.isEmpty {
      members.append(("pass@1_levels", .array(levels.map(Document.number))))
    }
    return .object(members)
  }
}

/// Evaluates one policy on one task.
struct Evaluator {
  /// Prompts sampled together: enough rows to fill the kernels, little enough cache.
  static let promptsAtOnce = 64

  let policy: Transformer<CPUBackend>
  let reader: PromptReader
  let exercises: any Exercises

  /// Nil when `pulse` said so. `progress` hears the share done.
  func evaluate(
    _ plan: EvaluationPlan, pulse: Pulse = .none,
    progress: (Double) -> Void = { _ in }
  ) -> EvaluationResult? {
    let available = exercises.count(in: plan.split) ?? plan.prompts
    let count = min(plan.prompts, available)
    let problems = (0..<count).map {
      exercises.exercise(seed: plan.seed, split: plan.split, index: $0)
    }
    let passes = (plan.samples > 0 ? 1.0 : 0) + (plan.isGreedyAsked ? 1 : 0)
    var result = EvaluationResult(prompts: count, samples: plan.samples)
    var done = 0.0
    func judge(samples: Int, temperature: Float) -> [[Trajectory]]? {
      defer { done += 1 / passes }
      return sample(
        problems, plan, samples: samples, temperature: temperature, pulse
      ) { progress(done + $0 / passes) }
    }
    if plan.isGreedyAsked {
      guard let greedy = judge(samples: 1, temperature: 0) else { return nil }
      result.greedyStrict = mean(greedy.map { $0[0].verdict.isStrictlyCorrect ? 1 : 0 })
      result.greedyLenient = mean(greedy.map { $0[0].verdict.isLenientlyCorrect ? 1 : 0 })
    }
    if plan.samples > 0 {
      guard let judged = judge(samples: plan.samples, temperature: plan.temperature) else {
        return nil
      }
      result.take(judged)
      result.levels = byLevel(judged, plan.split)
    }
    return result
  }

  private func byLevel(_ judged: [[Trajectory]], _ split: Split) -> [Double] {
    guard let curriculum = exercises as? Curriculum else { return [] }
    var shares = [[Double]](repeating: [], count: curriculum.levelCount)
    for (index, group) in judged.enumerated() {
      shares[curriculum.place(of: index, in: split).level] += group.map {
        $0.verdict.isStrictlyCorrect ? 1 : 0
      }
    }
    return shares.map(mean)
  }

  private func sample(
    _ problems: [Exercise], _ plan: EvaluationPlan, samples: Int, temperature: Float,
    _ pulse: Pulse, progress: (Double) -> Void
  ) -> [[Trajectory]]? {
    let generator = Generator(policy)
    var judged: [[Trajectory]] = []
    while judged.count < problems.count {
      let range = judged.count..<min(problems.count, judged.count + Self.promptsAtOnce)
      let requests = range.map { index in
        GenerationRequest(
          prompt: reader.tokens(problems[index]), samples: samples, seed: plan.seed,
          domain: plan.split == .heldOut ? .heldOut : .validation, ticket: UInt64(index),
          temperature: temperature, cut: plan.cut, maximumNewTokens: plan.maximumNewTokens,
          stopTokens: reader.stopTokens(policy.configuration))
      }
      guard let groups = generator.generate(requests, shouldStop: pulse.shouldStop) else {
        return nil
      }
      for (index, group) in zip(range, groups) {
        guard
          let group = pulse.judged(
            group, of: problems[index], by: exercises, reader.tokenizer)
        else { return nil }
        judged.append(group)
      }
      progress(Double(judged.count) / Double(problems.count))
    }
    return judged
  }
}

extension EvaluationResult {
  fileprivate mutating func take(_ judged: [[Trajectory]]) {
    let all = judged.flatMap { $0 }
    let byPrompt = judged.map { group in
      mean(group.map { $0.verdict.isStrictlyCorrect ? 1 : 0 })
    }
    strict = mean(byPrompt)
    strictInterval = MeanInterval.halfWidth(byPrompt)
    lenient = mean(all.map { $0.verdict.isLenientlyCorrect ? 1 : 0 })
    invalid = all.count { !$0.verdict.isValid }
    completed = mean(all.map { $0.isCompletedCorrect ? 1 : 0 })
    let passed = judged.map { $0.contains { $0.verdict.isStrictlyCorrect } ? 1.0 : 0 }
    passAtK = mean(passed)
    passAtKInterval = MeanInterval.halfWidth(passed)
    reward = mean(all.map { Double($0.verdict.reward) })
    meanLength = mean(all.map { Double($0.completion.tokens.count) })
    truncated = mean(all.map { $0.completion.isTruncated ? 1 : 0 })
  }
}

/// 0 for nothing.
private func mean(_ values: [Double]) -> Double {
  values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
}
