// The learner's side: epochs fence, leases freeze, commits retire.

import Experience
import Wire

extension Ledger {
  /// Refuses whoever is not the learner of the current epoch.
  private mutating func admitLearner(_ asker: Asker, epoch: Int, _ action: String) -> Bool {
    guard admit(asker, as: .learner, action) else { return false }
    guard epoch == self.epoch, asker.peer == learner else {
      refuse(
        asker, .fenced,
        "\(action) in epoch \(epoch), and epoch \(self.epoch) has begun: another learner has "
          + "taken over; exit")
      return false
    }
    return true
  }

  mutating func refuseFenced(_ asker: Asker) {
    refuse(asker, .fenced, "epoch \(epoch) has begun: another learner has taken over; exit")
  }

  // MARK: Leases

  mutating func handleLease(_ asker: Asker, _ request: LeaseRequest) {
    guard admitLearner(asker, epoch: request.epoch, "asks for the batch of step \(request.step)")
    else { return }
    guard version != nil else {
      return refuse(
        asker, .order, "asks for a batch before version 0 has a digest: say it in a hello")
    }
    if request.step < 0 || request.step > nextStep {
      return refuse(
        asker, .order, "asks for the batch of step \(request.step); the next is \(nextStep)")
    }
    if request.step < nextStep {
      outbox.append(.sendCommittedLease(asker, step: request.step))
      return
    }
    parkLease(asker, request)
  }

  mutating func parkLease(_ asker: Asker, _ request: LeaseRequest) {
    guard asker.peer == learner else { return refuseFenced(asker) }
    if let older = parkedLease {
      replyLater(older.asker)
    }
    parkedLease = ParkedLease(asker: asker, request: request, since: now)
    isStirred = true
  }

  private mutating func replyLater(_ asker: Asker) {
    reply(asker, .wait(Wait(milliseconds: 0, reason: "the later request of this peer")))
  }

  mutating func serveParkedLease() {
    guard let waiting = parkedLease, recording == nil else { return }
    if hasAllSteps {
      guard isFinished else { return }
      parkedLease = nil
      return sendLease(waiting.asker, Batch(tickets: []))
    }
    if let lease {
      parkedLease = nil
      return sendLease(waiting.asker, lease)
    }
    dropStaleGroups()
    guard book.ready.count >= configuration.groupsPerStep else { return importMissingGroups() }
    let batch = Batch(
      tickets: Array(book.ready.numbers.prefix(configuration.groupsPerStep)),
      reused: pool.choose(for: nextStep))
    parkedLease = nil
    recording = .lease(waiting.asker, step: nextStep, batch)
    outbox.append(.recordLease(step: nextStep, epoch: epoch, batch, waiting.asker))
  }

  /// A batch with what the learner should know beside it; an empty one says that the run is over.
  private mutating func sendLease(_ asker: Asker, _ batch: Batch) {
    for index in undelivered.indices { undelivered[index].wasSent = true }
    outbox.append(
      .sendLease(
        asker,
        BatchLease(
          step: nextStep, epoch: epoch, tickets: batch.tickets, reused: batch.reused,
          evaluations: undelivered.map(\.summary),
          pinnedVersions: evaluations.map(\.version.number), dropped: dropCounts,
          readyGroups: book.ready.count, reusableGroups: pool.groups.count)))
  }

  /// Groups sampled in vain, by reason, whether turned away or dropped later.
  package var dropCounts: [DropCount] {
    DropReason.allCases.map { reason in
      let dropped = book.dropped[reason] ?? .init()
      let refused = book.refused[reason] ?? .init()
      return DropCount(
        reason: reason.rawValue, groups: dropped.groups + refused.groups,
        tokens: dropped.tokens + refused.tokens)
    }
  }

  // MARK: Commits

  mutating func handleCommit(_ asker: Asker, _ commit: StepCommit) {
    guard admitLearner(asker, epoch: commit.epoch, "commits step \(commit.step)") else { return }
    if commit.step >= 0 && commit.step < nextStep {
      // Asked again after a lost acknowledgement, or redone after a resume: the record decides.
      outbox.append(.compareCommit(asker, commit))
      return
    }
    if recording != nil {
      return refuse(asker, .busy, "commits step \(commit.step) while another is being written")
    }
    if let refusal = judge(commit) { return refuse(asker, refusal.code, refusal.sentence) }
    let record = CommitRecord(
      commit: commit, fates: fates(of: commit),
      lowWater: book.lowWater(afterRetiring: commit.tickets),
      deliveredEvaluations: undelivered.filter(\.wasSent).map(\.summary.version))
    recording = .commit(asker, record)
    outbox.append(.recordCommit(record))
  }

  private func judge(_ commit: StepCommit) -> Refusal? {
    guard commit.step == nextStep, let lease else {
      return Refusal(
        .order, "commits step \(commit.step); the next is \(nextStep), \(leaseInWords)")
    }
    guard commit.tickets == lease.tickets, commit.reused == lease.reused else {
      return Refusal(
        .order, "commits step \(commit.step) with another batch than the one leased to it")
    }
    let made = commit.version
    guard made.lineage == configuration.lineage, made.number == nextStep + 1 else {
      return Refusal(
        .order,
        "step \(nextStep) makes version \(nextStep + 1) of \(configuration.lineage), not \(made)")
    }
    if commit.outcome != .trained, let version, made.digest != version.digest {
      return Refusal(
        .invalid,
        "step \(nextStep) is \(commit.outcome.rawValue), yet the digest changed from "
          + "\(version.digest.short) to \(made.digest.short)")
    }
    let batch = Set(lease.all)
    if let stray = commit.trajectories.first(where: { !batch.contains($0.ticket) }) {
      return Refusal(.invalid, "step \(nextStep) trained ticket \(stray.ticket), not in its batch")
    }
    return judgeCurriculum(commit.curriculum)
  }

  private var leaseInWords: String { lease == nil ? "and it is not leased" : "and it is leased" }

  private func fates(of commit: StepCommit) -> [Fate] {
    if commit.outcome == .skipped { return commit.tickets.map { _ in .skipped } }
    let trained = Set(commit.trajectories.filter(\.isTrained).map(\.ticket))
    return commit.tickets.map { trained.contains($0) ? .trained : .withoutSpread }
  }

  // MARK: Results of the store

  mutating func handleRecorded() {
    guard let recording else { preconditionFailure("recorded what nobody asked for") }
    self.recording = nil
    isStirred = true
    switch recording {
    case .epoch(let asker, let hello, let record): beginEpoch(asker, hello, record)
    case .lease(let asker, _, let batch):
      book.lease(batch.tickets)
      lease = batch
      // A learner fenced in the meantime asks no more; the next one gets the same list. One that
      // has asked again in the meantime is sent it once: if a group of it proves damaged when it is
      // read, a second sending would speak of a lease that is no more.
      if asker.peer != learner {
        refuseFenced(asker)
      } else if let later = parkedLease, later.asker.peer == asker.peer {
        replyLater(asker)
      } else {
        sendLease(asker, batch)
      }
    case .commit(let asker, let record): finishStep(asker, record)
    }
  }

  mutating func handleNotRecorded(_ refusal: Refusal) {
    guard let recording else { preconditionFailure("nothing was to be recorded") }
    self.recording = nil
    switch recording {
    case .epoch(let asker, _, _), .lease(let asker, _, _), .commit(let asker, _):
      refuse(asker, refusal.code, refusal.sentence)
    }
  }

  private mutating func finishStep(_ asker: Asker, _ record: CommitRecord) {
    let commit = record.commit
    admitToPool(commit.tickets, record.fates)
    pool.use(commit.reused)
    book.retire(commit.tickets, record.fates)
    lease = nil
    version = commit.version
    openLevel(commit)
    pool.expire(at: nextStep)
    lastCommit = commit
    lastCommit!.trajectories = []
    digests[commit.version.number] = commit.version.digest
    undelivered.removeAll { record.deliveredEvaluations.contains($0.summary.version) }
    openEvaluationIfDue()
    forgetOldDigests()
    dropStaleGroups()
    reply(asker, .committed(Committed(step: commit.step, isFinished: hasAllSteps)))
  }

  private mutating func admitToPool(_ tickets: [Int], _ fates: [Fate]) {
    for (number, fate) in zip(tickets, fates) where fate == .trained {
      guard case .leased(let facts)? = book.state(number) else { continue }
      pool.admit(number, version: facts.version, spread: facts.tally.spread)
    }
  }

  /// Keeps the digests of versions somebody may still name with reason.
  private mutating func forgetOldDigests() {
    let least = nextStep - configuration.lagMax
    let open = Set(evaluations.map(\.version.number))
    digests = digests.filter { $0.key >= least || open.contains($0.key) }
  }
}
