// The door between an actor's threads: the one that owns the sockets, the one that computes and the
// one that judges. Two bounded queues, one place for the newest weights, and what the actor is
// doing.
//
// The compute thread asks one question at a time and waits; groups go the same way from the thread
// that judges, but are not waited for, so the next batch is sampled while replay writes the last
// one to disk. A full queue makes whoever fills it wait; the heartbeat says for whom.

import Experience
import Operations
import Synchronization
import Wire

/// A version's encoded weights, digest of the bytes checked.
package struct FetchedSnapshot: Equatable, Sendable {
  package var snapshot: Snapshot
  package var bytes: [UInt8]

  package init(snapshot: Snapshot, bytes: [UInt8]) {
    self.snapshot = snapshot
    self.bytes = bytes
  }
}

/// From the compute thread to the socket thread.
package enum Order: Sendable {
  case tickets(TicketRequest)
  /// nil: the newest. When the version is gone the newest comes, unless `isExact`.
  case weights(version: Int?, isExact: Bool)
  case group(EncodedGroup)
  /// What the tickets will be filled with: for replay to hold against the run's.
  case definitions([NamedDigest])
  /// This ticket will not be filled here.
  case release(TicketKey)
}

/// From the socket thread to the compute thread.
package enum Delivery: Sendable {
  /// What the run is, once: settings, and files by name.
  case run(Welcome, files: [String: [UInt8]])
  case answer(Conversation.Answer)
  case weights(FetchedSnapshot)
  /// The exact version is not served any more.
  case gone(version: Int, sentence: String)
}

package final class ComputePort: Sendable {
  /// Orders and groups that wait for the socket thread; beyond it the outbox has its own bound.
  package static let maximumOrders = 256
  package static let maximumOrderBytes = 64 << 20

  private struct Doing {
    var version: PolicyVersion?
    var state = "starting"
    var since: Int64
    /// The last wait, while no work has come since: a wait in many turns is one wait.
    var lastWait: (state: String, since: Int64)?
    /// Since when it waits; nil while it works.
    var idleSince: Int64?
    var idleNanoseconds: Int64 = 0
    var tokensSampled = 0
    /// Groups sampled that have no verdicts yet.
    var unjudged = 0
  }

  /// A wait is cut into slices so long: between two the thread shows that it still could go on.
  static let sliceSeconds = 1.0

  package let orders: BoundedQueue<Order>
  private let deliveries: BoundedQueue<Delivery>
  private let doing: Monitor<Doing>
  private let newest: Monitor<FetchedSnapshot?>
  private let stopping = Atomic<Bool>(false)
  /// The compute thread's account of itself.
  package let strand: Strand

  /// `wake` tells the socket thread that there is an order.
  package init(wake: EventFD, strand: Strand = Strand("compute")) {
    self.strand = strand
    orders = BoundedQueue(
      maximumCount: Self.maximumOrders, maximumBytes: Self.maximumOrderBytes, wakesPopper: wake)
    // One question is open at a time, so one delivery waits; the run comes before the first.
    deliveries = BoundedQueue(maximumCount: 4)
    doing = Monitor(Doing(since: MonotonicClock.now))
    newest = Monitor(nil)
  }

  // MARK: the compute thread's side

  package var isStopping: Bool { stopping.load(ordering: .relaxed) }

  /// The next delivery; nil once the actor stops. `state` says for whom this waits.
  package func receive(_ state: String) -> Delivery? {
    wait(state) { slice -> Delivery?? in
      switch deliveries.pop(deadline: slice) {
      case .popped(let delivery): .some(delivery)
      case .closed: .some(nil)
      case .empty: nil
      }
    }
  }

  /// Gives an order, waiting while too many are underway; false once the actor stops.
  package func give(_ order: Order, bytes: Int = 0) -> Bool {
    // What is larger than the whole queue has it to itself.
    push(
      order, to: orders, bytes: min(bytes, Self.maximumOrderBytes),
      "waiting for replay to take groups")
  }

  /// Puts an element into a queue, waiting while it is full; false once the actor stops or the
  /// queue is closed. `state` says for whom this waits.
  package func push<Element>(
    _ element: Element, to queue: BoundedQueue<Element>, bytes: Int, _ state: String
  ) -> Bool {
    switch queue.push(element, bytes: bytes) {
    case .pushed: return true
    case .closed, .tooLarge: return false
    case .full: break
    }
    return wait(state) { slice in
      if isStopping { return false }
      return switch queue.push(element, bytes: bytes, deadline: slice) {
      case .pushed: true
      case .closed, .tooLarge: false
      case .full: nil
      }
    }
  }

  /// Sleeps, unless the actor stops or newer weights come first.
  package func pause(milliseconds: Int, newerThan version: Int?, _ state: String) {
    let deadline = Deadline.after(seconds: Double(milliseconds) / 1000)
    _ = wait(state) { slice -> Bool? in
      let end = newest.wait(deadline: min(slice, deadline)) { fetched -> Bool? in
        if isStopping { return true }
        return Self.isNewer(fetched, than: version) ? true : nil
      }
      return end ?? (deadline.hasPassed ? true : nil)
    }
  }

  /// The newest weights fetched ahead, if they are newer than `version`; they leave the port.
  package func takeNewest(than version: Int?) -> FetchedSnapshot? {
    newest.withLock { fetched in
      guard Self.isNewer(fetched, than: version) else { return nil }
      defer { fetched = nil }
      return fetched
    }
  }

  /// What the compute thread does from here on.
  package func enter(_ state: String) {
    strand.work(state)
    doing.withLock {
      $0.state = state
      $0.since = MonotonicClock.now
      $0.lastWait = nil
    }
  }

  package func hold(_ version: PolicyVersion) { doing.withLock { $0.version = version } }

  /// One more group is sampled and waits for its verdicts.
  package func awaitVerdict() { doing.withLock { $0.unjudged += 1 } }

  package func sampled(_ tokens: Int) { doing.withLock { $0.tokensSampled += tokens } }

  /// To be called all along within long work.
  package func turn() { strand.turn() }

  /// Tries again and again, a slice of time each, until `attempt` has a result.
  private func wait<Result>(_ state: String, _ attempt: (Deadline) -> Result?) -> Result {
    let prefix = "waiting for "
    let whom = state.hasPrefix(prefix) ? String(state.dropFirst(prefix.count)) : state
    let before = doing.withLock { doing in
      defer {
        let now = MonotonicClock.now
        let since = doing.lastWait.flatMap { $0.state == state ? $0.since : nil } ?? now
        doing.lastWait = (state, since)
        doing.state = state
        doing.since = since
        doing.idleSince = now
      }
      return doing.state
    }
    defer {
      doing.withLock {
        let now = MonotonicClock.now
        $0.idleNanoseconds += now - ($0.idleSince ?? now)
        $0.idleSince = nil
        $0.state = before
        $0.since = now
      }
    }
    // The strand stays at this wait until the next one or work: a wait in many turns is one wait.
    while true {
      let slice = Deadline.after(seconds: Self.sliceSeconds)
      strand.wait(for: whom, until: slice)
      if let result = attempt(slice) { return result }
    }
  }

  private static func isNewer(_ fetched: FetchedSnapshot?, than version: Int?) -> Bool {
    guard let fetched else { return false }
    return fetched.snapshot.version.number > version ?? -1
  }

  // MARK: the judging thread's side

  /// Gives a judged group, waiting while too many are underway; false once the actor stops.
  func give(judged group: EncodedGroup, _ strand: Strand) -> Bool {
    let bytes = min(group.payload.count, Self.maximumOrderBytes)
    defer { doing.withLock { $0.unjudged -= 1 } }
    while !isStopping {
      let slice = Deadline.after(seconds: Self.sliceSeconds)
      strand.wait(for: "replay to take groups", until: slice)
      switch orders.push(.group(group), bytes: bytes, deadline: slice) {
      case .pushed: return true
      case .closed, .tooLarge: return false
      case .full: continue
      }
    }
    return false
  }

  // MARK: the socket thread's side

  /// Never waits: a question has one answer.
  package func deliver(_ delivery: Delivery) {
    let push = deliveries.push(delivery)
    precondition(push != .full, "\(deliveries.count) deliveries wait, and one question was asked")
  }

  /// Weights fetched ahead; they replace older ones that nobody took.
  package func offer(_ fetched: FetchedSnapshot) {
    newest.withLock { $0 = fetched }
    newest.wakeAll()
  }

  /// Ends every wait of the compute thread, now and later.
  package func stop() {
    stopping.store(true, ordering: .relaxed)
    orders.close()
    deliveries.close()
    newest.wakeAll()
  }

  package var progress: Progress {
    doing.withLock {
      let now = MonotonicClock.now
      let idle = $0.idleNanoseconds + (now - ($0.idleSince ?? now))
      // It waits for tickets, and replay for its groups: what holds both up is the verifier.
      let isJudging = $0.unjudged > 0 && $0.state.hasPrefix("waiting")
      let state =
        isJudging ? "waiting for the verifier to judge \($0.unjudged) groups" : $0.state
      return Progress(
        version: $0.version, state: state, stateMilliseconds: Int((now - $0.since) / 1_000_000),
        tokensSampled: $0.tokensSampled, idleMilliseconds: Int(idle / 1_000_000))
    }
  }
}
