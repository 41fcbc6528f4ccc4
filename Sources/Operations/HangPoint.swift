// A deadlock on purpose, so that the watchdog can be tested: FORAGE_HANG_AT=compute:3 makes the
// strand `compute` of every process that has one stand still at its third turn.
//
// With a third part, FORAGE_HANG_AT=compute:3:FILE, only the process that can create FILE hangs: so
// one of several does, once, and what the supervisor starts in its place does not.

import Glibc
import Synchronization

struct HangPoint: Sendable {
  static let environmentName = "FORAGE_HANG_AT"

  private let turn: Int
  private let file: String?
  private let passed = Counter()

  private final class Counter: Sendable {
    let count = Atomic<Int>(0)
  }

  /// Nil where the environment names another strand or none.
  init?(of strand: String) {
    guard let text = Environment.value(Self.environmentName) else { return nil }
    let parts = text.split(separator: ":", maxSplits: 2).map(String.init)
    guard parts.count >= 2, parts[0] == strand, let turn = Int(parts[1]), turn > 0 else {
      return nil
    }
    self.turn = turn
    file = parts.count > 2 ? parts[2] : nil
  }

  /// Counts a turn of the strand, and never returns from the one that was named.
  func pass() {
    guard passed.count.add(1, ordering: .relaxed).newValue == turn else { return }
    if let file {
      guard let descriptor = try? Descriptor.open(file, O_WRONLY | O_CREAT | O_EXCL) else {
        return
      }
      close(descriptor)
    }
    while true { pause() }
  }
}
