// The errand under way: what somebody wants an actor to measure, and what this has found. Nothing
// of it is the ledger's, nothing is kept: an errand lives while somebody asks for its finding, and
// is told to its actor with every answer to a heartbeat until then.

import Operations
import Wire

package struct LinkErrands {
  /// Who asks does so every half second.
  package static let patienceNanoseconds: Int64 = 10_000_000_000

  private struct Entry {
    var actor: String
    var errand: LinkErrand
    var lastAsked: Int64
    var finding: LinkFinding?

    /// The actor has done what it can.
    var isOver: Bool { finding.map { $0.outcome != .underway } ?? false }
  }

  /// One at a time: each fills replay's link, and two would measure each other.
  private var entry: Entry?

  package init() {}

  /// Whether somebody has asked for this one before, and not long ago.
  package mutating func knows(_ errand: LinkErrand, at now: Int64) -> Bool {
    forgetAbandoned(at: now)
    return entry?.errand.token == errand.token
  }

  /// The finding so far of an errand, which is taken on when it is new; nil while nobody has begun.
  package mutating func ask(_ request: MeasureRequest, at now: Int64) throws(Refusal)
    -> LinkFinding?
  {
    if knows(request.errand, at: now) {
      entry?.lastAsked = now
      return entry?.finding
    }
    if let entry, !entry.isOver {
      throw Refusal(.busy, "\(entry.actor) measures its links for somebody else")
    }
    entry = Entry(actor: request.actor, errand: request.errand, lastAsked: now)
    return nil
  }

  /// What this actor is to measure.
  package mutating func errand(of actor: String, at now: Int64) -> LinkErrand? {
    forgetAbandoned(at: now)
    return entry?.actor == actor ? entry?.errand : nil
  }

  /// What an actor tells; of an errand that nobody asks for any more it is left aside.
  package mutating func take(_ finding: LinkFinding, from actor: String) {
    guard entry?.actor == actor, entry?.errand.token == finding.token else { return }
    entry?.finding = finding
  }

  private mutating func forgetAbandoned(at now: Int64) {
    if let entry, now - entry.lastAsked > Self.patienceNanoseconds { self.entry = nil }
  }
}

extension ReplayService {
  /// Answers somebody who wants an actor's links measured.
  func handle(_ request: MeasureRequest, _ asker: Asker) throws {
    let now = MonotonicClock.now
    let isNew = !errands.knows(request.errand, at: now)
    let isThere = ledger.peers.values.contains {
      $0.role == .actor && $0.name == request.actor && ledger.isPresent($0)
    }
    guard isThere || !isNew else {
      return try send(
        .refused(Refusal(.gone, "no actor \(request.actor) is here: \(actorNames)")), to: asker)
    }
    let reply: Reply
    do throws(Refusal) {
      reply = .measured(try errands.ask(request, at: now))
      if isNew { log.info("\(request.actor) is to measure its links: somebody asks") }
    } catch {
      reply = .refused(error)
    }
    try send(reply, to: asker)
  }

  /// A few of those that are there, for a person.
  private var actorNames: String {
    let names = ledger.peers.values.filter { $0.role == .actor && ledger.isPresent($0) }
      .map(\.name).sorted()
    return names.isEmpty
      ? "none has said hello"
      : names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
  }
}
