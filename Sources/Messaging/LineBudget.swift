// Lines for a log at a bounded rate, so that whoever misbehaves a thousand times a second fills no
// disk.

/// How many lines a window may have; what exceeds them is told as a number with the next one.
public struct LineBudget {
  public static let linesPerWindow = 10
  package static let windowMilliseconds = 60_000

  private var window = 0
  private var told = 0
  private var untold = 0

  public init() {}

  /// Nil when there is no line left; else what to put behind the line, mostly nothing.
  public mutating func take() -> String? { take(at: Int(Deadline.now / 1_000_000)) }

  /// The moment in milliseconds, of a clock that does not jump.
  package mutating func take(at now: Int) -> String? {
    if now - window >= Self.windowMilliseconds { (window, told) = (now, 0) }
    guard told < Self.linesPerWindow else {
      untold += 1
      return nil
    }
    told += 1
    defer { untold = 0 }
    return untold > 0 ? " (and \(untold) more since the line before)" : ""
  }
}
