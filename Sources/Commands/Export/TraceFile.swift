// trace.json: the learner's steps and their phases as Chrome's trace events, which Perfetto and
// chrome://tracing open. Made from metrics.jsonl, so every run has one and pays nothing for it.
//
// A step's phases stand one after another in the order in which they were first entered; one that
// is entered once a microbatch stands as the sum. What lies between steps while a run was stopped
// is left out. (Format: the Trace Event Format's complete events, "ph": "X", in microseconds.)

import Documents

package struct TraceFile {
  /// The newest steps; a viewer grows slow with more events than these make.
  package static let maximumSteps = 20_000
  private static let process = 1
  private static let (steps, phases) = (1, 2)
  /// `time/` keys that are no phase.
  private static let notPhases: Set<String> = ["time/step", "time/coverage"]

  package let text: String

  init(_ metrics: RunMetrics, name: String) { self.init(steps: metrics.steps, name: name) }

  package init(steps records: [Document], name: String) {
    var events = [
      Self.label("process_name", thread: 0, "learner of \(name)"),
      Self.label("thread_name", thread: Self.steps, "steps"),
      Self.label("thread_name", thread: Self.phases, "phases"),
    ]
    var start = 0.0
    for record in records.suffix(Self.maximumSteps) {
      guard let step = record["step"]?.integerValue, let wall = record["time/step"]?.numberValue
      else { continue }
      events.append(Self.event("step \(step)", thread: Self.steps, start: start, seconds: wall))
      var begun = start
      for (phase, seconds) in Self.phases(of: record) {
        events.append(Self.event(phase, thread: Self.phases, start: begun, seconds: seconds))
        begun += seconds
      }
      start += wall
    }
    text =
      JSON.write(.object([("displayTimeUnit", "ms"), ("traceEvents", .array(events))])) + "\n"
  }

  private static func phases(of record: Document) -> [(String, Double)] {
    guard case .object(let members) = record.value else { return [] }
    var phases: [(String, Double)] = []
    for member in members where member.key.hasPrefix("time/") {
      guard !notPhases.contains(member.key), let seconds = member.value.numberValue else {
        continue
      }
      phases.append((String(member.key.dropFirst("time/".count)), seconds))
    }
    return phases
  }

  private static func event(
    _ name: String, thread: Int, start: Double, seconds: Double
  ) -> Document {
    .object([
      ("name", .string(name)), ("ph", "X"), ("pid", .integer(process)), ("tid", .integer(thread)),
      ("ts", .number(start * 1e6)), ("dur", .number(seconds * 1e6)),
    ])
  }

  private static func label(_ kind: String, thread: Int, _ name: String) -> Document {
    .object([
      ("name", .string(kind)), ("ph", "M"), ("pid", .integer(process)), ("tid", .integer(thread)),
      ("args", .object([("name", .string(name))])),
    ])
  }
}
