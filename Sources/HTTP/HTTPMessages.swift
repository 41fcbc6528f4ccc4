// What a handler is given and what it answers: plain values, and a stream that is pulled.

/// A request, read whole.
public struct HTTPRequest: Sendable {
  /// In capitals as sent: "GET".
  public var method: String
  /// Percent-decoded, without the query: "/v1/models".
  public var path: String
  /// What follows the path's question mark, percent-decoded, in the order sent.
  public var query: [(name: String, value: String)]
  /// In the order sent, names as sent.
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]
  /// Who asked.
  public var client: HTTPClient

  /// The first value the query has under this name.
  public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// The first header of this name, in whatever case.
  public func header(_ name: String) -> String? {
    let wanted = name.lowercased()
    return headers.first { $0.name.lowercased() == wanted }?.value
  }
}

/// An answer.
public struct HTTPResponse: Sendable {
  public enum Body: Sendable {
    case bytes([UInt8])
    /// Pulled on the connection's own thread until nil; it may block there, and looks whether the
    /// client is gone while it does. A throw cuts the connection, which clients see.
    case stream(@Sendable () throws -> [UInt8]?)
  }

  public var status: Int
  public var headers: [(name: String, value: String)]
  public var body: Body
  /// Called once when the last byte was taken or the client is gone; any thread.
  public var whenDone: (@Sendable () -> Void)?

  public init(
    status: Int = 200, contentType: String, headers: [(name: String, value: String)] = [],
    body: Body, whenDone: (@Sendable () -> Void)? = nil
  ) {
    self.status = status
    self.headers = [("Content-Type", contentType)] + headers
    self.body = body
    self.whenDone = whenDone
  }

  public static func text(_ text: String, status: Int = 200) -> HTTPResponse {
    HTTPResponse(
      status: status, contentType: "text/plain; charset=utf-8", body: .bytes(Array(text.utf8)))
  }
}

/// How much a server takes. Each connection has a thread of its own while it lasts.
public struct HTTPLimits: Sendable {
  /// More than these wait to be accepted, in the kernel's queue of `backlog`.
  public var connections = 64
  public var backlog = 128
  /// Request line and headers; a longer one is answered 431 (414 for its line).
  public var headerBytes = 32 << 10
  /// A longer body is answered 413.
  public var bodyBytes = 1 << 20
  /// Without a byte either way while a request is read or an answer is written.
  public var idleSeconds = 30
  /// From a request's headers to the end of its body, however it trickles.
  public var bodySeconds = 60.0

  public init() {}
}
