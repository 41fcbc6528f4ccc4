import Glibc
import Operations
import Testing

@Suite struct QueueTests {
  @Test func `what is pushed comes out once and in order, across threads and growth`() throws {
    let queue = BoundedQueue<Int>(maximumCount: 100, maximumBytes: 1000)
    let count = 20_000
    let producer = try WorkerThread(name: "producer") {
      for value in 0..<count {
        let result = queue.push(
          value, bytes: value % 17, deadline: .after(seconds: patience))
        guard result == .pushed else { return }
      }
      queue.close()
    }
    var received: [Int] = []
    while case .popped(let value) = queue.pop(deadline: .after(seconds: patience)) {
      received.append(value)
    }
    #expect(received == Array(0..<count))
    guard case .finished = producer.join(deadline: .after(seconds: patience)) else {
      Issue.record("the producer did not end")
      return
    }
    #expect(queue.count == 0 && queue.bytes == 0)
  }

  @Test func `a full queue says so, by count and by bytes`() {
    let queue = BoundedQueue<String>(maximumCount: 2, maximumBytes: 10)
    #expect(queue.push("a", bytes: 4) == .pushed)
    #expect(queue.push("b", bytes: 7) == .full)
    #expect(queue.push("b", bytes: 6) == .pushed)
    #expect(queue.push("c", bytes: 0) == .full)
    #expect(queue.push("d", bytes: 11) == .tooLarge)
    #expect(queue.pop().element == "a")
    #expect(queue.push("c", bytes: 4) == .pushed)
    #expect(queue.bytes == 10 && queue.count == 2)
  }

  @Test func `a wait ends at its deadline and not before`() {
    let queue = BoundedQueue<Int>(maximumCount: 1)
    let start = MonotonicClock.now
    guard case .empty = queue.pop(deadline: .after(seconds: 0.05)) else {
      Issue.record("something came out of an empty queue")
      return
    }
    #expect(MonotonicClock.seconds(since: start) >= 0.05)
  }

  @Test func `a closed queue gives up what it holds, then says closed`() {
    let queue = BoundedQueue<Int>(maximumCount: 3)
    #expect(queue.push(1) == .pushed)
    queue.close()
    #expect(queue.push(2, deadline: .never) == .closed)
    #expect(queue.pop(deadline: .never).element == 1)
    guard case .closed = queue.pop(deadline: .never) else {
      Issue.record("a closed and empty queue did not say so")
      return
    }
  }

  @Test func `closing wakes who waits`() throws {
    let queue = BoundedQueue<Int>(maximumCount: 1)
    let waiter = try WorkerThread(name: "waiter") { _ = queue.pop(deadline: .never) }
    usleep(10_000)
    queue.close()
    guard case .finished = waiter.join(deadline: .after(seconds: patience)) else {
      Issue.record("the waiter still waits")
      return
    }
  }

  @Test func `a push wakes a poller and a pop wakes a waiting pusher's poller`() throws {
    let (forPopper, forPusher) = (try EventFD(), try EventFD())
    let queue = BoundedQueue<Int>(
      maximumCount: 1, wakesPopper: forPopper, wakesPusher: forPusher)
    #expect(!forPopper.wait(deadline: .now))
    _ = queue.push(1)
    #expect(forPopper.wait(deadline: .now) && forPopper.drain() && !forPopper.drain())
    #expect(!forPusher.wait(deadline: .now))
    _ = queue.pop()
    #expect(forPusher.wait(deadline: .now))
  }

  @Test func `an eventfd signalled from another thread ends a poll`() throws {
    let event = try EventFD()
    let thread = try WorkerThread(name: "signaller") {
      usleep(20_000)
      event.signal()
    }
    #expect(event.wait(deadline: .after(seconds: patience)))
    _ = thread.join(deadline: .after(seconds: patience))
  }
}

@Suite struct WorkerThreadTests {
  struct Broken: Error {}

  @Test func `a thread's error is its outcome`() throws {
    let done = try EventFD()
    let thread = try WorkerThread(name: "broken", wakes: done) { throw Broken() }
    #expect(done.wait(deadline: .after(seconds: patience)))
    guard case .failed(let error) = thread.join(deadline: .after(seconds: patience)) else {
      Issue.record("the error is lost")
      return
    }
    #expect(error is Broken)
  }

  @Test func `joining a busy thread ends at the deadline`() throws {
    let gate = try EventFD()
    let thread = try WorkerThread(name: "a name that is longer than fifteen bytes") {
      _ = gate.wait(deadline: .after(seconds: patience))
    }
    guard case .running = thread.join(deadline: .after(seconds: 0.02)) else {
      Issue.record("the thread ended before its gate opened")
      return
    }
    gate.signal()
    guard case .finished = thread.join(deadline: .after(seconds: patience)) else {
      Issue.record("the thread did not end")
      return
    }
  }

  @Test func `a lock admits one thread at a time`() throws {
    let counter = Monitor(0)
    let threads = try (0..<4).map { index in
      try WorkerThread(name: "adder-\(index)") {
        for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
      }
    }
    for thread in threads { _ = thread.join(deadline: .after(seconds: patience)) }
    #expect(counter.withLock { $0 } == 40_000)
  }
}
