// Several runs over each other: their curves, a color a run, what they scored, and the settings in
// which they differ.

import Documents
import Operations

struct ComparisonPage {
  private static let curves: [(title: String, metric: String)] = [
    ("Reward", "reward"), ("Accuracy, sampled", "accuracy/strict"), ("KL", "kl"),
    ("Entropy", "entropy"), ("Length", "completions/mean_length"), ("Gradient norm", "grad_norm"),
    ("Groups without spread", "frac_reward_zero_std"), ("Lag", "lag/mean"),
    ("Step time, s", "time/step"),
  ]

  private struct Entry {
    var run: RunFolder
    var metrics: RunMetrics
    var after: Document?
    var settings: [(key: String, value: String)]
  }

  private let entries: [Entry]

  init(_ runs: [RunFolder]) throws {
    entries = try runs.map { run in
      let settings = try YAML.parse(Files.read(run.settings, maximumBytes: 1 << 20), source: "")
      return Entry(
        run: run, metrics: try RunMetrics(run), after: try HeldOutResults(run).result("after"),
        settings: Self.flat(settings, under: ""))
    }
  }

  func html() -> String {
    let charts =
      [validation()]
      + Self.curves.map { curve in
        Chart(title: curve.title, note: "", series: series(curve.metric), floor: 0)
      }
    return "<h1>Compared</h1>" + table()
      + "<section class=\"charts\">\(charts.map { $0.svg() }.joined())</section>"
  }

  private func color(_ index: Int) -> String { Chart.colors[index % Chart.colors.count] }

  private func series(_ metric: String) -> [ChartSeries] {
    entries.enumerated().map { index, entry in
      var points: [(x: Double, y: Double)] = []
      for record in entry.metrics.steps {
        guard let step = record["step"]?.numberValue, let value = record[metric]?.numberValue
        else { continue }
        points.append((step, value))
      }
      return ChartSeries(name: entry.run.name, points: points, color: color(index))
    }
  }

  private func validation() -> Chart {
    let series = entries.enumerated().map { index, entry in
      var points: [(x: Double, y: Double)] = []
      for record in entry.metrics.evaluations {
        guard let version = record["evaluation"]?.numberValue,
          let value = record["eval/pass@1"]?.numberValue
        else { continue }
        points.append((version, value))
      }
      return ChartSeries(
        name: entry.run.name, points: points, color: color(index), isMarked: true)
    }
    return Chart(
      title: "Validation", note: "pass@1, strict", series: series, floor: 0, ceiling: 1)
  }

  private func table() -> String {
    var out = "<table><tr><th></th>"
    for (index, entry) in entries.enumerated() {
      out += "<th><i style=\"display:inline-block;width:.8em;height:.8em;border-radius:2px;"
      out += "background:\(color(index))\"></i> "
      out += "<a href=\"\(escape(DashboardSite.address(entry.run)))\">\(escape(entry.run.name))"
      out += "</a></th>"
    }
    out += "</tr>"
    for (label, key) in [("held-out pass@1 after", "pass@1"), ("greedy after", "greedy")] {
      out += row(label, entries.map { RunView.format($0.after?[key]?.numberValue, 3) })
    }
    out += row("steps", entries.map { "\($0.metrics.steps.count)" })
    for key in differing { out += row(key, entries.map { Self.value($0.settings, key) }) }
    return out + "</table>"
  }

  private func row(_ label: String, _ cells: [String]) -> String {
    "<tr><td>\(escape(label))</td>"
      + cells.map { "<td class=\"n\">\(escape($0))</td>" }.joined() + "</tr>"
  }

  /// Settings that are not alike in all, in the order of the first run's.
  private var differing: [String] {
    var keys: [String] = []
    var seen: Set<String> = []
    for entry in entries {
      for member in entry.settings where seen.insert(member.key).inserted {
        keys.append(member.key)
      }
    }
    return keys.filter { key in
      Set(entries.map { Self.value($0.settings, key) }).count > 1
    }
  }

  private static func value(_ settings: [(key: String, value: String)], _ key: String) -> String {
    settings.first { $0.key == key }?.value ?? "-"
  }

  /// Every scalar and list by its dotted name.
  private static func flat(
    _ document: Document, under path: String
  ) -> [(key: String, value: String)] {
    guard case .object(let members) = document.value else {
      if case .plain(let text) = document.value { return [(path, text)] }
      return [(path, JSON.write(document))]
    }
    return members.flatMap { flat($0.value, under: path.isEmpty ? $0.key : "\(path).\($0.key)") }
  }
}
