// The asking side of a conversation: one request out, its answer in, within a deadline.
//
// Replies are paired by the caller's test, not by order: an answer to a request that was given up
// may still arrive, and is dropped and counted. A request lost with its connection is not repeated
// here; the caller's requests are safe to ask again, and it knows when.

import CZeroMQ
import Glibc

/// A dealer connected to one service; belongs to the thread that made it.
public final class DealerClient {
  public let socket: Socket
  private let monitor: SocketMonitor
  /// Whom this client talks to, in error texts ("replay").
  public let peer: String
  /// Replies nobody waited for any more.
  public private(set) var lateReplies = 0
  private var judge = HandshakeJudge()
  private let keys: ClientKeys?
  /// The last event of the connection; nil before the first.
  public private(set) var lastEvent: SocketEvent?
  /// How often a connection took the place of one that had stood.
  private var reconnections = 0
  private var standing = Standing.never

  private enum Standing { case never, stands, lost }

  public init(
    to endpoint: String, peer: String, in context: MessagingContext,
    limits: SocketLimits = SocketLimits(), keys: ClientKeys? = nil
  ) throws(MessagingError) {
    self.keys = keys
    socket = try Socket(.dealer, in: context, limits: limits, security: SocketSecurity(keys))
    monitor = try SocketMonitor(socket)
    self.peer = peer
    try socket.connect(to: endpoint)
  }

  public var endpoint: String { socket.endpoint }

  /// Whether a connection stands, as far as its events tell.
  public func isConnected() throws(MessagingError) -> Bool {
    try readEvents()
    if case .handshakeSucceeded = lastEvent { return true }
    return false
  }

  /// Sends a request and returns the first reply `matching` accepts. Throws `.timedOut`, which
  /// names the peer and how long it was waited for, or `.woken` when `wake` (an eventfd, not
  /// drained here) becomes readable first; with `untilReconnected`, `.reconnected` where waiting
  /// for the rest of the deadline would most likely be in vain.
  public func exchange(
    _ frames: Frames, matching: (Frames) -> Bool, deadlineMilliseconds: Int, wake: Int32? = nil,
    untilReconnected: Bool = false
  ) throws(MessagingError) -> Frames {
    let deadline = Deadline(milliseconds: deadlineMilliseconds)
    // A connection known to be lost has not carried the request: it goes out with the next one.
    try readEvents()
    let before = untilReconnected ? reconnections + (standing == .lost ? 1 : 0) : .max
    try send(frames, by: deadline, wake: wake)
    return try awaitReply(matching: matching, by: deadline, wake: wake, before: before)
  }

  /// One request of several in flight: waits for room or a connection, not for an answer.
  public func send(
    _ frames: Frames, deadlineMilliseconds: Int, wake: Int32? = nil
  ) throws(MessagingError) {
    try send(frames, by: Deadline(milliseconds: deadlineMilliseconds), wake: wake)
  }

  /// The next reply `matching` accepts; others are late, dropped and counted.
  public func awaitReply(
    matching: (Frames) -> Bool, deadlineMilliseconds: Int, wake: Int32? = nil
  ) throws(MessagingError) -> Frames {
    try awaitReply(
      matching: matching, by: Deadline(milliseconds: deadlineMilliseconds), wake: wake)
  }

  private func send(
    _ frames: Frames, by deadline: Deadline, wake: Int32?
  ) throws(MessagingError) {
    while true {
      let result = try socket.send(frames)
      if result == .sent { return }
      try wait(for: .writable, by: deadline, wake: wake)
    }
  }

  private func awaitReply(
    matching: (Frames) -> Bool, by deadline: Deadline, wake: Int32?, before: Int = .max
  ) throws(MessagingError) -> Frames {
    while true {
      // An answer that came over the old connection is looked for before the new one is noticed.
      let isOld = reconnections > before
      while let reply = try socket.receive() {
        if matching(reply) { return reply }
        lateReplies += 1
      }
      if isOld {
        throw MessagingError(
          operation: "ask \(peer) at", endpoint: endpoint, reason: .reconnected(peer: peer))
      }
      try wait(for: .readable, by: deadline, wake: wake)
    }
  }

  private func wait(
    for readiness: Readiness, by deadline: Deadline, wake: Int32?
  ) throws(MessagingError) {
    guard !deadline.isOver else {
      try readEvents()
      throw MessagingError(
        operation: "ask \(peer) at", endpoint: endpoint,
        reason: .timedOut(
          peer: peer, milliseconds: deadline.elapsedMilliseconds,
          connection: lastEvent.map(String.init(describing:)) ?? "never connected"))
    }
    var items = [
      zmq_pollitem_t(socket: socket.handle.open, fd: 0, events: readiness.rawValue, revents: 0),
      zmq_pollitem_t(
        socket: monitor.handle.open, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
    ]
    if let wake {
      items.append(zmq_pollitem_t(socket: nil, fd: wake, events: Int16(ZMQ_POLLIN), revents: 0))
    }
    let count = zmq_poll(&items, Int32(items.count), deadline.remainingMilliseconds)
    if count < 0 && zmq_errno() != EINTR { throw MessagingError("wait for \(peer) at", endpoint) }
    try readEvents()
    if count > 0 && items.count == 3 && items[2].revents != 0 {
      throw MessagingError(operation: "ask \(peer) at", endpoint: endpoint, reason: .woken)
    }
  }

  /// Reads what the connection did, which is to be done now and then; throws `.keyRefused` once it
  /// is plain that the keys do not fit.
  public func readEvents() throws(MessagingError) {
    while let event = try monitor.nextRaw() {
      lastEvent = SocketMonitor.event(event.code, value: event.value, event.endpoint) ?? lastEvent
      switch (event.code, standing) {
      case (ZMQ_EVENT_DISCONNECTED, .stands): standing = .lost
      case (ZMQ_EVENT_HANDSHAKE_SUCCEEDED, .lost):
        (standing, reconnections) = (.stands, reconnections + 1)
      case (ZMQ_EVENT_HANDSHAKE_SUCCEEDED, _): standing = .stands
      default: break
      }
      try judge.note(event, of: socket.handle, keys)
    }
  }
}
