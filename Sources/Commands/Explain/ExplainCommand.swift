// forage explain: what a metric means, how it is computed, what is healthy and what to do when it
// is not, in the words of Docs/METRICS.md; and what it was in a run.

import Documents
import Operations

enum ExplainCommand: Command {
  static let usage = Usage(
    "forage explain",
    "Says what a metric means, its formula, what is healthy and what to do outside it.",
    positionals: [
      Usage.Positional(
        "METRIC", "its key, as in metrics.jsonl; all are listed without", isRequired: false)
    ],
    options: [.value("run", "DIR", "also what it was in this run")],
    example: "forage explain kl --run runs/arithmetic-001")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let table = MetricTable.built
    guard let key = arguments.positional(0) else {
      Terminal.write(list(table))
      return .success
    }
    let meanings = table.meanings(of: key)
    let near = Spelling.nearest(to: key, among: table.metrics.map(\.key))
    guard !meanings.isEmpty else {
      throw Failure(
        "explain", on: "\"\(key)\"", happened: "no metric has this key",
        remedy: near.map { "did you mean \($0)?" } ?? "list them: forage explain",
        exitCode: .usage)
    }
    let width = Terminal.columns
    for (index, meaning) in meanings.enumerated() {
      Terminal.write((index > 0 ? "\n" : "") + text(of: meaning, asked: key, width: width))
    }
    if let near, meanings.allSatisfy({ $0.key != key }) {
      Terminal.write("\nIt has no row of its own; did you mean \(near)?\n")
    }
    if let path = arguments.value("run") {
      let run = try RunFolder.open(path)
      Terminal.write("\n" + (try course(of: key, in: RunMetrics(run), named: run.name)) + "\n")
    }
    return .success
  }

  /// Every key under the heading of its table.
  private static func list(_ table: MetricTable) -> String {
    var text = ""
    var section: String?
    for metric in table.metrics {
      if metric.section != section {
        text += (section == nil ? "" : "\n") + metric.section + "\n"
        section = metric.section
      }
      text += "  \(metric.key)\n"
    }
    return text + "\nforage explain METRIC tells more.\n"
  }

  package static func text(of meaning: MetricMeaning, asked key: String, width: Int) -> String {
    var text = key == meaning.key ? key : "\(key) (\(meaning.key))"
    text += "\n  of: \(meaning.section)\n"
    for part in meaning.parts {
      text += folded("\(part.heading): \(part.text)", width: width)
    }
    return text
  }

  /// Lines of at most `width` columns, the first indented by two and the others by four.
  private static func folded(_ text: String, width: Int) -> String {
    var lines: [String] = []
    var line = " "
    for word in text.split(separator: " ") {
      if line.count + 1 + word.count > max(40, width), line.contains(where: { $0 != " " }) {
        lines.append(line)
        line = "   "
      }
      line += " " + word
    }
    return (lines + [line]).joined(separator: "\n") + "\n"
  }

  /// First, last, least and greatest of a run's values.
  private static func course(of key: String, in metrics: RunMetrics, named name: String) throws
    -> String
  {
    var values: [(at: Int, value: Double)] = []
    for record in metrics.steps + metrics.evaluations {
      guard let value = record[key]?.numberValue else { continue }
      let at = record["step"]?.integerValue ?? record["evaluation"]?.integerValue ?? 0
      values.append((at, value))
    }
    guard let first = values.first, let last = values.last,
      let least = values.min(by: { $0.value < $1.value }),
      let greatest = values.max(by: { $0.value < $1.value })
    else { return "\(name) has no value of \(key)." }
    func shown(_ point: (at: Int, value: Double)) -> String {
      "\(JSON.write(Document(.number(point.value)))) at \(point.at)"
    }
    return """
      In \(name), \(values.count) values: first \(shown(first)), last \(shown(last)), \
      least \(shown(least)), greatest \(shown(greatest)).
      """
  }
}
