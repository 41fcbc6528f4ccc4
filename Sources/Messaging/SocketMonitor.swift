// What a connection does, as values: libzmq reconnects mutely, so that a wrong address, a taken
// port or a failed handshake would look like a slow peer.

import CZeroMQ
import Glibc

/// An event of a socket's connections. `endpoint` is the address concerned.
public enum SocketEvent: Equatable, Sendable {
  case connected(endpoint: String)
  /// Connected, and both sides speak the same protocol under the same keys.
  case handshakeSucceeded(endpoint: String)
  case handshakeFailed(endpoint: String, reason: String)
  /// No connection yet; the next attempt is this many milliseconds away.
  case connectRetried(endpoint: String, milliseconds: Int)
  case disconnected(endpoint: String)
  case listening(endpoint: String)
  case bindFailed(endpoint: String, errno: Int32)
  case accepted(endpoint: String)
  case acceptFailed(endpoint: String, errno: Int32)
}

extension SocketEvent: CustomStringConvertible {
  public var description: String {
    switch self {
    case .connected(let endpoint): "connected to \(endpoint)"
    case .handshakeSucceeded(let endpoint): "in conversation with \(endpoint)"
    case .handshakeFailed(let endpoint, let reason): "handshake with \(endpoint) failed: \(reason)"
    case .connectRetried(let endpoint, _): "no connection to \(endpoint), trying again"
    case .disconnected(let endpoint): "disconnected from \(endpoint)"
    case .listening(let endpoint): "listening at \(endpoint)"
    case .bindFailed(let endpoint, let number):
      "bind to \(endpoint) failed: \(SystemError.text(number)) (errno \(number))"
    case .accepted(let endpoint): "accepted a connection at \(endpoint)"
    case .acceptFailed(let endpoint, let number):
      "accept at \(endpoint) failed: \(SystemError.text(number)) (errno \(number))"
    }
  }
}

/// Reads the events of one socket, on the socket's thread. It must be read now and then: once
/// `maximumEvents` wait unread, libzmq's I/O thread waits with them.
public final class SocketMonitor {
  /// A lost peer makes one event each reconnection pause of 2 s: two days' worth.
  public static let maximumEvents = 100_000

  private static let events =
    ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_LISTENING | ZMQ_EVENT_BIND_FAILED
    | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED
    | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
    | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH

  let handle: SocketHandle
  private let watched: SocketHandle

  public convenience init(_ socket: borrowing Socket) throws(MessagingError) {
    try self.init(watching: socket.handle)
  }

  init(watching socket: SocketHandle) throws(MessagingError) {
    watched = socket
    let address = "inproc://monitor-\(UInt(bitPattern: watched.open))"
    guard zmq_socket_monitor(watched.open, address, Self.events) == 0 else {
      throw MessagingError("monitor", socket.endpoint)
    }
    handle = try SocketHandle(watched.context, type: ZMQ_PAIR)
    handle.set(ZMQ_LINGER, 0)
    handle.set(ZMQ_RCVHWM, Self.maximumEvents)
    guard zmq_connect(handle.open, address) == 0 else { throw MessagingError("monitor", address) }
  }

  /// The watched socket stops telling first: it would wait for ever for a listener that is gone.
  deinit {
    if let pointer = watched.pointer { zmq_socket_monitor(pointer, nil, 0) }
    handle.close()
  }

  /// The oldest event not yet read; nil when there is none.
  public func next() throws(MessagingError) -> SocketEvent? {
    while let raw = try nextRaw() {
      if let event = Self.event(raw.code, value: raw.value, raw.endpoint) { return event }
    }
    return nil
  }

  /// An event as libzmq tells it.
  struct Raw {
    var code: Int32
    /// An errno, a descriptor, a status: what the code says.
    var value: Int32
    var endpoint: String
  }

  func nextRaw() throws(MessagingError) -> Raw? {
    while true {
      guard let (head, _) = try frame() else { return nil }
      guard let (tail, _) = try frame() else { return nil }
      guard head.count == 6 else { continue }
      let code = Int32(head[0]) | Int32(head[1]) << 8
      let value = head[2...].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      return Raw(
        code: code, value: Int32(bitPattern: value), endpoint: String(decoding: tail, as: UTF8.self)
      )
    }
  }

  static func event(_ code: Int32, value: Int32, _ endpoint: String) -> SocketEvent? {
    switch code {
    case ZMQ_EVENT_CONNECTED: .connected(endpoint: endpoint)
    case ZMQ_EVENT_CONNECT_RETRIED: .connectRetried(endpoint: endpoint, milliseconds: Int(value))
    case ZMQ_EVENT_LISTENING: .listening(endpoint: endpoint)
    case ZMQ_EVENT_BIND_FAILED: .bindFailed(endpoint: endpoint, errno: value)
    case ZMQ_EVENT_ACCEPTED: .accepted(endpoint: endpoint)
    case ZMQ_EVENT_ACCEPT_FAILED: .acceptFailed(endpoint: endpoint, errno: value)
    case ZMQ_EVENT_DISCONNECTED: .disconnected(endpoint: endpoint)
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: .handshakeSucceeded(endpoint: endpoint)
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      .handshakeFailed(endpoint: endpoint, reason: "\(SystemError.text(value)) (errno \(value))")
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      .handshakeFailed(
        endpoint: endpoint,
        reason: "the peer does not speak ZeroMQ as expected (protocol error "
          + "0x\(String(UInt32(bitPattern: value), radix: 16)))")
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      .handshakeFailed(endpoint: endpoint, reason: "the peer refused the key (status \(value))")
    default: nil
    }
  }

  private func frame() throws(MessagingError) -> (bytes: [UInt8], more: Bool)? {
    let message = handle.message
    zmq_msg_init(message)
    defer { zmq_msg_close(message) }
    while zmq_msg_recv(message, handle.open, ZMQ_DONTWAIT) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return nil
      case let number: throw MessagingError("read the monitor of", watched.endpoint, errno: number)
      }
    }
    let bytes = UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
    return ([UInt8](bytes), zmq_msg_more(message) != 0)
  }
}
