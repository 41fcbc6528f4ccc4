// Who is there: hellos, heartbeats, and the learner's epochs.

import Experience
import Wire

/// What the ledger knows of one connection.
package struct PeerRecord: Sendable {
  package var role: Role
  package var name: String
  package var numericClass: String
  package var version: PolicyVersion?
  package var lastHeard: Int64
  /// When its heartbeats last showed a change of what they count.
  package var lastProgress: Int64
  package var heartbeat: Heartbeat?
  package var isGone = false
  /// It has done something since its hello.
  package var isUsed = false

  mutating func postpone(by nanoseconds: Int64) {
    lastHeard += nanoseconds
    lastProgress += nanoseconds
  }
}

extension Ledger {
  package func knows(_ peer: Peer) -> Bool { peers[peer] != nil }

  /// Requires a hello and the role; notes that the peer was heard.
  mutating func admit(_ asker: Asker, as role: Role, _ action: String) -> Bool {
    guard let record = peers[asker.peer] else {
      refuse(asker, .helloFirst, "\(action) without a hello: say hello first")
      return false
    }
    peers[asker.peer]!.lastHeard = now
    peers[asker.peer]!.isGone = false
    peers[asker.peer]!.isUsed = true
    guard record.role == role else {
      let sentence = "\(record.name) is a \(record.role.rawValue) and \(action); "
      refuse(asker, .role, sentence + "only a \(role.rawValue) may")
      return false
    }
    return true
  }

  mutating func handleHello(_ asker: Asker, _ hello: Hello) {
    if peers[asker.peer] == nil, peers.count >= Limits.maximumPeers, !forgetIdlePeer() {
      return refuse(
        asker, .busy, "\(peers.count) peers are known and \(Limits.maximumPeers) is the limit")
    }
    switch hello.role {
    case .actor: welcomeActor(asker, hello)
    case .learner: considerLearner(asker, hello)
    case .looker:
      register(asker.peer, hello)
      reply(asker, .welcome(welcome(epoch: 0)))
    }
  }

  /// Makes room for a newcomer: of those that said hello and nothing since, the one heard longest
  /// ago goes. Who floods replay with hellos pushes out its own, and an actor, whose next request
  /// follows its hello at once, comes in; at worst it says hello again. False when all are at work.
  private mutating func forgetIdlePeer() -> Bool {
    var oldest: (peer: Peer, heard: Int64)?
    for (peer, record) in peers where !record.isUsed && peer != learner {
      guard let known = oldest else {
        oldest = (peer, record.lastHeard)
        continue
      }
      // Of equals always the same one: a ledger's answers follow from what it was told.
      if record.lastHeard < known.heard
        || record.lastHeard == known.heard && peer.bytes.lexicographicallyPrecedes(known.peer.bytes)
      {
        oldest = (peer, record.lastHeard)
      }
    }
    guard let oldest else { return false }
    forget(oldest.peer)
    idlePeersForgotten += 1
    return true
  }

  private mutating func forget(_ peer: Peer) {
    lapseTickets(of: peer)
    parked.removeAll { $0.asker.peer == peer }
    peers[peer] = nil
  }

  private mutating func register(_ peer: Peer, _ hello: Hello) {
    peers[peer] = PeerRecord(
      role: hello.role, name: hello.name, numericClass: hello.numericClass, version: hello.version,
      lastHeard: now, lastProgress: now, heartbeat: nil)
  }

  /// A name is one actor: whoever bore it before on another connection is no more, and what it
  /// held and the newcomer does not name is work to be given out.
  private mutating func welcomeActor(_ asker: Asker, _ hello: Hello) {
    if configuration.isOffline {
      return refuse(
        asker, .role,
        "\(hello.name) is an actor, and this run is offline: it learns from another run's ledger "
          + "and nobody samples")
    }
    // Synchronous runs promise weights that do not depend on who acts; between numeric classes bits
    // differ.
    if configuration.lagMax == 0, let known = learnersNumericClass, known != hello.numericClass {
      guard learner != nil else {
        // It may be about to come from another kind of processor, as it may if that is meant.
        return refuse(
          asker, .busy,
          "\(hello.name) computes under \(hello.numericClass), and this run was computed under "
            + "\(known): whether it may go on under another is the learner's to say, which has "
            + "not said hello yet")
      }
      return refuse(
        asker, .numericClass,
        "\(hello.name) computes under \(hello.numericClass), the learner under \(known); a "
          + "synchronous run (learner.lagMax 0) admits one class")
    }
    if let refusal = judgeDefinitions(hello) {
      // It may have been welcomed before it knew what it works with.
      lapseTickets(of: asker.peer)
      parked.removeAll { $0.asker.peer == asker.peer }
      peers[asker.peer] = nil
      return refuse(asker, refusal.code, refusal.sentence)
    }
    let kept = Set(hello.holding)
    for (peer, record) in peers where record.role == .actor && record.name == hello.name {
      lapseTickets(of: peer, keeping: kept, for: asker.peer)
      guard peer != asker.peer else { continue }
      peers[peer] = nil
      // Most likely nobody listens there; if somebody does, two actors share a name.
      for entry in parked where entry.asker.peer == peer {
        refuse(entry.asker, .helloFirst, "\(hello.name) has said hello from another connection")
      }
      parked.removeAll { $0.asker.peer == peer }
    }
    register(asker.peer, hello)
    renew(hello.holding, of: asker.peer)
    reply(asker, .welcome(welcome(epoch: 0)))
  }

  /// Why an actor that works with these cannot fill this run's tickets; nil when it can. What it
  /// does not declare, or the run does not know, is not held against it.
  private func judgeDefinitions(_ hello: Hello) -> Refusal? {
    let known = configuration.definitions + (announcement?.files ?? [])
    for own in hello.files {
      guard let ours = known.first(where: { $0.name == own.name }), ours.digest != own.digest
      else { continue }
      return Refusal(
        .anotherRun,
        "\(hello.name) works with \(own.name) \(own.digest.short); this run's is "
          + "\(ours.digest.short): start actor and run from one build, with the run's own files")
    }
    return nil
  }

  /// That of the learner; until it has said hello to this process of replay, that of the learner
  /// the ledger has recorded.
  private var learnersNumericClass: String? {
    learner.flatMap { peers[$0]?.numericClass } ?? fingerprint?[Fingerprint.numbers]
  }

  /// Under what arithmetic a peer said it computes.
  package func numericClass(of peer: Peer) -> String? { peers[peer]?.numericClass }

  private func welcome(epoch: Int) -> Welcome {
    Welcome(
      run: configuration.run, lineage: configuration.lineage, settings: configuration.settings,
      files: announcement?.files ?? [], weightsAddress: announcement?.weightsAddress ?? "",
      announceAddress: announcement?.announceAddress ?? "", version: version, epoch: epoch,
      lastCommit: lastCommit, settingsSpans: epoch > 0 ? settingsSpans : [])
  }

  // MARK: The learner

  /// The epoch is on disk before the hello is answered: from then on no other learner's lease or
  /// commit counts, whatever becomes of this process.
  private mutating func considerLearner(_ asker: Asker, _ hello: Hello) {
    if recording != nil {
      return refuse(asker, .busy, "says hello while the store is writing: ask again")
    }
    if isOvertaken(hello) { return refuseFenced(asker) }
    if let held = hello.version, let refusal = judgeLearner(held) {
      return refuse(asker, refusal.code, refusal.sentence)
    }
    if let refusal = judgeBuild(of: hello) { return refuse(asker, refusal.code, refusal.sentence) }
    let isNew = !hello.fingerprint.parts.isEmpty && hello.fingerprint != fingerprint
    let announced =
      hello.weightsAddress.isEmpty
      ? announcement
      : Announcement(
        weightsAddress: hello.weightsAddress, announceAddress: hello.announceAddress,
        files: hello.files)
    let record = EpochRecord(
      epoch: epoch + 1, instance: hello.instance,
      announcement: announced ?? Announcement(weightsAddress: "", announceAddress: "", files: []),
      firstVersion: version == nil ? hello.version : nil,
      fingerprint: isNew ? FingerprintRecord(step: nextStep, fingerprint: hello.fingerprint) : nil)
    recording = .epoch(asker, hello, record)
    outbox.append(.recordEpoch(record))
  }

  /// Whether it was the learner once and another has been let in since: back after a partition, on
  /// a connection that replay does not know, it says hello like a newcomer. Where the newest epoch
  /// is its own, the welcome was lost, and it is told once more.
  private func isOvertaken(_ hello: Hello) -> Bool {
    !hello.instance.isEmpty && learnerInstances.dropLast().contains(hello.instance)
  }

  /// Why weights of this version cannot go on with this ledger; nil when they can.
  private func judgeLearner(_ held: PolicyVersion) -> Refusal? {
    if held.lineage != configuration.lineage {
      return Refusal(
        .anotherRun, "holds version \(held); this run's lineage is \(configuration.lineage)")
    }
    guard version != nil else {
      return held.number == 0
        ? nil
        : Refusal(
          .anotherRun,
          "holds version \(held.number), and this ledger knows no version yet: it "
            + "begins with version 0")
    }
    // One beyond the last commit is a step trained and not yet committed: it counts once it is. Its
    // lease may be gone since (a group of it was damaged); the welcome says what is committed, and
    // the learner goes back to that.
    if held.number > nextStep + 1 {
      return Refusal(
        .anotherRun, "holds version \(held.number); the newest committed is \(nextStep)")
    }
    if let known = digests[held.number], known != held.digest {
      return Refusal(
        .anotherRun,
        "holds version \(held.number) with digest \(held.digest.short); this run's has "
          + "\(known.short): the model was changed")
    }
    return nil
  }

  /// Steps are repeated bit for bit only where what bits depend on has not changed.
  private func judgeBuild(of hello: Hello) -> Refusal? {
    guard let fingerprint, !hello.fingerprint.parts.isEmpty, !hello.allowsOtherBuild else {
      return nil
    }
    let changed = hello.fingerprint.differences(from: fingerprint).filter(\.matters)
    guard !changed.isEmpty else { return nil }
    return Refusal(
      .numericClass,
      "this run was computed under another build: "
        + changed.map(\.description).joined(separator: "; ")
        + "; go on under the old one, or with --allow-other-build")
  }

  mutating func beginEpoch(_ asker: Asker, _ hello: Hello, _ record: EpochRecord) {
    epoch = record.epoch
    learnerInstances = LearnerInstances.adding(record.instance, to: learnerInstances)
    announcement = record.announcement
    if let made = record.fingerprint { fingerprint = made.fingerprint }
    if let older = parkedLease {
      parkedLease = nil
      refuseFenced(older.asker)
    }
    learner = asker.peer
    register(asker.peer, hello)
    sendAwayOtherClasses()
    if let first = record.firstVersion {
      version = first
      digests[0] = first.digest
      openEvaluationIfDue()
    }
    reply(asker, .welcome(welcome(epoch: epoch)))
  }

  /// Actors that were welcomed before this learner, or under another one, say hello again when they
  /// ask next, and are judged by its class.
  private mutating func sendAwayOtherClasses() {
    guard configuration.lagMax == 0, let known = learnersNumericClass else { return }
    for (peer, record) in peers where record.role == .actor && record.numericClass != known {
      for entry in parked where entry.asker.peer == peer {
        refuse(entry.asker, .helloFirst, "a learner of another numeric class has come: hello first")
      }
      forget(peer)
    }
  }

  // MARK: Life signs

  mutating func handleHeartbeat(_ asker: Asker, _ heartbeat: Heartbeat) {
    guard let record = peers[asker.peer] else {
      return refuse(asker, .helloFirst, "a heartbeat without a hello: say hello first")
    }
    guard admit(asker, as: record.role, "sends a heartbeat") else { return }
    if record.heartbeat.map({ !hasSameProgress($0, heartbeat) }) ?? true {
      peers[asker.peer]!.lastProgress = now
    }
    peers[asker.peer]!.heartbeat = heartbeat
    peers[asker.peer]!.version = heartbeat.version ?? record.version
    let patience = Limits.leasesWithoutProgress * configuration.ticketLeaseNanoseconds
    if record.role == .actor, now - peers[asker.peer]!.lastProgress < patience {
      renew(heartbeat.holding, of: asker.peer)
    }
    reply(asker, .alive(Alive(version: version, isFinished: isFinished || isClosing)))
  }

  /// A thread that answers heartbeats may outlive the one that works.
  private func hasSameProgress(_ left: Heartbeat, _ right: Heartbeat) -> Bool {
    left.tokensSampled == right.tokensSampled && left.groupsSubmitted == right.groupsSubmitted
      && left.state == right.state && left.version == right.version
      && left.holding == right.holding
  }

  /// Replay is about to end: whoever asks from now on hears that the run is over.
  package mutating func beginClosing() {
    isClosing = true
    isStirred = true
  }

  func isPresent(_ record: PeerRecord) -> Bool {
    !record.isGone && now - record.lastHeard <= configuration.ticketLeaseNanoseconds
  }

  /// Its tickets stay its own until their leases end: it may be back with good work.
  mutating func handleGone(_ peer: Peer) {
    peers[peer]?.isGone = true
    parked.removeAll { $0.asker.peer == peer }
    if parkedLease?.asker.peer == peer { parkedLease = nil }
  }

  mutating func forgetSilentPeers() {
    let patience = max(
      60_000_000_000, Limits.leasesUntilForgotten * configuration.ticketLeaseNanoseconds)
    for (peer, record) in peers where peer != learner && now - record.lastHeard > patience {
      forget(peer)
    }
  }
}
