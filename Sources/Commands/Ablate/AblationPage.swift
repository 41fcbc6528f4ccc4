// ablation.html: the sweep's table and its curves, a line a cell, each the mean over seeds.

import Operations

struct AblationPage {
  let name: String
  let results: AblationResults
  /// The curves' runs, by cell, in the order of the cells.
  let curves: [(cell: String, runs: [RunMetrics])]

  func html() -> String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(escape(name)) · Forage</title>
    <style>\(ReportPage.style)\(SpanSections.style)</style></head><body>
    <header><h1>\(escape(name))</h1></header>
    \(table())
    <section class="charts">\(charts().map { $0.svg() }.joined())</section>
    <footer>Made by <code>forage ablate</code>. A line is the mean over a cell's seeds; an
    interval is Student's, 95 %. Every run's folder stands beside this page.</footer>
    </body></html>
    """
  }

  /// More lines than colors and dashes would lie.
  private var shown: ArraySlice<(cell: String, runs: [RunMetrics])> {
    curves.prefix(Chart.colors.count * ChartSeries.dashes.count)
  }

  private func charts() -> [Chart] {
    let note =
      curves.count > shown.count ? "the first \(shown.count) cells" : "mean over the seeds"
    return [
      ("Reward", "reward"), ("Accuracy, sampled", "accuracy/strict"),
      ("KL to the reference", "kl"), ("Entropy", "entropy"), ("Gradient norm", "grad_norm"),
      ("Groups without spread", "frac_reward_zero_std"),
    ].map { title, metric in
      Chart(title: title, note: note, series: series(metric), floor: 0)
    }
  }

  private func series(_ metric: String) -> [ChartSeries] {
    shown.enumerated().map { index, curve in
      var sums: [Int: (sum: Double, count: Int)] = [:]
      for run in curve.runs {
        for record in run.steps {
          guard let step = record["step"]?.integerValue, let value = record[metric]?.numberValue
          else { continue }
          let old = sums[step] ?? (0, 0)
          sums[step] = (old.sum + value, old.count + 1)
        }
      }
      let points = sums.sorted { $0.key < $1.key }.map { step, sum in
        (x: Double(step), y: sum.sum / Double(sum.count))
      }
      return ChartSeries(
        name: curve.cell, points: points, color: Chart.colors[index % Chart.colors.count],
        dash: ChartSeries.dashes[index / Chart.colors.count])
    }
  }

  private func table() -> String {
    let lines = results.markdown().split(separator: "\n")
    var out = "<section><table class=\"wide\">"
    for (index, line) in lines.enumerated() where index != 1 {
      out += "<tr>"
      for cell in line.dropFirst(2).dropLast(2).split(
        separator: " | ", omittingEmptySubsequences: false)
      {
        let text = escape(String(cell.filter { $0 != "`" }))
        out += index == 0 ? "<th>\(text)</th>" : "<td>\(text)</td>"
      }
      out += "</tr>"
    }
    return out + "</table></section>"
  }
}
