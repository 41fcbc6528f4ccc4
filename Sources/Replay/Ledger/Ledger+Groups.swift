// Judging groups that come home, and dropping those that cannot be trained on.
//
// A group is judged by the version and digest it records, never by whether a lease still exists:
// an actor that was thought dead and comes back with good work is welcome.

import Experience
import Wire

extension Ledger {
  mutating func handleArrival(_ asker: Asker, _ arrival: Arrival) {
    guard admit(asker, as: .actor, "brings a group") else { return }
    switch arrival.key.purpose {
    case .train: handleTrainingGroup(asker, arrival)
    case .evaluate(let version): handleEvaluationGroup(asker, arrival, of: version)
    }
  }

  private mutating func handleTrainingGroup(_ asker: Asker, _ arrival: Arrival) {
    let number = arrival.key.number
    guard number >= 0, number < ticketCeiling else { return refuseUnknown(asker, arrival.key) }
    switch book.state(number) {
    case .ready?, .leased?, .retired?: return reply(asker, .acknowledged(arrival.key))
    case .storing(let facts, let waiters)?:
      // Acknowledged with the original: before its commit neither copy is safe.
      return book.store(number, facts, waiters: waiters + [asker])
    case .held?, .lapsed?, .unfilled?, nil: break
    }
    if let refusal = judge(arrival) {
      return turnAway(
        asker, arrival.key, refusal, tokens: arrival.tally.tokens, bytes: arrival.bytes)
    }
    let facts = GroupFacts(
      version: arrival.version.number, bytes: arrival.bytes, tally: arrival.tally)
    let isNew = number >= book.next
    book.store(number, facts, waiters: [asker])
    // Numbers below one that an earlier life of replay granted are work to be given out.
    if isNew { isStirred = true }
    outbox.append(.store(arrival.key))
  }

  /// Why this group of a training ticket cannot be used; nil when it can.
  private func judge(_ arrival: Arrival) -> Refusal? {
    let sampled = arrival.version
    if let foreign = judgeVersion(sampled) { return foreign }
    let least = minimumVersion(of: arrival.key.number)
    if sampled.number < least {
      return Refusal(
        .stale,
        "\(arrival.key) was sampled with version \(sampled.number); by now it needs \(least)")
    }
    return judgeDigest(sampled) ?? judgeLevel(arrival)
  }

  func judgeVersion(_ sampled: PolicyVersion) -> Refusal? {
    if sampled.lineage != configuration.lineage {
      return Refusal(
        .anotherRun, "version \(sampled) is of another run: this one is \(configuration.lineage)")
    }
    if sampled.number < 0 || sampled.number > nextStep || version == nil {
      return Refusal(
        .anotherRun, "version \(sampled) does not exist: the newest committed is \(nextStep)")
    }
    return nil
  }

  func judgeDigest(_ sampled: PolicyVersion) -> Refusal? {
    guard digests[sampled.number] != sampled.digest else { return nil }
    let known = digests[sampled.number]?.short ?? "forgotten"
    return Refusal(
      .anotherRun,
      "version \(sampled.number) of this run has digest \(known), the group's has "
        + "\(sampled.digest.short): fetch the weights again")
  }

  mutating func handleUnusable(_ asker: Asker, _ key: TicketKey, _ refusal: Refusal, bytes: Int) {
    guard admit(asker, as: .actor, "brings a group") else { return }
    switch key.purpose {
    case .train where key.number >= 0 && key.number < ticketCeiling:
      turnAway(asker, key, refusal, tokens: 0, bytes: bytes)
    case .evaluate(let version) where evaluations.contains { $0.version.number == version }:
      turnAway(asker, key, refusal, tokens: 0, bytes: bytes)
    default:
      refuseUnknown(asker, key)
    }
  }

  func refusalOfUnknown(_ key: TicketKey) -> Refusal {
    Refusal(.unknownTicket, "\(key) was not granted: tickets below \(ticketCeiling) are open")
  }

  mutating func refuseUnknown(_ asker: Asker, _ key: TicketKey) {
    reply(asker, .refused(refusalOfUnknown(key)))
  }

  /// Refuses a group on arrival: counted, and its ticket is open again if the sender held it.
  mutating func turnAway(
    _ asker: Asker, _ key: TicketKey, _ refusal: Refusal, tokens: Int, bytes: Int
  ) {
    let reason: DropReason =
      switch refusal.code {
      case .stale: .stale
      case .corrupt: .corrupt
      default: .invalid
      }
    let drop = Drop(key: key, reason: reason, wasAccepted: false, tokens: tokens, bytes: bytes)
    book.drop(drop)
    outbox.append(.recordDrop(drop))
    switch key.purpose {
    case .train:
      if case .held(asker.peer, _)? = book.state(key.number) {
        book.unfill(key.number)
        isStirred = true
      }
    case .evaluate(let version):
      for index in evaluations.indices where evaluations[index].version.number == version {
        if evaluations[index].reopen(key.number, heldBy: asker.peer) { isStirred = true }
      }
    }
    refuse(asker, refusal.code, refusal.sentence)
  }

  // MARK: The source of an offline run

  /// Asks for the groups that the next batch lacks, lowest tickets first.
  mutating func importMissingGroups() {
    guard configuration.isOffline, !isImporting else { return }
    let missing = configuration.groupsPerStep - book.ready.count
    var numbers = Array(book.reissue.numbers.prefix(missing))
    let fresh = book.next..<min(configuration.totalTickets, book.next + missing - numbers.count)
    numbers += fresh
    guard !numbers.isEmpty else { return }
    isImporting = true
    outbox.append(.importGroups(numbers))
  }

  /// Nobody waits for them to be acknowledged.
  mutating func handleSourced(_ arrivals: [Arrival]) {
    isImporting = !arrivals.isEmpty
    for arrival in arrivals {
      let facts = GroupFacts(
        version: arrival.version.number, bytes: arrival.bytes, tally: arrival.tally)
      book.store(arrival.key.number, facts, waiters: [])
    }
  }

  // MARK: Results of the store

  mutating func handleStored(_ keys: [TicketKey]) {
    for key in keys {
      switch key.purpose {
      case .train:
        guard case .storing(let facts, let waiters)? = book.state(key.number) else {
          preconditionFailure("\(key) was stored without having been asked for")
        }
        book.makeReady(key.number, facts)
        for waiter in waiters { reply(waiter, .acknowledged(key)) }
      case .evaluate(let version):
        storedEvaluationGroup(key, of: version)
      }
    }
    isImporting = false
    if parkedLease != nil { isStirred = true }
  }

  /// No room on the disk: the senders keep what they have, and their tickets.
  mutating func handleNotStored(_ keys: [TicketKey], _ refusal: Refusal) {
    for key in keys {
      var waiters: [Asker] = []
      switch key.purpose {
      case .train:
        guard case .storing(_, let waiting)? = book.state(key.number) else { continue }
        waiters = waiting
        if let holder = waiting.first?.peer {
          book.hold(key.number, by: holder, at: now)
        } else {
          // Of the source: taken again when the learner asks again.
          book.lapse(key.number)
        }
      case .evaluate(let version):
        for index in evaluations.indices where evaluations[index].version.number == version {
          waiters = evaluations[index].unstore(key.number, at: now)
        }
      }
      for waiter in waiters { refuse(waiter, refusal.code, refusal.sentence) }
    }
    isImporting = false
  }

  // MARK: Dropping what was accepted

  /// Drops ready groups too old for the next step: lag is measured at the step that names them.
  mutating func dropStaleGroups() {
    // The versions of a source are of another run: they have no lag here.
    guard !configuration.isOffline else { return }
    let least = nextStep - configuration.lagMax
    for number in book.ready.numbers {
      guard case .ready(let facts)? = book.state(number), facts.version < least else { continue }
      dropAccepted(number, facts, .stale)
    }
  }

  private mutating func dropAccepted(_ number: Int, _ facts: GroupFacts, _ reason: DropReason) {
    let drop = Drop(
      key: TicketKey(purpose: .train, number: number), reason: reason, wasAccepted: true,
      tokens: facts.tally.tokens, bytes: facts.bytes)
    book.drop(drop)
    outbox.append(.recordDrop(drop))
    isStirred = true
  }

  /// A stored group whose digest no longer matches. A lease that names it cannot be served, so it
  /// is dissolved; the step is leased anew once the ticket is filled again.
  mutating func handleDamaged(_ key: TicketKey, _ asker: Asker) {
    if case .lease(_, let step, _)? = recording {
      recording = nil
      parkLease(asker, LeaseRequest(step: step, epoch: epoch))
    } else if let batch = lease {
      outbox.append(.forgetLease(step: nextStep))
      book.release(batch.tickets)
      lease = nil
      parkLease(asker, LeaseRequest(step: nextStep, epoch: epoch))
    }
    if case .ready(let facts)? = book.state(key.number) {
      dropAccepted(key.number, facts, .corrupt)
    }
    // One of an earlier step stays retired: it is only not trained on again.
    pool.remove(key.number)
  }
}
