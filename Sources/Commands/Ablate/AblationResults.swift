// What the runs of a sweep came to: a number a run, a mean and an interval a cell.
//
// Seeds are few, so an interval is Student's: mean ± t(0.975, n - 1) s / sqrt(n). Every cell runs
// the same seeds, and a seed fixes the model, the prompts and the random numbers; so the difference
// to the first cell is taken seed by seed, which is narrower than the difference of two means.

import Documents
import Glibc
import Operations

/// What a run of a cell came to.
package struct AblationRun: Sendable {
  package let cell: String
  package let seed: Int
  /// 0, or what ended it.
  package let status: Int
  package let measures: [String: Double]

  package init(cell: String, seed: Int, status: Int, measures: [String: Double]) {
    self.cell = cell
    self.seed = seed
    self.status = status
    self.measures = measures
  }
}

/// A mean and half the width of its 95 % interval; infinite with one value.
package struct AblationEstimate: Equatable {
  package let mean: Double
  package let half: Double
  package let count: Int

  /// Nil without values.
  package init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    self.count = values.count
    half =
      values.count < 2
      ? .infinity
      : Self.quantile(freedom: values.count - 1) * (squares / (count - 1)).squareRoot()
        / count.squareRoot()
  }

  /// Student's t at 0.975, by degrees of freedom; beyond the table the first terms of its expansion
  /// about a normal's.
  private static func quantile(freedom: Int) -> Double {
    guard freedom > table.count else { return table[freedom - 1] }
    let inverse = 1 / Double(freedom)
    return 1.96 + 2.37 * inverse + 2.8 * inverse * inverse
  }

  private static let table = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
  ]

  package func text(_ digits: Int) -> String {
    let mean = RunView.format(mean, digits)
    return half.isFinite ? "\(mean) ± \(RunView.format(half, digits))" : mean
  }
}

package struct AblationResults {
  /// What is told of each cell: the key, its heading, digits.
  package static let measures: [(key: String, heading: String, digits: Int)] = [
    ("pass@1", "pass@1 after", 3), ("greedy", "greedy after", 3),
    ("late_reward", "reward, last tenth", 3), ("kl", "KL, last tenth", 4),
    ("entropy", "entropy, last tenth", 3), ("grad_norm", "gradient norm, median", 2),
    ("lag", "lag, mean", 2), ("clipped", "clipped, %", 2), ("ratio", "greatest ratio", 1),
    ("seconds", "training, s", 0),
  ]
  /// What the first cell is compared by.
  package static let compared = "pass@1"

  package let runs: [AblationRun]
  package let cells: [String]

  package init(cells: [String], runs: [AblationRun]) {
    self.cells = cells
    self.runs = runs
  }

  package func estimate(_ key: String, of cell: String) -> AblationEstimate? {
    AblationEstimate(runs.filter { $0.cell == cell }.compactMap { $0.measures[key] })
  }

  /// Of a cell less the first, over the seeds that both finished.
  package func difference(_ key: String, of cell: String) -> AblationEstimate? {
    guard let first = cells.first, cell != first else { return nil }
    var differences: [Double] = []
    for run in runs where run.cell == cell {
      let other = runs.first { $0.cell == first && $0.seed == run.seed }
      if let value = run.measures[key], let base = other?.measures[key] {
        differences.append(value - base)
      }
    }
    return AblationEstimate(differences)
  }

  /// Of a run's folder, once it has ended well.
  static func measures(of run: RunFolder) throws -> [String: Double] {
    var found = measures(steps: try RunMetrics(run).steps)
    let after = try HeldOutResults(run).result("after")
    for key in ["pass@1", "greedy"] { found[key] = after?[key]?.numberValue }
    return found
  }

  /// Of the lines of metrics.jsonl, a step each.
  package static func measures(steps: [Document]) -> [String: Double] {
    var measures: [String: Double] = [:]
    let late = steps.suffix(max(1, steps.count / 10))
    for (key, metric) in [("late_reward", "reward"), ("kl", "kl"), ("entropy", "entropy")] {
      let values = late.compactMap { $0[metric]?.numberValue }
      if !values.isEmpty { measures[key] = values.reduce(0, +) / Double(values.count) }
    }
    let norms = steps.compactMap { $0["grad_norm"]?.numberValue }.sorted()
    if !norms.isEmpty { measures["grad_norm"] = norms[norms.count / 2] }
    let lags = steps.compactMap { $0["lag/mean"]?.numberValue }
    if !lags.isEmpty { measures["lag"] = lags.reduce(0, +) / Double(lags.count) }
    let clipped = steps.compactMap { $0["clip_ratio/region_mean"]?.numberValue }
    if !clipped.isEmpty { measures["clipped"] = 100 * clipped.reduce(0, +) / Double(clipped.count) }
    measures["ratio"] = steps.compactMap { $0["ratio/max"]?.numberValue }.max()
    measures["seconds"] = steps.reduce(0.0) { $0 + ($1["time/step"]?.numberValue ?? 0) }
    return measures
  }

  /// The table as Markdown; only columns that some run has a value for.
  package func markdown() -> String {
    let shown = Self.measures.filter { measure in
      runs.contains { $0.measures[measure.key] != nil }
    }
    // The comparison beside what is compared.
    let heads =
      ["cell", "runs"]
      + shown.flatMap { measure in
        [measure.heading]
          + (measure.key == Self.compared ? ["\(Self.compared) against the first"] : [])
      }
    var lines = [row(heads), row(heads.map { _ in "---" })]
    for cell in cells {
      let own = runs.filter { $0.cell == cell }
      var cellText = ["\(own.filter { $0.status == 0 }.count)"]
      for failed in own where failed.status != 0 {
        cellText[0] += ", seed \(failed.seed) ended with \(failed.status)"
      }
      for measure in shown {
        cellText.append(estimate(measure.key, of: cell)?.text(measure.digits) ?? "")
        if measure.key == Self.compared {
          cellText.append(difference(Self.compared, of: cell).map { $0.text(measure.digits) } ?? "")
        }
      }
      lines.append(row(["`\(cell)`"] + cellText))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

  /// Every run a row, for programs.
  package func csv() -> String {
    let keys = Self.measures.map(\.key)
    var lines = ["cell,seed,status," + keys.joined(separator: ",")]
    for run in runs {
      let values = keys.map { key in run.measures[key].map { JSON.write(.number($0)) } ?? "" }
      let name = run.cell.split(separator: "\"", omittingEmptySubsequences: false)
        .joined(separator: "\"\"")
      lines.append("\"\(name)\",\(run.seed),\(run.status)," + values.joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
