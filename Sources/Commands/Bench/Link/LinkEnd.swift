// The far end: forage bench link --listen ADDRESS. It says where its three doors are, and then
// sends, takes and echoes noise until it is stopped. It reads no file but its keys and writes none
// beyond a folder of its own, so who reaches it can do no more than measure.
//
// On the port given it speaks lines, then bytes:
//
//   greeting   forage-link 1 ZEROMQ-PORT CURVE-PORT PUBLIC-KEY keys|open
//   key K      lets the public key K in at the CURVE door ("open" ends only), answers "ok"
//   echo N     each N bytes, once whole, go back
//   sink W     reads to the end; answers the bytes after the first W milliseconds, and their
//              nanoseconds
//   source N M writes N bytes at a time for M milliseconds
//
// ZeroMQ is behind the next port, CURVE behind the one after: probes, as replay answers them.

import Glibc
import Messaging
import Operations
import Wire

/// What a far end says first.
struct LinkGreeting {
  static let words = ["forage-link", "1"]

  var messagePort: Int
  var curvePort: Int
  var server: PublicKey
  /// It has keys of its own and takes no others.
  var hasKeys: Bool

  init(messagePort: Int, curvePort: Int, server: PublicKey, hasKeys: Bool) {
    self.messagePort = messagePort
    self.curvePort = curvePort
    self.server = server
    self.hasKeys = hasKeys
  }

  var line: String {
    (Self.words + ["\(messagePort)", "\(curvePort)", server.text, hasKeys ? "keys" : "open"])
      .joined(separator: " ")
  }

  /// Nil where ZeroMQ answers, as a live run does.
  init?(reading stream: TCPStream) throws(Failure) {
    let words = try stream.readLine() ?? []
    if words == ["\u{FFFD}"] { return nil }
    guard words.count == 6, Array(words[..<2]) == Self.words, let message = UInt16(words[2]),
      let curve = UInt16(words[3]), let server = PublicKey(words[4])
    else {
      throw Failure(
        "measure the link to", on: stream.peer, happened: "who answers there is not Forage",
        remedy: "name the address of forage bench link --listen, of replay or of the weights, and "
          + "run the same release on both sides", exitCode: .badInput)
    }
    self.init(
      messagePort: Int(message), curvePort: Int(curve), server: server, hasKeys: words[5] == "keys")
  }
}

final class LinkEnd {
  /// Connections served at once; further ones are closed.
  static let maximumConnections = 64
  /// A source runs no longer than this for one request.
  private static let maximumMilliseconds = 60_000
  private static let stopSeconds = 5.0

  private let listener: TCPListener
  private let greeting: LinkGreeting
  private let messages: WorkerThread
  private let stop: EventFD
  private let keys: KeyStore
  /// Holds keys made for this once, and the list of who measured.
  private let folder: BenchFolder?
  private let open = Monitor(0)

  /// Listens at `address` and the two ports after it. `keys` is a run's folder; without one each
  /// measuring end brings its own key.
  init(_ address: LinkAddress, keys path: String?) throws {
    if let path {
      folder = nil
      keys = try KeyStore(opening: path)
    } else {
      let made = try BenchFolder(in: "/tmp")
      folder = made
      keys = try KeyStore(making: made.path)
      _ = try keys.makeOwn()
    }
    listener = try TCPListener(address)
    let stop = try EventFD()
    self.stop = stop
    let bound = Monitor<Result<(Int, Int), any Error>?>(nil)
    let keyFolder = keys.folder
    let ports = [1, 2].map { address.port == 0 ? "*" : "\(address.port + $0)" }
    let host = address.host.contains(":") ? "[\(address.host)]" : address.host
    messages = try WorkerThread(name: "probes") {
      do {
        let doors = try MessageDoors(ports.map { "tcp://\(host):\($0)" }, keys: keyFolder)
        bound.withLock { $0 = .success(doors.ports) }
        bound.wakeAll()
        try doors.serve(until: stop)
      } catch {
        bound.withLock { if $0 == nil { $0 = .failure(error) } }
        bound.wakeAll()
        throw error
      }
    }
    guard let result = bound.wait(deadline: .after(seconds: 30), until: { $0 }) else {
      throw Waiting(for: "a thread to bind").expired(remedy: "check the load of this machine")
    }
    let found = try result.get()
    greeting = LinkGreeting(
      messagePort: found.0, curvePort: found.1, server: try keyFolder.server().publicKey,
      hasKeys: path != nil)
  }

  var sentence: String {
    "Listening on port \(listener.port) (TCP), \(greeting.messagePort) (ZeroMQ) and "
      + "\(greeting.curvePort) (CURVE): measure from elsewhere with forage bench link "
      + "tcp://HOST:\(listener.port)"
  }

  /// Until a stop signal.
  func run(_ signals: SignalWatch) throws {
    defer {
      stop.signal()
      _ = messages.join(deadline: .after(seconds: Self.stopSeconds))
    }
    while !signals.isStopping {
      if case .failed(let error) = messages.outcome { throw error }
      let ready = Descriptor.waitReadable(
        [listener.fileDescriptor, signals.fileDescriptor], deadline: .after(seconds: 1))
      guard ready.contains(listener.fileDescriptor), let stream = listener.accept() else {
        continue
      }
      let isRoom = open.withLock { count in
        guard count < Self.maximumConnections else { return false }
        count += 1
        return true
      }
      guard isRoom else { continue }
      let visitor = Visitor(stream: stream, greeting: greeting, keys: keys)
      _ = try WorkerThread(name: "visitor") { [open] in
        defer { open.withLock { $0 -= 1 } }
        do { try visitor.serve() } catch { BenchProgress.say("a connection ended: \(error)") }
      }
    }
  }

  /// One connection and its thread.
  private struct Visitor: @unchecked Sendable {
    let stream: TCPStream
    let greeting: LinkGreeting
    let keys: KeyStore
    /// Two ends that bring their keys at once must not lose one's line.
    private static let listLock = Monitor(0)

    func serve() throws {
      try stream.writeLine(greeting.line)
      // Who only wanted to know what answers here hangs up.
      guard let words = try stream.readLine(), let word = words.first else { return }
      let numbers = words.dropFirst().compactMap { Int($0) }
      switch (word, numbers.count) {
      case ("key", _) where words.count == 2 && !greeting.hasKeys: try admit(words[1])
      case ("echo", 1) where LinkLimits.sizes.contains(numbers[0]): try echo(numbers[0])
      case ("sink", 1) where (0...LinkEnd.maximumMilliseconds).contains(numbers[0]):
        try sink(warmMilliseconds: numbers[0])
      case ("source", 2)
      where (1...LinkLimits.sizes.upperBound).contains(numbers[0])
        && (1...LinkEnd.maximumMilliseconds).contains(numbers[1]):
        try source(numbers[0], milliseconds: numbers[1])
      default: try stream.writeLine("refused \(word)")
      }
    }

    private func admit(_ text: String) throws {
      guard let key = PublicKey(text) else { return try stream.writeLine("refused key") }
      try Self.listLock.withLock { _ in
        guard try keys.allowed()[key] == nil else { return }
        try keys.allow(
          KeyFile(
            name: "visitor-\(try keys.allowed().entries.count)", role: .actor, publicKey: key,
            secretKey: nil, server: nil))
      }
      try stream.writeLine("ok")
    }

    private func withMemory(_ count: Int, _ body: (UnsafeMutableRawPointer) throws -> Void) throws {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
      defer { memory.deallocate() }
      LinkNoise.fill(memory, count: count)
      try body(memory)
    }

    private func echo(_ count: Int) throws {
      try withMemory(count) { memory in
        while true {
          let got = try stream.read(memory, atMost: count)
          if got == 0 { return }
          if got < count { try stream.readAll(memory + got, count: count - got) }
          try stream.write(memory, count: count)
        }
      }
    }

    private func sink(warmMilliseconds: Int) throws {
      var rate = SteadyRate(warmSeconds: Double(warmMilliseconds) / 1000)
      try withMemory(LinkLimits.maximumPiece) { memory in
        while true {
          let got = try stream.read(memory, atMost: LinkLimits.maximumPiece)
          if got == 0 { break }
          rate.note(got, now: MonotonicClock.now)
        }
      }
      try stream.writeLine("\(rate.steadyBytes) \(rate.steadyNanoseconds)")
    }

    private func source(_ count: Int, milliseconds: Int) throws {
      let end = Deadline.after(seconds: Double(milliseconds) / 1000)
      try withMemory(count) { memory in
        while !end.hasPassed { try stream.write(memory, count: count) }
      }
      stream.finish()
      // It reads what is still on its way, and hangs up.
      _ = try stream.readLine()
    }
  }
}

/// The two ZeroMQ doors, on the thread that made them.
private final class MessageDoors {
  private let open: Socket
  private let locked: Socket
  private let authenticator: Authenticator?
  private let doors: [Door]
  private var desks = [ProbeDesk<[UInt8]>(service: "bench"), ProbeDesk<[UInt8]>(service: "bench")]
  let ports: (Int, Int)

  init(_ addresses: [String], keys: KeyFolder) throws {
    let context = try MessagingContext()
    var limits = SocketLimits()
    limits.maximumFrameBytes = WireLimits.maximumProbeFrameBytes
    let security = try Protection.keys(keys).security(
      in: context, admitting: [.actor, .learner, .looker])
    authenticator = security.authenticator
    // Named by the person who gave the address: it serves noise.
    open = try Socket(.router, in: context, limits: limits, security: .noneOnAnyNetwork)
    locked = try Socket(.router, in: context, limits: limits, security: security)
    ports = (
      Self.port(try open.bind(to: addresses[0])), Self.port(try locked.bind(to: addresses[1]))
    )
    let strangers = security.authenticator?.strangers ?? Strangers()
    doors = [try Door(open, strangers: strangers), try Door(locked, strangers: strangers)]
  }

  private static func port(_ endpoint: String) -> Int { LinkAddress(endpoint)?.port ?? 0 }

  func serve(until stop: EventFD) throws {
    let poller = Poller()
    poller.add(open)
    poller.add(locked)
    let stopped = poller.add(fileDescriptor: stop.fileDescriptor)
    if let authenticator { poller.add(authenticator) }
    for door in doors { door.add(to: poller) }
    while true {
      let owes = desks.contains { !$0.isEmpty }
      try poller.wait(timeoutMilliseconds: owes ? 0 : 1000)
      if !poller[stopped].isEmpty { return }
      // Answers first: the rest of a turn is no part of a round trip.
      try Self.answer(open, &desks[0])
      try Self.answer(locked, &desks[1])
      try authenticator?.serve()
      for line in authenticator?.takeLines() ?? [] { BenchProgress.say(line) }
      for door in doors { try door.watch() }
    }
  }

  private static func answer(
    _ socket: borrowing Socket, _ desk: inout ProbeDesk<[UInt8]>
  ) throws {
    for _ in 0..<ProbeDesk<[UInt8]>.answersPerTurn {
      guard let frames = try socket.receive(), let peer = frames.first else { break }
      let rest = Array(frames.dropFirst())
      var refusal: Refusal?
      var id = 0
      do throws(Refusal) {
        let envelope = try Envelope<Request>(decoding: rest)
        id = envelope.id
        if case .probe(let probe) = envelope.body {
          refusal = desk.take(probe, id: id, payload: envelope.payload, from: peer)
        } else {
          refusal = Refusal(.malformed, "only probes are answered here")
        }
      } catch { refusal = error }
      if let refusal {
        _ = try socket.send([peer] + Envelope(id: id, body: Reply.refused(refusal)).encoded())
      }
    }
    for answer in desk.takeTurn() {
      let envelope = Envelope(
        id: answer.id, body: Reply.probed(answer.body), payload: [answer.payload])
      _ = try socket.send([answer.asker] + envelope.encoded())
    }
  }
}
