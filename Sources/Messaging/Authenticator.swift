// Who may come in, asked by libzmq for every connection under CURVE (ZAP, ZeroMQ RFC 27).
//
// libzmq fails open: without a handler, CURVE lets any key in. So a socket under keys cannot be
// made without an authenticator, which it keeps alive for as long as it lives; every bind is proved
// first by dialing in (`Authenticator+Proof.swift`); and the handler answers on the thread of the
// service itself: when that thread stands still, strangers wait with everybody else, and after
// the handshake's time they are cut off.

import CZeroMQ
import Glibc

/// Answers libzmq's question about each new peer; belongs to the thread of the sockets it guards.
public final class Authenticator {
  static let endpoint = "inproc://zeromq.zap.01"
  static let domain = "forage"
  /// Connections answered at one turn: a flood must not keep a service from its peers.
  static let maximumRequestsPerTurn = 256
  /// A request has 9 frames; the longest, an address, is short.
  private static let maximumFrames = 16
  /// How often the list's file is looked at without a knock.
  private static let lookMilliseconds = 1_000

  public let strangers = Strangers()
  public private(set) var list: AllowList
  /// How often a new list had a key no more: then a publisher's door hangs up on everybody.
  public private(set) var withdrawals = 0
  let pair: KeyPair
  let context: MessagingContext
  let handle: SocketHandle
  private let path: String
  private let roles: Set<KeyRole>
  private var stamp: [Int]
  private var lookedAt: UInt64 = 0
  private var lines: [String] = []
  /// What a proof dials in with, while it does.
  var proof: Proof?

  struct Proof {
    /// Is let in.
    let known: PublicKey
    /// Is to be refused, and must have been by this authenticator.
    let stranger: PublicKey
    var isStrangerRefused = false
  }
  /// Both handshakes of a proof take some milliseconds; a machine under load may take longer.
  package var proofMilliseconds = 10_000
  /// What a test makes it do wrong.
  package var fault: Fault? {
    didSet { if fault == .isGone { handle.close() } }
  }

  package enum Fault { case admitsAll, refusesAll, answersNobody, isGone }

  /// Reads the head's keys and stands ready. Throws before anything is bound.
  public init(
    _ folder: KeyFolder, admitting roles: Set<KeyRole>, in context: MessagingContext
  ) throws(MessagingError) {
    pair = try folder.server()
    path = folder.allowList
    stamp = Self.stamp(of: path)
    list = try AllowList.load(path)
    self.roles = roles
    self.context = context
    handle = try SocketHandle(context, type: ZMQ_ROUTER)
    handle.set(ZMQ_LINGER, 0)
    guard zmq_bind(handle.open, Self.endpoint) == 0 else {
      throw MessagingError("bind to", Self.endpoint)
    }
  }

  /// Lines for the log, once each: changes of the list, and who was turned away.
  public func takeLines() -> [String] {
    defer { lines.removeAll() }
    return lines + strangers.takeLines()
  }

  /// The owner of a key that a message came under; nil once the list has it no more.
  public func entry(of key: PublicKey?) -> AllowList.Entry? {
    guard let key, let entry = list[key], roles.contains(entry.role) else { return nil }
    return entry
  }

  /// Answers whoever knocks, and looks now and then whether the list has changed.
  public func serve() throws(MessagingError) {
    if fault == .answersNobody || fault == .isGone { return }
    if Deadline.now - lookedAt > UInt64(Self.lookMilliseconds) * 1_000_000 { readAgain() }
    for turn in 0..<Self.maximumRequestsPerTurn {
      guard let request = try receive() else { return }
      // Somebody may have been added just now.
      if turn == 0 { readAgain() }
      try answer(request)
    }
  }

  /// A list that cannot be read changes nothing: the one in force stays, and the log says so.
  private func readAgain() {
    lookedAt = Deadline.now
    let now = Self.stamp(of: path)
    guard now != stamp else { return }
    stamp = now
    do throws(MessagingError) {
      let new = try AllowList.load(path)
      let gone = list.entries.filter { new[$0.key] != $0 }.map(\.name)
      let come = new.entries.filter { list[$0.key] != $0 }.map(\.name)
      list = new
      if !gone.isEmpty { withdrawals += 1 }
      lines.append(
        "read \(path) again: \(list.entries.count) keys; new: \(Self.words(come)); "
          + "withdrawn: \(Self.words(gone))")
    } catch {
      lines.append("\(error); the keys of before stay in force")
    }
  }

  private static func words(_ names: [String]) -> String {
    if names.isEmpty { return "none" }
    return names.prefix(8).joined(separator: ", ") + (names.count > 8 ? "..." : "")
  }

  /// What tells one state of a file from the next.
  private static func stamp(of path: String) -> [Int] {
    var status = stat()
    guard stat(path, &status) == 0 else { return [] }
    return [
      Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
      Int(status.st_mode),
    ]
  }

  // MARK: ZAP

  private func answer(_ request: Frames) throws(MessagingError) {
    // Frames: route, empty, version, request, domain, address, identity, mechanism, credential.
    guard request.count >= 8, request[2] == Array("1.0".utf8) else { return }
    let address = String(decoding: request[5].prefix(64), as: UTF8.self)
    let isCurve = request[7] == Array("CURVE".utf8) && request.count == 9
    let key = isCurve ? PublicKey(raw: request[8]) : nil
    let isAllowed = key.map { judge($0, at: address) } ?? false
    if !isAllowed, let key, key == proof?.stranger { proof?.isStrangerRefused = true }
    try reply(
      to: request, status: isAllowed ? "200" : "400", user: isAllowed ? key?.text ?? "" : "")
  }

  private func judge(_ key: PublicKey, at address: String) -> Bool {
    if let fault { return fault == .admitsAll }
    // Others may knock meanwhile at a door of this service that was proved before: they are judged
    // as ever.
    if let proof, key == proof.known || key == proof.stranger { return key == proof.known }
    guard let entry = list[key] else {
      strangers.turnAway(
        .unknownKey, at: address, "\(key) is not in \(path); let it in with forage keys allow")
      return false
    }
    guard roles.contains(entry.role) else {
      strangers.turnAway(
        .otherRole, at: address,
        "\(entry.name) is a \(entry.role.rawValue), which may not come here")
      return false
    }
    return true
  }

  private func reply(
    to request: Frames, status: String, user: String
  ) throws(MessagingError) {
    let text = status == "200" ? "" : "refused"
    let frames: Frames = [
      request[0], [], request[2], request[3], Array(status.utf8), Array(text.utf8),
      Array(user.utf8), [],
    ]
    for index in frames.indices {
      let flags = index + 1 < frames.count ? ZMQ_SNDMORE | ZMQ_DONTWAIT : ZMQ_DONTWAIT
      // A connection that is gone waits for no answer.
      if zmq_send(handle.open, frames[index], frames[index].count, flags) < 0 { return }
    }
  }

  private func receive() throws(MessagingError) -> Frames? {
    var frames: Frames = []
    while frames.count < Self.maximumFrames {
      let message = handle.message
      zmq_msg_init(message)
      defer { zmq_msg_close(message) }
      if zmq_msg_recv(message, handle.open, ZMQ_DONTWAIT) < 0 {
        let number = zmq_errno()
        if number == EINTR { continue }
        if number == EAGAIN { return nil }
        throw MessagingError("read from", Self.endpoint, errno: number)
      }
      let bytes = UnsafeRawBufferPointer(
        start: zmq_msg_data(message), count: min(1024, zmq_msg_size(message)))
      frames.append([UInt8](bytes))
      if zmq_msg_more(message) == 0 { return frames }
    }
    return frames
  }
}
