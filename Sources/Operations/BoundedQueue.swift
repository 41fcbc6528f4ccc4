// The queue between the thread that owns the sockets and the one that computes. It is bounded by
// count and by bytes, says what happened when full, and can wake a poller: a socket thread cannot
// wait on a condition and on sockets at once, so the queue signals an eventfd beside its condition.

/// What became of a push.
public enum Push: Sendable, Equatable {
  case pushed
  /// Full until the deadline: nothing was taken.
  case full
  /// The queue is closed: nothing was taken.
  case closed
  /// More bytes than the queue could ever hold: nothing was taken.
  case tooLarge
}

/// What came of a pop.
public enum Pop<Element: Sendable>: Sendable {
  case popped(Element)
  /// Empty until the deadline.
  case empty
  /// Closed, and everything pushed before that was popped.
  case closed

  /// The element, if one came.
  public var element: Element? {
    if case .popped(let element) = self { element } else { nil }
  }
}

/// First in, first out, between threads.
public final class BoundedQueue<Element: Sendable>: Sendable {
  private struct State {
    var entries: [(element: Element, bytes: Int)?]
    var head = 0
    var count = 0
    var bytes = 0
    var isClosed = false
  }

  public let maximumCount: Int
  public let maximumBytes: Int
  private let monitor: Monitor<State>
  private let pushEvent: EventFD?
  private let popEvent: EventFD?

  /// `wakesPopper` is signalled by every push and by `close`, `wakesPusher` by every pop and by
  /// `close`.
  public init(
    maximumCount: Int, maximumBytes: Int = .max, wakesPopper: EventFD? = nil,
    wakesPusher: EventFD? = nil
  ) {
    precondition(maximumCount > 0, "a queue of \(maximumCount) elements")
    precondition(maximumBytes > 0, "a queue of \(maximumBytes) bytes")
    self.maximumCount = maximumCount
    self.maximumBytes = maximumBytes
    monitor = Monitor(State(entries: []))
    pushEvent = wakesPopper
    popEvent = wakesPusher
  }

  public var count: Int { monitor.withLock { $0.count } }
  public var bytes: Int { monitor.withLock { $0.bytes } }
  public var isClosed: Bool { monitor.withLock { $0.isClosed } }

  /// Adds at the tail, waiting for room until the deadline.
  public func push(
    _ element: Element, bytes: Int = 0, deadline: Deadline = .now
  ) -> Push {
    precondition(bytes >= 0, "an element of \(bytes) bytes")
    guard bytes <= maximumBytes else { return .tooLarge }
    let result = monitor.wait(deadline: deadline) { state -> Push? in
      if state.isClosed { return .closed }
      guard state.count < maximumCount, bytes <= maximumBytes - state.bytes else { return nil }
      Self.append((element, bytes), to: &state, limit: maximumCount)
      return .pushed
    }
    if result == .pushed {
      monitor.wakeAll()
      pushEvent?.signal()
    }
    return result ?? .full
  }

  /// Takes from the head, waiting for an element until the deadline.
  public func pop(deadline: Deadline = .now) -> Pop<Element> {
    let result = monitor.wait(deadline: deadline) { state -> Pop<Element>? in
      if let entry = Self.removeFirst(from: &state) { return .popped(entry.element) }
      return state.isClosed ? .closed : nil
    }
    if case .popped = result {
      monitor.wakeAll()
      popEvent?.signal()
    }
    return result ?? .empty
  }

  /// Refuses further pushes; what is inside can still be popped.
  public func close() {
    monitor.withLock { $0.isClosed = true }
    monitor.wakeAll()
    pushEvent?.signal()
    popEvent?.signal()
  }

  // A ring that doubles up to the limit: a limit of 65,536 costs nothing until it is used.
  private static func append(
    _ entry: (element: Element, bytes: Int), to state: inout State, limit: Int
  ) {
    if state.count == state.entries.count {
      let capacity = min(limit, max(16, 2 * state.entries.count))
      let ordered = (0..<state.count).map {
        state.entries[(state.head + $0) % state.entries.count]
      }
      state.entries = ordered + Array(repeating: nil, count: capacity - state.count)
      state.head = 0
    }
    state.entries[(state.head + state.count) % state.entries.count] = entry
    state.count += 1
    state.bytes += entry.bytes
  }

  private static func removeFirst(
    from state: inout State
  ) -> (element: Element, bytes: Int)? {
    guard state.count > 0, let entry = state.entries[state.head] else { return nil }
    state.entries[state.head] = nil
    state.head = (state.head + 1) % state.entries.count
    state.count -= 1
    state.bytes -= entry.bytes
    return entry
  }
}
