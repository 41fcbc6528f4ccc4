// The weight server over real sockets: what is asked by digest comes, what is not there is said not
// to be, and no peer holds up another.

import Digests
import Experience
import Glibc
import Learning
import Messaging
import Operations
import Testing
import Wire

/// A folder for sockets that goes with its owner.
final class SocketFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/forage-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure.system("make a folder from", on: "/tmp/forage-test-XXXXXX")
    }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? Files.remove(path) }

  var weights: String { "ipc://\(path)/weights" }
  var announce: String { "ipc://\(path)/announce" }
}

/// A client that asks one thing at a time, with deadlines.
final class BlobClient {
  private let client: DealerClient
  private var nextID = 1

  init(_ endpoint: String, _ context: MessagingContext, queued: Int = 256) throws {
    var limits = SocketLimits()
    limits.receiveQueueMessages = queued
    client = try DealerClient(
      to: endpoint, peer: "the weight server", in: context, limits: limits)
  }

  func ask(_ body: BlobRequest, payload: [[UInt8]] = []) throws -> Envelope<BlobReply> {
    let id = nextID
    nextID += 1
    return try Envelope<BlobReply>(
      decoding: client.exchange(
        Envelope(id: id, body: body, payload: payload).encoded(),
        matching: { (try? Envelope<BlobReply>(decoding: $0))?.id == id },
        deadlineMilliseconds: 5_000))
  }

  func exchange(raw frames: Frames) throws -> Envelope<BlobReply> {
    try Envelope<BlobReply>(
      decoding: client.exchange(frames, matching: { _ in true }, deadlineMilliseconds: 5_000))
  }

  /// Asks without ever looking at an answer; false once there is no room to ask.
  func askDeaf(_ body: BlobRequest) throws -> Bool {
    try client.socket.send(
      Envelope(id: 0, body: body).encoded(), deadlineMilliseconds: 2_000) == .sent
  }

  func code(_ body: BlobRequest) throws -> Refusal.Code? {
    if case .refused(let refusal) = try ask(body).body { refusal.code } else { nil }
  }
}

@Suite(.serialized) struct WeightServerTests {
  let folder: SocketFolder
  let context: MessagingContext

  init() throws {
    folder = try SocketFolder()
    context = try MessagingContext()
  }

  static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    (0..<count).map {
      UInt8(truncatingIfNeeded: AddressedRandom.bits(seed: seed, domain: .shuffle, UInt64($0)))
    }
  }

  static func version(_ number: Int) -> PolicyVersion {
    PolicyVersion(lineage: "l", number: number, digest: Digest(of: [UInt8(number & 255)]))
  }

  func server(
    files: [(name: String, bytes: [UInt8])] = [], keepCount: Int = 3
  ) throws -> WeightServer {
    try WeightServer(
      .init(weights: folder.weights, announce: folder.announce), files: files,
      keepCount: keepCount, log: .silent)
  }

  @Test func `a probe is answered between chunks, and neither is changed by the other`() throws {
    let server = try server()
    defer { server.stop() }
    let blob = Self.bytes(100_000)
    let snapshot = server.publish(Self.version(7), bytes: blob)
    let client = try BlobClient(server.weightsEndpoint, context)
    for round in 1...3 {
      let probed = try client.ask(
        .probe(Probe(answerBytes: 4000)), payload: [[UInt8](repeating: 1, count: round)])
      #expect(probed.body == .probed(Probed(service: "weights", receivedBytes: round)))
      #expect(probed.payload.map(\.count) == [4000])
      let chunk = try client.ask(.chunk(digest: snapshot.blob, offset: 0, count: 100_000))
      #expect(chunk.payload == [blob])
    }
    #expect(server.counters.probes == 3 && server.counters.probeBytes == 3 * 4000 + 6)
    #expect(server.counters.bytesServed == 300_000)
  }

  @Test func `a published version is located and its chunks are its bytes`() throws {
    let server = try server()
    defer { server.stop() }
    let blob = Self.bytes(2_500_000)
    let snapshot = server.publish(Self.version(7), bytes: blob)
    let client = try BlobClient(server.weightsEndpoint, context)
    #expect(try client.ask(.locate(version: nil)).body == .located(snapshot))
    #expect(try client.ask(.locate(version: 7)).body == .located(snapshot))
    var fetched: [UInt8] = []
    while fetched.count < snapshot.byteCount {
      let answer = try client.ask(
        .chunk(
          digest: snapshot.blob, offset: fetched.count, count: WireLimits.maximumChunkBytes))
      #expect(
        answer.body == .chunk(digest: snapshot.blob, offset: fetched.count, total: blob.count))
      fetched += try #require(answer.payload.first)
    }
    #expect(fetched == blob)
    #expect(server.counters.bytesServed == blob.count)
    #expect(server.counters.bytesByVersion == [7: blob.count])
  }

  @Test func `files are served by digest for ever, an empty one as well`() throws {
    let server = try server(files: [("config.json", [1, 2, 3]), ("empty", [])], keepCount: 1)
    defer { server.stop() }
    for number in 0..<5 { server.publish(Self.version(number), bytes: [UInt8(number)]) }
    #expect(server.files.map(\.name) == ["config.json", "empty"])
    let client = try BlobClient(server.weightsEndpoint, context)
    let config = try client.ask(
      .chunk(digest: server.files[0].digest, offset: 0, count: 100))
    #expect(config.body == .chunk(digest: server.files[0].digest, offset: 0, total: 3))
    #expect(config.payload == [[1, 2, 3]])
    let empty = try client.ask(.chunk(digest: server.files[1].digest, offset: 0, count: 100))
    #expect(empty.body == .chunk(digest: server.files[1].digest, offset: 0, total: 0))
    #expect(empty.payload == [[]])
  }

  @Test func `the newest versions and the pinned ones are kept, others are gone by name`() throws {
    let server = try server(keepCount: 3)
    defer { server.stop() }
    for number in 0..<3 { server.publish(Self.version(number), bytes: [UInt8(number)]) }
    server.pin([1])
    for number in 3..<7 { server.publish(Self.version(number), bytes: [UInt8(number)]) }
    #expect(server.servedVersions == [1, 4, 5, 6])
    let client = try BlobClient(server.weightsEndpoint, context)
    let reply = try client.ask(.locate(version: 3))
    #expect(
      reply.body
        == .refused(
          Refusal(.gone, "version 3 is not served (any more); the newest is version 6")))
    #expect(try client.code(.chunk(digest: Digest(of: [3]), offset: 0, count: 1)) == .gone)
    #expect(try client.code(.locate(version: 1)) == nil)
    server.pin([])
    #expect(try client.code(.locate(version: 1)) == .gone)
  }

  @Test func `before the first version there is none to locate`() throws {
    let server = try server()
    defer { server.stop() }
    let client = try BlobClient(server.weightsEndpoint, context)
    #expect(try client.code(.locate(version: nil)) == .gone)
  }

  @Test func `a chunk outside of its blob or above the limit is refused`() throws {
    let server = try server(files: [("f", Self.bytes(100))])
    defer { server.stop() }
    let digest = server.files[0].digest
    let client = try BlobClient(server.weightsEndpoint, context)
    #expect(try client.code(.chunk(digest: digest, offset: 100, count: 1)) == .malformed)
    #expect(try client.code(.chunk(digest: digest, offset: Int.max, count: 1)) == .malformed)
    #expect(
      try client.code(.chunk(digest: digest, offset: 0, count: WireLimits.maximumChunkBytes + 1))
        != nil)
    #expect(try client.code(.chunk(digest: digest, offset: 99, count: 50)) == nil)
    #expect(server.counters.bytesServed == 1)
  }

  @Test func `what is no request is refused and the server goes on`() throws {
    let server = try server(files: [("f", [1])])
    defer { server.stop() }
    let client = try BlobClient(server.weightsEndpoint, context)
    for frames in [[[]], [Array("{".utf8)], [Array("{\"kind\":\"what\"}".utf8), [1], [2]]] {
      guard case .refused = try client.exchange(raw: frames).body else {
        Issue.record("\(frames) was taken")
        continue
      }
    }
    #expect(try client.code(.chunk(digest: server.files[0].digest, offset: 0, count: 1)) == nil)
    #expect(Array(server.counters.refused.names.values) == [[.malformed: 3]])
    // An ipc peer's address is its user, group and process.
    let address = "localhost:\(getuid()):\(getgid()):\(getpid())"
    #expect(server.counters.refused.names.keys.first == address)
  }

  @Test func `a version is announced when it is published, and again for who came late`() throws {
    let server = try server()
    defer { server.stop() }
    let subscriber = try Socket(.subscriber, in: context)
    try subscriber.connect(to: server.announceEndpoint)
    try subscriber.subscribe()
    let snapshot = server.publish(Self.version(4), bytes: [1, 2, 3])
    let poller = Poller()
    poller.add(subscriber)
    var heard: [Snapshot] = []
    let deadline = Deadline.after(seconds: 5)
    while heard.count < 2, !deadline.hasPassed {
      try poller.wait(timeoutMilliseconds: 100)
      while let frames = try subscriber.receive() {
        heard.append(try Snapshot(decodingAnnouncement: frames[0]))
      }
    }
    #expect(heard.count >= 2)
    #expect(heard.allSatisfy { $0 == snapshot })
  }

  @Test func `a peer that asks and never reads holds up nobody`() throws {
    let server = try server()
    defer { server.stop() }
    let snapshot = server.publish(Self.version(1), bytes: Self.bytes(1 << 20))
    let deaf = try BlobClient(server.weightsEndpoint, context, queued: 4)
    let greedy = BlobRequest.chunk(
      digest: snapshot.blob, offset: 0, count: WireLimits.maximumChunkBytes)
    // Its queue, the server's toward it and the kernel's hold some seventy; the rest must go.
    let asked = 3 * WeightServer.sendQueueMessages
    for _ in 0..<asked {
      let isAsked = try deaf.askDeaf(greedy)
      #expect(isAsked)
    }
    let client = try BlobClient(server.weightsEndpoint, context)
    let start = MonotonicClock.now
    #expect(try client.code(.chunk(digest: snapshot.blob, offset: 0, count: 10)) == nil)
    #expect(MonotonicClock.seconds(since: start) < 4)
    let deadline = Deadline.after(seconds: 10)
    while server.counters.chunksServed < asked + 1, !deadline.hasPassed { usleep(2_000) }
    #expect(server.counters.answersDropped > 0)
  }

  @Test func `an address that is taken or open to others is an error of the start`() throws {
    let first = try WeightServer(
      .init(weights: "tcp://127.0.0.1:*", announce: folder.announce), files: [], keepCount: 1,
      log: .silent)
    defer { first.stop() }
    func start(_ weights: String) throws {
      _ = try WeightServer(
        .init(weights: weights, announce: "\(folder.announce)2"), files: [], keepCount: 1,
        log: .silent)
    }
    let error = #expect(throws: MessagingError.self) { try start(first.weightsEndpoint) }
    #expect(error?.description.contains(first.weightsEndpoint) == true)
    #expect(throws: MessagingError.self) { try start("tcp://0.0.0.0:*") }
  }
}
