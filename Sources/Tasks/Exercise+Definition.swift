// What a task is, told by what it does: the exercises it makes and the verdicts it gives, as text.
//
// Two builds whose tasks carry one name may still make other exercises or judge otherwise, and
// groups of both in one run would be two tasks mixed. A version number would have to be remembered
// with every change; what the code does on a few fixed addresses changes by itself.

import Experience

extension Exercises {
  /// Exercises of each split by this seed, one a line.
  public func taskDefinition(seed: UInt64) -> String {
    var lines = ["alphabet \(String(alphabet ?? []))", "tags \(tags)"]
    for split in Split.allCases {
      let count = count(in: split)
      lines.append("\(split.rawValue) \(count.map { "\($0)" } ?? "without end")")
      for index in 0..<min(DefinitionLimits.exercises, count ?? .max) {
        let made = exercise(seed: seed, split: split, index: index)
        lines.append("\(made.name) | \(made.prompt) | \(made.answer) | \(made.demonstration ?? "")")
        lines += made.messages.map { "  \($0.role): \($0.content)" }
      }
    }
    return lines.joined(separator: "\n")
  }

  /// Verdicts on right, wrong, cut off and formless completions, one a line.
  public func verifierDefinition(seed: UInt64) -> String {
    guard verdictSeconds == 0 else { return programDefinition(seed: seed) }
    var lines: [String] = []
    for index in 0..<min(DefinitionLimits.judged, count(in: .train) ?? .max) {
      let made = exercise(seed: seed, split: .train, index: index)
      let shown = made.demonstration ?? made.answer
      let wrong = made.answer + "1"
      for completion in [shown, shown + shown, shown + "0", made.answer, wrong, "0", ""] {
        for isTruncated in [false, true] {
          let verdict = judge(
            made, completion: completion, tokenCount: completion.count, isTruncated: isTruncated)
          let parts = verdict.parts.map { "\($0.part) \($0.value) at \($0.position)" }
          lines.append(
            "\(made.name) | \(completion) | \(parts) | \(verdict.reason) | "
              + "\(verdict.isStrictlyCorrect) | \(verdict.isLenientlyCorrect)")
        }
      }
    }
    return lines.joined(separator: "\n")
  }
}

extension Exercises {
  /// A program's verdicts take their time and its words may change from one to the next: it is
  /// asked once, whether it is there and knows a right answer.
  private func programDefinition(seed: UInt64) -> String {
    let made = exercise(seed: seed, split: .train, index: 0)
    let shown = made.demonstration ?? made.answer
    let verdict = judge(
      made, completion: shown, tokenCount: shown.count, isTruncated: false)
    return "a program says of \(made.name): \(verdict.isStrictlyCorrect), "
      + "\(verdict.isLenientlyCorrect)"
  }
}

/// Enough that a change of a rule shows, few enough to cost nothing at the start of a process.
private enum DefinitionLimits {
  static let exercises = 64
  static let judged = 16
}
