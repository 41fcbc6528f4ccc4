// libzmq's context: the I/O thread behind every socket. Sockets hold it, so it outlives them, and
// since every socket's linger is finite, ending it can not hang.

import CZeroMQ
import Glibc

/// Owns libzmq's I/O thread; the one messaging object that threads may share.
public final class MessagingContext: @unchecked Sendable {
  /// libzmq's contexts are safe to use from any thread.
  let handle: UnsafeMutableRawPointer

  public init() throws(MessagingError) {
    guard let handle = zmq_ctx_new() else {
      throw MessagingError("start messaging", "")
    }
    self.handle = handle
    Self.raiseFileLimit
    // One I/O thread moves a gigabyte a second: more would only take cores from the compute.
    zmq_ctx_set(handle, ZMQ_IO_THREADS, 1)
    zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, Self.maximumSockets)
  }

  /// Each role has a handful of sockets and as many monitors.
  private static let maximumSockets: Int32 = 256

  /// Each connection holds a descriptor, a stranger's too until its handshake's time is over. Of
  /// the 1024 that many systems begin with, a flood would leave none for the files of a checkpoint;
  /// so this process takes as many as it may.
  private static let raiseFileLimit: Void = {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, maximumFiles)
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }()

  /// Strangers of 10 s at 6,000 a second.
  private static let maximumFiles: rlim_t = 65_536

  /// Makes every wait on a socket of this context end with `.ended`, from any thread.
  public func shutDown() {
    zmq_ctx_shutdown(handle)
  }

  /// By now every socket is closed; what they still had to send goes out within their linger.
  deinit {
    while zmq_ctx_term(handle) != 0 && zmq_errno() == EINTR {}
  }
}
