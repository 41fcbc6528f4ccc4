// Tries the door before it is opened: a throw-away key must be refused and a known one let in, at
// the very socket that is about to be bound, or it is not bound.
//
// The socket listens meanwhile at an address of Linux's abstract namespace, for this host alone,
// and whose name nobody can guess.

import CZeroMQ
import Glibc

extension Authenticator {
  private enum Outcome: Equatable {
    case letIn, refused
    case other(String)
  }

  /// Throws unless the socket refuses a throw-away key and lets a known one in.
  func prove(_ socket: SocketHandle, kind: Socket.Kind) throws(MessagingError) {
    let known = try KeyPair.random()
    let stranger = try KeyPair.random()
    proof = Proof(known: known.publicKey, stranger: stranger.publicKey)
    defer { proof = nil }
    let address = "ipc://@forage-proof-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    guard zmq_bind(socket.open, address) == 0 else { throw MessagingError("bind to", address) }
    defer { zmq_unbind(socket.open, address) }
    let first = try dial(address, with: stranger, kind: kind)
    guard first == .refused, proof?.isStrangerRefused == true else {
      throw Self.failure("a throw-away key was \(Self.words(first)), and must be refused")
    }
    let second = try dial(address, with: known, kind: kind)
    guard second == .letIn else {
      throw Self.failure("a known key was \(Self.words(second)), and must be let in")
    }
  }

  private static func words(_ outcome: Outcome) -> String {
    switch outcome {
    case .letIn: "let in"
    case .refused: "refused"
    case .other(let what): "neither refused nor let in (\(what))"
    }
  }

  private static func failure(_ what: String) -> MessagingError {
    MessagingError(
      operation: "prove the authenticator", endpoint: "", reason: .unguarded(what))
  }

  /// What becomes of a connection under this pair.
  private func dial(
    _ address: String, with pair: KeyPair, kind: Socket.Kind
  ) throws(MessagingError) -> Outcome {
    let caller = try SocketHandle(context, type: kind == .publisher ? ZMQ_SUB : ZMQ_DEALER)
    defer { caller.close() }
    caller.set(ZMQ_LINGER, 0)
    caller.set(ZMQ_HANDSHAKE_IVL, proofMilliseconds)
    caller.secure(
      .client(ClientKeys(name: "proof", role: .actor, pair: pair, server: self.pair.publicKey)))
    let monitor = try SocketMonitor(watching: caller)
    guard zmq_connect(caller.open, address) == 0 else {
      throw MessagingError("connect to", address)
    }
    let deadline = Deadline(milliseconds: proofMilliseconds)
    while !deadline.isOver {
      try serve()
      while let event = try monitor.nextRaw() {
        switch event.code {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .letIn
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return .refused
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
          return .other("protocol error 0x\(String(UInt32(bitPattern: event.value), radix: 16))")
        default: break
        }
      }
      let watched = [handle.pointer, monitor.handle.pointer].compactMap { $0 }
      var items = watched.map {
        zmq_pollitem_t(socket: $0, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
      }
      zmq_poll(&items, Int32(items.count), min(100, deadline.remainingMilliseconds))
    }
    return .other("no answer within \(proofMilliseconds) ms")
  }
}
