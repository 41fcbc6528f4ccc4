// The one place that holds libzmq's pointers: a socket and the message it receives into.

import CZeroMQ
import Glibc

/// A libzmq socket. `Socket` closes it; a poller or monitor that still refers to it can tell.
final class SocketHandle {
  let context: MessagingContext
  private(set) var pointer: UnsafeMutableRawPointer?
  /// Kept off the stack: libzmq wants the struct to stay where it was initialized.
  let message: UnsafeMutablePointer<zmq_msg_t>
  /// The last endpoint bound or connected to, for error texts.
  var endpoint = ""
  var oversizedCount = 0
  private let thread: pthread_t

  init(_ context: MessagingContext, type: Int32) throws(MessagingError) {
    guard let pointer = zmq_socket(context.handle, type) else {
      throw MessagingError("open a socket", "")
    }
    self.context = context
    self.pointer = pointer
    thread = pthread_self()
    message = .allocate(capacity: 1)
    message.initialize(to: zmq_msg_t())
  }

  deinit {
    close()
    message.deallocate()
  }

  func close() {
    guard let pointer else { return }
    // It stops telling its events first: whoever listens may be gone any moment, and libzmq's I/O
    // thread would wait for it for ever, and every socket of the context with it.
    zmq_socket_monitor(pointer, nil, 0)
    zmq_close(pointer)
    self.pointer = nil
  }

  /// The socket, on its own thread only: libzmq's sockets are not safe to share.
  var open: UnsafeMutableRawPointer {
    precondition(
      pthread_equal(thread, pthread_self()) != 0,
      "a socket of thread \(thread) used on thread \(pthread_self())")
    guard let pointer else { preconditionFailure("a socket used after it was closed") }
    return pointer
  }

  func set(_ option: Int32, _ value: Int) {
    var number = Int32(value)
    let status = zmq_setsockopt(open, option, &number, MemoryLayout<Int32>.size)
    precondition(status == 0, "socket option \(option) refused \(value): errno \(zmq_errno())")
  }

  func set(_ option: Int32, wide value: Int64) {
    var number = value
    let status = zmq_setsockopt(open, option, &number, MemoryLayout<Int64>.size)
    precondition(status == 0, "socket option \(option) refused \(value): errno \(zmq_errno())")
  }

  private func set(_ option: Int32, bytes: UnsafeRawPointer, count: Int) {
    let status = zmq_setsockopt(open, option, bytes, count)
    precondition(status == 0, "socket option \(option) refused \(count) bytes: \(zmq_errno())")
  }

  /// Gives the socket its keys. Texts go in with their final zero, as libzmq wants them.
  func secure(_ security: SocketSecurity) {
    func set(_ option: Int32, _ key: PublicKey) {
      key.text.withCString { self.set(option, bytes: $0, count: PublicKey.textBytes + 1) }
    }
    func set(_ option: Int32, _ key: SecretKey) {
      self.set(option, bytes: key.bytes, count: SecretKey.byteCount)
    }
    switch security {
    case .none, .noneOnAnyNetwork: break
    case .server(let authenticator):
      self.set(ZMQ_CURVE_SERVER, 1)
      set(ZMQ_CURVE_SECRETKEY, authenticator.pair.secretKey)
      // Without a domain libzmq asks nobody.
      Authenticator.domain.withCString {
        self.set(ZMQ_ZAP_DOMAIN, bytes: $0, count: Authenticator.domain.utf8.count)
      }
    case .client(let keys):
      set(ZMQ_CURVE_SERVERKEY, keys.server)
      set(ZMQ_CURVE_PUBLICKEY, keys.pair.publicKey)
      set(ZMQ_CURVE_SECRETKEY, keys.pair.secretKey)
    }
  }

  func integer(_ option: Int32) -> Int32 {
    var number: Int32 = 0
    var size = MemoryLayout<Int32>.size
    let status = zmq_getsockopt(open, option, &number, &size)
    precondition(status == 0, "socket option \(option) not told: errno \(zmq_errno())")
    return number
  }

  func wide(_ option: Int32) -> Int64 {
    var number: Int64 = 0
    var size = MemoryLayout<Int64>.size
    let status = zmq_getsockopt(open, option, &number, &size)
    precondition(status == 0, "socket option \(option) not told: errno \(zmq_errno())")
    return number
  }

  func text(_ option: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 1024)
    var size = bytes.count
    guard zmq_getsockopt(open, option, &bytes, &size) == 0, size > 0 else { return "" }
    return String(decoding: bytes[..<(size - 1)], as: UTF8.self)
  }
}
