// trace.json: what every process of a run did, as Chrome's trace events, which Perfetto and
// chrome://tracing open. All times are replay's, in microseconds from the first.
//
// A thread's spans are complete events ("X"), which nest. Where a ticket or a version was are async
// events ("b", "e"), a lane for each, as they overlap everything. An arrow ("s", "t", "f") goes
// with each group from the actor that gave it to its connection over replay to the learner's step.
// How far each clock is off, and as wrong as that can be, stands under "otherData".

import Documents
import Operations

package struct SpanTrace {
  /// A viewer grows slow with more, and each is some 120 bytes: the newest are kept.
  package static let maximumEvents = 120_000

  private static let hairNanoseconds: Int64 = 1000

  private struct Event {
    var at: Int64
    var json: String
  }

  private let name: String
  private let spans: RunSpans
  private let origin: Int64
  private var events: [Event] = []
  /// Spans that neither lie beside nor within one another, and arrows that would point back.
  private var leftOut = 0

  package init?(_ spans: RunSpans, name: String, maximumEvents: Int = maximumEvents) {
    self.name = name
    self.spans = spans
    var placed: [[RunSpans.Placed]] = spans.processes.map { process in
      process.spans.compactMap(process.place)
    }
    let starts = placed.flatMap { $0.map(\.start) }.sorted()
    guard !starts.isEmpty else { return nil }
    // A span makes at most three events: two ends of a lane, or one and an arrow.
    let first = starts[max(0, starts.count - maximumEvents / 3)]
    for index in placed.indices { placed[index].removeAll { $0.start < first } }
    origin = first
    for (index, process) in placed.enumerated() {
      addThreads(process, process: index + 1)
      addLanes(process, process: index + 1)
    }
    addArrows(placed)
    // Sorting keeps the order of equals: an end before a beginning, an outer before an inner.
    let order = events.indices.sorted { left, right in
      (events[left].at, left) < (events[right].at, right)
    }
    events = order.map { events[$0] }
  }

  // MARK: Events

  private func time(_ moment: Int64) -> String { Self.microseconds(moment - origin) }

  private static func microseconds(_ nanoseconds: Int64) -> String {
    let part = String(abs(nanoseconds) % 1000)
    return (nanoseconds < 0 ? "-" : "") + "\(abs(nanoseconds) / 1000)."
      + String(repeating: "0", count: 3 - part.count) + part
  }

  private func number(_ span: SpanLog.Span) -> String {
    let subject = span.name.subject
    var parts = subject == .nothing ? [] : ["\"\(subject.rawValue)\":\(span.id)"]
    if span.amount > 0 { parts.append("\"amount\":\(span.amount)") }
    return "{\(parts.joined(separator: ","))}"
  }

  private mutating func addThreads(_ placed: [RunSpans.Placed], process: Int) {
    var open: [SpanThread: [Int64]] = [:]
    for span in placed.filter({ $0.span.name.track == .thread })
      .sorted(by: { ($0.start, -$0.span.duration) < ($1.start, -$1.span.duration) })
    {
      var span = span
      let thread = span.span.thread
      open[thread, default: []].removeAll { $0 <= span.start }
      if let around = open[thread]?.last, around < span.end {
        // A shifted clock rounds: what stood side by side may overlap by a hair.
        if around - span.start <= Self.hairNanoseconds {
          span.span.duration = span.end - around
          span.start = around
          open[thread]?.removeLast()
        } else if span.end - around <= Self.hairNanoseconds {
          span.span.duration = around - span.start
        } else {
          leftOut += 1
          continue
        }
      }
      open[thread]?.append(span.end)
      events.append(
        Event(
          at: span.start,
          json: "{\"name\":\"\(span.span.name.text)\",\"ph\":\"X\",\"pid\":\(process),"
            + "\"tid\":\(thread.rawValue + 1),\"ts\":\(time(span.start)),"
            + "\"dur\":\(Self.microseconds(span.span.duration)),\"args\":\(number(span.span))}"))
    }
  }

  /// Ways of one ticket or version in lanes, so that in each they lie beside or within one another.
  private mutating func addLanes(_ placed: [RunSpans.Placed], process: Int) {
    var things: [String: [RunSpans.Placed]] = [:]
    for span in placed where span.span.name.track == .way {
      things["\(span.span.name.subject.rawValue) \(span.span.id)", default: []].append(span)
    }
    for (thing, ways) in things.sorted(by: { $0.key < $1.key }) {
      var lanes: [[RunSpans.Placed]] = []
      for way in ways.sorted(by: { ($0.start, -$0.span.duration) < ($1.start, -$1.span.duration) })
      {
        let free = lanes.firstIndex { lane in
          lane.allSatisfy { $0.end <= way.start || $0.end >= way.end }
        }
        if let free { lanes[free].append(way) } else { lanes.append([way]) }
      }
      for (number, lane) in lanes.enumerated() {
        addLane(lane, of: thing, id: "\(process).\(thing).\(number)", process: process)
      }
    }
  }

  private mutating func addLane(
    _ ways: [RunSpans.Placed], of thing: String, id: String, process: Int
  ) {
    let category = ways[0].span.name.subject.rawValue
    func event(_ phase: String, _ name: String, _ at: Int64, _ thread: SpanThread, _ rest: String)
      -> Event
    {
      Event(
        at: at,
        json: "{\"name\":\"\(name)\",\"cat\":\"\(category)\",\"ph\":\"\(phase)\","
          + "\"id\":\"\(id)\",\"pid\":\(process),\"tid\":\(thread.rawValue + 1),"
          + "\"ts\":\(time(at))\(rest)}")
    }
    let thread = ways[0].span.thread
    events.append(event("b", thing, ways[0].start, thread, ""))
    var open: [RunSpans.Placed] = []
    func closed(until moment: Int64) -> [Event] {
      var closed: [Event] = []
      while let last = open.last, last.end <= moment {
        closed.append(event("e", last.span.name.text, last.end, last.span.thread, ""))
        open.removeLast()
      }
      return closed
    }
    for way in ways {
      events += closed(until: way.start)
      let rest = ",\"args\":\(number(way.span))"
      events.append(event("b", way.span.name.text, way.start, way.span.thread, rest))
      open.append(way)
    }
    let end = ways.map(\.end).max()!
    events += closed(until: end)
    events.append(event("e", thing, end, thread, ""))
  }

  private mutating func addArrows(_ placed: [[RunSpans.Placed]]) {
    var received: [Int: (process: Int, span: RunSpans.Placed)] = [:]
    var leased: [Int: Int] = [:]
    var fetched: [Int: (process: Int, span: RunSpans.Placed)] = [:]
    for (index, process) in placed.enumerated() {
      for span in process {
        switch span.span.name {
        case .receive: received[span.span.id] = (index + 1, span)
        case .queued: leased[span.span.id] = span.span.amount
        case .fetch: fetched[span.span.id] = (index + 1, span)
        default: break
        }
      }
    }
    for (index, process) in placed.enumerated() {
      for sent in process where sent.span.name == .submit && sent.span.id >= 0 {
        guard let came = received[sent.span.id], let step = leased[sent.span.id],
          let trained = fetched[step]
        else { continue }
        // Where clocks are two, an arrow may seem to arrive before it left.
        guard sent.start <= came.span.start, came.span.start <= trained.span.start else {
          leftOut += 1
          continue
        }
        add("s", sent, process: index + 1)
        add("t", came.span, process: came.process, ticket: sent.span.id)
        add("f", trained.span, process: trained.process, ticket: sent.span.id)
      }
    }
  }

  private mutating func add(
    _ phase: String, _ at: RunSpans.Placed, process: Int, ticket: Int? = nil
  ) {
    events.append(
      Event(
        at: at.start,
        json: "{\"name\":\"group\",\"cat\":\"group\",\"ph\":\"\(phase)\","
          + "\"id\":\"\(ticket ?? at.span.id)\",\"pid\":\(process),"
          + "\"tid\":\(at.span.thread.rawValue + 1),\"ts\":\(time(at.start))"
          + (phase == "f" ? ",\"bp\":\"e\"}" : "}")))
  }

  // MARK: The file

  package var text: String {
    var out = "{\"displayTimeUnit\":\"ms\",\"otherData\":" + JSON.write(metadata)
    out += ",\"traceEvents\":[\n"
    out += labels.map { JSON.write($0) }.joined(separator: ",\n")
    for event in events {
      out += ",\n"
      out += event.json
    }
    return out + "\n]}\n"
  }

  private var metadata: Document {
    .object([
      ("run", .string(name)), ("clock", "replay's, monotonic"),
      ("dropped", .integer(spans.dropped)), ("leftOut", .integer(leftOut)),
      (
        "clocks",
        .array(
          spans.processes.map { process in
            let middle = process.spans.isEmpty ? 0 : process.spans[process.spans.count / 2].start
            return .object([
              ("process", .string(process.name)),
              ("isPlaced", .bool(process.fit != nil)),
              ("offsetNanoseconds", .integer(Int(process.fit?.offset(at: middle) ?? 0))),
              ("errorNanoseconds", .integer(Int(process.fit?.bar(at: middle) ?? 0))),
              ("driftPartsPerMillion", .number(process.fit?.driftPartsPerMillion ?? 0)),
              ("leastRoundTripNanoseconds", .integer(Int(process.measured?.leastRoundTrip ?? 0))),
            ])
          })
      ),
    ])
  }

  private var labels: [Document] {
    spans.processes.enumerated().flatMap { index, process in
      let threads = Set(process.spans.map(\.thread)).sorted { $0.rawValue < $1.rawValue }
      return [
        Self.label("process_name", process: index + 1, thread: 0, ("name", .string(process.name))),
        Self.label(
          "process_sort_index", process: index + 1, thread: 0, ("sort_index", .integer(index))),
      ]
        + threads.map { thread in
          Self.label(
            "thread_name", process: index + 1, thread: Int(thread.rawValue) + 1,
            ("name", .string(thread.text)))
        }
    }
  }

  private static func label(
    _ kind: String, process: Int, thread: Int, _ argument: (String, Document)
  ) -> Document {
    .object([
      ("name", .string(kind)), ("ph", "M"), ("pid", .integer(process)), ("tid", .integer(thread)),
      ("args", .object([argument])),
    ])
  }
}
