// The three pages by which a process is looked at from outside: /metrics in Prometheus' text
// format, /healthz (it is alive) and /readyz (it does its work). Nothing is changed by asking, so
// there is no token; but numbers tell, so an address that others reach is refused unless the risk
// is named.

/// Serves the three pages from closures, on threads of its own.
public final class StatusPages: Sendable {
  /// Scrapers and probes: each asks one small thing at a time.
  static let maximumConnections = 16
  static let maximumBodyBytes = 1024

  /// What a scraper names the text format it is given.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// Whether a process does what it is for; one line: "ready", or what it waits for.
  public typealias Readiness = (isReady: Bool, text: String)

  private let server: HTTPServer

  /// Both closures are called on other threads, several at once, and must not block.
  public init(
    _ address: HTTPAddress, allowRoutable: Bool,
    metrics: @escaping @Sendable () -> String, readiness: @escaping @Sendable () -> Readiness
  ) throws(HTTPError) {
    try Self.check(address, allowRoutable: allowRoutable)
    var limits = HTTPLimits()
    limits.connections = Self.maximumConnections
    limits.bodyBytes = Self.maximumBodyBytes
    server = try HTTPServer(address, limits: limits) { request in
      Self.answer(request, metrics: metrics, readiness: readiness)
    }
  }

  /// Throws for an address that others can reach, unless that is allowed.
  public static func check(_ address: HTTPAddress, allowRoutable: Bool) throws(HTTPError) {
    guard !address.isLoopback, !allowRoutable else { return }
    throw HTTPError(
      operation: "listen on", address: "\(address)",
      reason: .routable(
        risk: "whoever does can read the run's numbers",
        remedy: "listen on 127.0.0.1 and forward the port over ssh, or accept the risk"
          + " (metrics.allowRoutable: true; of an actor --allow-routable-metrics)"))
  }

  /// Pages at HOST:PORT; nil, after `say` heard why, where they cannot be: nobody stops his work
  /// for want of being looked at.
  public static func start(
    at text: String, allowRoutable: Bool, say: (String) -> Void,
    metrics: @escaping @Sendable () -> String, readiness: @escaping @Sendable () -> Readiness
  ) -> StatusPages? {
    do throws(HTTPError) {
      return try StatusPages(
        HTTPAddress(text), allowRoutable: allowRoutable, metrics: metrics, readiness: readiness)
    } catch {
      say("\(error); going on without")
      return nil
    }
  }

  /// Where it listens, with the port it really has.
  public var address: HTTPAddress { server.address }

  public func stop() { server.stop() }

  private static func answer(
    _ request: HTTPRequest, metrics: () -> String, readiness: () -> Readiness
  ) -> HTTPResponse {
    guard ["GET", "HEAD"].contains(request.method) else {
      return .text("only GET is answered\n", status: 405)
    }
    switch request.path {
    case "/metrics":
      return HTTPResponse(contentType: contentType, body: .bytes(Array(metrics().utf8)))
    case "/healthz": return .text("alive\n")
    case "/readyz":
      let readiness = readiness()
      return .text(readiness.text + "\n", status: readiness.isReady ? 200 : 503)
    default: return .text("there are /metrics, /healthz and /readyz\n", status: 404)
    }
  }
}
