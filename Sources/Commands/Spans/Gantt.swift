// Bars in rows over one axis of time, as static SVG: who did what while a step was taken, or where
// a group was from its ticket to its step. No script and no network, as the charts.

import Operations

package struct Gantt: Sendable {
  package struct Bar: Sendable, Equatable {
    package var name: String
    /// Nanoseconds from the left end.
    package var start: Int64
    package var end: Int64
    /// Drawn hollow: nothing was done.
    package var isWait: Bool
  }

  package struct Row: Sendable, Equatable {
    package var title: String
    /// Right of the bars; "" for none.
    package var note: String
    package var bars: [Bar]
  }

  package var nanoseconds: Int64
  package var rows: [Row]
  /// Names in colors of their own, the longest first; the rest share one.
  package var legend: Bool

  private static let width = 1040.0
  private static let left = 190.0
  private static let rowHeight = 24.0
  private static let axisHeight = 26.0
  private static let maximumBarsInRow = 2000
  /// Okabe and Ito's, then tints of them; kept apart by order as well, in the legend.
  private static let colors = [
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a5fb0", "#8c8c3a",
    "#a0522d", "#2f8f8f",
  ]
  private static let restColor = "#8a929a"

  /// Room for the notes, at the width of a digit.
  private var right: Double { 12 + 7 * Double(rows.map(\.note.count).max() ?? 0) }

  private var names: [String] {
    var sums: [String: Int64] = [:]
    for bar in rows.flatMap(\.bars) where !bar.isWait {
      sums[bar.name, default: 0] += bar.end - bar.start
    }
    return sums.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
  }

  package func svg() -> String {
    let names = names
    let colors = Dictionary(
      zip(names, Self.colors), uniquingKeysWith: { first, _ in first })
    let height = Double(rows.count) * Self.rowHeight + Self.axisHeight
    var out = "<svg class=\"gantt\" viewBox=\"0 0 \(Int(Self.width)) \(Int(height))\" role=\"img\">"
    out += grid(height)
    for (index, row) in rows.enumerated() { out += draw(row, index, colors) }
    return out + "</svg>" + (legend ? legendList(names, colors) : "")
  }

  private func grid(_ height: Double) -> String {
    let unit = Self.unit(nanoseconds)
    let axis = Axis(
      [0, Double(nanoseconds) / unit.nanoseconds], floor: 0,
      ceiling: Double(nanoseconds) / unit.nanoseconds)
    var out = ""
    for tick in axis.ticks {
      let at = place(Int64(tick * unit.nanoseconds))
      out += "<line class=\"grid\" x1=\"\(at)\" x2=\"\(at)\" y1=\"0\" "
      out += "y2=\"\(height - Self.axisHeight)\"/>"
      out += "<text class=\"x\" x=\"\(at)\" y=\"\(height - 9)\">\(axis.label(tick)) "
      out += "\(unit.name)</text>"
    }
    return out
  }

  private static func unit(_ nanoseconds: Int64) -> (nanoseconds: Double, name: String) {
    nanoseconds >= 2_000_000_000 ? (1e9, "s") : nanoseconds >= 2_000_000 ? (1e6, "ms") : (1e3, "us")
  }

  private func draw(_ row: Row, _ index: Int, _ colors: [String: String]) -> String {
    let top = Double(index) * Self.rowHeight
    let middle = top + Self.rowHeight / 2
    var out = "<text class=\"row\" x=\"\(Self.left - 8)\" y=\"\(middle + 4)\">"
    out += "\(escape(row.title))</text>"
    for bar in merged(row.bars).prefix(Self.maximumBarsInRow) {
      let from = place(bar.start)
      let width = max(0.6, place(bar.end) - from)
      let fill = bar.isWait ? "none" : colors[bar.name] ?? Self.restColor
      out += "<rect class=\"\(bar.isWait ? "wait" : "work")\" x=\"\(Self.round(from))\" "
      out += "y=\"\(top + 4)\" width=\"\(Self.round(width))\" height=\"\(Self.rowHeight - 8)\" "
      out += "fill=\"\(fill)\"><title>\(escape(bar.name)) "
      out += "\(SpanTime.words(bar.end - bar.start))</title></rect>"
    }
    if !row.note.isEmpty {
      out += "<text class=\"note\" x=\"\(Self.width - right + 10)\" y=\"\(middle + 4)\">"
      out += "\(escape(row.note))</text>"
    }
    return out
  }

  /// Neighbors of one name that no eye tells apart are one bar.
  private func merged(_ bars: [Bar]) -> [Bar] {
    let least = Int64(Double(nanoseconds) * 0.5 / (Self.width - Self.left - right))
    var merged: [Bar] = []
    for bar in bars {
      if let last = merged.last, last.name == bar.name, last.isWait == bar.isWait,
        bar.start - last.end <= least
      {
        merged[merged.count - 1].end = max(last.end, bar.end)
      } else {
        merged.append(bar)
      }
    }
    return merged
  }

  private func legendList(_ names: [String], _ colors: [String: String]) -> String {
    var items = names.filter { colors[$0] != nil }.map { name in
      "<span><i style=\"background:\(colors[name]!)\"></i>\(escape(name))</span>"
    }
    let rest = names.filter { colors[$0] == nil }
    if !rest.isEmpty {
      let shown = rest.prefix(6).joined(separator: ", ") + (rest.count > 6 ? ", ..." : "")
      items.append(
        "<span><i style=\"background:\(Self.restColor)\"></i>\(escape(shown))</span>")
    }
    items.append("<span><i class=\"wait\"></i>waiting</span>")
    return "<div class=\"legend\">" + items.joined() + "</div>"
  }

  private func place(_ nanoseconds: Int64) -> Double {
    let share = Double(nanoseconds) / Double(max(1, self.nanoseconds))
    return Self.round(Self.left + min(1, max(0, share)) * (Self.width - Self.left - right))
  }

  private static func round(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}

// MARK: - What is drawn

extension Gantt {
  /// Rows of a median step: more actors than these say nothing new.
  private static let maximumActors = 6

  /// The step of the median duration among the newest: what each thread did meanwhile.
  package static func medianStep(_ spans: RunSpans) -> (step: Int, chart: Gantt)? {
    guard let learner = spans.learner else { return nil }
    let steps = learner.spans.filter { $0.name == .step }.dropFirst()
      .suffix(RunBound.windowSteps).sorted { $0.duration < $1.duration }
    guard !steps.isEmpty, let median = learner.place(steps[steps.count / 2]) else { return nil }
    let window = median.start...median.end
    var rows = [
      row("learner", learner, .train, window), row("learner, weights", learner, .weights, window),
    ]
    if let replay = spans.replay { rows.append(row("replay", replay, .serve, window)) }
    for actor in spans.actors.prefix(maximumActors) where actor.fit != nil {
      rows.append(row(actor.name, actor, .compute, window))
      rows.append(row("\(actor.name), judge", actor, .judge, window))
      rows.append(row("\(actor.name), sockets", actor, .sockets, window))
    }
    let left = spans.actors.count - maximumActors
    if left > 0 { rows.append(Row(title: "\(left) more actors", note: "", bars: [])) }
    return (
      median.span.id, Gantt(nanoseconds: median.span.duration, rows: rows, legend: true)
    )
  }

  /// A thread's outermost spans within the window, each moment once.
  private static func row(
    _ title: String, _ process: RunSpans.Process, _ thread: SpanThread,
    _ window: ClosedRange<Int64>
  ) -> Row {
    var bars: [Bar] = []
    var covered = window.lowerBound
    for span in process.spans where span.thread == thread && span.name != .step {
      // A fetch is all that the socket thread has of one: pieces of it are within.
      guard span.name.track == .thread || span.name == .fetchWeights,
        let placed = process.place(span)
      else { continue }
      let start = max(placed.start, covered)
      let end = min(placed.end, window.upperBound)
      guard end > start else { continue }
      bars.append(
        Bar(
          name: span.name.text, start: start - window.lowerBound, end: end - window.lowerBound,
          isWait: span.name.isWait))
      covered = end
    }
    return Row(title: title, note: "", bars: bars)
  }

  package static func life(_ life: TrajectoryLife) -> Gantt {
    let first = life.hops.map(\.start).min() ?? 0
    let rows = life.hops.map { hop in
      var note = SpanTime.words(hop.nanoseconds)
      if hop.parts.count > 1 { note += " in \(hop.parts.count) parts" }
      if hop.bar > 0 {
        note =
          hop.way.isSeparable
          ? "\(note) ± \(SpanTime.words(hop.bar))"
          : "within ± \(SpanTime.words(hop.bar))"
      }
      let isWait = hop.name.hasPrefix("wait") || hop.name == SpanName.commitWait.text
      return Row(
        title: hop.name.replacing("_", with: " "), note: "\(note), \(hop.place)",
        bars: (hop.parts.isEmpty ? [hop.start..<max(hop.start, hop.end)] : hop.parts).map {
          Bar(
            name: hop.place, start: $0.lowerBound - first, end: $0.upperBound - first,
            isWait: isWait)
        })
    }
    return Gantt(nanoseconds: life.nanoseconds, rows: rows, legend: true)
  }
}
