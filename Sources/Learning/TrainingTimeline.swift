// The settings a run's steps are taken with, by step: a run that was resumed with another learning
// rate has two, and whoever repeats it needs both.

import Experience
import Objectives
import Operations
import Policy
import Wire

/// What of a run's settings a step depends on.
public struct TrainingSettings: Sendable {
  public var objective: GRPOSettings
  public var schedule: LearningRateSchedule
  public var optimizer: OptimizerSettings
  public var microbatchTokens: Int
  public var shufflesRewards: Bool
  /// The moments enter the chain where a checkpoint is due: at every such step and at the last.
  public var checkpointEvery: Int
  public var steps: Int

  /// `source` names the settings in errors.
  public init(_ settings: RunSettings, source: String) throws {
    let section = settings.learner
    objective = try GRPOSettings(
      settings.objective, source: source, maximumNewTokens: settings.sampling.maximumNewTokens)
    schedule = LearningRateSchedule(
      peak: section.learningRate, final: section.finalLearningRate,
      warmUpSteps: section.warmUpSteps, steps: settings.run.steps)
    optimizer = OptimizerSettings(
      beta1: section.beta1, beta2: section.beta2, epsilon: section.epsilon,
      weightDecay: section.weightDecay, clipNorm: section.clipNorm)
    microbatchTokens = section.microbatchTokens
    shufflesRewards = section.shufflesRewards
    checkpointEvery = section.checkpointEvery
    steps = settings.run.steps
  }
}

public struct TrainingTimeline: Sendable {
  /// In order of step, the first at 0.
  private let spans: [(step: Int, settings: TrainingSettings)]
  /// The same at every step: a run that began with it ends with it. Nil without a curriculum.
  public let curriculum: CurriculumRules?

  /// `settings` from each step on; the first counts from the beginning.
  public init(_ settings: [(step: Int, settings: RunSettings)], source: String) throws {
    precondition(!settings.isEmpty, "a run without settings")
    var spans: [(step: Int, settings: TrainingSettings)] = []
    for (index, span) in settings.sorted(by: { $0.step < $1.step }).enumerated() {
      spans.append(
        (index == 0 ? 0 : span.step, try TrainingSettings(span.settings, source: source)))
    }
    self.spans = spans
    curriculum = try CurriculumRules.read(task: settings[0].settings.task, source: source)?.rules
  }

  public func settings(at step: Int) -> TrainingSettings {
    (spans.last { $0.step <= step } ?? spans[0]).settings
  }

  /// Some step needs the frozen model.
  public var needsReference: Bool { spans.contains { $0.settings.objective.needsReference } }
}
