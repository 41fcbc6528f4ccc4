// A handful of completions for the report: what the policy wrote at the first step and at the last,
// right and wrong, and the one training found furthest from its own distribution.

import Documents
import Experience
import Operations
import Replay

struct ReportSamples {
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
    func add(_ title: String, _ filter: TrajectoryFilter) throws {
      guard let row = try look.reader.trajectories(filter, limit: 1).first,
        seen.insert("\(row.key.number)/\(row.sample)").inserted,
        let whole = try look.whole(row.key, sample: row.sample)
      else { return }
      samples.append(sample(title, whole))
    }
    for step in steps > 1 ? [0, steps - 1] : [0] {
      for isStrict in [false, true] {
        var filter = TrajectoryFilter()
        filter.steps = step...step
        filter.isStrict = isStrict
        // The best of the wrong ones fail for the least reason, which tells the most.
        filter.order = .reward
        try add("Step \(step), \(isStrict ? "right" : "wrong")", filter)
      }
    }
    var filter = TrajectoryFilter()
    filter.purpose = .train
    filter.ratioAbove = 1
    filter.order = .ratio
    try add("The greatest ratio of the run", filter)
    return samples
  }

  private func sample(_ title: String, _ whole: WholeTrajectory) -> ReportSample {
    var title = "\(title): \(whole.group.exercise)"
    if let trained = whole.row.trained, trained.ratioGreatest > 1 {
      title += ", ratio up to \(RunView.format(Double(trained.ratioGreatest), 2))"
    }
    return ReportSample(
      title: title, prompt: look.text(whole.group.prompt),
      completion: look.text(whole.trajectory.completion.tokens),
      reward: Double(whole.trajectory.verdict.reward), reason: whole.row.reason)
  }
}
