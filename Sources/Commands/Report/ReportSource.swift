// Gathers what a report tells from a run's folder.

import Documents
import Operations
import Replay

struct ReportSource {
  private let run: RunFolder

  init(_ run: RunFolder) throws { self.run = run }

  /// Writes report.html and trace.json; without a sentence the one written before is kept.
  func write(sentence: String?) throws {
    if let sentence { try Files.writeDurably(sentencePath, sentence + "\n") }
    let spans = RunSpans(run, tailBytes: Self.spanBytes)
    for fault in spans.faults { Terminal.complain("the report misses some spans: \(fault)") }
    let page = ReportPage(facts: try facts(spans))
    try Files.writeDurably(run.report, page.html())
    let trace =
      try SpanTrace(spans, name: run.name)?.text
      ?? TraceFile(RunMetrics(run), name: run.name).text
    try Files.writeDurably(run.trace, trace)
  }

  /// Of each half of a process's spans: a quarter of a million.
  private static let spanBytes = 8 << 20

  /// Seconds of all steps together, each counted once.
  func trainingSeconds() throws -> Double {
    var seconds = 0.0
    for record in try RunMetrics(run).steps { seconds += record.number("time/step") ?? 0 }
    return seconds
  }

  private var sentencePath: String { "\(run.path)/sentence.txt" }

  func facts(_ spans: RunSpans) throws -> ReportFacts {
    let known =
      Files.exists(sentencePath)
      ? try Files.readText(sentencePath).split(separator: "\n").first : nil
    let metrics = try RunMetrics(run)
    let held = try HeldOutResults(run)
    return ReportFacts(
      name: run.name, parent: try parent(), sentence: known.map(String.init),
      settings: try Files.readText(run.settings),
      records: metrics.steps, evaluations: metrics.evaluations,
      heldOut: ["before", "after"].compactMap { label in
        held.result(label).map { (label, $0) }
      }, samples: samples(), alarms: try AlarmFile(run).events,
      preflight: try PreflightFile(run).lines, spans: spans,
      plan: Self.plan(run))
  }

  /// Settings that cannot be read cost a report its forecast, and nothing else.
  static func plan(_ run: RunFolder) -> RunForecast.Plan? {
    do {
      return RunForecast.Plan(try RunSettings.load(path: run.settings))
    } catch {
      Terminal.complain("there is no forecast: \(error)")
      return nil
    }
  }

  private func parent() throws -> String? {
    guard Files.exists(run.ledger) else { return nil }
    return try LedgerReader(path: run.ledger).parentage()?.description
  }

  /// A report without them is better than none: what prevents them is said.
  private func samples() -> [ReportSample] {
    do {
      return try ReportSamples.gather(run)
    } catch {
      Terminal.complain("the report has no completions: \(error)")
      return []
    }
  }
}
