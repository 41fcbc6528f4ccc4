// A ledger in a few lines: how far the run is and what it holds.

import Documents
import Experience
import Replay
import Wire

struct LedgerSummary {
  private let overview: LedgerOverview
  private let evaluations: [EvaluationSummary]

  init(_ reader: LedgerReader) throws(LedgerError) {
    overview = try reader.overview()
    evaluations = try reader.evaluations()
  }

  /// The newest step committed.
  var lastStep: Int? { overview.version.flatMap { $0.number > 0 ? $0.number - 1 : nil } }

  var text: String {
    var lines = [
      "\(overview.lineage): \(overview.version?.number ?? 0) steps committed, learner epoch "
        + "\(overview.epoch)",
      "  \(overview.trainingGroups) training groups, \(overview.evaluationGroups) evaluation "
        + "groups, \(RunView.count(Double(overview.tokens))) tokens",
    ]
    if let parent = overview.parent { lines.append("  \(parent)") }
    if let source = overview.source {
      lines.append("  offline: learns from \(overview.sourceLineage ?? "?") in \(source)")
    }
    if let lease = overview.lease {
      lines.append("  a batch of \(lease.all.count) groups is leased")
    }
    for drop in overview.dropped {
      lines.append(
        "  dropped as \(drop.reason): \(drop.groups) groups, "
          + "\(RunView.count(Double(drop.tokens))) tokens")
    }
    for evaluation in evaluations {
      lines.append(
        "  version \(evaluation.version) on \(evaluation.prompts) validation prompts: pass@1 "
          + "\(RunView.format(evaluation.strict, 3)), pass@\(evaluation.samples) "
          + "\(RunView.format(evaluation.passAtK, 3)), completed-correct "
          + "\(RunView.format(evaluation.completed, 3)), reward "
          + RunView.format(evaluation.reward, 3)
          + (evaluation.invalid > 0 ? ", \(evaluation.invalid) without a verdict" : ""))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  var document: Document {
    .object([
      ("lineage", .string(overview.lineage)),
      ("parent", overview.parent.map { Document.string($0.lineage) } ?? nil),
      ("parent_steps", overview.parent.map { Document.integer($0.steps) } ?? nil),
      ("source", overview.source.map(Document.string) ?? nil), ("epoch", .integer(overview.epoch)),
      ("steps", .integer(overview.version?.number ?? 0)),
      ("leased", .array((overview.lease?.all ?? []).map(Document.integer))),
      ("training_groups", .integer(overview.trainingGroups)),
      ("evaluation_groups", .integer(overview.evaluationGroups)),
      ("tokens", .integer(overview.tokens)),
      (
        "dropped",
        .array(
          overview.dropped.map {
            .object([
              ("reason", .string($0.reason)), ("groups", .integer($0.groups)),
              ("tokens", .integer($0.tokens)),
            ])
          })
      ),
      (
        "evaluations",
        .array(
          evaluations.map {
            .object([
              ("version", .integer($0.version)), ("prompts", .integer($0.prompts)),
              ("samples", .integer($0.samples)), ("pass@1", .number($0.strict)),
              ("pass@k", .number($0.passAtK)), ("lenient", .number($0.lenient)),
              ("completed_correct", .number($0.completed)),
              ("invalid_verdicts", .integer($0.invalid)), ("reward", .number($0.reward)),
              ("mean_length", .number($0.meanLength)),
            ])
          })
      ),
    ])
  }
}
