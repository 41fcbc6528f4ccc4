// Who asked, as long as the request lasts: whether the other end is still there, which a thread
// that computes for it may ask at any time.

import Glibc
import Synchronization

/// The client's end of one request.
public final class HTTPClient: Sendable {
  /// -1 once the request is over: the number may be another's by then.
  private let descriptor: Mutex<Int32>

  /// Linux's POLLRDHUP, which Glibc's module leaves out without _GNU_SOURCE.
  private static let peerHungUp: Int16 = 0x2000

  init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

  /// Whether the client closed its end, or the request is over. Never blocks.
  public var isGone: Bool {
    descriptor.withLock { descriptor in
      guard descriptor >= 0 else { return true }
      // A client that shuts its sending half down counts as gone: those that wait for an answer
      // after that are rarer than those that crashed.
      let hangup = Self.peerHungUp
      var entry = pollfd(fd: descriptor, events: hangup, revents: 0)
      let count = poll(&entry, 1, 0)
      return count > 0 && entry.revents & (hangup | Int16(POLLHUP | POLLERR | POLLNVAL)) != 0
    }
  }

  func end() { descriptor.withLock { $0 = -1 } }
}
