// The learner's loop: lease a batch, take a step, commit it, publish the version it made.
//
// A step counts only once replay has committed it. So the order is: checkpoint durable, if due;
// commit; acknowledgement; `latest` moved; version published. A learner that starts again loads its
// newest good checkpoint and takes the steps after it once more, on the batches the ledger
// recorded; replay answers a commit it already holds by comparing digests, and refuses one that
// differs, so a resume that would bend the curve ends loudly instead.

import Documents
import Experience
import Glibc
import Messaging
import Objectives
import Operations
import Policy
import Wire

/// Trains one run's policy until its steps are done or somebody asks it to stop.
public final class Learner {
  /// Steps in a row without finite numbers before the learner gives up.
  static let maximumSkippedSteps = 3
  /// A commit under way when asked to stop may take this long: several of the slowest fsyncs.
  static let lastCommitSeconds = 10.0

  private let settings: RunSettings
  private let taker: StepTaker
  private let tokenizer: Tokenizer
  private let checkpoints: Checkpoints
  private let server: WeightServer
  private let metrics: MetricsWriter
  private let log: Log
  private let isStopping: () -> Bool
  private let link: ReplayLink
  private let limits: GroupLimits
  private let strand: Strand
  private let meters: Meters

  private var version: PolicyVersion { taker.version }
  private var trainer: CohortTrainer { taker.trainer }
  private var phases = PhaseTimer()
  private var phase = ""
  private var phaseSince = MonotonicClock.now
  /// What spans of phases belong to, and when its wall time began.
  private var stepUnderway: Int
  private var stepSince = MonotonicClock.now
  private var state = "starting"
  private var stateSince = MonotonicClock.now
  private var skippedInARow = 0
  private var timeLimit: TimeLimit
  /// When this process last wrote a checkpoint, or began.
  private var checkpointed = MonotonicClock.now
  /// What actors had done when their rates were last taken, and the rates since then.
  private var rateActors: [ActorShare] = []
  private var rateSince = MonotonicClock.now
  private var rates: ActorRates?
  private var lastReceived = 0
  private var lastServed = 0
  private var idleNanoseconds: Int64 = 0

  init(_ parts: LearnerParts) {
    settings = parts.settings
    taker = parts.taker
    tokenizer = parts.tokenizer
    checkpoints = parts.checkpoints
    server = parts.server
    metrics = parts.metrics
    log = parts.log
    isStopping = parts.isStopping
    link = parts.link
    strand = parts.strand
    meters = parts.meters
    stepUnderway = parts.taker.version.number
    timeLimit = parts.end
    let positions = taker.trainer.policy.configuration.maximumPositions
    // Not sampling.maximumNewTokens: groups that were accepted before a resume lowered it are
    // trained all the same, and replay has held each against what it was at the time.
    limits = GroupLimits(
      groupSize: settings.sampling.groupSize, maximumPositions: positions,
      maximumNewTokens: positions,
      vocabularySize: taker.trainer.policy.configuration.vocabularySize)
  }

  /// Runs to the last step; throws `StopRequested` when asked to stop and `TimeOver` when the time
  /// is, after a checkpoint.
  public func run() throws {
    do {
      try publish(pinned: [])
      while version.number < settings.run.steps { try takeStep() }
      log.info("all \(settings.run.steps) steps are committed; serving weights until told to stop")
      try serveUntilFinished()
    } catch is StopRequested {
      try checkpointBeforeStopping()
      throw StopRequested()
    } catch is StepInterrupted {
      try checkpointBeforeStopping()
      throw StopRequested()
    } catch is TimeOver {
      try checkpointBeforeStopping()
      throw TimeOver()
    }
  }

  // MARK: - One step

  private func takeStep() throws {
    if let fault = server.fault { throw fault }
    let step = version.number
    if !timeLimit.allowsStep { throw TimeOver() }
    let (lease, payload) = try leaseBatch(step)
    enter("fetch")
    let groups = try payload.map { try TrajectoryGroup(decoding: $0, limits: limits) }
    for evaluation in lease.evaluations { try append(evaluation.document()) }
    let newest = taker.curriculum?.level
    let taken = try taker.take(
      groups, freshCount: lease.tickets.count, enter: { self.enter($0) },
      shouldStop: {
        self.strand.turn()
        self.beat()
        return self.isStopping()
      })
    let isKept = try commit(taken, lease: lease)
    try publish(pinned: lease.pinnedVersions)
    try record(taken, lease: lease, groups: groups, payload: payload, newest: newest)
    // Last: it reads whole checkpoints, which nobody waits for.
    if isKept {
      enter("checkpoint")
      try checkpoints.rotate(
        keep: settings.learner.keepCheckpoints,
        shouldStop: {
          self.strand.use("the disk: older checkpoints")
          return self.isStopping()
        })
    }
  }

  /// Waits for the batch of a step, however long actors take; replay says whom it waits for.
  private func leaseBatch(_ step: Int) throws -> (BatchLease, [[UInt8]]) {
    enter("lease_wait")
    let began = MonotonicClock.now
    defer { idleNanoseconds += MonotonicClock.now - began }
    while true {
      beat(probes: true)
      let answer = try link.ask { .lease(LeaseRequest(step: step, epoch: $0)) }
      switch answer.body {
      case .lease(let lease):
        guard lease.step == step, lease.batch.count == answer.payload.count else {
          throw Failure(
            "lease step \(step) from", on: "replay",
            happened: "the answer is of step \(lease.step) with \(answer.payload.count) groups for "
              + "\(lease.batch.count) tickets",
            remedy: "both ends must be of one version of Forage", exitCode: .internal)
        }
        return (lease, answer.payload)
      case .wait(let wait):
        if let fault = server.fault { throw fault }
        if !timeLimit.allowsStep { throw TimeOver() }
        setState("waiting for \(wait.reason)")
        beat()
        try pause(milliseconds: min(wait.milliseconds, 50))
      default:
        throw Failure(
          "lease step \(step) from", on: "replay", happened: "the answer was of another kind",
          remedy: "both ends must be of one version of Forage", exitCode: .internal)
      }
    }
  }

  /// Whether a checkpoint was written with it.
  private func commit(_ taken: TakenStep, lease: BatchLease) throws -> Bool {
    let (step, result) = (taken.step, taken.result)
    try stopAfterTooManySkips(result, step: step)
    var name: String?
    // After a step that was skipped the weights are those before it: nothing new to keep, but for
    // the last, which the run is judged by.
    let isKept = result.outcome != .skipped || step + 1 == settings.run.steps
    if taken.isCheckpointDue || isCheckpointDueByTime, isKept {
      enter("checkpoint")
      name = try whenThereIsRoom("checkpoint") {
        try save(
          CheckpointState(
            version: taken.version, chain: taken.chain, curriculum: taken.curriculum),
          weights: taken.weights)
      }
    }
    enter("commit_wait")
    // Even while stopping: replay stops after the learner, and a step done is a step to keep.
    let answer = try link.ask(finishingWithinSeconds: Self.lastCommitSeconds) { epoch in
      .commit(
        StepCommit(
          step: step, epoch: epoch, outcome: result.outcome, tickets: lease.tickets,
          reused: lease.reused, version: taken.version, stateDigest: taken.chain, checkpoint: name,
          curriculum: taken.curriculum, trajectories: result.trajectories))
    }
    guard case .committed(let committed) = answer.body, committed.step == step else {
      throw Failure(
        "commit step \(step) to", on: "replay", happened: "the answer was of another kind",
        remedy: "both ends must be of one version of Forage", exitCode: .internal)
    }
    FaultHooks.reach("committed")
    if let name {
      enter("checkpoint")
      try whenThereIsRoom("checkpoint") { try checkpoints.setLatest(name) }
      checkpointed = MonotonicClock.now
      FaultHooks.reach("latest")
    }
    taker.accept(taken)
    return name != nil
  }

  /// By the clock, so it decides only what is written: the chain of what is due by step knows
  /// nothing of it.
  private var isCheckpointDueByTime: Bool {
    let minutes = settings.learner.checkpointMinutes
    return minutes > 0 && MonotonicClock.seconds(since: checkpointed) >= 60 * minutes
  }

  private func stopAfterTooManySkips(_ result: StepResult, step: Int) throws {
    skippedInARow = result.outcome == .skipped ? skippedInARow + 1 : 0
    if result.outcome == .skipped {
      log.error(
        "step \(step) is skipped: loss \(result.loss.loss), gradient norm \(result.gradientNorm), "
          + "\(result.loss.notFinite) scalars not finite; the weights stay as they were")
    }
    if skippedInARow >= Self.maximumSkippedSteps {
      throw Failure(
        "train", on: "step \(step)",
        happened: "\(skippedInARow) steps in a row had a loss or gradient that is not finite",
        remedy: "lower learner.learningRate or look at the batches with forage inspect",
        exitCode: .notFinite)
    }
  }

  // MARK: - Publishing, recording, saving

  private func publish(pinned: [Int]) throws {
    enter("publish")
    server.pin(Set(pinned))
    let weights = strand.measure(.snapshot, id: version.number) { trainer.policy.copyWeights() }
    let encoding: SnapshotEncoding = trainer.optimizer.precision == .bf16 ? .bf16 : .f32
    let bytes = strand.measure(.encodeWeights, id: version.number) {
      SnapshotCodec.encode(weights, version: version, encoding: encoding)
    }
    server.publish(version, bytes: bytes, encoding: encoding)
    FaultHooks.reach("published")
  }

  private func record(
    _ taken: TakenStep, lease: BatchLease, groups: [TrajectoryGroup], payload: [[UInt8]],
    newest: Int?
  ) throws {
    let (step, result) = (taken.step, taken.result)
    enter("record")
    let now = MonotonicClock.now
    let seconds = Double(now - rateSince) / 1e9
    if seconds >= ActorRates.leastSeconds {
      rates = ActorRates(before: rateActors, after: lease.actors, seconds: seconds)
      (rateActors, rateSince) = (lease.actors, now)
    }
    let received = lease.actors.reduce(0) { $0 + $1.bytesReceived }
    defer { lastReceived = received }
    let end = MonotonicClock.now
    let report = phases.finish(now: end)
    notePhase(until: end)
    strand.span(.step, id: step, from: stepSince, to: end, amount: result.rows)
    (phase, stepUnderway, stepSince) = ("", step + 1, end)
    timeLimit.took(seconds: report.wallSeconds)
    // Writing the record takes its time from the step that follows.
    enter("record")
    let counters = server.counters
    defer { lastServed = counters.bytesServed }
    let record = StepRecord(
      step: step, lineage: version.lineage, result: result, lease: lease, groups: groups,
      phases: report,
      leasedBytes: payload.reduce(0) { $0 + $1.count },
      servedBytes: counters.bytesServed - lastServed,
      receivedBytes: max(0, received - lastReceived), actors: rates,
      newestLevel: newest, curriculum: taken.curriculum)
    let document = record.document()
    try append(document)
    meters.tell(step: document, counters)
    log.debug("step \(step): reward \(result.rollouts.rewardMean), \(report.wallSeconds) s")
  }

  private func save(_ state: CheckpointState, weights: WeightTensors) throws -> String {
    try checkpoints.save(
      state, configuration: trainer.policy.configuration, weights: weights, tokenizer: tokenizer,
      optimizer: trainer.optimizer)
  }

  /// Weights and moments stand at the last commit, whatever was under way: `train` changes them in
  /// its last phase only, and a step that was not committed is taken again.
  private func checkpointBeforeStopping() throws {
    // What was waited for before, a peer perhaps, is not what is waited for now.
    strand.use("the disk: the checkpoint before stopping")
    let names = try checkpoints.names()
    let known = names.first.flatMap { try? checkpoints.readState($0) }
    guard known?.chain != taker.chain else { return }
    guard taker.isAtLastStep else {
      log.warning("stopped within a commit: the checkpoint before it stands")
      return
    }
    do {
      let name = try save(
        CheckpointState(version: version, chain: taker.chain, curriculum: taker.curriculum),
        weights: trainer.policy.copyWeights())
      try checkpoints.setLatest(name)
      log.info("checkpoint \(name) written before stopping")
    } catch {
      guard Self.isDiskFull(error) else { throw error }
      log.warning(
        "no room for a checkpoint (\(error)): the one before it stands, and a resume takes the "
          + "steps after it once more")
    }
  }

  // MARK: - A full disk

  static func isDiskFull(_ error: any Error) -> Bool {
    number(of: error).map(SystemError.isDiskFull) ?? false
  }

  /// What the system said, whoever of the two rooms that write passed it on.
  private static func number(of error: any Error) -> Int32? {
    (error as? Failure)?.number ?? StorageFault.number(of: error)
  }

  /// What a model folder could not write or fsync ends the process with the status of storage.
  private static func storageFailure(_ error: any Error, _ what: String) -> any Error {
    guard let number = StorageFault.number(of: error) else { return error }
    return Failure(
      "write", on: "the \(what)", happened: "\(error)",
      remedy: "check the disk (dmesg); the checkpoint before it stands", exitCode: .storage,
      number: number)
  }

  /// Writes, again and again while the disk has no room, until it has or the process is to stop.
  /// Nothing of the step is committed before, so nothing is lost by waiting, or by stopping.
  private func whenThereIsRoom<Result>(
    _ what: String, _ write: () throws -> Result
  ) throws -> Result {
    var isSaid = false
    while true {
      do {
        return try write()
      } catch {
        guard Self.isDiskFull(error) else {
          if Self.number(of: error) == ENOENT { try askWhoLearns() }
          throw Self.storageFailure(error, what)
        }
        if !isSaid { log.warning("\(error); waiting for the disk to have room") }
        isSaid = true
        setState("waiting for the disk to have room for the \(what)")
        beat()
        try pause(milliseconds: 1000)
      }
    }
  }

  /// A learner that takes over clears away what the one before was writing, for it may have died.
  /// One that was only away finds its folder gone, and hears from replay that it is fenced.
  private func askWhoLearns() throws {
    do {
      _ = try link.ask { .lease(LeaseRequest(step: self.version.number, epoch: $0)) }
    } catch let refusal as Refusal where refusal.code == .fenced {
      throw refusal
    } catch let stop as StopRequested {
      throw stop
    } catch {
      log.warning("\(error)")
    }
  }

  private func append(_ record: Document) throws {
    try whenThereIsRoom("metrics") { try metrics.append(record) }
  }

  /// Serves weights for the last evaluation, takes its result, and stays until told to stop.
  private func serveUntilFinished() throws {
    var isOver = false
    while true {
      if let fault = server.fault { throw fault }
      setState(
        isOver
          ? "done, serving weights until told to stop"
          : "waiting for actors to finish the last evaluation")
      if !isOver {
        let answer = try link.ask { .lease(LeaseRequest(step: self.version.number, epoch: $0)) }
        if case .lease(let lease) = answer.body, lease.tickets.isEmpty {
          for evaluation in lease.evaluations { try append(evaluation.document()) }
          isOver = true
        }
      }
      beat()
      try pause(milliseconds: isOver ? 500 : 50)
    }
  }

  private func pause(milliseconds: Int) throws {
    let deadline = Deadline.after(seconds: Double(milliseconds) / 1000)
    while !deadline.hasPassed {
      if isStopping() { throw StopRequested() }
      strand.turn()
      usleep(useconds_t(min(10_000, 1 + milliseconds * 1000)))
    }
  }

  /// Phases that last as long as the disk takes.
  private static let diskPhases: Set = ["checkpoint", "record"]

  private func enter(_ phase: String) {
    FaultHooks.reach(phase)
    let now = MonotonicClock.now
    phases.enter(phase, now: now)
    notePhase(until: now)
    self.phase = phase
    switch phase {
    case "lease_wait": setState("waiting for replay to lease step \(version.number)")
    case "commit_wait": setState("waiting for replay to commit step \(version.number)")
    default: setState("step \(version.number): \(phase)")
    }
    beat()
  }

  /// The phase that ends here is a span of its step.
  private func notePhase(until now: Int64) {
    if let name = SpanName(text: phase) {
      strand.span(name, id: stepUnderway, from: phaseSince, to: now)
    }
    phaseSince = now
  }

  private func setState(_ text: String) {
    let prefix = "waiting for "
    if text.hasPrefix(prefix) {
      strand.wait(for: String(text.dropFirst(prefix.count)), until: .now)
    } else if Self.diskPhases.contains(phase) {
      strand.use("the disk: \(text)")
    } else {
      strand.work(text)
    }
    guard text != state else { return }
    state = text
    stateSince = MonotonicClock.now
  }

  private func beat(probes: Bool = false) {
    link.beat(
      state: state, since: stateSince, version: version,
      idleMilliseconds: Int(idleNanoseconds / 1_000_000), probes: probes)
  }
}
