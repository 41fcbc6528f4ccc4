// Asking: the right answer among late ones, and every way of getting none.

import Glibc
import Messaging
import Testing

@Suite struct DealerClientTests {
  /// Answers every message with `answers` on a thread of its own until the context is shut down.
  private func serve(
    _ context: MessagingContext, at endpoint: String,
    _ answers: @escaping @Sendable (Frames) -> [Frames]
  ) {
    startThread {
      guard let router = try? Socket(.router, in: context),
        (try? router.bind(to: endpoint)) != nil
      else { return }
      let poller = Poller()
      poller.add(router)
      while (try? poller.wait(timeoutMilliseconds: 5_000)) != nil {
        while let message = try? router.receive() {
          for answer in answers(Array(message.dropFirst())) {
            _ = try? router.send([message[0]] + answer)
          }
        }
      }
    }
  }

  @Test func `an answer is paired with its request, and the late ones are counted`() throws {
    let context = try MessagingContext()
    defer { context.shutDown() }
    serve(context, at: "inproc://paired") { message in [[[200]], [[201]], message] }
    let client = try DealerClient(to: "inproc://paired", peer: "the echo", in: context)
    for number in 0..<10 as Range<UInt8> {
      let reply = try client.exchange(
        [[number], [1, 2]], matching: { $0[0] == [number] }, deadlineMilliseconds: 5_000)
      #expect(reply == [[number], [1, 2]])
    }
    #expect(client.lateReplies == 20)
  }

  @Test func `no answer is an error that names the peer, the wait and the connection`() throws {
    let context = try MessagingContext()
    defer { context.shutDown() }
    let router = try Socket(.router, in: context)
    let address = try router.bind(to: "tcp://127.0.0.1:*")
    let client = try DealerClient(to: address, peer: "replay", in: context)
    while try !client.isConnected() { usleep(1_000) }
    let error = #expect(throws: MessagingError.self) {
      _ = try client.exchange([[1]], matching: { _ in true }, deadlineMilliseconds: 300)
    }
    guard case .timedOut("replay", let milliseconds, let connection) = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect((300..<30_000).contains(milliseconds))
    #expect(connection == "in conversation with \(address)")
    #expect(try client.isConnected())
  }

  @Test func `a peer that is not there is told from one that is slow`() throws {
    let context = try MessagingContext()
    let address: String
    do {
      let socket = try Socket(.router, in: context)
      address = try socket.bind(to: "tcp://127.0.0.1:*")
    }
    let client = try DealerClient(to: address, peer: "replay", in: context)
    let error = #expect(throws: MessagingError.self) {
      _ = try client.exchange([[1]], matching: { _ in true }, deadlineMilliseconds: 1_500)
    }
    #expect(error?.description.contains("no connection to \(address)") == true)
    #expect(try !client.isConnected())
  }

  @Test func `a wake descriptor ends the wait and keeps its value`() throws {
    let context = try MessagingContext()
    let client = try DealerClient(to: "inproc://nobody", peer: "replay", in: context)
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    #expect(write(ends[1], [7], 1) == 1)
    let wake = ends[0]
    let error = #expect(throws: MessagingError.self) {
      _ = try client.exchange(
        [[1]], matching: { _ in true }, deadlineMilliseconds: 60_000, wake: wake)
    }
    #expect(error?.reason == .woken)
    var value: UInt8 = 0
    #expect(read(wake, &value, 1) == 1 && value == 7)
  }

  @Test func `shutting the context down ends a wait from another thread`() throws {
    let context = try MessagingContext()
    let client = try DealerClient(to: "inproc://nobody", peer: "replay", in: context)
    startThread {
      usleep(100_000)
      context.shutDown()
    }
    let error = #expect(throws: MessagingError.self) {
      _ = try client.exchange([[1]], matching: { _ in true }, deadlineMilliseconds: 60_000)
    }
    #expect(error?.reason == .ended)
  }

  /// Takes a request, answers nothing, and goes: with it the request.
  private func takeOne(at endpoint: String) throws {
    let router = try Socket(.router, in: MessagingContext())
    try router.bind(to: endpoint)
    let poller = Poller()
    poller.add(router)
    while try router.receive() == nil { try poller.wait(timeoutMilliseconds: 50) }
  }

  @Test func `a request that went with its connection is told of once another stands`() throws {
    let path = "/tmp/forage-\(getpid())-lost"
    defer { unlink(path) }
    let context = try MessagingContext()
    defer { context.shutDown() }
    let client = try DealerClient(to: "ipc://" + path, peer: "replay", in: context)
    func ask(_ number: UInt8) throws -> Frames {
      try client.exchange(
        [[number]], matching: { $0[0] == [number] }, deadlineMilliseconds: 60_000,
        untilReconnected: true)
    }
    let own = try MessagingContext()
    defer { own.shutDown() }
    startThread {
      try? self.takeOne(at: "ipc://" + path)
      self.serve(own, at: "ipc://" + path) { [$0] }
    }
    let error = #expect(throws: MessagingError.self) { try ask(1) }
    #expect(error?.reason == .reconnected(peer: "replay"))
    // The connection that stands now is as good as the first was.
    #expect(try ask(2) == [[2]])
  }

  @Test func `a client finds a service that comes, goes and comes again`() throws {
    let path = "/tmp/forage-\(getpid())-again"
    defer { unlink(path) }
    let endpoint = "ipc://" + path
    let context = try MessagingContext()
    defer { context.shutDown() }
    let client = try DealerClient(to: endpoint, peer: "replay", in: context)
    for round in 0..<2 as Range<UInt8> {
      let own = try MessagingContext()
      serve(own, at: endpoint) { [$0] }
      // A request in flight when the service goes is lost; asking again is the caller's part.
      var reply: Frames?
      for _ in 0..<10 where reply == nil {
        reply = try? client.exchange(
          [[round]], matching: { $0[0] == [round] }, deadlineMilliseconds: 1_000)
      }
      #expect(reply == [[round]])
      own.shutDown()
    }
  }
}

/// A plain thread: what blocks in C must not sit on Swift's cooperative pool.
func startThread(_ body: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let status = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  precondition(status == 0, "pthread_create answered \(status)")
  pthread_detach(thread)
}
