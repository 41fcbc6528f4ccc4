// Threads that get ready apart, begin together and are timed from that one moment: what several
// peers do at once, without the connecting and the making of data before it.

import Glibc
import Operations

final class StartingLine: Sendable {
  private struct State {
    var waiting = 0
    var start: Int64?
    var ends: [Int64]
    var hasFailed = false
  }

  /// For getting ready, and again for the race: far longer than either takes on a busy machine.
  private static let patienceSeconds = 300.0

  private let state: Monitor<State>

  private init(count: Int) {
    state = Monitor(State(ends: Array(repeating: 0, count: count)))
  }

  /// Runs `body` on `count` threads; each calls `wait` on the line once it is ready. Returns the
  /// seconds each took from the common start to its end. Throws what any of them threw.
  static func race(
    _ count: Int, name: String,
    body: @escaping @Sendable (_ index: Int, _ line: StartingLine) throws -> Void
  ) throws -> [Double] {
    let line = StartingLine(count: count)
    let threads = try (0..<count).map { index in
      try WorkerThread(name: "\(name)-\(index)") {
        do {
          try body(index, line)
          line.state.withLock { $0.ends[index] = MonotonicClock.now }
        } catch {
          line.state.withLock { $0.hasFailed = true }
          line.state.wakeAll()
          throw error
        }
      }
    }
    let waiting = Waiting(for: "\(count) threads to connect and get ready")
    let isReady = line.state.wait(deadline: .after(seconds: patienceSeconds)) { state in
      state.waiting == count || state.hasFailed ? true : nil
    }
    guard isReady != nil else { throw waiting.expired(remedy: "check the load of this machine") }
    let start = MonotonicClock.now
    line.state.withLock { $0.start = start }
    line.state.wakeAll()
    for thread in threads {
      switch thread.join(deadline: .after(seconds: patienceSeconds)) {
      case .finished: break
      case .failed(let error): throw error
      case .running:
        throw Waiting(for: "the thread \(thread.name)", since: start).expired(
          remedy: "check the load of this machine, or measure less at a time")
      }
    }
    return line.state.withLock { $0.ends.map { Double($0 - start) / 1e9 } }
  }

  /// Returns when everybody is ready; throws when one of them failed to be.
  func wait() throws {
    state.withLock { $0.waiting += 1 }
    state.wakeAll()
    let isGo = state.wait(deadline: .after(seconds: Self.patienceSeconds)) { state in
      state.hasFailed ? false : state.start == nil ? nil : true
    }
    guard isGo == true else {
      throw Failure("start", on: "together", happened: "another thread did not get ready")
    }
  }
}

/// A folder that goes with its owner.
final class BenchFolder {
  let path: String

  /// A new one within `parent`.
  init(in parent: String) throws(Failure) {
    var template = Array("\(parent)/forage-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure.system(
        "make a folder in", on: parent, remedy: "name a folder that is there and can be written",
        exitCode: .cannotCreate)
    }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? Files.remove(path) }
}
