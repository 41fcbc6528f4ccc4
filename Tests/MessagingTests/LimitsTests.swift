// Every limit on every kind of socket, as libzmq holds it: an option left out would be no limit.

import CZeroMQ
import Messaging
import Testing

@Suite struct LimitsTests {
  @Test(arguments: [Socket.Kind.router, .dealer, .publisher, .subscriber])
  func `every socket has every limit`(kind: Socket.Kind) throws {
    let head = try Head()
    let context = try MessagingContext()
    let limits = SocketLimits()
    let guarded = try Protection.keys(head.folder).security(in: context, admitting: [.actor])
    let client = SocketSecurity(try head.client("actor-7"))
    for security in [.none, kind == .router || kind == .publisher ? guarded : client] {
      let socket = try Socket(kind, in: context, security: security)
      let wanted: [(name: String, option: Int32, value: Int)] = [
        ("LINGER", ZMQ_LINGER, limits.lingerMilliseconds),
        ("SNDHWM", ZMQ_SNDHWM, limits.sendQueueMessages),
        ("RCVHWM", ZMQ_RCVHWM, limits.receiveQueueMessages),
        ("HANDSHAKE_IVL", ZMQ_HANDSHAKE_IVL, limits.handshakeMilliseconds),
        ("HEARTBEAT_IVL", ZMQ_HEARTBEAT_IVL, limits.heartbeatMilliseconds),
        ("HEARTBEAT_TIMEOUT", ZMQ_HEARTBEAT_TIMEOUT, limits.heartbeatTimeoutMilliseconds),
        ("HEARTBEAT_TTL", ZMQ_HEARTBEAT_TTL, limits.heartbeatTimeoutMilliseconds),
        ("RECONNECT_IVL", ZMQ_RECONNECT_IVL, limits.reconnectMilliseconds),
        ("RECONNECT_IVL_MAX", ZMQ_RECONNECT_IVL_MAX, limits.maximumReconnectMilliseconds),
        ("CONNECT_TIMEOUT", ZMQ_CONNECT_TIMEOUT, limits.connectMilliseconds),
        ("TCP_KEEPALIVE", ZMQ_TCP_KEEPALIVE, 1),
      ]
      for (name, option, value) in wanted {
        #expect(socket.option(option) == value, "\(name) of a \(kind)")
      }
      #expect(socket.wideOption(ZMQ_MAXMSGSIZE) == limits.maximumFrameBytes, "\(kind)")
      var mechanism = Int(ZMQ_NULL)
      switch security {
      case .none, .noneOnAnyNetwork: break
      case .server, .client: mechanism = Int(ZMQ_CURVE)
      }
      #expect(socket.option(ZMQ_MECHANISM) == mechanism, "\(kind)")
    }
  }
}
