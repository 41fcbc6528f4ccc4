// An eventfd: what one thread writes to wake another that polls. It never blocks and never fills:
// signalling twice before the poller looks is signalling once.

import CSystem
import Glibc

/// Wakes a poller from another thread.
public final class EventFD: Sendable {
  /// Poll this for reading; it stays readable until `drain`.
  public let fileDescriptor: Int32

  public init() throws(Failure) {
    fileDescriptor = forage_event_create()
    guard fileDescriptor >= 0 else {
      throw .system(
        "make", on: "an eventfd", remedy: "raise the limit of open files (ulimit -n)",
        exitCode: .unavailable)
    }
  }

  deinit { close(fileDescriptor) }

  /// Makes the descriptor readable. Any thread.
  public func signal() {
    let result = forage_event_signal(fileDescriptor)
    precondition(result == 0, "signal an eventfd failed with errno \(errno)")
  }

  /// Makes it unreadable; whether it was signalled. Call it before looking at what it announced, so
  /// that a signal between the two is not lost.
  @discardableResult public func drain() -> Bool { forage_event_drain(fileDescriptor) == 1 }

  /// Waits for a signal without draining it; false at the deadline.
  public func wait(deadline: Deadline) -> Bool {
    !Descriptor.waitReadable([fileDescriptor], deadline: deadline).isEmpty
  }
}
