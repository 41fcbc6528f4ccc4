// A setting that is another one than a run was begun with, and what may be done about it: the one
// table of which settings a resume may change.

import Documents

public struct SettingsChange: Sendable, Equatable, CustomStringConvertible {
  public enum Kind: String, Sendable {
    /// No number of a run depends on it: changed at will, and said.
    case free
    /// The run is another one from here on: refused, unless it is named. Recorded with its step.
    case recorded
    /// What is on disk already follows from it: a run that began with it ends with it.
    case fixed
  }

  /// Dotted: "learner.learningRate".
  public var key: String
  /// "" where there was none.
  public var old: String
  public var new: String

  public var description: String {
    "\(key) from \(old.isEmpty ? "nothing" : old) to \(new.isEmpty ? "nothing" : new)"
  }

  public var kind: Kind {
    // Another path is another place; a file in place of lines of the one, or the reverse, deals
    // anew.
    let isSplit = key == "task.heldOutFile" || key == "task.validationFile"
    let none = ["", "\"\""]
    if isSplit, none.contains(old) != none.contains(new) { return .fixed }
    return Self.kind(of: key)
  }

  /// A key that is in neither list is one that a step may depend on.
  public static func kind(of key: String) -> Kind {
    func isIn(_ list: [String]) -> Bool { list.contains { key == $0 || key.hasPrefix($0 + ".") } }
    if key.hasPrefix("task."), !isIn(words) { return .fixed }
    return isIn(fixed) ? .fixed : isIn(free) ? .free : .recorded
  }

  private static let free = [
    "run.name", "run.threads", "learner.threads", "learner.keepCheckpoints",
    "learner.checkpointMinutes", "actor", "network", "supervisor", "trace", "preflight",
    "alarms", "metrics", "evaluation.every", "replay.ticketLeaseSeconds", "replay.commitGroups",
    "replay.commitWaitMilliseconds", "replay.maximumGroupBytes", "replay.maximumQueuedBytes",
    "replay.diskReserveBytes",
  ]
  /// Tickets that are granted, groups that are stored and the first model follow from these.
  private static let fixed = [
    "format", "run.seed", "model", "warmStart", "sampling.groupSize", "learner.groupsPerStep",
    "evaluation.prompts", "evaluation.samples", "replay.source",
  ]
  /// How a task asks, judges and pays. All else of it says which exercises there are and which
  /// split each is in: dealt anew, what was trained on would be measured as held out.
  private static let words = [
    "task.verifier", "task.correctReward", "task.formatReward", "task.template",
    "task.exampleTemplate", "task.gold", "task.system", "task.chat", "task.style", "task.file",
    "task.validationFile", "task.heldOutFile",
  ]

  /// What differs, in the order of the new settings. A number counts by its value.
  public static func between(_ old: RunSettings, _ new: RunSettings) -> [SettingsChange] {
    let olds = leaves(old.resolved, path: "")
    let news = leaves(new.resolved, path: "")
    var changes: [SettingsChange] = []
    for leaf in news {
      let before = olds.first { $0.path == leaf.path }?.text ?? ""
      if before == leaf.text { continue }
      if let left = Double(before), let right = Double(leaf.text), left == right { continue }
      changes.append(SettingsChange(key: leaf.path, old: before, new: leaf.text))
    }
    for leaf in olds where !news.contains(where: { $0.path == leaf.path }) {
      changes.append(SettingsChange(key: leaf.path, old: leaf.text, new: ""))
    }
    return changes
  }

  /// Throws, naming every key with both values, unless each change may be made: free ones may, and
  /// recorded ones that `allowed` names. `on` is the run.
  public static func check(
    _ changes: [SettingsChange], allowed: [String], on run: String
  ) throws(Failure) {
    let fixed = changes.filter { $0.kind == .fixed }
    guard fixed.isEmpty else {
      throw Failure(
        "go on with", on: run,
        happened: "changed: " + fixed.map(\.description).joined(separator: ", ")
          + "; what the run has made so far follows from it",
        remedy: "change it back, or begin another run with it", exitCode: .settings)
    }
    let refused = changes.filter { $0.kind == .recorded && !allowed.contains($0.key) }
    guard refused.isEmpty else {
      throw Failure(
        "go on with", on: run,
        happened: "changed: " + refused.map(\.description).joined(separator: ", "),
        remedy: "change it back, or allow it with --allow-change "
          + refused.map(\.key).joined(separator: ","), exitCode: .settings)
    }
  }

  /// Every value that is no mapping, by dotted path.
  private static func leaves(
    _ document: Document, path: String
  ) -> [(path: String, text: String)] {
    switch document.value {
    case .object(let members):
      members.flatMap { leaves($0.value, path: path.isEmpty ? $0.key : "\(path).\($0.key)") }
    case .plain(let text), .string(let text): [(path, text)]
    default: [(path, JSON.write(document))]
    }
  }
}
