// Verdicts beside sampling. A person's program may think for seconds over each completion, and the
// cores that sample would stand still for it; so sampled groups wait here in order, a bounded
// number of them, and a thread of its own judges them and gives them to the sockets. A full queue
// makes the compute thread wait, and says for whom.

import Operations

package final class JudgeThread: Sendable {
  /// Groups that wait for verdicts: a few batches' worth, so that one slow verdict is not felt,
  /// and few enough that none is stale when its turn comes.
  package static let maximumCount = 64
  package static let maximumBytes = 64 << 20
  /// How long an ending actor waits for the verdict under way; then the process ends over it.
  private static let stopSeconds = 1.0

  private let port: ComputePort
  private let queue: BoundedQueue<SampledGroup>
  private let worker: WorkerThread

  package init(_ judge: GroupJudge, port: ComputePort, strand: Strand) throws(Failure) {
    self.port = port
    let queue = BoundedQueue<SampledGroup>(
      maximumCount: Self.maximumCount, maximumBytes: Self.maximumBytes)
    self.queue = queue
    worker = try WorkerThread(name: "judge") {
      // Whoever hands over the next group learns that nobody will judge it.
      defer { queue.close() }
      try Self.work(judge, queue, port, strand)
    }
  }

  deinit { queue.close() }

  /// Hands a group over, waiting while too many wait already; false once the actor stops. Throws
  /// what ended the judging.
  package func take(_ group: SampledGroup) throws -> Bool {
    port.awaitVerdict()
    // What is larger than the whole queue has it to itself.
    let bytes = min(group.byteCount, Self.maximumBytes)
    let isTaken = port.push(
      group, to: queue, bytes: bytes, "waiting for the verifier to judge \(queue.count) groups")
    try check()
    return isTaken
  }

  /// Throws what ended the judging, if anything did.
  package func check() throws {
    if case .failed(let error) = worker.outcome { throw error }
  }

  /// Gives up what waits.
  package func stop() {
    queue.close()
    while queue.pop().element != nil {}
    if case .running = worker.join(deadline: .after(seconds: Self.stopSeconds)) {
      // Its program may be in a loop, where it never sees that nobody asks any more.
      ChildProcess.killWards()
    }
  }

  private static func work(
    _ judge: GroupJudge, _ queue: BoundedQueue<SampledGroup>, _ port: ComputePort, _ strand: Strand
  ) throws {
    while true {
      let slice = Deadline.after(seconds: ComputePort.sliceSeconds)
      strand.wait(for: "compute to sample groups", until: slice)
      switch queue.pop(deadline: slice) {
      case .empty: continue
      case .closed: return
      case .popped(let sampled):
        let group = try judge.group(sampled, strand) {
          // A program has its own deadline, and one that keeps it is not taken for hung.
          if judge.verdictSeconds > 0 {
            strand.wait(
              for: "the verifier's program to judge \(sampled.key)",
              until: .after(seconds: judge.verdictSeconds))
          } else {
            strand.work("judging \(sampled.key)")
          }
          return !port.isStopping
        }
        guard let group, port.give(judged: group, strand) else { return }
      }
    }
  }
}
