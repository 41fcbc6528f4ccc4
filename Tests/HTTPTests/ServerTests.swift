// The server against a raw socket: what a handler is given, what a client gets, and every limit.

import Foundation
import HTTP
import Synchronization
import Testing

@Suite struct ServerTests {
  @Test func `a handler sees method, path, headers and body, and its answer arrives`() throws {
    let server = try HTTPServer(loopback()) { request in
      let name = request.header("x-NAME") ?? "none"
      let body = String(decoding: request.body, as: UTF8.self)
      return .text("\(request.method) \(request.path) \(name) \(body)", status: 201)
    }
    let reply = try RawClient(server.address).ask(
      "POST", "/a%20b?c=d", headers: ["X-Name: grüße"], body: "hello")
    #expect(reply.status == 201)
    #expect(reply.body == "POST /a b grüße hello")
    #expect(reply.head.contains("Content-Type: text/plain; charset=utf-8"))
  }

  @Test func `a query is told apart from its path, decoded and in order`() throws {
    let server = try HTTPServer(loopback()) { request in
      let query = request.query.map { "\($0.name)=\($0.value);" }.joined()
      return .text("\(request.path) \(query) \(request.query("b") ?? "none")")
    }
    let client = try RawClient(server.address)
    #expect(client.ask("GET", "/p?b=1%262&a=x+y&b=3&c").body == "/p b=1&2;a=x y;b=3;c=; 1&2")
    #expect(try RawClient(server.address).ask("GET", "/p").body == "/p  none")
  }

  @Test func `one connection serves many requests`() throws {
    let server = try HTTPServer(loopback()) { .text($0.path) }
    let client = try RawClient(server.address)
    for path in ["/one", "/two", "/three"] {
      client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.receive().hasSuffix(path))
    }
  }

  @Test func `each chunk of a stream arrives before the next is made`() throws {
    let taken = Mutex(0)
    let made = Mutex(0)
    let server = try HTTPServer(loopback()) { _ in
      HTTPResponse(
        contentType: "text/plain",
        body: .stream {
          let next = made.withLock { count -> Int in
            count += 1
            return count
          }
          if next == 4 { return nil }
          // The client says when it has the one before: one that waited for more would never.
          guard eventually({ taken.withLock { $0 } == next - 1 }) else { return nil }
          return Array("chunk \(next);".utf8)
        })
    }
    let client = try RawClient(server.address)
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    var text = ""
    for number in 1...3 {
      while !text.contains("chunk \(number);") {
        let part = client.receive()
        try #require(!part.isEmpty)
        text += part
      }
      taken.withLock { $0 = number }
    }
    while !text.hasSuffix("0\r\n\r\n") {
      let part = client.receive()
      try #require(!part.isEmpty)
      text += part
    }
    #expect(made.withLock { $0 } == 4)
  }

  @Test func `a chunk longer than the library's buffer arrives whole`() throws {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
    let rest = Mutex<[[UInt8]]>([long, [], Array("end".utf8)])
    let server = try HTTPServer(loopback()) { _ in
      HTTPResponse(
        contentType: "text/plain",
        body: .stream { rest.withLock { $0.isEmpty ? nil : $0.removeFirst() } })
    }
    // HTTP/1.0 has no chunks: the body ends with the connection.
    let client = try RawClient(server.address)
    client.send("GET / HTTP/1.0\r\n\r\n")
    let body = RawClient.reply(client.receiveAll()).body
    #expect(body.utf8.count == 300_003 && body.hasSuffix("xend"))
  }

  @Test func `a stream that fails is cut, not ended`() throws {
    struct Fault: Error {}
    let isFirst = Mutex(true)
    let server = try HTTPServer(loopback()) { _ in
      HTTPResponse(
        contentType: "text/plain",
        body: .stream {
          guard
            isFirst.withLock({ first in
              defer { first = false }
              return first
            })
          else {
            throw Fault()
          }
          return Array("half".utf8)
        })
    }
    let client = try RawClient(server.address)
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let all = client.receiveAll()
    #expect(all.contains("half") && !all.contains("0\r\n\r\n"))
  }

  @Test func `a client that goes away is seen while a handler waits, and its end is told`() throws {
    let saw = Mutex(false)
    let done = Mutex(0)
    let server = try HTTPServer(loopback()) { request in
      let gone = eventually { request.client.isGone }
      saw.withLock { $0 = gone }
      var response = HTTPResponse.text("nobody reads this")
      response.whenDone = { done.withLock { $0 += 1 } }
      return response
    }
    let client = try RawClient(server.address)
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(eventually { server.activeRequests == 1 })
    #expect(!saw.withLock { $0 })
    client.hangUp()
    #expect(eventually { done.withLock { $0 } == 1 })
    #expect(saw.withLock { $0 })
    #expect(eventually { server.activeRequests == 0 })
  }

  @Test func `a handler slower than the idle time-out is waited for`() throws {
    var limits = HTTPLimits()
    limits.idleSeconds = 1
    let server = try HTTPServer(loopback(), limits: limits) { _ in
      usleep(1_600_000)
      return .text("late")
    }
    #expect(try RawClient(server.address).ask("GET", "/").body == "late")
  }

  @Test func `a silent connection is closed after the idle time-out`() throws {
    var limits = HTTPLimits()
    limits.idleSeconds = 1
    let server = try HTTPServer(loopback(), limits: limits) { .text($0.path) }
    let client = try RawClient(server.address)
    client.send("GET / HTTP/1.1\r\nHos")
    #expect(client.receiveAll().isEmpty)
  }

  @Test(arguments: [true, false])
  func `a body above the limit gets 413 and no handler`(_ isChunked: Bool) throws {
    var limits = HTTPLimits()
    limits.bodyBytes = 1000
    let calls = Mutex(0)
    let server = try HTTPServer(loopback(), limits: limits) { request in
      calls.withLock { $0 += 1 }
      return .text("\(request.body.count)")
    }
    func post(_ count: Int) throws -> RawClient.Reply {
      let body = String(repeating: "x", count: count)
      let client = try RawClient(server.address)
      guard isChunked else { return client.ask("POST", "/", body: body) }
      client.send(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
      return RawClient.reply(client.receiveAll())
    }
    #expect(try post(1000).body == "1000")
    #expect(try post(1001).status == 413)
    #expect(calls.withLock { $0 } == 1)
  }

  @Test func `headers above the limit are refused`() throws {
    var limits = HTTPLimits()
    limits.headerBytes = 4096
    let server = try HTTPServer(loopback(), limits: limits) { .text($0.path) }
    let long = "X-Long: " + String(repeating: "y", count: 8000)
    let status = try RawClient(server.address).ask("GET", "/", headers: [long]).status
    #expect(status == 431 || status == 413)
  }

  @Test func `connections beyond the limit wait or are closed, and never reach a handler`() throws {
    var limits = HTTPLimits()
    limits.connections = 2
    let isOpen = Mutex(false)
    let now = Mutex(0)
    let most = Mutex(0)
    let server = try HTTPServer(loopback(), limits: limits) { _ in
      let count = now.withLock {
        $0 += 1
        return $0
      }
      most.withLock { $0 = max($0, count) }
      _ = eventually { isOpen.withLock { $0 } }
      now.withLock { $0 -= 1 }
      return .text("ok")
    }
    let clients = try (0..<5).map { _ in try RawClient(server.address) }
    for client in clients { client.send("GET / HTTP/1.0\r\n\r\n") }
    #expect(eventually { now.withLock { $0 } == 2 })
    usleep(100_000)
    isOpen.withLock { $0 = true }
    #expect(clients.filter { $0.receiveAll().hasSuffix("ok") }.count >= 2)
    #expect(most.withLock { $0 } == 2)
  }

  @Test func `draining answers what was asked and takes nothing new`() throws {
    let isOpen = Mutex(false)
    let server = try HTTPServer(loopback()) { _ in
      _ = eventually { isOpen.withLock { $0 } }
      return .text("answered")
    }
    let client = try RawClient(server.address)
    client.send("GET / HTTP/1.0\r\n\r\n")
    #expect(eventually { server.activeRequests == 1 })
    #expect(!server.drain(withinSeconds: 0.05))
    #expect(throws: RawClient.NoConnection.self) { try RawClient(server.address) }
    isOpen.withLock { $0 = true }
    #expect(client.receiveAll().hasSuffix("answered"))
    #expect(server.drain(withinSeconds: 5))
    server.stop()
  }

  @Test func `a taken port is an error that says so, with the status of taken ports`() throws {
    let server = try HTTPServer(loopback()) { .text($0.path) }
    let error = #expect(throws: HTTPError.self) {
      try HTTPServer(server.address) { .text($0.path) }
    }
    #expect(error?.exitStatus == 82)
    #expect(
      error?.description
        == "listen on \(server.address) failed: address already in use (errno 98); "
        + "check that the port is free (ss -ltnp) or name another")
    // Once it stops, its port is free at once.
    let address = server.address
    server.stop()
    _ = try HTTPServer(address) { .text($0.path) }
  }
}

@Suite struct AddressTests {
  @Test func `addresses are taken apart, and what only this machine reaches is known`() throws {
    let cases: [(text: String, written: String, isLoopback: Bool)] = [
      ("127.0.0.1:8000", "127.0.0.1:8000", true), ("localhost:1", "127.0.0.1:1", true),
      (":80", "127.0.0.1:80", true), ("9100", "127.0.0.1:9100", true),
      ("127.9.9.9:0", "127.9.9.9:0", true), ("[::1]:8000", "[::1]:8000", true),
      ("0.0.0.0:8000", "0.0.0.0:8000", false), ("[::]:8000", "[::]:8000", false),
      ("10.0.0.1:8000", "10.0.0.1:8000", false),
      ("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", false),
    ]
    for (text, written, isLoopback) in cases {
      let address = try HTTPAddress(text)
      #expect("\(address)" == written)
      #expect(address.isLoopback == isLoopback, "\(text)")
    }
  }

  @Test(arguments: [
    "", "x", "127.0.0.1:65536", "example.org:80", "::1:80", "127.0.0.1:-1", "1:2:3",
  ])
  func `what is no address is refused before anything is bound`(_ text: String) {
    let error = #expect(throws: HTTPError.self) { try HTTPAddress(text) }
    #expect(error?.exitStatus == 2)
  }
}

@Suite struct StatusPagesTests {
  @Test func `the three pages answer, readiness by its status, everything else is refused`() throws
  {
    let isReady = Mutex(false)
    let pages = try StatusPages(
      loopback(), allowRoutable: false, metrics: { "forage_up 1\n" },
      readiness: {
        let ready = isReady.withLock { $0 }
        return (ready, ready ? "ready" : "waits for replay")
      })
    func get(_ path: String, _ method: String = "GET") throws -> RawClient.Reply {
      try RawClient(pages.address).ask(method, path)
    }
    let metrics = try get("/metrics")
    #expect(metrics.status == 200 && metrics.body == "forage_up 1\n")
    #expect(metrics.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"))
    #expect(try get("/healthz").status == 200)
    var readiness = try get("/readyz")
    #expect(readiness.status == 503 && readiness.body == "waits for replay\n")
    isReady.withLock { $0 = true }
    readiness = try get("/readyz")
    #expect(readiness.status == 200 && readiness.body == "ready\n")
    #expect(try get("/").status == 404)
    #expect(try get("/metrics", "DELETE").status == 405)
    let head = try get("/healthz", "HEAD")
    #expect(head.status == 200 && head.body.isEmpty)
  }

  @Test func `an address others reach is refused unless the risk is named`() throws {
    let all = try HTTPAddress("0.0.0.0:0")
    let error = #expect(throws: HTTPError.self) {
      try StatusPages.check(all, allowRoutable: false)
    }
    #expect(error?.exitStatus == 77)
    try StatusPages.check(all, allowRoutable: true)
  }
}
