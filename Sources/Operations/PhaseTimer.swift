// Where the time of a step went. Phases nest and each nanosecond is counted once, in the innermost
// one, so their sum can be held against the wall.

/// The durations of one step's phases.
public struct PhaseReport: Sendable, Equatable {
  public struct Phase: Sendable, Equatable {
    public let name: String
    public let nanoseconds: Int64
    public var seconds: Double { Double(nanoseconds) / 1e9 }
  }

  public let wallNanoseconds: Int64
  /// In the order in which they first began.
  public let phases: [Phase]

  public var wallSeconds: Double { Double(wallNanoseconds) / 1e9 }
  /// Wall time within no phase.
  public var otherNanoseconds: Int64 {
    wallNanoseconds - phases.reduce(0) { $0 + $1.nanoseconds }
  }
  /// Share of the wall that the phases cover, 1 for an empty step.
  public var coverage: Double {
    wallNanoseconds == 0 ? 1 : 1 - Double(otherNanoseconds) / Double(wallNanoseconds)
  }
}

/// Accumulates durations of named phases. One thread.
public struct PhaseTimer {
  private var names: [String] = []
  private var nanoseconds: [Int64] = []
  private var stack: [Int] = []
  private var start: Int64
  private var last: Int64

  public init(now: Int64 = MonotonicClock.now) {
    start = now
    last = now
  }

  /// Begins a phase within the current one.
  public mutating func begin(_ phase: String, now: Int64 = MonotonicClock.now) {
    charge(now)
    if let index = names.firstIndex(of: phase) {
      stack.append(index)
    } else {
      names.append(phase)
      nanoseconds.append(0)
      stack.append(names.count - 1)
    }
  }

  /// Ends the current phase and goes back to the one around it.
  public mutating func end(now: Int64 = MonotonicClock.now) {
    precondition(!stack.isEmpty, "0 phases begun and 1 ended")
    charge(now)
    stack.removeLast()
  }

  /// Ends the current phase, if any, and begins another beside it.
  public mutating func enter(_ phase: String, now: Int64 = MonotonicClock.now) {
    if !stack.isEmpty { end(now: now) }
    begin(phase, now: now)
  }

  /// Runs `body` as a phase.
  public mutating func measure<Result, Fault: Error>(
    _ phase: String, _ body: () throws(Fault) -> Result
  ) throws(Fault) -> Result {
    begin(phase)
    defer { end() }
    return try body()
  }

  /// Ends all phases, reports the step and begins the next at the same moment.
  public mutating func finish(now: Int64 = MonotonicClock.now) -> PhaseReport {
    charge(now)
    let report = PhaseReport(
      wallNanoseconds: now - start,
      phases: zip(names, nanoseconds).map { .init(name: $0, nanoseconds: $1) })
    self = PhaseTimer(now: now)
    return report
  }

  private mutating func charge(_ now: Int64) {
    if let current = stack.last { nanoseconds[current] += now - last }
    last = now
  }
}
