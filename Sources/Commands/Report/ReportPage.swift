// report.html: a run told to somebody who was asleep. One self-contained page: the sentence, the
// table before and after, the curves, where the time went, and a few completions to read.

import Documents
import Operations

/// What the page is made of; gathered by `ReportSource`.
struct ReportFacts {
  var name: String
  /// Where the run was forked from; nil where it was not.
  var parent: String?
  /// The closing sentence; nil while the run goes on.
  var sentence: String?
  var settings: String
  /// Every step's record, oldest first, and the evaluations' records.
  var records: [Document]
  var evaluations: [Document]
  /// Held-out evaluations: "before", "after".
  var heldOut: [(label: String, result: Document)]
  var samples: [ReportSample]
  /// As they were raised and cleared.
  var alarms: [AlarmEvent] = []
  /// What was predicted before the first step.
  var preflight: [String] = []
  var spans: RunSpans
  /// What the settings say of actors and learner; nil where nobody samples.
  var plan: RunForecast.Plan?
}

/// A completion to read.
struct ReportSample {
  var title: String
  var prompt: String
  var completion: String
  var reward: Double
  var reason: String
}

struct ReportPage {
  let facts: ReportFacts

  func html() -> String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(escape(facts.name)) · Forage</title>
    <style>\(Self.style)\(SpanSections.style)</style></head><body>
    \(body())
    <footer>Made by <code>forage report</code>. Every number is in metrics.jsonl; Docs/METRICS.md
    says what each means.</footer>
    </body></html>
    """
  }

  /// All but the frame: what `forage dashboard` shows again and again.
  func body() -> String {
    """
    <header><h1>\(escape(facts.name))</h1>
    <p class="sentence">\(escape(facts.sentence ?? "This run has not reached its end."))</p>
    \(facts.parent.map { "<p class=\"note\">\(escape($0))</p>" } ?? "")</header>
    \(AlarmTable(facts.alarms).html())
    \(preflight())
    \(heldOutTable())
    <section class="charts">\(charts().map { $0.svg() }.joined())</section>
    \(sections.bound)
    \(timeTable())
    \(sections.forecast)
    \(sections.details)
    \(sampleList())
    <details><summary>Resolved settings</summary><pre>\(escape(facts.settings))</pre></details>
    """
  }

  private var sections: SpanSections { SpanSections(spans: facts.spans, plan: facts.plan) }

  // MARK: - Curves

  private func charts() -> [Chart] {
    [
      Chart(
        title: "Reward", note: "mean over a step's completions, and by part",
        series: [line("reward", "reward", 0)] + rewardParts(), floor: 0),
      Chart(
        title: "Accuracy", note: "sampled while training, and on the validation split",
        series: [
          line("strict, sampled", "accuracy/strict", 0),
          line("lenient, sampled", "accuracy/lenient", 5), validation(),
        ], floor: 0, ceiling: 1),
      Chart(
        title: "KL to the reference", note: "k3 estimate, nats a token",
        series: [line("kl", "kl", 0)], floor: 0),
      Chart(
        title: "Clipped share", note: "of trained tokens, by side",
        series: [
          line("low", "clip_ratio/low_mean", 0), line("high", "clip_ratio/high_mean", 1),
        ], floor: 0),
      Chart(
        title: "Importance ratio", note: "least, mean and greatest of a step",
        series: [
          line("greatest", "ratio/max", 1), line("mean", "ratio/mean", 0),
          line("least", "ratio/min", 2),
        ], floor: 0),
      Chart(
        title: "Entropy", note: "nats a token", series: [line("entropy", "entropy", 0)], floor: 0),
      Chart(
        title: "Length", note: "tokens a completion",
        series: [
          line("mean", "completions/mean_length", 0), line("greatest", "completions/max_length", 1),
        ], floor: 0),
      Chart(
        title: "Lag", note: "optimizer steps between sampling and training",
        series: [line("mean", "lag/mean", 0), line("greatest", "lag/max", 1)], floor: 0),
      Chart(
        title: "Groups without spread", note: "share of a step's groups that teach nothing",
        series: [line("share", "frac_reward_zero_std", 0)], floor: 0, ceiling: 1),
      Chart(
        title: "Gradient norm", note: "before clipping", series: [line("norm", "grad_norm", 0)],
        floor: 0),
      Chart(title: "Step time", note: "seconds, by phase", series: phaseSeries(), floor: 0),
      Chart(
        title: "Throughput", note: "tokens a second",
        series: [
          line("sampled", "actors/tokens_per_second", 0),
          line("trained", "learner/tokens_per_second", 1),
        ], floor: 0),
      Chart(
        title: "Waiting", note: "share of the time",
        series: [
          line("learner", "learner/idle_share", 1), line("actors", "actors/idle_share", 0),
        ], floor: 0, ceiling: 1),
    ] + curriculumCharts()
  }

  /// None without a curriculum.
  private func curriculumCharts() -> [Chart] {
    let prefix = "curriculum/accuracy/"
    let keys = Set(
      facts.records.flatMap { record -> [String] in
        guard case .object(let members) = record.value else { return [] }
        return members.map(\.key).filter { $0.hasPrefix(prefix) }
      })
    guard !keys.isEmpty else { return [] }
    let levels = keys.compactMap { Int($0.dropFirst(prefix.count)) }.sorted()
    return [
      Chart(
        title: "Curriculum", note: "the newest level open, counted from 0",
        series: [line("level", "curriculum/level", 0)], floor: 0),
      Chart(
        title: "Accuracy by level", note: "strict, sampled while training",
        series: levels.map { line("level \($0)", "\(prefix)\($0)", $0) }, floor: 0, ceiling: 1),
    ]
  }

  private func line(_ name: String, _ metric: String, _ color: Int) -> ChartSeries {
    ChartSeries(
      name: name,
      points: facts.records.compactMap { record in
        guard let step = record["step"]?.numberValue, let value = record[metric]?.numberValue
        else { return nil }
        return (step, value)
      }, color: Chart.colors[color % Chart.colors.count])
  }

  private func validation() -> ChartSeries {
    var intervals: [Double] = []
    for record in facts.evaluations {
      guard record.number("evaluation") != nil, record.number("eval/pass@1") != nil
      else { continue }
      intervals.append(record.number("eval/pass@1_interval") ?? 0)
    }
    return ChartSeries(
      name: "strict, validation",
      points: facts.evaluations.compactMap { record in
        guard let version = record["evaluation"]?.numberValue,
          let value = record["eval/pass@1"]?.numberValue
        else { return nil }
        return (version, value)
      }, color: Chart.colors[1], isMarked: true, halfWidths: intervals)
  }

  private func names(prefix: String) -> [String] {
    guard case .object(let members)? = facts.records.last?.value else { return [] }
    return members.map(\.key).filter { $0.hasPrefix(prefix) }
  }

  private func rewardParts() -> [ChartSeries] {
    names(prefix: "rewards/").enumerated().map { index, metric in
      line(String(metric.dropFirst(8).dropLast(5)), metric, index + 1)
    }
  }

  /// The largest phases by name, the whole step above them.
  private func phaseSeries() -> [ChartSeries] {
    [line("whole", "time/step", 6)]
      + phaseMeans().prefix(5).enumerated().map { index, phase in
        line(phase.name, "time/\(phase.name)", index)
      }
  }

  private func phaseMeans() -> [(name: String, seconds: Double)] {
    names(prefix: "time/").filter { $0 != "time/step" && $0 != "time/coverage" }
      .map { metric in
        let values = facts.records.compactMap { $0[metric]?.numberValue }
        return (
          String(metric.dropFirst(5)), values.reduce(0, +) / Double(max(1, facts.records.count))
        )
      }.sorted { $0.1 > $1.1 }
  }

  // MARK: - Tables

  private func preflight() -> String {
    guard !facts.preflight.isEmpty else { return "" }
    let lines = facts.preflight.map(escape).joined(separator: "<br>")
    return "<details><summary>Predicted before the first step</summary><p>\(lines)</p></details>"
  }

  private func heldOutTable() -> String {
    guard !facts.heldOut.isEmpty else { return "" }
    let rows: [(name: String, key: String)] = [
      ("greedy, strict", "greedy"), ("pass@1, strict", "pass@1"),
      ("pass@1, half the 95 % interval", "pass@1_interval"), ("pass@k, strict", "pass@k"),
      ("pass@k, half the 95 % interval", "pass@k_interval"),
      ("lenient", "lenient"), ("completed and correct", "completed_correct"),
      ("truncated", "truncated"),
    ]
    var out = "<section><h2>Held-out accuracy</h2><table><tr><th></th>"
    for column in facts.heldOut { out += "<th>\(escape(column.label))</th>" }
    out += "</tr>"
    for row in rows {
      out += "<tr><td>\(row.name)</td>"
      for column in facts.heldOut {
        out += "<td class=\"n\">\(RunView.format(column.result[row.key]?.numberValue, 3))</td>"
      }
      out += "</tr>"
    }
    let first = facts.heldOut[0].result
    let prompts = first["prompts"]?.integerValue ?? 0
    let samples = first["samples"]?.integerValue ?? 0
    return out
      + "</table><p class=\"note\">\(prompts) prompts, \(samples) samples each; the same prompts "
      + "and random numbers in every column.</p></section>"
  }

  private func timeTable() -> String {
    let phases = phaseMeans()
    let whole = facts.records.compactMap { $0["time/step"]?.numberValue }
    guard !phases.isEmpty, !whole.isEmpty else { return "" }
    let mean = whole.reduce(0, +) / Double(whole.count)
    var out = "<section><h2>Where a step's time goes</h2><table>"
    out += "<tr><th>phase</th><th>seconds</th><th>share</th><th></th></tr>"
    for phase in phases where phase.seconds > 0 {
      let share = phase.seconds / mean
      out += "<tr><td>\(escape(phase.name))</td>"
      out += "<td class=\"n\">\(RunView.format(phase.seconds, 4))</td>"
      out += "<td class=\"n\">\(RunView.percent(share))</td>"
      out += "<td class=\"bar\"><i style=\"width:\(Int(share * 100))%\"></i></td></tr>"
    }
    let covered = phases.reduce(0) { $0 + $1.seconds } / mean
    return out
      + "</table><p class=\"note\">Means over \(whole.count) steps of "
      + "\(RunView.format(mean, 3)) s; the phases cover \(RunView.percent(covered)).</p></section>"
  }

  private func sampleList() -> String {
    guard !facts.samples.isEmpty else { return "" }
    var out = "<section><h2>Completions</h2>"
    for sample in facts.samples {
      out += "<div class=\"sample\"><b>\(escape(sample.title))</b> "
      out += "<span>reward \(RunView.format(sample.reward, 2)), \(escape(sample.reason))</span>"
      out += "<pre><em>\(escape(sample.prompt))</em>\(escape(sample.completion))</pre></div>"
    }
    return out + "</section>"
  }

  static let style = """
    :root{color-scheme:light dark;--ink:#1b1f24;--soft:#667;--line:#e3e6ea;--page:#fff;
    --box:#f7f8fa}
    @media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#9aa3ad;--line:#333a42;
    --page:#15181c;--box:#1d2126}}
    body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);
    max-width:1080px;margin:2rem auto;padding:0 1rem}
    h1{margin:0;font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
    .sentence{font-size:1.15rem;margin:.5rem 0 1.5rem}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:1rem;
    margin-top:1.5rem}
    figure{margin:0;background:var(--box);border:1px solid var(--line);border-radius:8px;
    padding:.7rem}
    figcaption span,.note,.sample span,footer{color:var(--soft);font-size:.85rem}
    svg{width:100%;height:auto;display:block}
    svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg text.y{text-anchor:end}
    svg text.x{text-anchor:middle}svg .grid{stroke:var(--line)}
    .legend{display:flex;flex-wrap:wrap;gap:.2rem .9rem;font-size:.8rem;color:var(--soft)}
    .legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.3em}
    .empty{color:var(--soft);height:6rem;display:grid;place-items:center}
    table{border-collapse:collapse}th,td{text-align:left;padding:.2rem 1.2rem .2rem 0;
    border-bottom:1px solid var(--line)}td.n{text-align:right;font-variant-numeric:tabular-nums}
    td.bar{width:16rem}td.bar i{display:block;height:.7rem;background:#0072b2;border-radius:2px}
    .sample{margin:.6rem 0}pre{background:var(--box);border:1px solid var(--line);
    border-radius:6px;padding:.5rem .7rem;overflow:auto;margin:.2rem 0;white-space:pre-wrap}
    pre em{color:var(--soft);font-style:normal}footer{margin:2rem 0}
    """
}
