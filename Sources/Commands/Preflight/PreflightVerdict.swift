// What a preflight says: a few lines of figures, a sentence on time, and the reasons to refuse,
// each with the number it is held against and what to change.

import Documents
import Operations

/// Why a run is not begun.
package struct PreflightRefusal: Equatable, Sendable {
  package var what: String
  package var remedy: String

  /// Of a list: all of them, and how to go on all the same.
  static func failure(_ refusals: [PreflightRefusal], on run: String, wayOn: String) -> Failure {
    Failure(
      "begin", on: run, happened: refusals.map(\.what).joined(separator: "; "),
      remedy: refusals.map(\.remedy).joined(separator: "; ") + "; or \(wayOn)",
      exitCode: .unpromising)
  }
}

package struct PreflightVerdict: Sendable {
  package let figures: PreflightFigures
  private let settings: RunSettings
  private let stepsLeft: Int
  /// Nil where no hours were given.
  private let secondsLeft: Double?
  package let time: TimeForecast

  package init(
    _ figures: PreflightFigures, _ settings: RunSettings, stepsLeft: Int, secondsLeft: Double?
  ) {
    self.figures = figures
    self.settings = settings
    self.stepsLeft = stepsLeft
    self.secondsLeft = secondsLeft
    time = TimeForecast(figures, settings)
  }

  /// Steps that the hours given have time for, all that are left at the most.
  private var stepsInTime: Int {
    min(stepsLeft, secondsLeft.map(time.steps(within:)) ?? stepsLeft)
  }

  // MARK: Words

  package var lines: [String] {
    [
      "\(figures.prompts) prompts x \(figures.samples) samples of the first model: reward "
        + "\(RunView.format(figures.reward, 3)), strict \(RunView.percent(figures.strict)), "
        + "\(RunView.percent(figures.truncated)) truncated, "
        + "\(RunView.percent(figures.spread)) of groups have spread",
      "\(RunView.count(figures.tokensPerSecond)) tokens/s sampled, a step in "
        + "\(Self.duration(time.stepSeconds)): \(Self.duration(time.samplingSeconds)) sampling, "
        + "\(Self.duration(time.learningSeconds)) learning"
        + (figures.spread < 0.9
          ? " (\(Self.duration(time.mostLearningSeconds)) if all groups had spread)" : "")
        + (settings.actor.count == 0 ? "; how fast actors elsewhere are is not known" : ""),
      sentence,
    ]
  }

  /// "15 of 200 steps by 07:00"
  package var sentence: String {
    if let secondsLeft, stepsInTime < stepsLeft {
      return "\(stepsInTime) of \(stepsLeft) steps by \(WallClock.moment(after: secondsLeft))"
    }
    let seconds = time.seconds(steps: stepsLeft)
    return "all \(stepsLeft) steps in about \(RunView.clock(seconds)), by "
      + WallClock.moment(after: seconds)
  }

  static func duration(_ seconds: Double) -> String {
    if seconds < 1 { return "\(RunView.format(seconds * 1000, seconds < 0.01 ? 1 : 0)) ms" }
    return seconds < 60 ? "\(RunView.format(seconds, 1)) s" : RunView.clock(seconds)
  }

  // MARK: Reasons to refuse

  package var refusals: [PreflightRefusal] {
    [spread, truncation, hours, stall].compactMap { $0 }
  }

  private var spread: PreflightRefusal? {
    let least = settings.preflight.leastSpread
    guard figures.spread < least else { return nil }
    return PreflightRefusal(
      what: "\(RunView.percent(figures.spread)) of \(figures.prompts) groups have spread, and "
        + "preflight.leastSpread is \(RunView.percent(least)): with rewards all alike "
        + "(\(RunView.format(figures.reward, 3)) on average) there is nothing to learn from",
      remedy: figures.strict > 0.5
        ? "take a harder task" : "take an easier task, a better model or more sampling.groupSize")
  }

  private var truncation: PreflightRefusal? {
    let most = settings.preflight.mostTruncated
    guard figures.truncated > most else { return nil }
    return PreflightRefusal(
      what: "\(RunView.percent(figures.truncated)) of completions are cut at "
        + "sampling.maximumNewTokens = \(settings.sampling.maximumNewTokens), and "
        + "preflight.mostTruncated is \(RunView.percent(most))",
      remedy: "raise sampling.maximumNewTokens")
  }

  private var hours: PreflightRefusal? {
    let least = min(settings.preflight.leastSteps, stepsLeft)
    guard secondsLeft != nil, stepsInTime < least else { return nil }
    return PreflightRefusal(
      what: "\(sentence), and preflight.leastSteps is \(settings.preflight.leastSteps)",
      remedy: "give more --hours, or lower learner.groupsPerStep, sampling.groupSize, "
        + "sampling.maximumNewTokens or evaluation.finalPrompts")
  }

  /// The supervisor would end such a run for want of steps.
  private var stall: PreflightRefusal? {
    let limit = settings.supervisor.stallSeconds
    let longest = time.samplingSeconds + time.mostLearningSeconds + figures.checkpointSeconds
    guard longest > limit / 2 else { return nil }
    return PreflightRefusal(
      what: "a step will take about \(Self.duration(longest)), and supervisor.stallSeconds ends a "
        + "run after \(RunView.format(limit, 0)) s without one",
      remedy: "set supervisor.stallSeconds to \(Int((longest * 5).rounded(.up)))")
  }
}
