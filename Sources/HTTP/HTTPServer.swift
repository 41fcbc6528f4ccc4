// A small HTTP/1.1 server: libmicrohttpd speaks the protocol, a handler answers requests.
//
// Each connection has a thread of the library's, so a handler and a stream may block there and be
// written as plain loops; how many there are at most is a limit. Nothing here runs on Swift's
// cooperative pool.

import CMicroHTTPD
import Glibc
import Synchronization

/// Listens from its making until `stop`.
public final class HTTPServer: @unchecked Sendable {
  public typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

  /// Frames of a handler that parses JSON and renders text; the kernel commits what is touched.
  static let stackBytes = 1 << 20
  private static let drainSliceMicroseconds: UInt32 = 5000

  /// Where it listens, with the port it really has.
  public let address: HTTPAddress
  private let core: ServerCore
  private let daemon: OpaquePointer
  private let descriptor: Int32
  private enum Phase { case listening, quiet, stopped }
  private let phase = Mutex(Phase.listening)

  /// Binds and listens; `handler` is called on threads of connections, many at once.
  public init(
    _ address: HTTPAddress, limits: HTTPLimits = HTTPLimits(), handler: @escaping Handler
  ) throws(HTTPError) {
    let socket = try address.bound(backlog: limits.backlog)
    core = ServerCore(limits: limits, handler: handler)
    self.address = HTTPAddress(host: address.host, port: socket.port)
    descriptor = socket.descriptor
    let started = forage_http_start(
      socket.descriptor, UInt32(limits.connections), limits.headerBytes,
      UInt32(limits.idleSeconds), Self.stackBytes, handleAccess, handleCompleted,
      Unmanaged.passUnretained(core).toOpaque())
    guard let started else {
      close(socket.descriptor)
      throw HTTPError(operation: "listen on", address: "\(self.address)", reason: .library)
    }
    daemon = started
  }

  /// Requests between their headers and the end of their answers.
  public var activeRequests: Int { core.active.withLock { $0 } }

  /// Takes no more connections; those that are open go on.
  public func quiesce() {
    phase.withLock { phase in
      guard phase == .listening else { return }
      phase = .quiet
      let returned = MHD_quiesce_daemon(daemon)
      if returned >= 0 { close(returned) }
    }
  }

  /// Takes no more connections and waits until every request is answered; false at the deadline.
  public func drain(withinSeconds seconds: Double) -> Bool {
    quiesce()
    let end = ServerCore.now + seconds
    while activeRequests > 0 {
      if ServerCore.now >= end { return false }
      usleep(Self.drainSliceMicroseconds)
    }
    return true
  }

  /// Ends every connection. Waits for handlers and streams, which therefore must end by
  /// themselves: tell them before.
  public func stop() {
    quiesce()
    let isMine = phase.withLock { phase in
      defer { phase = .stopped }
      return phase != .stopped
    }
    if isMine { MHD_stop_daemon(daemon) }
  }

  deinit { stop() }
}

/// What the library's callbacks reach.
final class ServerCore: Sendable {
  let limits: HTTPLimits
  let handler: HTTPServer.Handler
  let active = Mutex(0)

  init(limits: HTTPLimits, handler: @escaping HTTPServer.Handler) {
    self.limits = limits
    self.handler = handler
  }

  /// Seconds of CLOCK_MONOTONIC.
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// One request from its headers to the end of its answer; belongs to its connection's thread.
private final class Exchange {
  /// A body beyond its limit is read on for so many times the limit, so that the client hears why;
  /// beyond that the connection is cut.
  static let patienceFactor = 4

  let client: HTTPClient
  let begun = ServerCore.now
  var body: [UInt8] = []
  var bodyBytes = 0
  var isAnswered = false
  var whenDone: (@Sendable () -> Void)?

  init(_ connection: OpaquePointer) {
    client = HTTPClient(descriptor: forage_http_descriptor(connection))
  }

  /// False: cut the connection.
  func take(_ bytes: UnsafeRawBufferPointer, _ limits: HTTPLimits) -> Bool {
    bodyBytes += bytes.count
    if bodyBytes > Self.patienceFactor * limits.bodyBytes { return false }
    if ServerCore.now - begun > limits.bodySeconds { return false }
    if bodyBytes > limits.bodyBytes {
      body = []
    } else {
      body.append(contentsOf: bytes)
    }
    return true
  }
}

private let handleAccess: MHD_AccessHandlerCallback = {
  context, connection, url, method, _, data, dataBytes, slot in
  guard let context, let connection, let url, let method, let dataBytes, let slot else {
    return .NO
  }
  let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
  guard let existing = slot.pointee else {
    let exchange = Exchange(connection)
    core.active.withLock { $0 += 1 }
    slot.pointee = Unmanaged.passRetained(exchange).toOpaque()
    return refuseEarly(connection, exchange, core.limits)
  }
  let exchange = Unmanaged<Exchange>.fromOpaque(existing).takeUnretainedValue()
  if dataBytes.pointee > 0 {
    let bytes = UnsafeRawBufferPointer(start: data, count: dataBytes.pointee)
    dataBytes.pointee = 0
    return exchange.isAnswered || exchange.take(bytes, core.limits) ? .YES : .NO
  }
  if exchange.isAnswered { return .YES }
  let response: HTTPResponse
  // What a handler needs is its own affair: the idle time-out counts again from here.
  forage_http_set_timeout(connection, 0)
  if exchange.bodyBytes > core.limits.bodyBytes {
    response = tooLarge(core.limits)
  } else {
    response = core.handler(
      HTTPRequest(
        method: String(cString: method), path: String(cString: url),
        query: values(connection, .GET_ARGUMENT_KIND), headers: values(connection, .HEADER_KIND),
        body: exchange.body, client: exchange.client))
    exchange.body = []
  }
  forage_http_set_timeout(connection, UInt32(core.limits.idleSeconds))
  return answer(connection, exchange, response, idleSeconds: core.limits.idleSeconds)
}

/// Answers before the body is sent when its announced length is beyond patience: a client that
/// only writes then sees its connection break, and not why.
private func refuseEarly(
  _ connection: OpaquePointer, _ exchange: Exchange, _ limits: HTTPLimits
) -> MHD_Result {
  guard let text = MHD_lookup_connection_value(connection, .HEADER_KIND, "Content-Length"),
    let length = UInt64(String(cString: text)),
    length > UInt64(Exchange.patienceFactor * limits.bodyBytes)
  else { return .YES }
  return answer(connection, exchange, tooLarge(limits), idleSeconds: limits.idleSeconds)
}

private func tooLarge(_ limits: HTTPLimits) -> HTTPResponse {
  var response = HTTPResponse.text(
    "the body is longer than \(limits.bodyBytes) bytes\n", status: 413)
  response.headers.append(("Connection", "close"))
  return response
}

private func values(
  _ connection: OpaquePointer, _ kind: MHD_ValueKind
) -> [(name: String, value: String)] {
  var found: [(name: String, value: String)] = []
  withUnsafeMutablePointer(to: &found) { place in
    _ = MHD_get_connection_values(
      connection, kind,
      { context, _, name, value in
        guard let context, let name else { return .NO }
        context.assumingMemoryBound(to: [(name: String, value: String)].self).pointee.append(
          (String(cString: name), value.map { String(cString: $0) } ?? ""))
        return .YES
      }, place)
  }
  return found
}

private func answer(
  _ connection: OpaquePointer, _ exchange: Exchange, _ response: HTTPResponse, idleSeconds: Int
) -> MHD_Result {
  exchange.isAnswered = true
  exchange.whenDone = response.whenDone
  let made: OpaquePointer?
  switch response.body {
  case .bytes(let bytes):
    made = bytes.withUnsafeBytes { buffer in
      MHD_create_response_from_buffer(
        buffer.count, UnsafeMutableRawPointer(mutating: buffer.baseAddress), .RESPMEM_MUST_COPY)
    }
  case .stream(let next):
    let pull = StreamPull(connection, next, idleSeconds: idleSeconds)
    made = MHD_create_response_from_callback(
      .max, StreamPull.blockBytes, pullStream, Unmanaged.passRetained(pull).toOpaque(),
      { Unmanaged<StreamPull>.fromOpaque($0!).release() })
  }
  guard let made else { return .NO }
  defer { MHD_destroy_response(made) }
  for header in response.headers {
    guard MHD_add_response_header(made, header.name, header.value) == .YES else { return .NO }
  }
  return MHD_queue_response(connection, UInt32(response.status), made)
}

/// What is left of a chunk that did not fit the library's buffer.
private final class StreamPull {
  static let blockBytes = 16 << 10

  private let connection: OpaquePointer
  private let next: @Sendable () throws -> [UInt8]?
  private let idleSeconds: UInt32
  private var chunk: ArraySlice<UInt8> = []
  private var isOver = false

  init(
    _ connection: OpaquePointer, _ next: @escaping @Sendable () throws -> [UInt8]?, idleSeconds: Int
  ) {
    self.connection = connection
    self.next = next
    self.idleSeconds = UInt32(idleSeconds)
  }

  /// Bytes put into the buffer: at least one; -1 at the end, -2 to cut the connection.
  func fill(_ buffer: UnsafeMutablePointer<CChar>, _ room: Int) -> Int {
    forage_http_set_timeout(connection, 0)
    defer { forage_http_set_timeout(connection, idleSeconds) }
    while chunk.isEmpty {
      if isOver { return -1 }
      do {
        guard let new = try next() else {
          isOver = true
          return -1
        }
        chunk = new[...]
      } catch {
        return -2
      }
    }
    let part = chunk.prefix(room)
    part.withUnsafeBytes {
      UnsafeMutableRawPointer(buffer).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
    chunk = chunk.dropFirst(part.count)
    return part.count
  }
}

private let pullStream: MHD_ContentReaderCallback = { context, _, buffer, room in
  guard let context, let buffer else { return -2 }
  return Unmanaged<StreamPull>.fromOpaque(context).takeUnretainedValue().fill(buffer, room)
}

private let handleCompleted: MHD_RequestCompletedCallback = { context, _, slot, _ in
  guard let context, let slot, let existing = slot.pointee else { return }
  slot.pointee = nil
  let exchange = Unmanaged<Exchange>.fromOpaque(existing).takeRetainedValue()
  exchange.client.end()
  exchange.whenDone?()
  let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
  core.active.withLock { $0 -= 1 }
}
