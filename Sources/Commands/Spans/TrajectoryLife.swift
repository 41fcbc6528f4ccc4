// The life of one ticket's group, hop by hop, from an actor's asking to the end of the step that
// trained on it. Hops within a process are as exact as its clock; one from a process to another has
// a bar where their clocks are two. What is done again and again, as a pass for each pack of a
// step, is one hop with a part for each.

import Operations

package struct TrajectoryLife: Sendable {
  package struct Hop: Sendable, Equatable {
    package var name: String
    package var place: String
    /// Replay's clock.
    package var start: Int64
    package var end: Int64
    /// Of its duration; 0 where both ends are of one clock.
    package var bar: Int64
    /// What of it was spent, where it was left for something else meanwhile; else all.
    package var parts: [Range<Int64>] = []
    package var way: OneWay { OneWay(nanoseconds: end - start, bar: bar) }

    /// Together, where it has parts.
    package var nanoseconds: Int64 {
      parts.isEmpty ? end - start : parts.reduce(0) { $0 + Int64($1.count) }
    }
  }

  package let ticket: Int
  package let step: Int
  package let hops: [Hop]
  package var nanoseconds: Int64 {
    (hops.map(\.end).max() ?? 0) - (hops.map(\.start).min() ?? 0)
  }

  /// The newest tickets that are looked at for the one in the middle.
  private static let maximumTickets = 2000

  /// The one of the median time from asking to trained; nil where none has its whole way.
  package static func median(_ spans: RunSpans) -> TrajectoryLife? {
    let index = TicketIndex(spans)
    let lives = index.complete.suffix(maximumTickets).compactMap { TrajectoryLife($0, index) }
      .sorted { $0.nanoseconds < $1.nanoseconds }
    return lives.isEmpty ? nil : lives[lives.count / 2]
  }

  /// Nil where a part of its way is missing.
  init?(_ ticket: Int, _ index: TicketIndex) {
    guard let asked = index.way(.ticket, ticket), let rollout = index.way(.rollout, ticket),
      let queue = index.way(.sendQueue, ticket), let receive = index.way(.receive, ticket),
      let validate = index.way(.validate, ticket), let wait = index.way(.groupWait, ticket),
      let sync = index.way(.fsync, ticket), let queued = index.way(.queued, ticket),
      let phases = index.phases[queued.span.amount], let fetch = phases.first
    else { return nil }
    var hops: [Hop] = []
    func add(_ name: String, _ place: String, _ start: Int64, _ end: Int64, bar: Int64 = 0) {
      hops.append(Hop(name: name, place: place, start: start, end: end, bar: bar))
    }
    func add(_ name: String, _ placed: RunSpans.Placed) {
      add(name, placed.process, placed.start, placed.end)
    }
    var places: [SpanName: Int] = [:]
    func addPart(_ part: RunSpans.Placed) {
      if let place = places[part.span.name] {
        hops[place].join(part.start, part.end)
      } else {
        places[part.span.name] = hops.count
        add(part.span.name.text, part)
      }
    }
    add("ask for a ticket", asked)
    index.work(of: rollout).forEach(addPart)
    add("send queue", queue)
    add(
      "wire", "\(queue.process) to replay", queue.end, receive.start, bar: queue.bar + receive.bar)
    add("receive", receive)
    add("validate", validate)
    add("wait for the commit", wait)
    add("commit and fsync", sync)
    if let flight = index.way(.inFlight, ticket) {
      add(
        "acknowledge", "replay to \(flight.process)", sync.end, flight.end,
        bar: sync.bar + flight.bar)
    }
    add("wait for the lease", "replay", sync.end, queued.end)
    add("wire", "replay to learner", queued.end, fetch.start, bar: queued.bar + fetch.bar)
    phases.forEach(addPart)
    self.ticket = ticket
    step = queued.span.amount
    self.hops = hops
  }
}

extension TrajectoryLife.Hop {
  fileprivate mutating func join(_ start: Int64, _ end: Int64) {
    if parts.isEmpty { parts = [self.start..<max(self.start, self.end)] }
    parts.append(start..<max(start, end))
    self.end = max(self.end, end)
  }
}

/// Spans by the ticket they are of, and the phases of each step.
struct TicketIndex {
  private var ways: [SpanName: [Int: RunSpans.Placed]] = [:]
  /// By step, in the order of time; what stands before the batch was there is left out.
  private(set) var phases: [Int: [RunSpans.Placed]] = [:]
  private var works: [String: [RunSpans.Placed]] = [:]

  init(_ spans: RunSpans) {
    for process in spans.processes {
      for span in process.spans {
        guard let placed = process.place(span) else { break }
        switch (process.role, span.thread) {
        case (.learner, .train) where span.name.subject == .step:
          guard ![.step, .leaseWait].contains(span.name) else { continue }
          // A step taken again after a resume is another one: the newest counts.
          if span.name == .fetch { phases[span.id] = [] }
          phases[span.id]?.append(placed)
        case (.actor, .compute) where span.name.track == .thread,
          (.actor, .judge) where span.name.track == .thread:
          works[process.name, default: []].append(placed)
          if span.name.subject == .ticket { fallthrough }
        default:
          guard span.name.subject == .ticket, span.id >= 0 else { continue }
          ways[span.name, default: [:]][span.id] = placed
        }
      }
    }
  }

  /// Tickets that were leased, in the order of their numbers.
  var complete: [Int] { (ways[.queued] ?? [:]).keys.sorted() }

  func way(_ name: SpanName, _ ticket: Int) -> RunSpans.Placed? { ways[name]?[ticket] }

  /// Prefill, decode, and this ticket's own judging and encoding, within its rollout.
  func work(of rollout: RunSpans.Placed) -> [RunSpans.Placed] {
    let all = works[rollout.process] ?? []
    var low = 0
    var high = all.count
    while low < high {
      let half = (low + high) / 2
      if all[half].start < rollout.start { low = half + 1 } else { high = half }
    }
    var found: [RunSpans.Placed] = []
    while low < all.count, all[low].start < rollout.end {
      let part = all[low]
      let isShared = [.prefill, .decode].contains(part.span.name)
      let isOwn = [.verify, .encode].contains(part.span.name) && part.span.id == rollout.span.id
      if isShared || isOwn { found.append(part) }
      low += 1
    }
    return found
  }
}
