// How a run stands, gathered from what it leaves anyway: the lines of metrics.jsonl and replay's
// answer to `status`. The live view, the plain lines and `forage status` all read this.

import Documents
import Operations

/// An evaluation while training.
package struct RunEvaluation: Sendable {
  package var version: Int
  package var accuracy: Double
  /// Half the width of its 95 % interval; nil in the metrics of an older build.
  package var interval: Double?
  package var reward: Double

  /// "62 % ± 6"
  package var words: String {
    RunView.percent(accuracy) + (interval.map { " ± \(RunView.format($0 * 100, 0))" } ?? "")
  }
}

/// A run, seen from outside.
package struct RunState {
  /// Records kept for sparklines and rates.
  package static let window = 400

  package var name: String
  package var steps: Int
  /// The newest step's records, oldest first.
  package private(set) var records: [Document] = []
  /// Steps recorded so far: the number of the newest plus one.
  package private(set) var step = 0
  /// Lines of steps heard, also of steps that a resumed learner takes again: it is at work.
  package private(set) var stepsHeard = 0
  package private(set) var evaluations: [RunEvaluation] = []
  /// Replay's own account; nil when it did not answer.
  package var status: Document?
  /// What the processes of this host wrote of themselves.
  package var accounts: [ProcessAccount] = []
  /// Alarms that stand.
  package var alarms: [Alarm] = []
  /// Replay holds its lock and did not answer.
  package var isReplaySilent = false

  package var graph: WaitGraph {
    WaitGraph(accounts: accounts, status: status, isReplaySilent: isReplaySilent)
  }

  package init(name: String, steps: Int) {
    self.name = name
    self.steps = steps
  }

  package mutating func take(_ documents: [Document]) {
    for document in documents {
      if let version = document["evaluation"]?.integerValue {
        evaluations.removeAll { $0.version >= version }
        evaluations.append(
          RunEvaluation(
            version: version, accuracy: document.number("eval/pass@1") ?? 0,
            interval: document.number("eval/pass@1_interval"),
            reward: document.number("eval/reward") ?? 0))
      } else if let number = document["step"]?.integerValue {
        // A resumed run takes steps again; the newest line of a step is the one that counts.
        records.removeAll { ($0["step"]?.integerValue ?? -1) >= number }
        records.append(document)
        if records.count > Self.window { records.removeFirst() }
        step = number + 1
        stepsHeard += 1
      }
    }
  }

  /// The newest value of a metric; nil before the first step.
  package func latest(_ metric: String) -> Double? { records.last?[metric]?.numberValue }

  /// The mean of a metric over the newest `count` steps that have it.
  package func mean(_ metric: String, over count: Int) -> Double? {
    let values = records.suffix(count).compactMap { $0[metric]?.numberValue }
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  package func series(_ metric: String) -> [Double] {
    records.compactMap { $0[metric]?.numberValue }
  }

  /// Seconds to the last step at the pace of the newest steps.
  package var secondsLeft: Double? {
    mean("time/step", over: 20).map { $0 * Double(max(0, steps - step)) }
  }
}

extension Document {
  /// The member's number or text; nil when it has none.
  func number(_ key: String) -> Double? {
    guard let member = self[key] else { return nil }
    return member.numberValue
  }

  func text(_ key: String) -> String? {
    guard let member = self[key] else { return nil }
    return member.stringValue
  }

  var integerValue: Int? {
    if case .integer(let number) = value { return number }
    return nil
  }

  var numberValue: Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  var stringValue: String? {
    if case .string(let text) = value { return text }
    return nil
  }

  var elements: [Document] {
    if case .array(let elements) = value { return elements }
    return []
  }
}
