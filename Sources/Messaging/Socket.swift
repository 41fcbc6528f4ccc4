// A ZeroMQ socket with every limit set, made and used on one thread.
//
// libzmq fails silently: a message to a peer that is gone, or above the peer's size limit, is
// "sent". So routers are told to report unknown peers, dealers queue nothing before a connection
// stands, both sides know the size limits, and a `SocketMonitor` tells what the connection does.

import CZeroMQ
import Glibc

/// One end of a conversation; closed when it goes out of scope.
public struct Socket: ~Copyable {
  public enum Kind: Sendable {
    /// Serves many dealers: the first frame of each message is the peer's identity.
    case router
    case dealer
    /// Announces to whoever listens; what a slow listener misses is lost.
    case publisher
    case subscriber
  }

  public let kind: Kind
  public let limits: SocketLimits
  public let security: SocketSecurity
  let handle: SocketHandle

  public init(
    _ kind: Kind, in context: MessagingContext, limits: SocketLimits = SocketLimits(),
    security: SocketSecurity = .none
  ) throws(MessagingError) {
    self.kind = kind
    self.limits = limits
    self.security = security
    handle = try SocketHandle(context, type: kind.type)
    configure()
    if case .server(let authenticator) = security {
      precondition(authenticator.context === context, "an authenticator of another context")
    }
    handle.secure(security)
  }

  deinit { handle.close() }

  private func configure() {
    handle.set(ZMQ_LINGER, limits.lingerMilliseconds)
    handle.set(ZMQ_MAXMSGSIZE, wide: Int64(limits.maximumFrameBytes))
    handle.set(ZMQ_SNDHWM, limits.sendQueueMessages)
    handle.set(ZMQ_RCVHWM, limits.receiveQueueMessages)
    handle.set(ZMQ_HANDSHAKE_IVL, limits.handshakeMilliseconds)
    handle.set(ZMQ_HEARTBEAT_IVL, limits.heartbeatMilliseconds)
    handle.set(ZMQ_HEARTBEAT_TIMEOUT, limits.heartbeatTimeoutMilliseconds)
    handle.set(ZMQ_HEARTBEAT_TTL, limits.heartbeatTimeoutMilliseconds)
    handle.set(ZMQ_RECONNECT_IVL, limits.reconnectMilliseconds)
    handle.set(ZMQ_RECONNECT_IVL_MAX, limits.maximumReconnectMilliseconds)
    handle.set(ZMQ_CONNECT_TIMEOUT, limits.connectMilliseconds)
    // For the half of a connection libzmq's heartbeats do not cover: a handshake that hangs.
    handle.set(ZMQ_TCP_KEEPALIVE, 1)
    handle.set(ZMQ_TCP_KEEPALIVE_IDLE, 30)
    handle.set(ZMQ_TCP_KEEPALIVE_INTVL, 10)
    handle.set(ZMQ_TCP_KEEPALIVE_CNT, 3)
    switch kind {
    case .router: handle.set(ZMQ_ROUTER_MANDATORY, 1)
    // Queue only where a connection stands; a request that waited through an outage is stale.
    case .dealer: handle.set(ZMQ_IMMEDIATE, 1)
    case .publisher, .subscriber: break
    }
  }

  /// The last endpoint bound (with the port the system chose) or connected to.
  public var endpoint: String { handle.endpoint }

  /// An option as libzmq holds it: what a test asks.
  package func option(_ option: Int32) -> Int { Int(handle.integer(option)) }
  package func wideOption(_ option: Int32) -> Int { Int(handle.wide(option)) }

  /// Messages thrown away for exceeding the limits.
  public var oversizedCount: Int { handle.oversizedCount }

  /// Becomes readable when something may have happened; then `receive` until it returns nil.
  public var fileDescriptor: Int32 { handle.integer(ZMQ_FD) }

  /// Listens. `tcp://127.0.0.1:*` takes a free port. Returns the endpoint as bound.
  ///
  /// libzmq takes over an `ipc://` path that another process listens on: who needs to be the only
  /// one holds a lock beside it.
  @discardableResult
  public func bind(to endpoint: String) throws(MessagingError) -> String {
    let parsed = try Endpoint(endpoint, operation: "bind to")
    if security.isBare && parsed.isRoutable {
      throw MessagingError(
        operation: "bind to", endpoint: endpoint, reason: .routableWithoutKeys)
    }
    if case .server(let authenticator) = security { try authenticator.prove(handle, kind: kind) }
    handle.set(ZMQ_IPV6, parsed.isIPv6 ? 1 : 0)
    guard zmq_bind(handle.open, parsed.bindable) == 0 else {
      throw MessagingError("bind to", endpoint)
    }
    handle.endpoint = handle.text(ZMQ_LAST_ENDPOINT)
    return handle.endpoint
  }

  /// Connects in the background, now and after every loss; the peer need not listen yet.
  public func connect(to endpoint: String) throws(MessagingError) {
    let parsed = try Endpoint(endpoint, operation: "connect to")
    handle.set(ZMQ_IPV6, parsed.isIPv6 ? 1 : 0)
    guard zmq_connect(handle.open, endpoint) == 0 else {
      throw MessagingError("connect to", endpoint)
    }
    handle.endpoint = endpoint
  }

  public func disconnect(from endpoint: String) throws(MessagingError) {
    guard zmq_disconnect(handle.open, endpoint) == 0 else {
      throw MessagingError("disconnect from", endpoint)
    }
  }

  /// A subscriber hears messages whose first frame begins so; an empty prefix hears all.
  public func subscribe(toPrefix prefix: [UInt8] = []) throws(MessagingError) {
    precondition(kind == .subscriber, "a \(kind) can not subscribe")
    let status = prefix.withUnsafeBytes {
      zmq_setsockopt(handle.open, ZMQ_SUBSCRIBE, $0.baseAddress, $0.count)
    }
    guard status == 0 else { throw MessagingError("subscribe at", endpoint) }
  }
}

extension Socket.Kind {
  fileprivate var type: Int32 {
    switch self {
    case .router: ZMQ_ROUTER
    case .dealer: ZMQ_DEALER
    case .publisher: ZMQ_PUB
    case .subscriber: ZMQ_SUB
    }
  }
}
