// The links of a run, a row each: what went over, how long a message takes to come back, how far
// the clocks are apart, and how fast bulk goes.

import Operations

package struct RunLink: Sendable {
  package var name: String
  /// Groups or leases, and their bytes.
  package var messages = 0
  package var bytes = 0
  /// Seconds in which these were sent.
  package var seconds = 0.0
  /// Of the heartbeats; empty where none was answered.
  package var roundTrips = Histogram()
  /// To replay's clock, as measured; nil without heartbeats.
  package var clock: ClockFit?
  /// The two ends read one clock: an offset other than 0 is the measurement's own.
  package var isOneClock = false
  /// Of groups, from given to the connection to received; nil where that is within its bar.
  package var groupBytesPerSecond: Double?
  /// Versions fetched, their bytes, and how fast they came.
  package var fetches = 0
  package var fetchBytes = 0
  package var fetchBytesPerSecond: Double?

  package var bytesPerSecond: Double? { seconds > 0 ? Double(bytes) / seconds : nil }

  /// In the middle of the samples, with its bar; nil without any.
  package var offset: OneWay? {
    guard let clock, let middle = clock.chosen.dropFirst(clock.chosen.count / 2).first else {
      return nil
    }
    return OneWay(
      nanoseconds: clock.offset(at: middle.at), bar: clock.bar(at: middle.at))
  }

  /// A version on its way to one actor, by replay's clock.
  package struct Fetch: Sendable {
    package var start: Int64
    package var end: Int64
    package var bytes: Int

    package init(start: Int64, end: Int64, bytes: Int) {
      self.start = start
      self.end = end
      self.bytes = bytes
    }
  }

  /// None where its clock is not known.
  static func fetches(of actor: RunSpans.Process) -> [Fetch] {
    guard let fit = actor.fit else { return [] }
    return actor.spans.filter { $0.name == .fetchWeights }.map {
      Fetch(start: fit.shifted($0.start), end: fit.shifted($0.end), bytes: $0.amount)
    }
  }

  /// Bytes a second of fetches while any of them was under way: those of several actors share a
  /// link. Nil without any.
  package static func together(_ fetches: [Fetch]) -> Double? {
    var (time, covered, bytes) = (Int64(0), Int64.min, 0)
    for fetch in fetches.sorted(by: { $0.start < $1.start }) {
      bytes += fetch.bytes
      time += max(0, fetch.end - max(covered, fetch.start))
      covered = max(covered, fetch.end)
    }
    return time > 0 ? Double(bytes) / (Double(time) / 1e9) : nil
  }

  /// Replay with the learner, then with each actor; where there are several of these, the weights
  /// of all together come last.
  package static func all(_ spans: RunSpans) -> [RunLink] {
    var received: [Int: RunSpans.Placed] = [:]
    if let replay = spans.replay {
      for span in replay.spans where span.name == .receive && span.id >= 0 {
        received[span.id] = replay.place(span)
      }
    }
    var links: [RunLink] = []
    if let learner = spans.learner {
      var link = RunLink(learner, name: "replay to learner")
      link.count(spans.replay?.spans.filter { $0.name == .lease } ?? [])
      links.append(link)
    }
    for actor in spans.actors { links.append(of(actor, received)) }
    if spans.actors.count > 1, let weights = weightsTogether(spans.actors) { links.append(weights) }
    return links
  }

  private static func weightsTogether(_ actors: [RunSpans.Process]) -> RunLink? {
    let fetches = actors.flatMap(fetches)
    guard let rate = together(fetches) else { return nil }
    var link = RunLink(name: "learner to all actors")
    link.fetches = fetches.count
    link.fetchBytes = fetches.reduce(0) { $0 + $1.bytes }
    link.fetchBytesPerSecond = rate
    return link
  }

  private init(name: String) { self.name = name }

  private init(_ process: RunSpans.Process, name: String) {
    self.name = name
    roundTrips = process.roundTrips
    clock = process.measured
    isOneClock = process.fit?.chosen.isEmpty ?? false
  }

  private mutating func count(_ spans: [SpanLog.Span]) {
    messages = spans.count
    bytes = spans.reduce(0) { $0 + $1.amount }
    guard let first = spans.first, let last = spans.last else { return }
    seconds = Double(last.end - first.start) / 1e9
  }

  private static func of(
    _ actor: RunSpans.Process, _ received: [Int: RunSpans.Placed]
  ) -> RunLink {
    var link = RunLink(actor, name: "\(actor.name) to replay")
    let submissions = actor.spans.filter { $0.name == .submit }
    link.count(submissions)
    // Whatever a far clock is said to show, sums of doubles do not overflow.
    var (wire, bars, bytes) = (0.0, 0.0, 0)
    for submission in submissions {
      guard let sent = actor.place(submission), let came = received[submission.id] else { continue }
      wire += Double(came.start) - Double(sent.start)
      bars += Double(came.bar) + Double(sent.bar)
      bytes += submission.amount
    }
    if OneWay(nanoseconds: Int64(clamped: wire), bar: Int64(clamped: bars)).isSeparable {
      link.groupBytesPerSecond = Double(bytes) / (wire / 1e9)
    }
    let fetches = actor.spans.filter { $0.name == .fetchWeights }
    link.fetches = fetches.count
    link.fetchBytes = fetches.reduce(0) { $0 + $1.amount }
    let time = fetches.reduce(0.0) { $0 + Double($1.duration) }
    if time > 0 { link.fetchBytesPerSecond = Double(link.fetchBytes) / (time / 1e9) }
    return link
  }
}

extension Int64 {
  fileprivate init(clamped number: Double) {
    self = Int64(Swift.max(-9e18, Swift.min(9e18, number)))
  }
}
