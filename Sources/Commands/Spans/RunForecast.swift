// What a run would be with more actors or fewer, from its own spans: the parts of `LoopModel` as
// they were while it ran.
//
// Unlike those of forage bench loop they are measured while roles overlap. On hosts of their own
// that changes nothing. Where all share the cores of one host, threads got in each other's way: had
// N actors of t threads been busy for a share a of the time, and a learner of u threads for l, then
//
//   demand   D = N t a + u l      threads' worth of work at once, on P cores
//   alone    s' = s / max(1, D / P), and so for the learner and the swap
//
// A link's bytes a second are those of all fetches together while any was under way: with one actor
// the link's own, if it is thinner than what a weight server sends.

import Operations

package struct RunForecast {
  /// As many actors as there were.
  package let actors: Int
  /// The median step as it was.
  package let stepSeconds: Double
  package let model: LoopModel

  /// What the settings say of it.
  package struct Plan: Sendable {
    package var groupsPerStep: Int
    package var lagMax: Int
    /// Of an actor and of the learner.
    package var actorThreads: Int
    package var learnerThreads: Int
    package var cores: Int

    package init(
      groupsPerStep: Int, lagMax: Int, actorThreads: Int, learnerThreads: Int, cores: Int
    ) {
      self.groupsPerStep = groupsPerStep
      self.lagMax = lagMax
      self.cores = max(1, cores)
      self.actorThreads = min(actorThreads, self.cores)
      self.learnerThreads = min(learnerThreads, self.cores)
    }

    /// Nil for a run without actors. Threads are those that the supervisor gives (`RunTraining`);
    /// `cores` are this machine's, which is the run's own while it runs and where it is looked at.
    package init?(_ settings: RunSettings, cores machine: Int = Machine.coreCount) {
      guard settings.replay.mode != .offline else { return nil }
      let cores = settings.run.threads > 0 ? settings.run.threads : machine
      let (actor, learner) = (settings.actor, settings.learner)
      self.init(
        groupsPerStep: learner.groupsPerStep, lagMax: learner.lagMax,
        actorThreads: actor.threads > 0 ? actor.threads : max(1, cores / max(1, actor.count)),
        learnerThreads: learner.threads > 0 ? learner.threads : cores, cores: cores)
    }
  }

  /// Steps whose median stands for the run; the first ones start processes.
  private static let (skippedSteps, windowSteps) = (2, 200)
  private static let counts = [1, 2, 4, 8, 16, 32, 64]

  /// Nil where the spans hold no whole step with batches and fetches.
  package init?(_ spans: RunSpans, _ plan: Plan) {
    guard let learner = spans.learner else { return nil }
    let steps = learner.spans.filter { $0.name == .step && $0.id >= Self.skippedSteps }
      .suffix(Self.windowSteps)
    guard let first = steps.first, let fit = learner.fit else { return nil }
    var waits: [Int: Int64] = [:]
    for span in learner.spans where span.name == .leaseWait {
      waits[span.id, default: 0] += span.duration
    }
    var pace = ActorPace()
    for actor in spans.actors { pace.take(actor, since: fit.shifted(first.start)) }
    guard let batch = pace.batch, !pace.fetches.isEmpty else { return nil }
    let present = pace.actors
    let step = Self.median(steps.map(\.seconds))
    let work = Self.median(
      steps.map { $0.seconds - Double(waits[$0.id] ?? 0) / 1e9 })
    let swap = pace.swaps.isEmpty ? 0 : Self.median(pace.swaps)

    // One clock is one host.
    let sharesCores = spans.actors.allSatisfy { $0.fit?.chosen.isEmpty ?? false }
    let (t, u) = (plan.actorThreads, plan.learnerThreads)
    let busy = min(
      1,
      (batch.seconds * Double(plan.groupsPerStep) / Double(batch.groups * present) + swap) / step)
    let demand = Double(present * t) * busy + Double(u) * work / step
    let crowding = sharesCores ? max(1, demand / Double(plan.cores)) : 1

    let bytes = Self.median(pace.fetches.map { Double($0.bytes) })
    let roundTrip = Self.median(spans.actors.map { Double($0.roundTrips.percentile(0.5)) / 1e9 })
    // Fetches of no bytes tell nothing of a link; one of no bytes a second would make no step end.
    let rate = RunLink.together(pace.fetches) ?? 0
    let link = LoopLink(
      bytesPerSecond: rate > 0 ? rate : .infinity, roundTripSeconds: roundTrip)
    var parts = LoopParts(
      groups: plan.groupsPerStep, lagMax: plan.lagMax, batchGroups: batch.groups,
      batchSeconds: batch.seconds / crowding, swapSeconds: swap / crowding, fetchSeconds: 0,
      waitSeconds: 0, learnerSeconds: work / crowding, actorThreads: t, learnerThreads: u,
      parallelism: Double(plan.cores),
      groupBytes: pace.groupBytes.isEmpty ? 0 : Self.median(pace.groupBytes), versionBytes: bytes)
    if plan.lagMax == 0 {
      // What takes its turn and is none of the parts: where roles overlap it cannot be told apart.
      let known = LoopModel(parts, link: link, sharesCores: sharesCores)
        .forecast(actors: present).stepSeconds
      parts.waitSeconds = max(0, step - known)
    }
    actors = present
    stepSeconds = step
    model = LoopModel(parts, link: link, sharesCores: sharesCores)
  }

  /// For 1 to 64 actors, and for as many as there were.
  package var forecasts: [LoopForecast] {
    Set(Self.counts + [actors]).sorted().map { model.forecast(actors: $0) }
  }

  /// One sentence for whoever thinks of starting one more.
  package var sentence: String {
    let now = model.forecast(actors: actors)
    let more = model.forecast(actors: actors + 1)
    let change = more.stepSeconds / now.stepSeconds - 1
    let percent = RunView.format(100 * abs(change), 0)
    if abs(change) < Self.littleChange {
      return "One more actor would leave a step as long as it is, bound by \(more.bound.rawValue)."
    }
    if change < 0 {
      return "One more actor would make a step \(percent) % shorter; then it is bound by "
        + "\(more.bound.rawValue)."
    }
    return "One more actor would make a step \(percent) % longer: "
      + (more.bound == .linkToActors || !model.sharesCores
        ? "all fetch versions over the one link." : "all share these cores.")
  }

  /// Spans of one run are no more exact.
  private static let littleChange = 0.02

  fileprivate static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }
}

extension SpanLog.Span {
  fileprivate var seconds: Double { Double(duration) / 1e9 }
}

/// How fast actors sample, swap and fetch.
private struct ActorPace {
  /// Those that sampled something.
  var actors = 0
  var swaps: [Double] = []
  var groupBytes: [Double] = []
  /// By replay's clock.
  var fetches: [RunLink.Fetch] = []
  private var batches: [(groups: Int, seconds: Double)] = []

  /// Batches of the commonest size.
  var batch: (groups: Int, seconds: Double)? {
    var counts: [Int: Int] = [:]
    for batch in batches { counts[batch.groups, default: 0] += 1 }
    guard let size = counts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key else {
      return nil
    }
    return (size, RunForecast.median(batches.filter { $0.groups == size }.map(\.seconds)))
  }

  mutating func take(_ actor: RunSpans.Process, since begin: Int64) {
    guard let fit = actor.fit else { return }
    fetches += RunLink.fetches(of: actor).filter { $0.start >= begin }
    let before = batches.count
    var start: Int64?
    for span in actor.spans where fit.shifted(span.start) >= begin {
      switch span.name {
      case .ticketWait: start = span.end
      // A batch that had to fetch or to wait first is none to measure by.
      case .weightsWait, .pause: start = nil
      case .swap: swaps.append(span.seconds)
      case .submit: groupBytes.append(Double(span.amount))
      case .handOver:
        if let begun = start, span.end > begun, span.amount > 0 {
          batches.append((span.amount, Double(span.end - begun) / 1e9))
        }
        start = nil
      default: break
      }
    }
    if batches.count > before { actors += 1 }
  }
}
