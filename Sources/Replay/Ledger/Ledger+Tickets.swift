// Granting: which work an actor with these weights may begin now.

import Experience
import Wire

extension Ledger {
  /// No ticket at or above this number is granted yet: the pace, and the end of the run.
  var ticketCeiling: Int {
    guard let version else { return 0 }
    let batches = min(configuration.steps, version.number + configuration.lagMax + 1)
    return batches * configuration.groupsPerStep
  }

  /// The least version number a group of this ticket may be sampled with, now.
  func minimumVersion(of number: Int) -> Int {
    let step = max(nextStep, number / configuration.groupsPerStep)
    return max(0, step - configuration.lagMax)
  }

  /// Is this a version of this run, as far as the ledger still remembers?
  func isKnown(_ version: PolicyVersion) -> Bool {
    version.lineage == configuration.lineage && digests[version.number] == version.digest
  }

  mutating func handleTickets(_ asker: Asker, _ request: TicketRequest) {
    guard admit(asker, as: .actor, "asks for tickets") else { return }
    guard request.count > 0 else {
      return refuse(asker, .malformed, "asked for \(request.count) tickets; ask for at least 1")
    }
    peers[asker.peer]!.version = request.version
    // One request a peer is parked: whoever asks again has given the first one up.
    if let index = parked.firstIndex(where: { $0.asker.peer == asker.peer }) {
      let older = parked.remove(at: index)
      reply(older.asker, .wait(Wait(milliseconds: 0, reason: "the later request of this peer")))
    }
    if let answer = answer(request, of: asker.peer) {
      reply(asker, answer)
    } else {
      parked.append(Parked(asker: asker, request: request, since: now))
    }
  }

  /// What an actor gets for its request; nil when there is nothing to do but wait.
  mutating func answer(_ request: TicketRequest, of peer: Peer) -> Reply? {
    if isFinished || isClosing {
      return .wait(Wait(milliseconds: 1000, reason: "nothing: the run is over", isFinished: true))
    }
    guard let version, now >= reconnectUntil else { return nil }
    guard let held = request.version, isKnown(held) else { return .fetch(version) }

    let count = min(request.count, WireLimits.maximumTickets)
    let evaluation = grantEvaluation(of: held, count, to: peer)
    if !evaluation.isEmpty { return .tickets(evaluation) }

    var granted: [Ticket] = []
    var isTooOld = false
    while granted.count < count, let number = nextGrantable {
      let minimum = minimumVersion(of: number)
      guard minimum <= held.number else {
        isTooOld = true
        break
      }
      book.hold(number, by: peer, at: now)
      let key = TicketKey(purpose: .train, number: number)
      granted.append(Ticket(key: key, minimumVersion: minimum, level: level(of: number)))
    }
    if !granted.isEmpty { return .tickets(granted) }
    if isTooOld { return .fetch(version) }
    if let wanted = evaluationToFetch(for: peer, holding: held) { return .fetch(wanted) }
    return nil
  }

  /// The lowest number to be reissued, else the next new one, within the pace: what a fork gave
  /// back reaches as far as its parent had come.
  var nextGrantable: Int? {
    let number = book.reissue.first ?? book.next
    return number < ticketCeiling ? number : nil
  }

  // MARK: Leases of tickets

  /// A heartbeat names what a peer still works on: its leases start afresh, and what had lapsed
  /// comes back to it. What another holds by now stays there; both may fill it.
  mutating func renew(_ keys: [TicketKey], of peer: Peer) {
    for key in keys {
      switch key.purpose {
      case .train: renewTraining(key.number, of: peer)
      case .evaluate(let version):
        if let index = evaluations.firstIndex(where: { $0.version.number == version }) {
          evaluations[index].renew(key.number, of: peer, at: now)
        }
      }
    }
  }

  private mutating func renewTraining(_ number: Int, of peer: Peer) {
    guard number >= 0, number < ticketCeiling else { return }
    switch book.state(number) {
    case .held(peer, _)?, .lapsed?, nil: book.hold(number, by: peer, at: now)
    default: break
    }
  }

  mutating func endSilentLeases() {
    let due = now - configuration.ticketLeaseNanoseconds
    for (number, state) in book.states {
      if case .held(_, let renewed) = state, renewed <= due { lapse(number) }
    }
    for index in evaluations.indices where evaluations[index].endSilentLeases(due: due) {
      isStirred = true
    }
  }

  mutating func lapse(_ number: Int) {
    book.lapse(number)
    isStirred = true
  }

  /// Everything a peer holds but for `kept` lapses; what is kept moves to `heir`.
  mutating func lapseTickets(
    of peer: Peer, keeping kept: Set<TicketKey> = [], for heir: Peer? = nil
  ) {
    for (number, state) in book.states {
      guard case .held(peer, _) = state else { continue }
      if let heir, kept.contains(TicketKey(purpose: .train, number: number)) {
        book.hold(number, by: heir, at: now)
      } else {
        lapse(number)
      }
    }
    for index in evaluations.indices {
      if evaluations[index].lapse(of: peer, keeping: kept, for: heir, at: now) { isStirred = true }
    }
  }
}
