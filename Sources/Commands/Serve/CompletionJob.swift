// One request between the thread of its connection and the thread that computes: what is to be
// sampled, what was, and whether anybody still wants it.
//
// What was sampled is bounded by the request itself: its choices times its new tokens.

import Experience
import Operations
import Policy

/// One prompt of a request, with the numbers of its choices.
struct PromptWork: Sendable {
  var prompt: [Int32]
  /// Numbers of the samples; sample s is choice `choicesBefore` + s of the request.
  var samples: Range<Int>
  var choicesBefore: Int
  var sampling: SequenceSampling
  var maximumNewTokens: Int
}

final class CompletionJob: Sendable {
  /// What the computing thread says.
  enum Event: Sendable {
    case token(choice: Int, DrawnToken)
    /// No token of the choice follows.
    case end(choice: Int, FinishReason)
    /// Nothing follows at all: the server ends.
    case aborted
  }

  private struct State {
    var events: [Event] = []
    /// Choices whose rest nobody wants.
    var unwanted: Set<Int> = []
    var isCancelled = false
    var isBegun = false
  }

  let work: [PromptWork]
  let stopTokens: Set<Int32>
  let begun = MonotonicClock.now
  private let monitor = Monitor(State())

  init(work: [PromptWork], stopTokens: Set<Int32>) {
    self.work = work
    self.stopTokens = stopTokens
  }

  var choiceCount: Int { work.reduce(0) { $0 + $1.samples.count } }

  // MARK: The connection's thread

  /// What came since the last call, waiting for something until the deadline; empty then.
  func events(deadline: Deadline) -> [Event] {
    monitor.wait(deadline: deadline) { state -> [Event]? in
      guard !state.events.isEmpty else { return nil }
      defer { state.events = [] }
      return state.events
    } ?? []
  }

  /// The choice needs no more tokens.
  func leave(choice: Int) { monitor.withLock { _ = $0.unwanted.insert(choice) } }

  /// Nobody waits for any of it.
  func cancel() { monitor.withLock { $0.isCancelled = true } }

  // MARK: The computing thread

  func tell(_ events: [Event]) {
    monitor.withLock { $0.events += events }
    monitor.wakeAll()
  }

  /// True the first time.
  func tellsFirstToken() -> Bool {
    monitor.withLock { state in
      defer { state.isBegun = true }
      return !state.isBegun
    }
  }

  func wants(choice: Int) -> Bool {
    monitor.withLock { !$0.isCancelled && !$0.unwanted.contains(choice) }
  }

  var isCancelled: Bool { monitor.withLock { $0.isCancelled } }
}
