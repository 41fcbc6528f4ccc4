// What a loop of actors, replay and learner comes to with other numbers of actors and over another
// link, from parts that were measured one by one. Pure arithmetic: no clock, no process.
//
// A step trains B groups. With n actors, each of which samples k groups at a time in s seconds
// (alone on its cores), over a link of W bytes a second and a round trip of r:
//
//   batches   m = ceil(B / k), so that at most m actors have work and rounds = ceil(m / n)
//   crowding  c(x) = max(1, x * t / P)      x actors of t threads on P cores' worth of parallelism;
//                                           1 where each has a host of its own
//   fetch     F = f + n V / W               n actors fetch versions of V bytes at once
//   sample    S = rounds s c(min(n, m)) + swap c(n)
//   submit    E = min(n, m) k g / W         the last groups of g bytes; the others went meanwhile
//   waits     Q = q + 5 r                   announcement, locate, chunks, tickets, groups
//   learner   L                             a step without its wait for the batch
//
//   chain     C = F + S + E + Q + L         from one version to the next, when nothing overlaps
//   step      T = max( C / (1 + lagMax)     a version's groups may be trained lagMax steps later,
//                    , L                    so that many chains run at once
//                    , B s c(n) / (k n) + swap c(n)    an actor's work, where all have some
//                    , B g / W              the link, actors to learner
//                    , cores )              B s t / k + n swap t + L u over P, where all share
//
// The link's n shares are equal while all fetch, and at lag 0 they do: an actor that comes too late
// to sample with a version fetches it to its end and then the next, so whoever is first with the
// next has had an n-th of the link. Behind one queue for all, where a connection can get ahead of
// the others and stay there, steps are shorter than this (EXPERIMENTS.md: by half at times).
// With lag, one that is still fetching when the next comes skips it, so the link to the actors
// bounds a step by the age of what arrives, which is the chain, and not by n versions a step
// (measured: four actors at lag 1 fetched three).
//
// The learner waits 1 - L / T of a step, an actor 1 - (B s c / (k n) + swap c) / T. Where the cores
// bound it, all that is done takes longer by one factor and nobody waits more for that: T is then
// what it would be but for the cores.
//
// What it leaves out: a second host's other speed, replay's own core (it uses little), the spread
// of a step's tokens, whose median stands for all, and checkpoints: a step in so many is longer by
// one, which stands beside the forecast.

package struct LoopParts {
  /// B.
  package var groups: Int
  package var lagMax: Int
  /// k, and s: seconds of one actor alone.
  package var batchGroups: Int
  package var batchSeconds: Double
  package var swapSeconds: Double
  /// f and q: of a version's way and of all other waits, where the link is memory.
  package var fetchSeconds: Double
  package var waitSeconds: Double
  package var learnerSeconds: Double
  /// t and u.
  package var actorThreads: Int
  package var learnerThreads: Int
  /// P: threads' worth of work that threads do at once here.
  package var parallelism: Double
  package var groupBytes: Double
  package var versionBytes: Double

  package init(
    groups: Int, lagMax: Int, batchGroups: Int, batchSeconds: Double, swapSeconds: Double,
    fetchSeconds: Double, waitSeconds: Double, learnerSeconds: Double, actorThreads: Int,
    learnerThreads: Int, parallelism: Double, groupBytes: Double, versionBytes: Double
  ) {
    precondition(groups > 0 && batchGroups > 0, "\(groups) groups, \(batchGroups) at a time")
    self.groups = groups
    self.lagMax = lagMax
    self.batchGroups = min(batchGroups, groups)
    self.batchSeconds = batchSeconds
    self.swapSeconds = swapSeconds
    self.fetchSeconds = fetchSeconds
    self.waitSeconds = waitSeconds
    self.learnerSeconds = learnerSeconds
    self.actorThreads = actorThreads
    self.learnerThreads = learnerThreads
    self.parallelism = max(1, parallelism)
    self.groupBytes = groupBytes
    self.versionBytes = versionBytes
  }
}

/// The way between learner and actors; all actors share it.
package struct LoopLink {
  /// Full packets of 1514 bytes carry 1448 (IPv4, TCP with time stamps, Ethernet).
  package static let payloadShare = 1448.0 / 1514.0

  /// Of payload; infinite within a host.
  package var bytesPerSecond: Double
  package var roundTripSeconds: Double

  package init(bytesPerSecond: Double, roundTripSeconds: Double) {
    self.bytesPerSecond = bytesPerSecond
    self.roundTripSeconds = roundTripSeconds
  }

  package static let memory = LoopLink(bytesPerSecond: .infinity, roundTripSeconds: 0)

  /// "100Mbit", "1.5Gbit", "10MB", bits as they are on the wire and bytes as they arrive; nil for
  /// what is no such text.
  package static func bytesPerSecond(_ text: String) -> Double? {
    let units: [(String, Double)] = [
      ("kbit", 1e3 / 8 * payloadShare), ("mbit", 1e6 / 8 * payloadShare),
      ("gbit", 1e9 / 8 * payloadShare), ("kb", 1e3), ("mb", 1e6), ("gb", 1e9),
    ]
    let text = text.lowercased()
    for (unit, scale) in units where text.hasSuffix(unit) {
      guard let number = Double(text.dropLast(unit.count)), number > 0, number.isFinite else {
        return nil
      }
      return number * scale
    }
    return nil
  }
}

/// What bounds a step.
package enum LoopBound: String {
  case learner = "the learner"
  case actors = "the actors"
  case cores = "the cores that all share"
  case linkToActors = "the link, which carries versions to every actor"
  case linkToReplay = "the link, which carries the groups to replay"
  case waits = "round trips and waits"
}

package struct LoopForecast: Equatable {
  package var actors: Int
  package var stepSeconds: Double
  /// Shares of a step.
  package var learnerWaits: Double
  package var actorsWait: Double
  package var bound: LoopBound
}

package struct LoopModel {
  package var parts: LoopParts
  package var link: LoopLink
  /// Whether actors and learner run on the cores that the parts were measured on.
  package var sharesCores: Bool

  package init(_ parts: LoopParts, link: LoopLink = .memory, sharesCores: Bool = true) {
    self.parts = parts
    self.link = link
    self.sharesCores = sharesCores
  }

  private func crowding(_ actors: Int) -> Double {
    sharesCores ? max(1, Double(actors * parts.actorThreads) / parts.parallelism) : 1
  }

  package func forecast(actors n: Int) -> LoopForecast {
    precondition(n > 0, "\(n) actors")
    let batches = (parts.groups + parts.batchGroups - 1) / parts.batchGroups
    let busy = min(n, batches)
    let rounds = Double((batches + n - 1) / n)
    let bandwidth = link.bytesPerSecond
    let toActors = Double(n) * parts.versionBytes / bandwidth
    let toReplay = Double(parts.groups) * parts.groupBytes / bandwidth

    let swap = parts.swapSeconds * crowding(n)
    let sample = rounds * parts.batchSeconds * crowding(busy)
    let submit = Double(busy * parts.batchGroups) * parts.groupBytes / bandwidth
    let waits = parts.waitSeconds + 5 * link.roundTripSeconds
    let fetch = parts.fetchSeconds + toActors
    let learner = parts.learnerSeconds
    let chain = fetch + swap + sample + submit + waits + learner

    // A batch of fewer groups than k is as rare as its share of a step's.
    let work = parts.batchSeconds * Double(parts.groups) / Double(parts.batchGroups)
    let each = work / Double(n) * crowding(n) + swap
    let cores =
      !sharesCores
      ? 0
      : (work * Double(parts.actorThreads)
        + Double(n) * parts.swapSeconds * Double(parts.actorThreads)
        + learner * min(Double(parts.learnerThreads), parts.parallelism))
        / parts.parallelism
    let others: [(Double, LoopBound)] = [
      (
        chain / Double(1 + parts.lagMax),
        Self.longest(fetch, swap + sample, submit, waits, learner)
      ), (learner, .learner), (each, .actors), (toReplay, .linkToReplay),
    ]
    let other = others.max { $0.0 < $1.0 }!
    let busySeconds = work / Double(n) * crowding(busy) + swap
    return LoopForecast(
      actors: n, stepSeconds: max(other.0, cores), learnerWaits: max(0, 1 - learner / other.0),
      actorsWait: max(0, 1 - busySeconds / other.0), bound: cores > other.0 ? .cores : other.1)
  }

  /// Of a chain, what most of it is spent on.
  private static func longest(
    _ fetch: Double, _ sample: Double, _ submit: Double, _ waits: Double, _ learner: Double
  ) -> LoopBound {
    let parts: [(Double, LoopBound)] = [
      (learner, .learner), (sample, .actors), (fetch, .linkToActors), (submit, .linkToReplay),
      (waits, .waits),
    ]
    return parts.max { $0.0 < $1.0 }!.1
  }
}
