// Errands under way: what people want actors to measure, and what these have found. Nothing of it
// is the ledger's, nothing is kept: an errand lives while somebody asks for its finding, and is
// told to its actor with every answer to a heartbeat until then.

import Operations
import Wire

package struct LinkErrands {
  /// One at a time goes to an actor, and not many at once in a run: each fills links.
  package static let maximumCount = 8
  /// Who asks does so every half second.
  package static let patienceNanoseconds: Int64 = 10_000_000_000

  private struct Entry {
    var actor: String
    var errand: LinkErrand
    var lastAsked: Int64
    var finding: LinkFinding?
  }

  private var entries: [Entry] = []

  package init() {}

  /// The finding so far of an errand, which is taken on when it is new; nil while nobody has begun.
  package mutating func ask(_ request: MeasureRequest, at now: Int64) throws(Refusal)
    -> LinkFinding?
  {
    forgetAbandoned(at: now)
    if let index = entries.firstIndex(where: { $0.errand.token == request.errand.token }) {
      entries[index].lastAsked = now
      return entries[index].finding
    }
    if entries.contains(where: { $0.actor == request.actor }) {
      throw Refusal(.busy, "\(request.actor) measures its links for somebody else: ask later")
    }
    guard entries.count < Self.maximumCount else {
      throw Refusal(.busy, "\(entries.count) actors measure their links: ask later")
    }
    entries.append(Entry(actor: request.actor, errand: request.errand, lastAsked: now))
    return nil
  }

  /// What this actor is to measure.
  package mutating func errand(of actor: String, at now: Int64) -> LinkErrand? {
    forgetAbandoned(at: now)
    return entries.first { $0.actor == actor }?.errand
  }

  /// What an actor tells; of an errand that nobody asks for any more it is left aside.
  package mutating func take(_ finding: LinkFinding, from actor: String) {
    let index = entries.firstIndex { $0.actor == actor && $0.errand.token == finding.token }
    if let index { entries[index].finding = finding }
  }

  private mutating func forgetAbandoned(at now: Int64) {
    entries.removeAll { now - $0.lastAsked > Self.patienceNanoseconds }
  }
}

extension ReplayService {
  /// Answers somebody who wants an actor's links measured.
  func handle(_ request: MeasureRequest, _ asker: Asker) throws {
    let isThere = ledger.peers.values.contains {
      $0.role == .actor && $0.name == request.actor && ledger.isPresent($0)
    }
    guard isThere else {
      return try send(
        .refused(Refusal(.gone, "no actor \(request.actor) is here: \(actorNames)")), to: asker)
    }
    let reply: Reply
    do throws(Refusal) {
      reply = .measured(try errands.ask(request, at: MonotonicClock.now))
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
