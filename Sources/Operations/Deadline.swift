// Every wait has a deadline and a name for whom it waits for. Both live here.

/// A moment of the monotonic clock after which a wait ends; `never` for loops that end otherwise.
public struct Deadline: Sendable, Comparable {
  /// Nanoseconds of `MonotonicClock`; `Int64.max` is never.
  public let moment: Int64

  public init(moment: Int64) { self.moment = moment }

  public static let never = Deadline(moment: .max)
  /// Already passed: a call that takes it does not wait.
  public static let now = Deadline(moment: .min)

  /// Infinite or huge seconds mean never; negative ones have passed.
  public static func after(seconds: Double) -> Deadline {
    // A thousand years, well below what overflows.
    guard seconds < 3e10 else { return .never }
    let nanoseconds = Int64(max(0, seconds) * Double(MonotonicClock.nanosecondsPerSecond))
    return Deadline(moment: MonotonicClock.now + nanoseconds)
  }

  /// So many seconds earlier; `never` and `now` stay what they are.
  public func before(seconds: Double) -> Deadline {
    guard moment != .max, moment != .min else { return self }
    return Deadline(moment: moment - Int64(max(0, min(seconds, 3e9)) * 1e9))
  }

  public var hasPassed: Bool { moment != .max && MonotonicClock.now >= moment }

  /// Seconds left, 0 once passed; infinite for never.
  public var remainingSeconds: Double {
    if moment == .max { return .infinity }
    if moment == .min { return 0 }
    return max(0, Double(moment - MonotonicClock.now))
      / Double(MonotonicClock.nanosecondsPerSecond)
  }

  /// What poll(2) and zmq_poll take: milliseconds rounded up, so that a poller does not spin
  /// through the last one; -1 for never.
  public var pollMilliseconds: Int32 {
    if moment == .max { return -1 }
    // A day at most: the caller's loop asks again.
    return Int32(min(86_400_000, (remainingSeconds * 1000).rounded(.up)))
  }

  public static func < (left: Self, right: Self) -> Bool { left.moment < right.moment }
}

/// For whom somebody waits, and since when.
public struct Waiting: Sendable, CustomStringConvertible {
  /// "replay at ipc:///run/...", "a group", "room in the queue of batches".
  public let whom: String
  /// Nanoseconds of `MonotonicClock`.
  public let since: Int64

  public init(for whom: String, since: Int64 = MonotonicClock.now) {
    self.whom = whom
    self.since = since
  }

  public var seconds: Double { MonotonicClock.seconds(since: since) }

  /// `waiting for replay at ipc://..., for 3.2 s`.
  public var description: String {
    let tenths = Int((seconds * 10).rounded())
    return "waiting for \(whom), for \(tenths / 10).\(tenths % 10) s"
  }

  /// The error of a wait whose deadline passed.
  public func expired(remedy: String, exitCode: ExitCode = .unavailable) -> Failure {
    let tenths = Int((seconds * 10).rounded())
    return Failure(
      "wait for", on: whom, happened: "nothing came for \(tenths / 10).\(tenths % 10) s",
      remedy: remedy, exitCode: exitCode)
  }
}
