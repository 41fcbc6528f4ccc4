// The learner's requests that touch the disk: epochs, leases with their groups, commits.

import Experience
import Operations
import Wire

extension ReplayService {
  /// Runs a write the ledger waits for; a full disk is told to it, any other fault ends the
  /// process.
  private func record(_ write: () throws -> Void) throws {
    do {
      try write()
    } catch let error as LedgerError where error.isDiskFull {
      noteFullDisk(error)
      return try feed(.notRecorded(busy("the disk is full")))
    }
    noteRoom()
    try feed(.recorded)
  }

  func recordEpoch(_ epoch: EpochRecord) throws {
    log.info("epoch \(epoch.epoch) begins")
    try record { try store.record(epoch) }
  }

  func recordLease(step: Int, epoch: Int, _ batch: Batch, _ asker: Asker) throws {
    // What waits for room came first: this step's forgotten lease may be among it.
    guard try flush() else { return try feed(.notRecorded(busy("the disk is full"))) }
    // Digests first: a lease that named a damaged group could never be served again.
    guard try blobs(of: batch.all, for: asker) != nil else { return }
    try record { try store.recordLease(step: step, epoch: epoch, batch) }
  }

  func recordCommit(_ commit: CommitRecord) throws {
    guard try flush() else { return try feed(.notRecorded(busy("the disk is full"))) }
    let step = commit.commit.step
    let began = MonotonicClock.now
    defer { strand.span(.recordStep, id: step, from: began) }
    try record {
      try store.record(commit) { number throws(LedgerError) in try self.group(number) }
      for number in commit.commit.tickets { cache.forget(number) }
      log.info(
        "step \(step) \(commit.commit.outcome.rawValue): version \(step + 1), digest "
          + commit.commit.version.digest.short)
    }
  }

  /// A ticket's group; nil, and said, when its blob is damaged.
  private func group(_ number: Int) throws(LedgerError) -> TrajectoryGroup? {
    do {
      guard let blob = try blob(number) else { return nil }
      return try TrajectoryGroup(decoding: blob, limits: nil)
    } catch let error as LedgerError {
      guard case .damaged = error else { throw error }
      log.error("\(error)")
      return nil
    } catch {
      log.error("the stored group of ticket \(number) cannot be read: \(error)")
      return nil
    }
  }

  private func blob(_ number: Int) throws(LedgerError) -> [UInt8]? {
    if let blob = cache.blob(number) { return blob }
    return try store.group(TicketKey(purpose: .train, number: number))?.blob
  }

  /// The batch's groups in order; nil when one is damaged, which the ledger then knows.
  private func blobs(of tickets: [Int], for asker: Asker) throws -> [[UInt8]]? {
    var blobs: [[UInt8]] = []
    for number in tickets {
      do {
        guard let blob = try blob(number) else {
          throw LedgerError.damaged(
            path: store.path, problem: "the group of ticket \(number) is missing")
        }
        blobs.append(blob)
      } catch let error as LedgerError {
        guard case .damaged = error else { throw error }
        log.error("\(error)")
        try feed(.damaged(TicketKey(purpose: .train, number: number), lease: asker))
        return nil
      }
    }
    return blobs
  }

  func sendLease(_ batch: BatchLease, to asker: Asker) throws {
    guard let blobs = try blobs(of: batch.batch, for: asker) else { return }
    var batch = batch
    batch.actors = ledger.actorShares().map { peer, share in
      var share = share
      share.bytesReceived = counters.links[peer]?.bytesReceived ?? 0
      return share
    }
    let began = MonotonicClock.now
    for number in batch.tickets {
      guard let since = cache.arrival(number) else { continue }
      strand.span(.queued, id: number, from: since, to: began, amount: batch.step)
    }
    defer {
      strand.span(
        .lease, id: batch.step, from: began, amount: blobs.reduce(0) { $0 + $1.count })
    }
    let waits = cache.waits(of: batch.tickets, at: MonotonicClock.now)
    batch.waitMeanMilliseconds = waits.mean
    batch.waitMaxMilliseconds = waits.greatest
    try send(.lease(batch), to: asker, payload: blobs)
  }

  /// A step trained before, to be trained again after a resume from an older checkpoint.
  func sendCommittedLease(_ step: Int, to asker: Asker) throws {
    do {
      guard let commit = try store.commit(step: step) else {
        return try send(.refused(Refusal(.order, "step \(step) has no commit")), to: asker)
      }
      var blobs: [[UInt8]] = []
      for number in commit.batch {
        guard let blob = try blob(number) else {
          throw LedgerError.damaged(
            path: store.path, problem: "the group of ticket \(number) is missing")
        }
        blobs.append(blob)
      }
      let batch = BatchLease(
        step: step, epoch: ledger.epoch, tickets: commit.tickets, reused: commit.reused)
      try send(.lease(batch), to: asker, payload: blobs)
    } catch let error as LedgerError {
      guard case .damaged = error else { throw error }
      log.error("\(error)")
      try send(
        .refused(
          Refusal(
            .corrupt,
            "step \(step) cannot be trained again: \(error); resume from a checkpoint "
              + "after it")), to: asker)
    }
  }

  /// The same step again is acknowledged again; another one in its place is refused.
  func compare(_ commit: StepCommit, _ asker: Asker) throws {
    guard let known = try store.commit(step: commit.step) else {
      return try send(.refused(Refusal(.order, "step \(commit.step) has no commit")), to: asker)
    }
    let isSame =
      known.batch == commit.batch && known.tickets == commit.tickets
      && known.version == commit.version
      && known.stateDigest == commit.stateDigest && known.outcome == commit.outcome
      && known.curriculum == commit.curriculum
    guard isSame else {
      let sentence =
        "step \(commit.step) stands with version \(known.version.digest.short) and state "
        + "\(known.stateDigest.short); this one has \(commit.version.digest.short) and "
        + "\(commit.stateDigest.short): the step was not repeated exactly"
      return try send(.refused(Refusal(.order, sentence)), to: asker)
    }
    try send(
      .committed(Committed(step: commit.step, isFinished: ledger.hasAllSteps)), to: asker)
  }
}
