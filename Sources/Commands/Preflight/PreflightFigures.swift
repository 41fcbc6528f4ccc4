// What a preflight measured, and the time the run will therefore take: arithmetic alone.
//
//   sampling  tokens of a step's completions / tokens a second with all threads
//   learning  seconds of the groups that have spread, and what every step takes besides
//   step      sampling + learning + its shares of evaluations and checkpoints
//
// Learner and actors of one host share its cores, so their times add up, whatever the lag is.

import Documents
import Operations

/// A completion of the sample, to read.
package struct PreflightSample: Sendable {
  package var prompt: String
  package var completion: String
  package var reward: Double
  package var reason: String

  package init(prompt: String, completion: String, reward: Double, reason: String) {
    self.prompt = prompt
    self.completion = completion
    self.reward = reward
    self.reason = reason
  }
}

package struct PreflightFigures: Sendable {
  package var prompts = 0
  package var samples = 0
  /// Means over the completions, shares 0 to 1.
  package var reward = 0.0
  package var strict = 0.0
  package var lenient = 0.0
  package var truncated = 0.0
  package var meanLength = 0.0
  /// Verdicts that never came about.
  package var invalid = 0
  /// Share of the groups whose rewards differ.
  package var spread = 0.0
  /// Sampled, by all threads.
  package var tokensPerSecond = 0.0
  /// Of the learner for one group with spread, and for every step besides.
  package var groupSeconds = 0.0
  package var fixedSeconds = 0.0
  package var checkpointSeconds = 0.0
  /// A group as an actor submits it.
  package var groupBytes = 0
  package var shown: [PreflightSample] = []

  package init() {}

  package var document: Document {
    .object([
      ("prompts", .integer(prompts)), ("samples", .integer(samples)), ("reward", .number(reward)),
      ("strict", .number(strict)), ("lenient", .number(lenient)),
      ("truncated", .number(truncated)), ("mean_length", .number(meanLength)),
      ("invalid_verdicts", .integer(invalid)), ("spread", .number(spread)),
      ("tokens_per_second", .number(tokensPerSecond)), ("group_seconds", .number(groupSeconds)),
      ("fixed_seconds", .number(fixedSeconds)), ("checkpoint_seconds", .number(checkpointSeconds)),
      ("group_bytes", .integer(groupBytes)),
    ])
  }
}

/// How long the run takes by these figures.
package struct TimeForecast: Sendable {
  package let samplingSeconds: Double
  package let learningSeconds: Double
  /// The same if every group had spread.
  package let mostLearningSeconds: Double
  /// Of one step, its share of evaluations and checkpoints with it.
  package let stepSeconds: Double
  /// Of the evaluation before or the one after.
  package let evaluationSeconds: Double

  package init(_ figures: PreflightFigures, _ settings: RunSettings) {
    let groups = settings.learner.groupsPerStep
    let secondsPerToken = figures.tokensPerSecond > 0 ? 1 / figures.tokensPerSecond : 0
    let secondsPerCompletion = figures.meanLength * secondsPerToken
    // Elsewhere nobody knows how fast they are.
    samplingSeconds =
      settings.actor.count > 0
      ? Double(groups * settings.sampling.groupSize) * secondsPerCompletion : 0
    let trained = figures.spread * Double(groups) + Double(settings.replay.reusedGroups)
    learningSeconds = trained * figures.groupSeconds + figures.fixedSeconds
    mostLearningSeconds =
      Double(groups + settings.replay.reusedGroups) * figures.groupSeconds + figures.fixedSeconds
    let evaluation = settings.evaluation
    let validation =
      evaluation.every > 0
      ? Double(evaluation.prompts * evaluation.samples) * secondsPerCompletion
        / Double(evaluation.every) : 0
    stepSeconds =
      samplingSeconds + learningSeconds + validation
      + figures.checkpointSeconds / Double(settings.learner.checkpointEvery)
    evaluationSeconds =
      Double(evaluation.finalPrompts * (evaluation.finalSamples + 1)) * secondsPerCompletion
  }

  /// From now on: with the evaluations before and after.
  package func seconds(steps: Int) -> Double {
    Double(steps) * stepSeconds + 2 * evaluationSeconds
  }

  package func steps(within seconds: Double) -> Int {
    guard stepSeconds > 0 else { return .max }
    let left = max(0, seconds - 2 * evaluationSeconds)
    return Int(min(left / stepSeconds, 1e9))
  }
}
