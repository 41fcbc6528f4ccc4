// Lines for a log at a bounded rate, so that whoever misbehaves a thousand times a second fills no
// disk.

/// How many lines a window may have; what exceeds them is told as a number with the next one.
public struct LineBudget {
  package static let windowMilliseconds = 60_000

  private let linesPerWindow: Int
  private var window = 0
  private var told = 0
  private var untold = 0

  /// So many lines a minute; those of whom nobody invited are few.
  public init(linesPerWindow: Int = 10) { self.linesPerWindow = linesPerWindow }

  /// Nil when there is no line left; else what to put behind the line, mostly nothing.
  public mutating func take() -> String? { take(at: Int(Deadline.now / 1_000_000)) }

  /// The moment in milliseconds, of a clock that does not jump.
  package mutating func take(at now: Int) -> String? {
    if now - window >= Self.windowMilliseconds { (window, told) = (now, 0) }
    guard told < linesPerWindow else {
      untold += 1
      return nil
    }
    told += 1
    defer { untold = 0 }
    return untold > 0 ? " (and \(untold) more since the line before)" : ""
  }
}
