// Threads for short parallel loops, a few microseconds to some milliseconds each.
//
// The obvious pool waits for every worker at the end of a loop. On cores shared with other
// processes a worker may be descheduled, and the loop would wait for a thread that has nothing to
// do. Here tasks are claimed one by one from a single word (generation, count, next), and the
// caller waits only for tasks that were claimed: a worker that never wakes delays nobody.
//
// Which thread runs a task is left to chance; a kernel's result must depend on the task alone.

import CKernels
import Glibc
import Synchronization

/// Runs loops on `threads` threads, the caller among them. One caller at a time.
package final class ThreadPool: @unchecked Sendable {
  /// Tasks a loop may have: 18 bits of the claim word.
  static let taskLimit = (1 << 18) - 1
  /// More threads than cores of any machine this runs on is a mistake of units.
  static let threadLimit = 1024
  /// Pauses (about 20 ns each) before a waiting worker parks: longer than the gap between two
  /// kernels of a decode step, shorter than a scheduler's slice.
  static let spinLimit = 1000

  let threads: Int
  private let shared = Shared()
  private var workers: [pthread_t] = []

  package init(threads: Int) {
    precondition(
      (1...Self.threadLimit).contains(threads),
      "\(threads) threads asked for, 1 to \(Self.threadLimit) are possible")
    self.threads = threads
    for index in 1..<max(threads, 1) {
      let start = Unmanaged.passRetained(Start(shared: shared, worker: index))
      var worker = pthread_t()
      let status = pthread_create(
        &worker, nil,
        { argument in
          let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
          start.shared.work(as: start.worker)
          return nil
        }, start.toOpaque())
      precondition(status == 0, "starting thread \(index) of \(threads) failed: errno \(status)")
      workers.append(worker)
    }
  }

  deinit {
    shared.stop()
    for worker in workers { pthread_join(worker, nil) }
  }

  /// Calls `body(task, worker)` for each task in `0 ..< tasks`; `worker` in `0 ..< threads` names
  /// the thread, for its scratch. Returns when all are done.
  package func run(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    if threads == 1 || tasks <= 1 {
      for task in 0..<tasks { body(task, 0) }
      return
    }
    precondition(tasks <= Self.taskLimit, "\(tasks) tasks exceed \(Self.taskLimit)")
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: body) { shared.run(tasks, $0) }
    }
  }

  private final class Start {
    let shared: Shared
    let worker: Int
    init(shared: Shared, worker: Int) {
      self.shared = shared
      self.worker = worker
    }
  }

  /// What the threads share. `body` is written before the claim word is published and read only
  /// after a successful claim, and no loop ends while a claimed task runs.
  private final class Shared: @unchecked Sendable {
    private typealias Body = (Int, Int) -> Void

    /// generation << 36 | count << 18 | next
    private let claims = Atomic<UInt64>(0)
    private let finished = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private var body: UnsafePointer<(Int, Int) -> Void>?
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(condition, nil)
    }

    deinit {
      pthread_cond_destroy(condition)
      pthread_mutex_destroy(mutex)
      condition.deallocate()
      mutex.deallocate()
    }

    func run(_ tasks: Int, _ body: UnsafePointer<(Int, Int) -> Void>) {
      self.body = body
      finished.store(0, ordering: .relaxed)
      let generation = (claims.load(ordering: .relaxed) >> 36) &+ 1
      claims.store(generation << 36 | UInt64(tasks) << 18, ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wake() }
      while claim(as: 0) {}
      var spins = 0
      while finished.load(ordering: .acquiring) < tasks {
        spins += 1
        if spins < ThreadPool.spinLimit { foragePause() } else { sched_yield() }
      }
      self.body = nil
    }

    func work(as worker: Int) {
      var spins = 0
      while !stopping.load(ordering: .relaxed) {
        if claim(as: worker) {
          spins = 0
        } else if spins < ThreadPool.spinLimit {
          spins += 1
          foragePause()
        } else {
          park()
          spins = 0
        }
      }
    }

    func stop() {
      stopping.store(true, ordering: .sequentiallyConsistent)
      wake()
    }

    private var hasWork: Bool {
      let word = claims.load(ordering: .sequentiallyConsistent)
      return word & 0x3ffff < (word >> 18) & 0x3ffff
    }

    /// Runs one task, or says that none is left.
    private func claim(as worker: Int) -> Bool {
      var word = claims.load(ordering: .acquiring)
      while word & 0x3ffff < (word >> 18) & 0x3ffff {
        let (won, seen) = claims.weakCompareExchange(
          expected: word, desired: word + 1, ordering: .acquiringAndReleasing)
        if won {
          perform(Int(word & 0x3ffff), worker)
          finished.add(1, ordering: .releasing)
          return true
        }
        word = seen
      }
      return false
    }

    /// Apart, so that no reference to the body outlives the task.
    @inline(never)
    private func perform(_ task: Int, _ worker: Int) {
      body!.pointee(task, worker)
    }

    private func park() {
      pthread_mutex_lock(mutex)
      sleepers.add(1, ordering: .sequentiallyConsistent)
      while !hasWork && !stopping.load(ordering: .sequentiallyConsistent) {
        pthread_cond_wait(condition, mutex)
      }
      sleepers.subtract(1, ordering: .sequentiallyConsistent)
      pthread_mutex_unlock(mutex)
    }

    private func wake() {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
  }
}
