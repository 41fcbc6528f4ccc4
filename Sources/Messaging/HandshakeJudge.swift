// Tells a connection whose keys do not fit from one that is only lost. libzmq gives up mutely on
// the first and retries mutely on others; a person waits for nothing either way.
//
// What libzmq 4.3.4 shows a connecting side:
//
//   its key is unknown to the peer        handshake failed, authentication (400); no retry
//   keys on one side only                 handshake failed, mechanism mismatch; no retry
//   its server key is not the peer's      the peer hangs up in the handshake: no detail, and
// retries
//   the peer, a proxy or the way is lost  the same
//
// So after several hang-ups in a row the address is asked without keys: a live peer that uses keys
// answers with a mismatch, a lost one does not.

import CZeroMQ
import Glibc

/// Follows the handshakes of one connecting socket.
struct HandshakeJudge {
  /// Hang-ups in a row before the address is asked: about two seconds of retries.
  static let hangUpsBeforeDoubt = 5
  static let doubtMilliseconds = 2_000

  /// Of the asking itself: a reset may come before the peer's greeting is read, which tells
  /// nothing.
  static let hangUpsBeforeSilence = 5

  private var hangUps = 0

  /// Throws when the keys do not fit.
  mutating func note(_ event: SocketMonitor.Raw, of socket: SocketHandle, _ keys: ClientKeys?)
    throws(MessagingError)
  {
    switch event.code {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: hangUps = 0
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH where event.value == 400:
      throw verdict(socket, .unknownKey(keys?.pair.publicKey))
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      switch UInt32(bitPattern: event.value) {
      case UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH):
        throw verdict(socket, keys == nil ? .needsKeys : .hasNoKeys)
      case UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC):
        throw verdict(socket, .otherServer)
      default: break
      }
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      guard keys != nil, [EPIPE, ECONNRESET].contains(event.value) else { return }
      hangUps += 1
      guard hangUps >= Self.hangUpsBeforeDoubt else { return }
      hangUps = 0
      if try usesKeys(event.endpoint, socket.context) { throw verdict(socket, .otherServer) }
    default: break
    }
  }

  private func verdict(_ socket: SocketHandle, _ refusal: MessagingError.KeyRefusal)
    -> MessagingError
  {
    MessagingError(
      operation: "connect to", endpoint: socket.endpoint, reason: .keyRefused(refusal))
  }

  /// Whether a peer under CURVE answers there.
  private func usesKeys(
    _ endpoint: String, _ context: MessagingContext
  ) throws(MessagingError) -> Bool {
    let caller = try SocketHandle(context, type: ZMQ_DEALER)
    defer { caller.close() }
    caller.set(ZMQ_LINGER, 0)
    caller.set(ZMQ_HANDSHAKE_IVL, Self.doubtMilliseconds)
    let monitor = try SocketMonitor(watching: caller)
    guard zmq_connect(caller.open, endpoint) == 0 else { return false }
    let deadline = Deadline(milliseconds: Self.doubtMilliseconds)
    var silences = 0
    while !deadline.isOver {
      while let event = try monitor.nextRaw() {
        guard event.code != ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL else {
          return UInt32(bitPattern: event.value)
            == UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        }
        guard event.code == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL else { continue }
        silences += 1
        if silences == Self.hangUpsBeforeSilence { return false }
      }
      var item = zmq_pollitem_t(
        socket: monitor.handle.open, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
      zmq_poll(&item, 1, min(100, deadline.remainingMilliseconds))
    }
    return false
  }
}
