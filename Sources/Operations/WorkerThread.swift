// A thread of our own. Blocking C calls and long computations never run on Swift's cooperative
// pool; they run here, under a name that `top -H` shows, and are joined with a deadline.

import CSystem
import Glibc

/// What a thread came to.
public enum WorkerOutcome: Sendable {
  case running
  case finished
  case failed(any Error)
}

/// A named pthread that runs one closure.
public final class WorkerThread: Sendable {
  /// Frames of a deep call chain with SIMD temporaries fit easily; the kernel commits what is
  /// touched.
  public static let stackBytes = 8 << 20

  public let name: String
  private let monitor: Monitor<WorkerOutcome>

  /// Starts it at once. `wakes` is signalled when the closure ends, so a poller learns of it.
  public init(
    name: String, wakes: EventFD? = nil, body: sending @escaping () throws -> Void
  ) throws(Failure) {
    self.name = name
    let monitor = Monitor(WorkerOutcome.running)
    self.monitor = monitor
    let start = Unmanaged.passRetained(
      ThreadStart(name: name) {
        let outcome: WorkerOutcome
        do {
          try body()
          outcome = .finished
        } catch {
          outcome = .failed(error)
        }
        monitor.withLock { $0 = outcome }
        monitor.wakeAll()
        wakes?.signal()
      })
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, Self.stackBytes)
    // Detached: joining is by the outcome, under a deadline that pthread_join has not.
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let result = pthread_create(&thread, &attributes, runThread, start.toOpaque())
    guard result == 0 else {
      start.release()
      throw .system(
        "start", on: "the thread \(name)", code: result,
        remedy: "check the limits of processes and memory (ulimit -u, free -m)",
        exitCode: .unavailable)
    }
  }

  /// What it came to so far.
  public var outcome: WorkerOutcome { monitor.withLock { $0 } }

  /// Waits until the closure ended; `.running` when the deadline passed first.
  public func join(deadline: Deadline) -> WorkerOutcome {
    monitor.wait(deadline: deadline) { outcome in
      if case .running = outcome { nil } else { outcome }
    } ?? .running
  }
}

private final class ThreadStart {
  let name: String
  let body: () -> Void

  init(name: String, body: @escaping () -> Void) {
    self.name = name
    self.body = body
  }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let start = Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
  _ = forage_set_thread_name(start.name)
  start.body()
  return nil
}
