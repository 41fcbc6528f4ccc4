// Which level of a curriculum a ticket is of. It follows from the committed steps alone, so a
// ticket that is reissued, or granted after a restart or in a fork, is of the level it always was.

import Documents
import Experience
import Wire

extension Ledger {
  /// Nil without a curriculum, and offline, where nobody samples.
  func level(of number: Int) -> Int? {
    guard let rules = configuration.curriculum, !configuration.isOffline else { return nil }
    // Committed whenever the ticket may be granted, and the same however far the run is by then.
    let version = max(0, number / configuration.groupsPerStep - configuration.lagMax)
    let open = openings.lastIndex { $0 <= version } ?? 0
    return rules.level(ofTicket: number, seed: configuration.seed, open: open)
  }

  /// A group of another level is another ticket's work.
  func judgeLevel(_ arrival: Arrival) -> Refusal? {
    let expected = level(of: arrival.key.number)
    guard arrival.level != expected else { return nil }
    func words(_ level: Int?) -> String { level.map { "level \($0)" } ?? "no level" }
    return Refusal(
      .invalid,
      "\(arrival.key) is of \(words(expected)), and the group was sampled at "
        + words(arrival.level))
  }

  /// How the pool stands after the last commit.
  var curriculum: CurriculumState { lastCommit?.curriculum ?? .init() }

  /// Why a step cannot leave the pool so; nil when it can.
  func judgeCurriculum(_ state: CurriculumState?) -> Refusal? {
    guard let rules = configuration.curriculum else {
      return state == nil
        ? nil : Refusal(.invalid, "the commit has a curriculum's state, and the run has none")
    }
    guard let state else {
      return Refusal(.invalid, "the commit has no state of the run's curriculum")
    }
    let levels = curriculum.level...min(curriculum.level + 1, rules.levels - 1)
    guard levels.contains(state.level) else {
      return Refusal(
        .invalid,
        "the commit leaves the curriculum at level \(state.level); it stands at "
          + "\(curriculum.level) of \(rules.levels), and a step opens one at the most")
    }
    return nil
  }

  mutating func openLevel(_ commit: StepCommit) {
    if commit.curriculum?.level == openings.count { openings.append(commit.version.number) }
  }

  var curriculumStatus: [(String, Document)] {
    guard let rules = configuration.curriculum else { return [] }
    return [
      (
        "curriculum",
        .object([
          ("level", .integer(curriculum.level)), ("levels", .integer(rules.levels)),
          ("correct", .integer(curriculum.correct)), ("count", .integer(curriculum.count)),
          ("window", .integer(rules.window)), ("threshold", .number(rules.threshold)),
        ])
      )
    ]
  }
}
