// An alarm: something a person would want to be woken for, or at least to read of in the morning.

import Documents

/// What a run can call attention to.
package enum AlarmKind: String, CaseIterable, Sendable {
  case truncation
  case noSpread = "no-spread"
  case flatReward = "flat-reward"
  case entropy
  case divergence = "kl"
  case format
  case actorGone = "actor-gone"
  case disk

  /// What to do about it.
  package var remedy: String {
    switch self {
    case .truncation: "raise sampling.maximumNewTokens, or set objective.truncation"
    case .noSpread: "an easier or a harder task, or a larger sampling.groupSize"
    case .flatReward: "look at spread and gradient norm; stop, or change learner.learningRate"
    case .entropy: "a smaller learner.learningRate, objective.entropyBonus, or a fork further back"
    case .divergence: "a smaller learner.learningRate or a larger objective.beta"
    case .format: "read completions (forage inspect); show the format in the prompt"
    case .actorGone: "look at its log, or start it again on its host"
    case .disk: "make room, or lower learner.keepCheckpoints"
    }
  }
}

/// One that stands.
package struct Alarm: Equatable, Sendable {
  package var kind: AlarmKind
  /// The step whose figure raised it.
  package var step: Int
  package var figure: Double
  package var limit: Double
  /// The figure in words.
  package var text: String

  package var line: String { "alarm \(kind.rawValue) since step \(step): \(text)" }

  package init(kind: AlarmKind, step: Int, figure: Double, limit: Double, text: String) {
    self.kind = kind
    self.step = step
    self.figure = figure
    self.limit = limit
    self.text = text
  }
}

/// One that was raised or cleared: a line of alarms.jsonl.
package struct AlarmEvent: Equatable, Sendable {
  package var alarm: Alarm
  package var isRaised: Bool
  /// Local wall time, for people; "" where nobody noted it.
  package var time = ""

  package init(alarm: Alarm, isRaised: Bool, time: String = "") {
    self.alarm = alarm
    self.isRaised = isRaised
    self.time = time
  }

  package var line: String {
    isRaised
      ? "alarm \(alarm.kind.rawValue) at step \(alarm.step): \(alarm.text); \(alarm.kind.remedy)"
      : "alarm \(alarm.kind.rawValue) is over at step \(alarm.step): \(alarm.text)"
  }

  package var document: Document {
    .object([
      ("alarm", .string(alarm.kind.rawValue)), ("event", .string(isRaised ? "raised" : "cleared")),
      ("step", .integer(alarm.step)), ("figure", .number(alarm.figure)),
      ("limit", .number(alarm.limit)), ("text", .string(alarm.text)),
      ("remedy", .string(alarm.kind.remedy)), ("time", .string(time)),
    ])
  }

  /// Nil for a line of a kind that this build does not know.
  package init?(_ document: Document) {
    guard let kind = document.text("alarm").flatMap(AlarmKind.init(rawValue:)),
      let event = document.text("event"), let step = document["step"]?.integerValue
    else { return nil }
    alarm = Alarm(
      kind: kind, step: step, figure: document.number("figure") ?? .nan,
      limit: document.number("limit") ?? .nan, text: document.text("text") ?? "")
    isRaised = event == "raised"
    time = document.text("time") ?? ""
  }
}
