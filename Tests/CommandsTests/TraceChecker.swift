// Reads a file of Chrome's trace events as a viewer would, and says what is wrong with it: spans of
// a thread that neither nest nor follow, async events without their pair, arrows with an end
// missing or pointing back, threads without a name, times that are none.

import Documents

struct TraceChecker {
  private(set) var faults: [String] = []
  private(set) var spans = 0
  private(set) var ways = 0
  private(set) var arrows = 0
  private(set) var processes: [String] = []
  let document: Document

  init(_ text: String) throws {
    document = try JSON.parse(Array(text.utf8), source: "trace")
    guard case .array(let events)? = document["traceEvents"]?.value else {
      faults.append("no traceEvents")
      return
    }
    check(events)
  }

  private mutating func check(_ events: [Document]) {
    var named: Set<String> = []
    var open: [String: [(name: String, end: Double)]] = [:]
    var begun: [String: [String]] = [:]
    var flows: [String: [(phase: String, at: Double)]] = [:]
    var last = -Double.infinity
    for event in events {
      guard case .string(let name)? = event["name"]?.value,
        case .string(let phase)? = event["ph"]?.value, let process = number(event["pid"]),
        let thread = number(event["tid"])
      else {
        faults.append("an event without name, ph, pid or tid: \(JSON.write(event))")
        continue
      }
      let track = "\(process) \(thread)"
      if phase == "M" {
        label(event, name, track, &named)
        continue
      }
      guard let at = number(event["ts"]), at >= last else {
        faults.append("\(name) at \(number(event["ts"]) as Any) after \(last)")
        continue
      }
      last = at
      if !named.contains(track) { faults.append("\(name) on a thread nobody named: \(track)") }
      switch phase {
      case "X":
        spans += 1
        let end = at + (number(event["dur"]) ?? -1)
        if end < at { faults.append("\(name) at \(at) without a duration") }
        // The file has nanoseconds as decimals; their sums are not exact in binary.
        open[track, default: []].removeAll { $0.end <= at + 1e-4 }
        if let around = open[track]?.last, around.end + 1e-4 < end {
          faults.append("\(name) from \(at) to \(end) ends after \(around.name) at \(around.end)")
        }
        open[track]?.append((name, end))
      case "b": begun[lane(event), default: []].append(name)
      case "e":
        ways += 1
        if begun[lane(event)]?.popLast() != name {
          faults.append("\(name) of \(lane(event)) ends at \(at) and is not what began last")
        }
      case "s", "t", "f":
        if open[track]?.contains(where: { $0.end >= at }) != true {
          faults.append("an arrow touches \(track) at \(at), where nothing is")
        }
        flows[lane(event), default: []].append((phase, at))
      default: faults.append("\(name) of kind \(phase)")
      }
    }
    for (lane, names) in begun where !names.isEmpty { faults.append("\(lane): \(names) never end") }
    for (lane, ends) in flows {
      arrows += 1
      if ends.map(\.phase) != ["s", "t", "f"] { faults.append("\(lane): \(ends.map(\.phase))") }
    }
  }

  private mutating func label(
    _ event: Document, _ kind: String, _ track: String, _ named: inout Set<String>
  ) {
    guard case .string(let text)? = event["args"]?["name"]?.value else { return }
    if kind == "thread_name" { named.insert(track) }
    if kind == "process_name" { processes.append(text) }
  }

  private func lane(_ event: Document) -> String {
    func text(_ key: String) -> String {
      if case .string(let text)? = event[key]?.value { text } else { "?" }
    }
    return "\(text("cat")) \(text("id"))"
  }

  private func number(_ document: Document?) -> Double? {
    switch document?.value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }
}
