// What bounds a run, in shares of its time and in one sentence: who waits, how long, and for whom.
// A learner that waits for groups has too few actors; actors that wait for tickets have a learner
// that cannot follow; where both wait they take turns.

import Operations

package struct RunBound: Sendable {
  /// Shares of a role's time, 0 to 1.
  package struct Shares: Sendable, Equatable {
    /// By span name, waits and work; what no span covers is in none.
    package var byName: [SpanName: Double] = [:]

    package init(byName: [SpanName: Double] = [:]) { self.byName = byName }

    package subscript(_ name: SpanName) -> Double { byName[name] ?? 0 }
    package var waiting: Double {
      byName.reduce(0) { $0 + ($1.key.isWait ? $1.value : 0) }
    }
  }

  /// Of the newest steps whose spans are all there.
  package let steps: Int
  package let learner: Shares
  /// Mean over actors, each over the time in which it was there.
  package let actors: Shares
  package let actorCount: Int
  /// Of replay's one thread: what it works, as it has no waits of its own.
  package let replay: Shares

  package init(
    steps: Int, learner: Shares, actors: Shares, actorCount: Int, replay: Shares = Shares()
  ) {
    self.steps = steps
    self.learner = learner
    self.actors = actors
    self.actorCount = actorCount
    self.replay = replay
  }

  /// Steps at most: what a run does now, not what it did when it began.
  package static let windowSteps = 200

  /// Nil before a learner's second step.
  package init?(_ spans: RunSpans) {
    guard let learner = spans.learner else { return nil }
    // The first step of a process waits for models to be built and weights to be fetched.
    let steps = learner.spans.filter { $0.name == .step }.dropFirst().suffix(Self.windowSteps)
    guard let first = steps.first, let last = steps.last, let fit = learner.fit else { return nil }
    let window = fit.shifted(first.start)...max(fit.shifted(first.start), fit.shifted(last.end))
    self.init(
      steps: steps.count, learner: Self.shares(learner, window), actors: Self.mean(spans, window),
      actorCount: spans.actors.count,
      replay: spans.replay.map { Self.shares($0, window) } ?? Shares())
  }

  private static func mean(_ spans: RunSpans, _ window: ClosedRange<Int64>) -> Shares {
    var sum = Shares()
    var count = 0.0
    for actor in spans.actors {
      let shares = shares(actor, window)
      guard !shares.byName.isEmpty else { continue }
      for (name, share) in shares.byName { sum.byName[name, default: 0] += share }
      count += 1
    }
    return Shares(byName: sum.byName.mapValues { $0 / count })
  }

  /// Shares of the window in which the process was there. Only outermost spans of its first thread
  /// count, each moment once.
  private static func shares(
    _ process: RunSpans.Process, _ window: ClosedRange<Int64>
  ) -> Shares {
    guard let fit = process.fit else { return Shares() }
    let thread: SpanThread =
      switch process.role {
      case .learner: .train
      case .replay: .serve
      case .actor: .compute
      }
    var sums: [SpanName: Int64] = [:]
    var covered = Int64.min
    var here: (first: Int64, last: Int64)?
    for span in process.spans
    where span.thread == thread && span.name.track == .thread && span.name != .step {
      let start = max(fit.shifted(span.start), max(window.lowerBound, covered))
      let end = min(fit.shifted(span.end), window.upperBound)
      guard end > start else { continue }
      sums[span.name, default: 0] += end - start
      covered = end
      here = (here?.first ?? start, end)
    }
    guard let here, here.last > here.first else { return Shares() }
    let whole = Double(here.last - here.first)
    return Shares(byName: sums.mapValues { Double($0) / whole })
  }

  // MARK: In words

  /// Below this a role that waits is one that is busy.
  private static let littleShare = 0.15

  private static func percent(_ share: Double) -> String {
    RunView.format(share * 100, 0) + " %"
  }

  package enum Verdict: String, Sendable {
    case actors, learner, turns, weights, disk, balance
  }

  package var verdict: Verdict {
    let little = Self.littleShare
    let (groups, disk) = (learner[.leaseWait], learner[.commitWait])
    if actors[.weightsWait] >= max(little, groups, actors.waiting / 2) { return .weights }
    if disk >= max(little, groups, actors.waiting) { return .disk }
    if groups >= little, actors.waiting >= little { return .turns }
    if groups >= little { return .actors }
    return actors.waiting >= little ? .learner : .balance
  }

  /// One sentence for whoever asks where the time goes.
  package var sentence: String {
    let groups = Self.percent(learner[.leaseWait])
    let waits = Self.percent(actors.waiting)
    let who = actorCount == 1 ? "the actor" : "actors"
    switch verdict {
    case .actors:
      return "Actors are the bottleneck: the learner waited \(groups) of the step for groups, and "
        + "\(who) waited \(waits) of the time; more of them, or faster ones, shorten the step."
    case .learner:
      return "The learner is the bottleneck: it waited \(groups) of the step for groups, and "
        + "\(who) waited \(waits) of the time for it; fewer would do."
    case .turns:
      return "Learner and actors take turns: the learner waited \(groups) of the step for groups, "
        + "and \(who) waited \(waits) of the time; a greater learner.lagMax lets them overlap."
    case .weights:
      return "Fetching weights is the bottleneck: \(who) waited "
        + "\(Self.percent(actors[.weightsWait])) of the time for them."
    case .disk:
      return "The disk is the bottleneck: the learner waited "
        + "\(Self.percent(learner[.commitWait])) of the step for its commit to be safe."
    case .balance:
      return "Learner and actors are in balance: the learner waited \(groups) of the step for "
        + "groups, and \(who) waited \(waits) of the time."
    }
  }
}
