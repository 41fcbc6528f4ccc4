// forage serve --run DIR --follow: looks once a second whether the run has a newer checkpoint,
// reads it aside while the old one is served, and puts it in the queue of those who ask.

import Learning
import Operations
import Policy

/// A thread of its own, until it is stopped.
final class CheckpointFollower {
  private static let stopSeconds = 60.0

  private let thread: WorkerThread
  private let isStopping = Monitor(false)

  init(
    of run: RunFolder, serving name: String, threads: Int?, slots: Int, context: Int,
    _ scheduler: Scheduler, _ log: Log
  ) throws(Failure) {
    let look = CheckpointLook(
      run: run, threads: threads, slots: slots, context: context, scheduler: scheduler, log: log)
    thread = try Self.start(look, serving: name, until: isStopping)
  }

  private static func start(
    _ look: CheckpointLook, serving name: String, until isStopping: Monitor<Bool>
  ) throws(Failure) -> WorkerThread {
    try WorkerThread(name: "follow") { look.follow(from: name, until: isStopping) }
  }

  func stop() {
    isStopping.withLock { $0 = true }
    isStopping.wakeAll()
    _ = thread.join(deadline: .after(seconds: Self.stopSeconds))
  }
}

private struct CheckpointLook: Sendable {
  private static let lookSeconds = 1.0

  let run: RunFolder
  let threads: Int?
  let slots: Int
  let context: Int
  let scheduler: Scheduler
  let log: Log

  func follow(from first: String, until isStopping: Monitor<Bool>) {
    var (served, problem) = (first, "")
    while true {
      let isOver = isStopping.wait(deadline: .after(seconds: Self.lookSeconds)) { $0 ? true : nil }
      if isOver != nil { return }
      do {
        served = try next(after: served)
        problem = ""
      } catch {
        // It may have made room for a newer one while it was read.
        if "\(error)" != problem { log.warning("\(error); \(served) is served on") }
        problem = "\(error)"
      }
    }
  }

  /// The name of what is served once this returns: the newest whole checkpoint, or still the old.
  private func next(after served: String) throws -> String {
    let checkpoints = try RunCheckpoints(run)
    guard let latest = checkpoints.latest, !scheduler.isChanging,
      ServeOptions.names(run, checkpoint: latest)[0] != served
    else { return served }
    let checkpoint = try checkpoints.load(step: nil)
    let names = ServeOptions.names(run, checkpoint: checkpoint.name)
    guard names[0] != served else { return served }
    let model = try LoadedModel(folder: checkpoint.model, threads: threads)
    let decoder = SlotDecoder(model.policy, slots: slots, capacity: context)
    scheduler.offer(OfferedVersion(names: names, decoder: decoder))
    log.info("serving \(names[0]) from now on")
    return names[0]
  }
}
