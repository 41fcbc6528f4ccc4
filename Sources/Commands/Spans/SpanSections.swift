// What spans tell of a run, as sections of a page: what bounds it, one step of median length, the
// life of one trajectory, the links, and how long everything takes. Each stands alone, and is empty
// where its spans are missing.

import Operations

package struct SpanSections {
  let spans: RunSpans
  /// Nil where nobody samples, or nobody said how.
  var plan: RunForecast.Plan?

  /// All but the first, which a page shows earlier.
  var details: String { step + life + links + distributions }

  // MARK: What bounds the run

  var bound: String {
    guard let bound = RunBound(spans) else { return "" }
    var out = "<section><h2>What bounds the run</h2><p class=\"sentence\">"
    out += "\(escape(bound.sentence))</p><table><tr><th>share of its time</th><th>waiting</th>"
    out += "<th>most of the rest</th></tr>"
    out += share("learner", bound.learner)
    out += share(bound.actorCount == 1 ? "actor" : "actors, on average", bound.actors)
    out += share("replay", bound.replay, waits: false)
    return out + "</table><p class=\"note\">Over the newest \(bound.steps) steps.</p></section>"
  }

  // MARK: What more actors would bring

  var forecast: String {
    guard let plan, let forecast = RunForecast(spans, plan) else { return "" }
    var out = "<section><h2>What more actors would bring</h2><p class=\"sentence\">"
    out += "\(escape(forecast.sentence))</p><table class=\"wide\"><tr>"
    out += Self.forecastColumns.map { Self.head($0) }.joined() + "</tr>"
    for row in forecast.forecasts {
      let cells = Self.cells(row)
      out += "<tr>" + cells.dropLast().map { "<td class=\"n\">\($0)</td>" }.joined()
      out += "<td>\(cells.last!)\(row.actors == forecast.actors ? " (as it ran)" : "")</td></tr>"
    }
    return out + "</table><p class=\"note\">\(escape(Self.note(forecast)))</p></section>"
  }

  static let forecastColumns: [(name: String, side: TextTable.Side)] = [
    ("actors", .right), ("a step", .right), ("learner waits", .right), ("actors wait", .right),
    ("bound by", .left),
  ]

  package static func cells(_ row: LoopForecast) -> [String] {
    [
      "\(row.actors)", words(seconds: row.stepSeconds),
      RunView.percent(row.learnerWaits), RunView.percent(row.actorsWait), row.bound.rawValue,
    ]
  }

  static func note(_ forecast: RunForecast) -> String {
    let said = forecast.model.forecast(actors: forecast.actors).stepSeconds
    let rate = forecast.model.link.bytesPerSecond
    return "From what the parts of a step took in this run. For \(forecast.actors) it says "
      + "\(words(seconds: said)), and a step took \(words(seconds: forecast.stepSeconds)). All "
      + "actors share \(rate.isFinite ? "a link of \(Self.rate(rate))" : "memory")"
      + (forecast.model.sharesCores
        ? ", and these cores with the learner." : "; each is taken to have cores of its own.")
  }

  /// "-" for a step that never ends.
  private static func words(seconds: Double) -> String {
    SpanTime.words(nanoseconds: seconds.isFinite ? seconds * 1e9 : nil)
  }

  private func share(_ who: String, _ shares: RunBound.Shares, waits: Bool = true) -> String {
    let work = shares.byName.filter { !$0.key.isWait }
      .sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.prefix(4)
      .map { "\($0.key.text) \(RunView.percent($0.value))" }
    return "<tr><td>\(who)</td><td class=\"n\">\(waits ? RunView.percent(shares.waiting) : "")</td>"
      + "<td>\(work.joined(separator: ", "))</td></tr>"
  }

  // MARK: Figures

  var step: String {
    guard let median = Gantt.medianStep(spans) else { return "" }
    return "<section><h2>One step</h2><figure>" + median.chart.svg()
      + "</figure><p class=\"note\">Step \(median.step), of median length among the newest: what "
      + "each thread did meanwhile, by replay's clock.</p></section>"
  }

  var life: String {
    guard let life = TrajectoryLife.median(spans) else { return "" }
    let hasBars = life.hops.contains { $0.bar > 0 }
    return "<section><h2>The life of one group</h2><figure>" + Gantt.life(life).svg()
      + "</figure><p class=\"note\">Ticket \(life.ticket), trained in step \(life.step), "
      + "\(SpanTime.words(life.nanoseconds)) from asking to trained: the median of the newest."
      + (hasBars
        ? " A way from one clock to another is as exact as half of its round trip; one that is "
          + "not longer than that is said to be within it."
        : "") + "</p></section>"
  }

  // MARK: Tables

  var links: String {
    let links = RunLink.all(spans)
    guard !links.isEmpty else { return "" }
    var out = "<section><h2>Links</h2><table class=\"wide\"><tr>"
    out += Self.linkColumns.map { Self.head($0) }.joined() + "</tr>"
    for link in links {
      let cells = Self.cells(link)
      out += "<tr><td>\(escape(cells[0]))</td>"
      out += cells.dropFirst().map { "<td class=\"n\">\(escape($0))</td>" }.joined() + "</tr>"
    }
    out += "</table><p class=\"note\">Round trips are those of heartbeats. The clock is replay's, "
    out += "give or take half of the least round trip. The processes of one host read one clock: "
    out += "what is measured there, marked =, is the measurement's own error."
    return out + "</p></section>"
  }

  private static func head(_ column: (name: String, side: TextTable.Side)) -> String {
    "<th\(column.side == .right ? " class=\"n\"" : "")>\(column.name)</th>"
  }

  static let linkColumns: [(name: String, side: TextTable.Side)] = [
    ("link", .left), ("messages", .right), ("bytes", .right), ("rate", .right),
    ("trip, least", .right), ("median", .right), ("clock ahead", .right), ("groups at", .right),
    ("weights", .right), ("at", .right),
  ]

  /// A row of the table of links: its name, then what a terminal shows of it as well.
  static func cells(_ link: RunLink) -> [String] {
    let offset = link.offset.map {
      "\(SpanTime.words($0.nanoseconds)) ± \(SpanTime.words($0.bar))"
    }
    let hasTrips = link.roundTrips.count > 0
    return [
      link.name, String(link.messages), DryRun.bytes(link.bytes), rate(link.bytesPerSecond),
      hasTrips ? SpanTime.words(link.roundTrips.least) : "-",
      hasTrips ? SpanTime.words(link.roundTrips.percentile(0.5)) : "-",
      (link.isOneClock ? "= " : "") + (offset ?? "-"), rate(link.groupBytesPerSecond),
      link.fetches > 0 ? "\(link.fetches) x \(DryRun.bytes(link.fetchBytes / link.fetches))" : "-",
      rate(link.fetchBytesPerSecond),
    ]
  }

  /// Whatever is said to have gone within a nanosecond, an Int holds as much.
  private static let greatestRate = 1e18

  private static func rate(_ bytesPerSecond: Double?) -> String {
    bytesPerSecond.map { DryRun.bytes(Int(min(greatestRate, $0))) + "/s" } ?? "-"
  }

  var distributions: String {
    let rows = spans.distributions()
    guard !rows.isEmpty else { return "" }
    var out = "<details><summary>How long everything takes</summary><table class=\"wide\"><tr>"
    out += Self.distributionColumns.map { Self.head($0) }.joined() + "</tr>"
    for row in rows {
      let cells = Self.cells(row.role, row.name, row.durations)
      out += "<tr><td>\(cells[0])</td><td>\(cells[1])</td>"
      out += cells.dropFirst(2).map { "<td class=\"n\">\($0)</td>" }.joined() + "</tr>"
    }
    out += "</table><p class=\"note\">Docs/SPANS.md says what each is."
    if spans.dropped > 0 { out += " \(spans.dropped) spans are missing here." }
    return out + "</p></details>"
  }

  static let distributionColumns: [(name: String, side: TextTable.Side)] = [
    ("role", .left), ("span", .left), ("count", .right), ("p50", .right), ("p90", .right),
    ("p99", .right), ("p99.9", .right), ("max", .right),
  ]

  static func cells(
    _ role: RunSpans.Role, _ name: SpanName, _ durations: Histogram
  ) -> [String] {
    [role.rawValue, name.text, String(durations.count)]
      + [0.5, 0.9, 0.99, 0.999].map { SpanTime.words(durations.percentile($0)) }
      + [SpanTime.words(durations.greatest)]
  }

  static let style = """
    svg.gantt text.row{text-anchor:end;fill:var(--ink)}svg.gantt text.note{text-anchor:start}
    svg.gantt rect.wait{stroke:var(--soft);stroke-dasharray:2 2;stroke-width:.7}
    .legend i.wait{border:1px dashed var(--soft)}
    table.wide th.n{text-align:right}table.wide{font-size:.85rem;display:block;overflow-x:auto}
    table.wide th,table.wide td{padding-right:.8rem;white-space:nowrap}
    """
}

/// The same for a terminal.
package enum SpanText {
  package static func lines(_ spans: RunSpans, plan: RunForecast.Plan? = nil) -> [String] {
    guard !spans.isEmpty else { return ["there are no spans (trace.maximumBytes: 0 keeps none)"] }
    var lines: [String] = []
    if let bound = RunBound(spans) { lines += [bound.sentence, ""] }
    if let plan, let forecast = RunForecast(spans, plan) {
      lines += [forecast.sentence, ""]
      var table = TextTable(SpanSections.forecastColumns)
      for row in forecast.forecasts { table.add(SpanSections.cells(row)) }
      lines += table.lines() + [SpanSections.note(forecast), ""]
    }
    let links = RunLink.all(spans).map(SpanSections.cells)
    lines += TextTable(SpanSections.linkColumns, links).lines() + [""]
    lines += TextTable(
      SpanSections.distributionColumns,
      spans.distributions().map { SpanSections.cells($0.role, $0.name, $0.durations) }
    ).lines()
    if spans.dropped > 0 { lines.append("\(spans.dropped) spans were dropped") }
    return lines
  }
}
