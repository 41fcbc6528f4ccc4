// A new model's first competence: supervised learning on worked demonstrations until sampled
// accuracy enters a band, so that reinforcement has something to select among and much to gain.
//
// The first evaluation within the band ends it. One above the band means the steps between were too
// long: the model goes back to the evaluation before and goes on in steps a quarter as long.

import Acting
import Experience
import Learning
import Operations
import Policy
import Safetensors
import Tasks
import Tensors

/// How the warm start stands.
struct WarmStartProgress {
  var step: Int
  var loss: Double
  /// The newest evaluation's pass@1 on the validation split.
  var accuracy: Double?
}

struct WarmStart {
  /// Indices of the train split from here on serve demonstrations; tickets count from 0.
  static let firstDemonstration = 1 << 40

  let settings: RunSettings
  let policy: Transformer<CPUBackend>
  let reader: PromptReader
  let exercises: any Exercises
  /// False takes all the steps, whatever the accuracy.
  var stopsWithinBand = true

  /// Trains the policy in place; its last pass@1. Nil when `pulse` said so; throws when the
  /// steps run out below the band.
  func run(
    pulse: Pulse, progress: (WarmStartProgress) -> Void
  ) throws(Failure) -> Double? {
    let section = settings.warmStart
    let optimizer = Optimizer(policy, settings: OptimizerSettings(clipNorm: 1))
    let trainer = SupervisedTrainer(
      policy: policy, optimizer: optimizer, microbatchTokens: settings.learner.microbatchTokens)
    var state = WarmStartProgress(step: 0, loss: 0, accuracy: nil)
    var interval = section.evaluateEvery
    var lastGood = (weights: policy.copyWeights(), moments: optimizer.state(), step: 0)
    while state.step < section.maximumSteps {
      if pulse.shouldStop() { return nil }
      let batch = (0..<section.batch).map { demonstration(state.step * section.batch + $0) }
      let warmUp = min(1, Double(state.step + 1) / Double(max(1, section.warmUpSteps)))
      state.loss = trainer.train(batch, learningRate: section.learningRate * warmUp)
      state.step += 1
      if state.step % interval == 0 || state.step == section.maximumSteps {
        guard let accuracy = evaluate(pulse) else { return nil }
        state.accuracy = accuracy
        progress(state)
        if stopsWithinBand, accuracy > section.stopAtMost {
          guard interval > 1 else { throw jumped(accuracy) }
          try restore(lastGood.weights, lastGood.moments, optimizer)
          state.step = lastGood.step
          interval = max(1, interval / 4)
          continue
        }
        if stopsWithinBand, accuracy >= section.stopAtLeast { return accuracy }
        lastGood = (policy.copyWeights(), optimizer.state(), state.step)
      } else {
        progress(state)
      }
    }
    if !stopsWithinBand, let accuracy = state.accuracy { return accuracy }
    throw Failure(
      "warm-start", on: settings.run.name,
      happened: "after \(state.step) steps pass@1 is \(state.accuracy ?? 0), below "
        + "warmStart.stopAtLeast = \(section.stopAtLeast)",
      remedy: "raise warmStart.maximumSteps or make the task easier", exitCode: .settings)
  }

  private func jumped(_ accuracy: Double) -> Failure {
    Failure(
      "warm-start", on: settings.run.name,
      happened: "one step takes pass@1 to \(accuracy), above warmStart.stopAtMost = "
        + "\(settings.warmStart.stopAtMost)",
      remedy: "lower warmStart.learningRate or widen the band", exitCode: .settings)
  }

  private func demonstration(_ index: Int) -> Demonstration {
    let exercise = exercises.exercise(
      seed: settings.run.seed, split: .train, index: Self.firstDemonstration + index)
    guard let worked = exercise.demonstration else {
      preconditionFailure("the task has no demonstrations, and its settings were not refused")
    }
    // A model's own token need not be one that its vocabulary calls so.
    let end =
      reader.turnEnd ?? policy.configuration.stopTokens.min() ?? reader.tokenizer.stopTokens.min()
    let stop = end.map { [$0] } ?? []
    return Demonstration(
      prompt: reader.tokens(exercise), completion: reader.tokenizer.encode(worked) + stop)
  }

  private func evaluate(_ pulse: Pulse) -> Double? {
    let plan = EvaluationPlan(
      split: .validation, prompts: settings.warmStart.evaluationPrompts, samples: 2,
      temperature: 1, isGreedyAsked: false, maximumNewTokens: settings.sampling.maximumNewTokens,
      seed: settings.run.seed)
    return Evaluator(policy: policy, reader: reader, exercises: exercises)
      .evaluate(plan, pulse: pulse)?.strict
  }

  private func restore(
    _ weights: [NamedTensor], _ moments: SafetensorsBlob, _ optimizer: Optimizer<CPUBackend>
  ) throws(Failure) {
    do {
      try policy.load(weights)
      try optimizer.load(moments, source: "the warm start's last evaluation")
    } catch {
      throw Failure(
        "go back to", on: "the warm start's last evaluation", happened: "\(error)",
        remedy: "", exitCode: .internal)
    }
  }
}
