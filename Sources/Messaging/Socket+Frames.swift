// Sending and receiving whole messages, never blocking but where a deadline is given.

import CZeroMQ
import Glibc

extension Socket {
  /// Hands a message to libzmq, whole or not at all. On a router the first frame is the peer's
  /// identity. Throws for a message above the limits: the peer would drop it without a word.
  public func send(_ frames: Frames) throws(MessagingError) -> SendResult {
    try check(frames)
    for index in frames.indices {
      let more = index + 1 < frames.count ? ZMQ_SNDMORE : 0
      if let number = sendFrame(frames[index], flags: more | ZMQ_DONTWAIT) {
        // libzmq decides about a message at its first frame.
        switch number {
        case EAGAIN where index == 0: return .wouldBlock
        case EHOSTUNREACH where index == 0: return .unroutable
        default: throw MessagingError("send to", endpoint, errno: number)
        }
      }
    }
    return .sent
  }

  /// Waits up to the deadline for room or a connection. For dealers: a router's room is a matter of
  /// each peer, and its owner must not wait for one of them.
  public func send(_ frames: Frames, deadlineMilliseconds: Int) throws(MessagingError) -> SendResult
  {
    precondition(kind == .dealer, "a \(kind) does not wait to send")
    let clock = Deadline(milliseconds: deadlineMilliseconds)
    while true {
      let result = try send(frames)
      if result != .wouldBlock || clock.isOver { return result }
      var item = zmq_pollitem_t(
        socket: handle.open, fd: 0, events: Int16(ZMQ_POLLOUT), revents: 0)
      if zmq_poll(&item, 1, clock.remainingMilliseconds) < 0 && zmq_errno() != EINTR {
        throw MessagingError("wait to send to", endpoint)
      }
    }
  }

  /// The next message, or nil when none has come. A message above the limits is read to its end,
  /// counted, and told to `onOversized`.
  public func receive(
    onOversized: (OversizedMessage) -> Void = { _ in }
  ) throws(MessagingError) -> Frames? {
    try receiveSigned(onOversized: onOversized)?.frames
  }

  /// The same with where it came from, and the key that the sender's connection was let in under.
  public func receiveSigned(
    onOversized: (OversizedMessage) -> Void = { _ in }
  ) throws(MessagingError) -> SignedMessage? {
    // Whoever sends nothing else is not to be read for ever: the rest is there at the next call.
    for _ in 0..<Self.oversizedAtOnce {
      guard let first = try receiveFrame() else { return nil }
      var frames: Frames = [first.bytes]
      var frameCount = 1
      var byteCount = first.byteCount
      var more = first.more
      // The identity frame that a router puts before a message may come without them.
      var (user, address) = (first.user, first.address)
      while more {
        // The rest of a message is there once its first frame is.
        let room = frameCount < limits.maximumFrames ? limits.maximumMessageBytes - byteCount : -1
        guard let next = try receiveFrame(keepingAtMost: room) else { break }
        if next.byteCount <= room { frames.append(next.bytes) }
        frameCount += 1
        byteCount += next.byteCount
        more = next.more
        user = user ?? next.user
        address = address ?? next.address
      }
      if frameCount <= limits.maximumFrames && byteCount <= limits.maximumMessageBytes {
        return SignedMessage(
          frames: frames, key: user.flatMap { PublicKey($0) }, address: address)
      }
      handle.oversizedCount += 1
      onOversized(
        OversizedMessage(
          firstFrame: Array(first.bytes.prefix(256)), frameCount: frameCount, byteCount: byteCount))
    }
    return nil
  }

  private static var oversizedAtOnce: Int { 16 }

  private func check(_ frames: Frames) throws(MessagingError) {
    guard (1...limits.maximumFrames).contains(frames.count) else {
      throw MessagingError(
        operation: "send to", endpoint: endpoint,
        reason: .tooManyFrames(count: frames.count, maximum: limits.maximumFrames))
    }
    var total = 0
    for frame in frames {
      total += frame.count
      guard frame.count <= limits.maximumFrameBytes else {
        throw MessagingError(
          operation: "send to", endpoint: endpoint,
          reason: .tooLarge(bytes: frame.count, maximum: limits.maximumFrameBytes))
      }
    }
    guard total <= limits.maximumMessageBytes else {
      throw MessagingError(
        operation: "send to", endpoint: endpoint,
        reason: .tooLarge(bytes: total, maximum: limits.maximumMessageBytes))
    }
  }

  /// The error number, or nil.
  private func sendFrame(_ bytes: [UInt8], flags: Int32) -> Int32? {
    let message = handle.message
    guard zmq_msg_init_size(message, bytes.count) == 0 else { return zmq_errno() }
    bytes.withUnsafeBytes {
      if let source = $0.baseAddress { memcpy(zmq_msg_data(message), source, $0.count) }
    }
    while zmq_msg_send(message, handle.open, flags) < 0 {
      let number = zmq_errno()
      if number == EINTR { continue }
      zmq_msg_close(message)
      return number
    }
    return nil
  }

  private struct Frame {
    var bytes: [UInt8]
    var byteCount: Int
    var more: Bool
    /// Whom the authenticator let in; only a server under keys asks.
    var user: String?
    /// Where it came from; only a router's owner has more than one to tell apart.
    var address: String?
  }

  /// Nil when nothing has come. Bytes beyond `room` are not copied.
  private func receiveFrame(keepingAtMost room: Int = .max) throws(MessagingError) -> Frame? {
    let message = handle.message
    zmq_msg_init(message)
    defer { zmq_msg_close(message) }
    while zmq_msg_recv(message, handle.open, ZMQ_DONTWAIT) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return nil
      case let number: throw MessagingError("receive from", endpoint, errno: number)
      }
    }
    let size = zmq_msg_size(message)
    let bytes =
      size <= room
      ? [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(message), count: size)) : []
    var user: String?
    if case .server = security, let text = zmq_msg_gets(message, "User-Id") {
      user = String(cString: text)
    }
    var address: String?
    if kind == .router, let text = zmq_msg_gets(message, "Peer-Address"), text.pointee != 0 {
      address = String(cString: text)
    }
    return Frame(
      bytes: bytes, byteCount: size, more: zmq_msg_more(message) != 0, user: user,
      address: address)
  }
}

/// A point on the monotonic clock; wall time may jump.
struct Deadline {
  let start: UInt64
  let end: UInt64

  init(milliseconds: Int) {
    precondition(milliseconds >= 0, "a deadline in \(milliseconds) ms")
    start = Self.now
    end = start + UInt64(milliseconds) * 1_000_000
  }

  var isOver: Bool { Self.now >= end }

  /// Rounded up, so that a wait does not spin through its last millisecond.
  var remainingMilliseconds: Int {
    let now = Self.now
    return now >= end ? 0 : Int((end - now + 999_999) / 1_000_000)
  }

  var elapsedMilliseconds: Int { Int((Self.now - start) / 1_000_000) }

  static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
