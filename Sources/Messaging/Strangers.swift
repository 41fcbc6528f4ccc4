// Those who were turned away: counted exactly, told of at a bounded rate.

import CZeroMQ
import Glibc

/// Counts who was turned away at a service's sockets, and words it; belongs to one thread.
public final class Strangers {
  public enum Reason: String, CaseIterable, Sendable {
    /// A key the list does not have.
    case unknownKey = "unknown-key"
    /// A known key that may not come here, or asked for what is another role's.
    case otherRole = "other-role"
    /// A greeting for another server key: the peer holds an old or a foreign one.
    case otherServer = "other-server"
    /// No keys where keys are wanted, or the reverse.
    case otherSecurity = "other-security"
    /// Bytes that are not ZeroMQ's.
    case notZeroMQ = "not-zeromq"
    /// A connection that ended before its handshake did, or never began one.
    case brokenOff = "broken-off"
  }

  public private(set) var counts: [Reason: Int] = [:]
  /// Where the last one came from; nil before the first.
  public private(set) var last: (reason: Reason, address: String)?
  private var lines: [String] = []
  private var budget = LineBudget()

  public init() {}

  public var total: Int { counts.values.reduce(0, +) }

  /// Counts one more. `detail` says what is known beyond the reason.
  public func turnAway(_ reason: Reason, at address: String, _ detail: @autoclosure () -> String) {
    counts[reason, default: 0] += 1
    last = (reason, address)
    guard let more = budget.take() else { return }
    lines.append("turned away \(address): \(reason.rawValue): \(detail())\(more)")
  }

  /// Lines for the log, once each.
  public func takeLines() -> [String] {
    defer { lines.removeAll() }
    return lines
  }
}

/// Watches the connections of a bound socket for those that never become a conversation.
///
/// libzmq tells a failure and then the descriptor it closes, one connection at a time, as one I/O
/// thread makes them; so a failure belongs to the descriptor told next, and that to the address it
/// was accepted from.
public final class Door {
  /// Events read at one turn: a flood must not keep a service from its peers.
  static let maximumEventsPerTurn = 1024
  /// Connections whose address is remembered until they close.
  static let maximumAddresses = 8192

  private let monitor: SocketMonitor
  private let strangers: Strangers
  private var addresses: [Int32: String] = [:]
  private var fault: (reason: Strangers.Reason, detail: String)?

  /// Of a socket that is bound already: libzmq tells a monitor of a failed bind and loses its errno
  /// over it.
  public init(_ socket: borrowing Socket, strangers: Strangers) throws(MessagingError) {
    monitor = try SocketMonitor(socket)
    self.strangers = strangers
  }

  public func add(to poller: Poller) { poller.add(monitor) }

  /// Reads what has happened since.
  public func watch() throws(MessagingError) {
    for _ in 0..<Self.maximumEventsPerTurn {
      guard let event = try monitor.nextRaw() else { return }
      switch event.code {
      case ZMQ_EVENT_ACCEPTED:
        if addresses.count < Self.maximumAddresses {
          addresses[event.value] = Self.address(of: event.value)
        }
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: fault = Self.reason(UInt32(bitPattern: event.value))
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        fault = (.brokenOff, "no handshake came of the connection")
      // The authenticator, which knows the key, has counted it.
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: fault = nil
      case ZMQ_EVENT_DISCONNECTED:
        let address = addresses.removeValue(forKey: event.value)
        if let fault { strangers.turnAway(fault.reason, at: address ?? "an address", fault.detail) }
        fault = nil
      default: break
      }
    }
  }

  /// Ends every connection, as a network may. libzmq cannot end one, nor tell which is whose; but
  /// everybody dials in again by himself, and whose key is on the list no more is refused then.
  ///
  /// Descriptors are libzmq's: one that it has closed meanwhile, and the system given to somebody
  /// else, is at worst another connection that comes back.
  public func hangUp() throws(MessagingError) {
    try watch()
    for descriptor in addresses.keys { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
  }

  private static func reason(_ code: UInt32) -> (Strangers.Reason, String) {
    switch code {
    case UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC):
      (.otherServer, "its greeting is for another server key")
    case UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH):
      (.otherSecurity, "one side uses keys and the other does not")
    default: (.notZeroMQ, "protocol error 0x\(String(code, radix: 16))")
    }
  }

  /// The address behind a descriptor, while the system still tells.
  private static func address(of descriptor: Int32) -> String {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let status = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
        guard getpeername(descriptor, address, &size) == 0 else { return -1 }
        if address.pointee.sa_family == sa_family_t(AF_UNIX) { return 1 }
        return getnameinfo(
          address, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
      }
    }
    if status == 1 { return "this host" }
    let end = host.firstIndex(of: 0) ?? host.count
    return status == 0
      ? String(decoding: host[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self) : "an address"
  }
}
