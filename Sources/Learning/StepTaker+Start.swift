// A step taker in the state of a checkpoint: policy, reference and the optimizer's state, checked
// against what the checkpoint says of itself.

import Experience
import Operations
import Policy

extension StepTaker {
  /// `reference` is the folder of the frozen model: the first model of the run.
  public static func start(
    at loaded: LoadedCheckpoint, timeline: TrainingTimeline, threads: Int,
    checkpoints: Checkpoints
  ) throws -> StepTaker {
    let policy = CPUTransformer(configuration: loaded.model.configuration, threads: threads)
    try loaded.model.load(into: policy)
    guard policy.digest() == loaded.state.version.digest else {
      throw Failure(
        "load", on: checkpoints.path(loaded.name),
        happened: "its weights have digest \(policy.digest().short), its state says "
          + loaded.state.version.digest.short,
        remedy: "use an older checkpoint: move this folder away", exitCode: .badInput)
    }
    var reference: CPUTransformer?
    if timeline.needsReference {
      let first = try checkpoints.load(Checkpoints.name(step: 0))
      let frozen = CPUTransformer(configuration: first.model.configuration, sharing: policy)
      try first.model.load(into: frozen)
      reference = frozen
    }
    let settings = timeline.settings(at: loaded.state.version.number)
    let optimizer = CPUOptimizer(policy, settings: settings.optimizer)
    try optimizer.load(path: loaded.optimizerPath)
    let trainer = CohortTrainer(
      policy: policy, reference: reference, optimizer: optimizer, objective: settings.objective,
      schedule: settings.schedule, microbatchTokens: settings.microbatchTokens,
      shufflesRewards: settings.shufflesRewards)
    return StepTaker(trainer: trainer, timeline: timeline, state: loaded.state)
  }
}
