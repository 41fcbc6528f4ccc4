// The policy a run begins with: read from a folder, or made and warm-started. Without a folder of
// its own, so a preflight can make one and leave nothing behind.

import Operations
import Policy
import Tensors

struct FirstModel {
  let parts: RunParts
  let say: (String) -> Void
  let pulse: Pulse

  /// Fills the weights; false when asked to stop on the way.
  func make(_ policy: Transformer<CPUBackend>) throws -> Bool {
    let settings = parts.settings
    guard settings.model.path.isEmpty else {
      try ModelFolder(path: settings.model.path).load(into: policy)
      return true
    }
    policy.initialize(seed: settings.run.seed)
    say("made a model of \(RunView.count(Double(policy.parameterCount))) parameters")
    return try settings.warmStart.maximumSteps == 0 || warmStart(policy)
  }

  private func warmStart(_ policy: Transformer<CPUBackend>) throws -> Bool {
    let section = parts.settings.warmStart
    say(
      "warm start: supervised learning until pass@1 lies in \(section.stopAtLeast) to "
        + "\(section.stopAtMost)")
    let warmStart = WarmStart(
      settings: parts.settings, policy: policy, reader: parts.reader,
      exercises: parts.exercises)
    let began = MonotonicClock.now
    let accuracy = try warmStart.run(pulse: pulse) { progress in
      if progress.step % section.evaluateEvery == 0, let accuracy = progress.accuracy {
        say(
          "  step \(progress.step): loss \(RunView.format(progress.loss, 3)) nats a token, "
            + "pass@1 \(RunView.format(accuracy, 3))")
      }
    }
    guard let accuracy else { return false }
    say(
      "warm start done in \(RunView.clock(MonotonicClock.seconds(since: began))): pass@1 "
        + "\(RunView.format(accuracy, 3)) on the validation split")
    return true
  }
}

extension ModelSection {
  var workingPrecision: WorkingPrecision { precision == .bf16 ? .bf16 : .f32 }
}
