// What all processes of a run spent their time on, by one clock: replay's. Where a process read
// another, its spans are shifted by what its heartbeats told, and every figure that goes from one
// clock to another carries how wrong it can be.

import Operations

package struct RunSpans {
  package enum Role: String, Sendable, CaseIterable { case learner, replay, actor }

  package struct Process: Sendable {
    package let name: String
    package let role: Role
    /// By its own clock, in order of start.
    package let spans: [SpanLog.Span]
    package let dropped: Int
    /// From its clock to replay's: `.same` where they are one; nil where nothing tells.
    package let fit: ClockFit?
    /// What its heartbeats say of the link to replay, whether the clocks are one or not.
    package let measured: ClockFit?
    /// Round trips of its heartbeats.
    package let roundTrips: Histogram

    /// Moments of its clock, by replay's; nil where its clock is not known.
    package func place(_ span: SpanLog.Span) -> Placed? {
      guard let fit else { return nil }
      return Placed(
        span: span, process: name, start: fit.shifted(span.start), bar: fit.bar(at: span.start))
    }
  }

  /// A span by replay's clock.
  package struct Placed: Sendable {
    package var span: SpanLog.Span
    package var process: String
    package var start: Int64
    /// As wrong as `start` can be.
    package var bar: Int64
    package var end: Int64 { start + span.duration }
  }

  /// Learner, replay, then actors by name.
  package let processes: [Process]
  /// Records that no file has.
  package let dropped: Int
  package let faults: [Failure]

  package var isEmpty: Bool { processes.allSatisfy(\.spans.isEmpty) }
  package var learner: Process? { processes.first { $0.role == .learner } }
  package var replay: Process? { processes.first { $0.role == .replay } }
  package var actors: [Process] { processes.filter { $0.role == .actor } }

  /// The newest `tailBytes` of each process's files.
  init(_ run: RunFolder, tailBytes: Int) {
    let (logs, faults) = SpanLog.all(of: run, tailBytes: tailBytes)
    self.init(logs, faults: faults)
  }

  package init(_ logs: [SpanLog], faults: [Failure] = []) {
    self.faults = faults
    dropped = logs.reduce(0) { $0 + $1.dropped }
    let clock = (logs.first { $0.process == "replay" } ?? logs.first { $0.process == "learner" })?
      .clock
    var processes: [Process] = []
    for log in logs { processes.append(Self.process(log, clock: clock)) }
    self.processes = processes.sorted { left, right in
      let (first, second) = (Self.order(left.role), Self.order(right.role))
      return first == second ? left.name < right.name : first < second
    }
  }

  private static func order(_ role: Role) -> Int { Role.allCases.firstIndex(of: role)! }

  private static func process(_ log: SpanLog, clock: String?) -> Process {
    var samples: [ClockSample] = []
    var roundTrips = Histogram()
    var spans: [SpanLog.Span] = []
    for span in log.spans {
      if span.name == .clock {
        samples.append(
          ClockSample(at: span.start, roundTrip: span.duration, offset: Int64(span.id)))
        roundTrips.record(span.duration)
      } else if span.name.track != .note {
        spans.append(span)
      }
    }
    samples.sort { $0.at < $1.at }
    spans.sort { ($0.start, -$0.duration) < ($1.start, -$1.duration) }
    let measured = ClockFit(samples)
    return Process(
      name: log.process,
      role: log.process == "learner" ? .learner : log.process == "replay" ? .replay : .actor,
      spans: spans, dropped: log.dropped, fit: log.clock == clock ? .same : measured,
      measured: measured, roundTrips: roundTrips)
  }

  /// Durations by role and name, those of all actors together, in the order of the names.
  package func distributions() -> [(role: Role, name: SpanName, durations: Histogram)] {
    var found: [Role: [SpanName: Histogram]] = [:]
    for process in processes {
      var own = found[process.role] ?? [:]
      for span in process.spans { own[span.name, default: Histogram()].record(span.duration) }
      found[process.role] = own
    }
    return Role.allCases.flatMap { role in
      SpanName.allCases.compactMap { name in
        found[role]?[name].map { (role, name, $0) }
      }
    }
  }
}
