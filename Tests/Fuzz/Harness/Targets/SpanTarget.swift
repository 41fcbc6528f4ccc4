// A process's file of spans: the head with its lists of names, then records, which may say anything
// and are believed in nothing but their size.

import Operations

extension FuzzTarget {
  static let spans = FuzzTarget("spans", .bytes) {
    let records = [
      SpanRecord(.decode, thread: .compute, id: 7, start: 5, duration: 9, amount: 12),
      SpanRecord(.clock, thread: .sockets, id: -4, start: 5, duration: 9),
      SpanRecord(.dropped, thread: .other, id: 3, start: 5, duration: 0),
      SpanRecord(
        rawName: 250, rawThread: 250, id: .min, start: .max, duration: .max, amount: .max),
    ]
    return [SpanLog.bytes(process: "actor-0", clock: "boot/time", records: records)]
  } attempt: { bytes in
    guard let log = try? SpanLog(parsing: bytes, path: "fuzz") else { return false }
    for span in log.spans where span.end < span.start {
      throw FuzzFinding("a span from \(span.start) to \(span.end)")
    }
    guard log.dropped >= 0 else { throw FuzzFinding("\(log.dropped) spans dropped") }
    return true
  }
}
