// A lock, the state it guards and a condition to wait on: the one place that touches pthread
// mutexes. Waits use the monotonic clock, which `Synchronization.Mutex` has no condition for.

import Glibc

/// State shared between threads: reached only under its lock, waited on with a deadline.
public final class Monitor<State>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var state: State

  public init(_ state: sending State) {
    self.state = state
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    var result = pthread_mutex_init(mutex, nil)
    precondition(result == 0, "pthread_mutex_init failed with \(result)")
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    result = pthread_cond_init(condition, &attributes)
    precondition(result == 0, "pthread_cond_init failed with \(result)")
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` under the lock. Keep it short; never call out from it.
  public func withLock<Result, Fault: Error>(
    _ body: (inout State) throws(Fault) -> Result
  ) throws(Fault) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Runs `body` under the lock again and again, waiting between for `wakeAll`, until it returns a
  /// value; nil when the deadline passes first. It runs at least once.
  public func wait<Result>(
    deadline: Deadline, until body: (inout State) -> Result?
  ) -> Result? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&state) { return result }
      if deadline.hasPassed { return nil }
      if deadline == .never {
        pthread_cond_wait(condition, mutex)
      } else {
        var time = timespec(
          tv_sec: Int(deadline.moment / MonotonicClock.nanosecondsPerSecond),
          tv_nsec: Int(deadline.moment % MonotonicClock.nanosecondsPerSecond))
        pthread_cond_timedwait(condition, mutex, &time)
      }
    }
  }

  /// Wakes every thread in `wait`. Call it after changing what they wait for.
  public func wakeAll() { pthread_cond_broadcast(condition) }
}
