// A handful of completions for the report: what the policy wrote at the first step and at the last,
// right and wrong, and the one training found furthest from its own distribution.

import Documents
import Experience
import Operations
import Replay

struct ReportSamples {
  /// Rows looked through for one that is plainly wrong.
  static let candidates = 64

  private let look: LedgerLook

  init(_ look: LedgerLook) { self.look = look }

  /// Of a run's ledger; none where there is no ledger yet.
  static func gather(_ run: RunFolder) throws -> [ReportSample] {
    guard Files.exists(run.ledger) else { return [] }
    return try ReportSamples(LedgerLook(run)).all()
  }

  func all() throws -> [ReportSample] {
    let steps = try look.reader.committedSteps()
    guard steps > 0 else { return [] }
    var samples: [ReportSample] = []
    var seen: Set<String> = []
    func add(_ place: String, _ filter: TrajectoryFilter) throws {
      let rows = try look.reader.trajectories(filter, limit: Self.candidates)
      // One that is right in a wrong format tells less of what is wrong than a wrong one.
      guard let row = rows.first(where: { $0.correctness != "lenient" }) ?? rows.first,
        seen.insert("\(row.key.number)/\(row.sample)").inserted,
        let whole = try look.whole(row.key, sample: row.sample)
      else { return }
      samples.append(sample(place, whole))
    }
    for step in steps > 1 ? [0, steps - 1] : [0] {
      for isStrict in [false, true] {
        var filter = TrajectoryFilter()
        filter.steps = step...step
        filter.isStrict = isStrict
        // The best of the wrong ones fail for the least reason, which tells the most.
        filter.order = .reward
        try add("Step \(step)", filter)
      }
    }
    var filter = TrajectoryFilter()
    filter.purpose = .train
    filter.ratioAbove = 1
    filter.order = .ratio
    try add("The greatest ratio of the run", filter)
    return samples
  }

  private func sample(_ place: String, _ whole: WholeTrajectory) -> ReportSample {
    let words = ["strict": "right", "lenient": "right in a wrong format", "no": "wrong"]
    var title = "\(place): \(whole.group.exercise), \(words[whole.row.correctness] ?? "")"
    if let trained = whole.row.trained, trained.ratioGreatest > 1 {
      title += ", ratio up to \(RunView.format(Double(trained.ratioGreatest), 2))"
    }
    return ReportSample(
      title: title, prompt: look.text(whole.group.prompt),
      completion: look.text(whole.trajectory.completion.tokens),
      reward: Double(whole.trajectory.verdict.reward), reason: whole.row.reason)
  }
}
