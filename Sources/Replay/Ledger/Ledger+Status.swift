// Who does what, who waits for whom and since when: the words of `wait`, and the status document.

import Documents
import Experience
import Wire

extension Ledger {
  /// How many tickets each actor holds, by name.
  private func holdings() -> [(name: String, count: Int)] {
    var counts: [Peer: Int] = [:]
    for case .held(let peer, _) in book.states.values { counts[peer, default: 0] += 1 }
    return counts.map { (peers[$0.key]?.name ?? "a lost actor", $0.value) }
      .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
  }

  private func holdingsInWords() -> String {
    let all = holdings()
    if all.isEmpty {
      let count = peers.values.count { $0.role == .actor && isPresent($0) }
      return count == 0 ? "no actor is connected" : "none is held by the \(count) actors"
    }
    // A thousand names help nobody.
    let named = all.prefix(8).map { "\($0.name) holds \($0.count)" }
    return (named + (all.count > 8 ? ["\(all.count - 8) more"] : [])).joined(separator: ", ")
  }

  private func reasonMissingGroups() -> String {
    if configuration.isOffline { return "replay to take the groups of step \(nextStep) from disk" }
    let batch = configuration.groupsPerStep
    let missing = max(0, batch - book.ready.count)
    return "actors to fill \(missing) of \(batch) groups of step \(nextStep) (\(holdingsInWords()))"
  }

  private func reasonEvaluation(_ evaluation: Evaluation) -> String {
    let missing = evaluation.slots.count - evaluation.doneCount
    return "actors to fill \(missing) of \(evaluation.slots.count) groups of the evaluation of "
      + "version \(evaluation.version.number)"
  }

  /// Whom an actor without a ticket waits for.
  func reasonNoTicket() -> String {
    if version == nil { return "the learner to say hello with version 0" }
    if now < reconnectUntil { return "actors to reconnect after replay's start" }
    if hasAllSteps, let evaluation = evaluations.first { return reasonEvaluation(evaluation) }
    if lease != nil || book.ready.count >= configuration.groupsPerStep {
      return learner == nil
        ? "the learner to say hello and commit step \(nextStep)"
        : "the learner to commit step \(nextStep)"
    }
    return reasonMissingGroups()
  }

  /// Whom a learner without a batch waits for.
  func reasonNoLease() -> String {
    if hasAllSteps, let evaluation = evaluations.first { return reasonEvaluation(evaluation) }
    return reasonMissingGroups()
  }

  /// The ledger's part of the status document.
  package func status() -> [(String, Document)] {
    [
      ("run", .string(configuration.run)),
      ("lineage", .string(configuration.lineage)),
      ("step", .integer(nextStep)),
      ("steps", .integer(configuration.steps)),
      ("version", version.map { Document.string($0.description) } ?? nil),
      ("epoch", .integer(epoch)),
      ("isFinished", .bool(isFinished)),
      ("tickets", ticketStatus),
      ("groups", groupStatus),
      ("evaluations", .array(evaluations.map(status(of:)))),
      ("abandonedEvaluations", .integer(closedEvaluations.values.count { !$0 })),
      ("idlePeersForgotten", .integer(idlePeersForgotten)),
      ("waits", .array(waits())),
    ] + curriculumStatus
  }

  private var ticketStatus: Document {
    .object([
      ("granted", .integer(book.next)),
      ("filled", .integer(book.count(.ready) + book.count(.leased) + book.count(.retired))),
      ("held", .integer(book.count(.held))),
      ("storing", .integer(book.count(.storing))),
      ("lapsed", .integer(book.count(.lapsed))),
      ("unfilled", .integer(book.count(.unfilled))),
      ("ceiling", .integer(ticketCeiling)),
    ])
  }

  private var groupStatus: Document {
    let retired = Fate.allCases.map { ($0.rawValue, Document.integer(book.fates[$0] ?? 0)) }
    func totals(_ of: [DropReason: DropTotals]) -> Document {
      .object(
        DropReason.allCases.map { reason in
          let sum = of[reason] ?? .init()
          return (
            reason.rawValue,
            .object([
              ("groups", .integer(sum.groups)), ("tokens", .integer(sum.tokens)),
              ("bytes", .integer(sum.bytes)),
            ])
          )
        })
    }
    return .object([
      ("accepted", .integer(book.accepted)),
      ("ready", .integer(book.count(.ready))),
      ("leased", .integer(book.count(.leased))),
      ("retired", .object(retired)),
      ("reusable", .integer(pool.groups.count)),
      ("reuses", .integer(pool.uses)),
      ("dropped", totals(book.dropped)),
      ("refused", totals(book.refused)),
    ])
  }

  private func status(of evaluation: Evaluation) -> Document {
    .object([
      ("version", .integer(evaluation.version.number)),
      ("done", .integer(evaluation.doneCount)),
      ("open", .integer(evaluation.openCount)),
      ("prompts", .integer(evaluation.slots.count)),
    ])
  }

  /// The edges of who waits for whom.
  private func waits() -> [Document] {
    func edge(_ peer: Peer, _ reason: String, _ since: Int64) -> Document {
      .object([
        ("who", .string(peers[peer]?.name ?? "unknown")), ("for", .string(reason)),
        ("milliseconds", .integer(Int((now - since) / 1_000_000))),
      ])
    }
    // The reason is one for all actors: nobody waits for a ticket that another could have.
    let reason = parked.isEmpty ? "" : reasonNoTicket()
    var edges: [Document] = []
    if let parkedLease {
      edges.append(edge(parkedLease.asker.peer, reasonNoLease(), parkedLease.since))
    }
    edges += parked.prefix(256).map { edge($0.asker.peer, reason, $0.since) }
    return Array(edges.prefix(fitting: Self.controlShare / 8) { $0 })
  }

  /// A control frame, of which peers have a half, waits an eighth, and the actors of a lease a
  /// quarter: names and states are the peers' own.
  private static let controlShare = WireLimits.maximumControlBytes

  /// Those of whom `peerStatus` does not tell.
  package func peersLeftOut(_ told: Int) -> Int { peers.count - told }

  /// How many peers of each role are here, none left out.
  var presentPeers: [(role: String, count: Int)] {
    Role.allCases.map { role in
      (role.rawValue, peers.values.count { $0.role == role && isPresent($0) })
    }
  }

  /// One document a peer; the service adds what it counts of the connection. As many as a frame
  /// holds: the learner first, then those who are here.
  package func peerStatus() -> [(peer: Peer, members: [(String, Document)])] {
    var held: [Peer: Int] = [:]
    for case .held(let peer, _) in book.states.values { held[peer, default: 0] += 1 }
    for evaluation in evaluations {
      for case .held(let peer, _) in evaluation.slots { held[peer, default: 0] += 1 }
    }
    func rank(_ peer: Peer, _ record: PeerRecord) -> Int {
      peer == learner ? 0 : isPresent(record) ? 1 : 2
    }
    let shown = peers.sorted {
      (rank($0.key, $0.value), $0.value.role.rawValue, $0.value.name)
        < (rank($1.key, $1.value), $1.value.role.rawValue, $1.value.name)
    }
    .map { peer, record -> (peer: Peer, members: [(String, Document)]) in
      let beat = record.heartbeat
      let silent = Int((now - record.lastHeard) / 1_000_000)
      return (
        peer,
        [
          ("name", .string(record.name)),
          ("role", .string(record.role.rawValue)),
          ("isPresent", .bool(isPresent(record))),
          ("isLearner", .bool(peer == learner)),
          ("numericClass", .string(record.numericClass)),
          ("version", record.version.map { Document.integer($0.number) } ?? nil),
          ("silentMilliseconds", .integer(silent)),
          ("state", .string(beat?.state ?? "")),
          ("stateMilliseconds", .integer((beat?.stateMilliseconds ?? 0) + silent)),
          ("holding", .integer(held[peer] ?? 0)),
          ("tokensSampled", .integer(beat?.tokensSampled ?? 0)),
          ("groupsSubmitted", .integer(beat?.groupsSubmitted ?? 0)),
          ("idleMilliseconds", .integer(beat?.idleMilliseconds ?? 0)),
          ("offsetMicroseconds", beat?.offsetMicroseconds.map(Document.integer) ?? nil),
          ("roundTripMicroseconds", beat?.roundTripMicroseconds.map(Document.integer) ?? nil),
        ]
      )
    }
    return shown.prefix(fitting: Self.controlShare / 2, reserving: Self.connectionBytes) {
      .object($0.members)
    }
    .sorted { Self.order($0.members).lexicographicallyPrecedes(Self.order($1.members)) }
  }

  /// What the service adds to a peer: five counts and the name of a key.
  private static let connectionBytes = 256

  /// By role, then by name.
  private static func order(_ members: [(String, Document)]) -> [String] {
    ["role", "name"].compactMap { key in
      guard case .string(let text)? = members.first(where: { $0.0 == key })?.1.value else {
        return nil
      }
      return text
    }
  }

  /// By the actors' own heartbeats; the service adds the bytes.
  package func actorShares() -> [(peer: Peer, share: ActorShare)] {
    let all = peers.filter { $0.value.role == .actor && $0.value.heartbeat != nil }
      .sorted { $0.value.name < $1.value.name }
      .map { peer, record in
        (
          peer,
          ActorShare(
            name: record.name, tokensSampled: record.heartbeat!.tokensSampled,
            idleMilliseconds: record.heartbeat!.idleMilliseconds, bytesReceived: 0)
        )
      }
    return Array(
      all.prefix(WireLimits.maximumActors).prefix(fitting: Self.controlShare / 4) {
        .object([
          ("name", .string($0.1.name)), ("counts", .array([.integer(.max), .integer(.max)])),
          ("bytesReceived", .integer(.max)),
        ])
      })
  }

  /// For tests: both laws with every count taken again, and the lease held against its tickets.
  package func brokenLaw() -> String? {
    if let broken = book.brokenLawByRecount() { return broken }
    let leased = book.states.filter { $0.value.kind == .leased }.keys.sorted()
    let tickets = lease?.tickets ?? []
    if leased != tickets { return "the lease \(tickets) and its tickets \(leased) differ" }
    if let broken = brokenReuse() { return broken }
    let expected = nextStep * configuration.groupsPerStep
    if book.count(.retired) != expected {
      return "\(book.count(.retired)) tickets retired by \(nextStep) steps, not \(expected)"
    }
    return nil
  }

  /// What may be trained on again is retired, within its bounds, and in no fresh batch.
  private func brokenReuse() -> String? {
    for (number, group) in pool.groups {
      guard let rules = configuration.reuse else { return "ticket \(number) is to be reused" }
      guard book.state(number)?.kind == .retired else { return "ticket \(number) is not retired" }
      if group.uses >= rules.maximumUses || group.version < nextStep - rules.maximumLag {
        return "ticket \(number) of version \(group.version) is used \(group.uses) times and kept"
      }
    }
    let reused = lease?.reused ?? []
    if Set(reused).count != reused.count { return "the lease reuses one of \(reused) twice" }
    if let fresh = reused.first(where: { book.state($0)?.kind != .retired }) {
      return "the lease reuses ticket \(fresh), which is not retired"
    }
    return nil
  }
}

extension Collection {
  /// The first elements whose documents, each with so much beside it, take at most so many bytes.
  fileprivate func prefix(
    fitting bytes: Int, reserving extra: Int = 64, _ document: (Element) -> Document
  ) -> SubSequence {
    var left = bytes
    return prefix { element in
      left -= JSON.writeBytes(document(element)).count + extra
      return left >= 0
    }
  }
}
