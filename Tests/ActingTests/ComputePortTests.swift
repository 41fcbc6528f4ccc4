// The door between the threads: nothing waits past a stop, and waiting is counted as idleness.

import Acting
import Digests
import Experience
import Operations
import Testing
import Wire

struct ComputePortTests {
  static func fetched(_ number: Int) -> FetchedSnapshot {
    FetchedSnapshot(
      snapshot: Snapshot(
        version: PolicyVersion(lineage: "l", number: number, digest: Digest(of: [1])),
        blob: Digest(of: [2]), byteCount: 1, encoding: "f32"), bytes: [2])
  }

  /// Runs `body` on a thread of its own, with a deadline.
  static func finishes(
    within seconds: Double, _ body: sending @escaping () -> Void
  ) throws -> Bool {
    let thread = try WorkerThread(name: "test") { body() }
    if case .finished = thread.join(deadline: .after(seconds: seconds)) { return true }
    return false
  }

  @Test func `a stop ends a wait for a delivery, a pause and a push into a full queue`() throws {
    let port = ComputePort(wake: try EventFD())
    let threads = [
      try WorkerThread(name: "receive") { _ = port.receive("waiting for replay") },
      try WorkerThread(name: "pause") {
        port.pause(milliseconds: 60_000, newerThan: nil, "waiting for the learner")
      },
      try WorkerThread(name: "give") {
        let key = TicketKey(purpose: .train, number: 0)
        while port.give(.release(key)) {}
      },
    ]
    #expect(!EventFDs.sleep(0.05, until: { port.isStopping }))
    port.stop()
    for thread in threads {
      guard case .finished = thread.join(deadline: .after(seconds: 5)) else {
        Issue.record("\(thread.name) still waits")
        continue
      }
    }
  }

  @Test func `newer weights end a pause, older ones do not`() throws {
    let port = ComputePort(wake: try EventFD())
    port.offer(Self.fetched(3))
    let start = MonotonicClock.now
    port.pause(milliseconds: 30, newerThan: 3, "waiting")
    #expect(MonotonicClock.seconds(since: start) >= 0.03)
    #expect(
      try Self.finishes(within: 5) {
        port.pause(milliseconds: 60_000, newerThan: 2, "waiting")
      })
    #expect(port.takeNewest(than: 3) == nil)
    #expect(port.takeNewest(than: 2) == Self.fetched(3))
    #expect(port.takeNewest(than: nil) == nil)
  }

  @Test func `idle time is the time waited, and the state says for whom`() throws {
    let port = ComputePort(wake: try EventFD())
    port.enter("sampling")
    #expect(port.progress.idleMilliseconds == 0)
    let thread = try WorkerThread(name: "wait") {
      port.pause(milliseconds: 200, newerThan: nil, "waiting for the learner to commit step 3")
    }
    _ = EventFDs.sleep(0.1, until: { false })
    let during = port.progress
    #expect(during.state == "waiting for the learner to commit step 3")
    #expect(during.idleMilliseconds >= 50)
    _ = thread.join(deadline: .after(seconds: 5))
    let after = port.progress
    #expect(after.state == "sampling")
    #expect(after.idleMilliseconds >= 200)
    // The same wait again is the same wait: it began when it first did.
    let again = try WorkerThread(name: "wait") {
      port.pause(
        milliseconds: 200, newerThan: nil, "waiting for the learner to commit step 3")
    }
    _ = EventFDs.sleep(0.1, until: { false })
    #expect(port.progress.stateMilliseconds >= 250)
    _ = again.join(deadline: .after(seconds: 5))
    port.sampled(5)
    port.sampled(6)
    #expect(port.progress.tokensSampled == 11)
  }
}

/// Sleeping in a test, with an end.
enum EventFDs {
  /// Until `condition` or the time is over; whether the condition came.
  static func sleep(_ seconds: Double, until condition: () -> Bool) -> Bool {
    let deadline = Deadline.after(seconds: seconds)
    guard let event = try? EventFD() else { return false }
    while !deadline.hasPassed {
      if condition() { return true }
      _ = event.wait(deadline: min(deadline, .after(seconds: 0.005)))
    }
    return condition()
  }
}
