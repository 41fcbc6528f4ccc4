// Faults on demand, for the tests of what survives them: the process kills itself at a named point,
// or a number becomes NaN at a named step, or replay promises what is not synced. Environment
// variables decide; unset, which is always but in a test, a hook is one comparison with nil.
//
//   FORAGE_CRASH_AT=optimizer:3          kill -9 of itself the third time it gets to "optimizer"
//   FORAGE_NAN_AT=gradient:5-7           the gradient of steps 5 to 7 is not a number
//   FORAGE_SYNCHRONOUS=NORMAL            a power cut takes back what the ledger acknowledged
//
// With a path as a third part ("optimizer:3:/tmp/once") a fault happens once: the file is made
// first, and whoever finds it there goes on unharmed.

import CSystem
import Glibc

public enum FaultHooks {
  private final class Fault {
    let point: String
    let first: Int
    let last: Int
    private let marker: String?
    /// Times the point was passed.
    var passed = 0

    init?(_ variable: String) {
      guard let text = Environment.value(variable) else { return nil }
      let parts = text.split(separator: ":", maxSplits: 2).map(String.init)
      let ends = parts.count >= 2 ? parts[1].split(separator: "-").compactMap { Int($0) } : []
      guard let first = ends.first, let last = ends.last else { return nil }
      point = parts[0]
      self.first = first
      self.last = last
      marker = parts.count == 3 ? parts[2] : nil
    }

    /// False when it has happened before and was to happen once.
    func takeTurn() -> Bool {
      guard let marker else { return true }
      let file = forage_open(marker, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
      if file >= 0 { close(file) }
      return file >= 0
    }
  }

  // Only the thread of a process that computes passes points.
  nonisolated(unsafe) private static let crash = Fault("FORAGE_CRASH_AT")
  nonisolated(unsafe) private static let notANumber = Fault("FORAGE_NAN_AT")

  /// What SQLite waits for at a commit. NORMAL is the control of the test of power cuts: one that
  /// loses nothing then would prove nothing.
  public static let synchronous =
    Environment.value("FORAGE_SYNCHRONOUS") == "NORMAL" ? "NORMAL" : "FULL"

  /// Ends the process as kill -9 does, if this is the point and the time that were asked for.
  public static func reach(_ point: String) {
    guard let crash, crash.point == point else { return }
    crash.passed += 1
    if crash.passed == crash.first, crash.takeTurn() { kill(getpid(), SIGKILL) }
  }

  /// Whether the number of this name is to be spoiled at this step.
  public static func spoils(_ name: String, step: Int) -> Bool {
    guard let notANumber, notANumber.point == name else { return false }
    return (notANumber.first...max(notANumber.first, notANumber.last)).contains(step)
      && notANumber.takeTurn()
  }
}
