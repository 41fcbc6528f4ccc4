// Sockets over real transports: what arrives, what is refused, and what silence becomes.

import Glibc
import Messaging
import Testing

/// Far above what a loopback exchange takes, far below a person's patience.
private let patienceMilliseconds = 20_000

/// A router and a dealer in conversation: the router has heard the dealer and knows its identity.
private final class Conversation {
  let router: Socket
  let dealer: Socket
  let identity: [UInt8]

  init(
    at endpoint: String, limits: SocketLimits = SocketLimits(),
    dealerLimits: SocketLimits = SocketLimits()
  ) throws {
    let context = try MessagingContext()
    router = try Socket(.router, in: context, limits: limits)
    let address = try router.bind(to: endpoint)
    dealer = try Socket(.dealer, in: context, limits: dealerLimits)
    try dealer.connect(to: address)
    #expect(try dealer.send([[1]], deadlineMilliseconds: patienceMilliseconds) == .sent)
    let hello = try awaitMessage(at: router)
    identity = try #require(hello?.first)
  }
}

private func awaitMessage(
  at socket: borrowing Socket, milliseconds: Int = patienceMilliseconds,
  onOversized: (OversizedMessage) -> Void = { _ in }
) throws -> Frames? {
  let poller = Poller()
  poller.add(socket)
  for _ in 0..<64 {
    if let frames = try socket.receive(onOversized: onOversized) { return frames }
    if try poller.wait(timeoutMilliseconds: milliseconds) == 0 { return nil }
  }
  return nil
}

private func temporaryPath(_ name: String) -> String { "/tmp/forage-\(getpid())-\(name)" }

@Suite struct SocketTests {
  @Test(arguments: ["tcp://127.0.0.1:*", "inproc://both-ways", "ipc://PATH"])
  func `frames of every size arrive as they were sent, both ways`(endpoint: String) throws {
    let path = temporaryPath("both-ways")
    defer { unlink(path) }
    let endpoint = endpoint.replacing("PATH", with: path)
    let talk = try Conversation(at: endpoint)
    let frames: Frames = [
      [], [0], (0..<29).map { $0 }, [UInt8](repeating: 7, count: 1 << 20), [],
    ]
    #expect(try talk.dealer.send(frames) == .sent)
    #expect(try awaitMessage(at: talk.router) == [talk.identity] + frames)
    #expect(try talk.router.send([talk.identity] + frames) == .sent)
    #expect(try awaitMessage(at: talk.dealer) == frames)
  }

  @Test func `an identity nobody has is unroutable`() throws {
    let talk = try Conversation(at: "tcp://127.0.0.1:*")
    #expect(try talk.router.send([[9, 9, 9], [1]]) == .unroutable)
  }

  @Test func `a dealer without a connection queues nothing`() throws {
    let context = try MessagingContext()
    let dealer = try Socket(.dealer, in: context)
    try dealer.connect(to: "ipc://" + temporaryPath("nobody"))
    #expect(try dealer.send([[1]]) == .wouldBlock)
    #expect(try dealer.send([[1]], deadlineMilliseconds: 50) == .wouldBlock)
  }

  @Test func `a full queue says so and takes no memory`() throws {
    var limits = SocketLimits()
    limits.receiveQueueMessages = 4
    var dealerLimits = SocketLimits()
    dealerLimits.sendQueueMessages = 4
    let talk = try Conversation(at: "inproc://full", limits: limits, dealerLimits: dealerLimits)
    var sent: UInt8 = 0
    while sent < 100, try talk.dealer.send([[sent]]) == .sent { sent += 1 }
    // An inproc pipe holds the sum of both sides' limits, and libzmq's own slack.
    #expect((4...16).contains(sent))
    for number in 0..<sent {
      #expect(try awaitMessage(at: talk.router) == [talk.identity, [number]])
    }
    #expect(try talk.dealer.send([[0]], deadlineMilliseconds: patienceMilliseconds) == .sent)
  }

  @Test func `a message above the sender's own limit is refused with both numbers`() throws {
    var limits = SocketLimits()
    limits.maximumFrameBytes = 1000
    limits.maximumMessageBytes = 1500
    limits.maximumFrames = 3
    let talk = try Conversation(at: "inproc://sender-limit", dealerLimits: limits)
    let cases: [(Frames, MessagingError.Reason)] = [
      ([[UInt8](repeating: 0, count: 1001)], .tooLarge(bytes: 1001, maximum: 1000)),
      (
        Array(repeating: [UInt8](repeating: 0, count: 800), count: 2),
        .tooLarge(bytes: 1600, maximum: 1500)
      ),
      (Array(repeating: [], count: 4), .tooManyFrames(count: 4, maximum: 3)),
      ([], .tooManyFrames(count: 0, maximum: 3)),
    ]
    for (frames, reason) in cases {
      let error = #expect(throws: MessagingError.self) { _ = try talk.dealer.send(frames) }
      #expect(error?.reason == reason)
    }
  }

  @Test(arguments: [4, 5, 40])
  func `a message of too many frames is drained, counted and told, and the next one is whole`(
    count: Int
  ) throws {
    var limits = SocketLimits()
    limits.maximumFrames = 4
    let talk = try Conversation(at: "inproc://frames-\(count)", limits: limits)
    _ = try talk.dealer.send(Array(repeating: [1], count: count))
    _ = try talk.dealer.send([[2], [], [3]])
    var told: [OversizedMessage] = []
    #expect(try awaitMessage(at: talk.router) { told.append($0) } == [talk.identity, [2], [], [3]])
    #expect(told.map(\.frameCount) == [count + 1])
    #expect(told.first?.firstFrame == talk.identity)
    #expect(talk.router.oversizedCount == 1)
  }

  @Test func `a message of too many bytes is drained, and one of exactly as many is kept`() throws {
    var limits = SocketLimits()
    limits.maximumMessageBytes = 1005
    let talk = try Conversation(at: "inproc://bytes", limits: limits)
    // A talk.dealer's talk.identity has five bytes.
    try #require(talk.identity.count == 5)
    let half = [UInt8](repeating: 5, count: 500)
    _ = try talk.dealer.send([half, half, [6]])
    _ = try talk.dealer.send([half, half, []])
    #expect(try awaitMessage(at: talk.router) == [talk.identity, half, half, []])
    #expect(talk.router.oversizedCount == 1)
  }

  @Test func `a frame above the receiver's limit costs the sender its connection`() throws {
    var limits = SocketLimits()
    limits.maximumFrameBytes = 1000
    let context = try MessagingContext()
    let router = try Socket(.router, in: context, limits: limits)
    let address = try router.bind(to: "tcp://127.0.0.1:*")
    let dealer = try Socket(.dealer, in: context)
    let monitor = try SocketMonitor(dealer)
    try dealer.connect(to: address)
    let frame = [UInt8](repeating: 0, count: 1001)
    #expect(try dealer.send([frame], deadlineMilliseconds: patienceMilliseconds) == .sent)
    #expect(try awaitEvent(.disconnected(endpoint: address), from: monitor))
    #expect(try router.receive() == nil)
  }

  @Test func `a subscriber hears what it asked for`() throws {
    let context = try MessagingContext()
    let publisher = try Socket(.publisher, in: context)
    let address = try publisher.bind(to: "inproc://news")
    let subscriber = try Socket(.subscriber, in: context)
    try subscriber.subscribe(toPrefix: [1])
    try subscriber.connect(to: address)
    // A subscription travels on its own time: announce until one is heard.
    var heard: Frames?
    for number in 0..<100 where heard == nil {
      _ = try publisher.send([[2, UInt8(number)]])
      _ = try publisher.send([[1, 7]])
      heard = try awaitMessage(at: subscriber, milliseconds: 50)
    }
    #expect(heard == [[1, 7]])
  }
}

/// Waits for one event among others.
func awaitEvent(_ wanted: SocketEvent, from monitor: SocketMonitor) throws -> Bool {
  let poller = Poller()
  poller.add(monitor)
  for _ in 0..<64 {
    while let event = try monitor.next() {
      if event == wanted { return true }
    }
    if try poller.wait(timeoutMilliseconds: 20_000) == 0 { return false }
  }
  return false
}
