// Blobs on their way in: whatever is lost, late, doubled or corrupt, the bytes that come out are
// those of the digest, or nothing does.

import Acting
import Digests
import Experience
import Testing
import Wire

/// A weight server that answers in memory, with faults on demand.
struct MemoryServer {
  var blobs: [Digest: [UInt8]] = [:]
  var snapshots: [Int: Snapshot] = [:]
  var newest: Int?

  mutating func publish(_ number: Int, _ bytes: [UInt8]) -> Snapshot {
    let snapshot = Snapshot(
      version: PolicyVersion(lineage: "l", number: number, digest: Digest(of: [1])),
      blob: Digest(of: bytes), byteCount: bytes.count, encoding: "f32")
    blobs[snapshot.blob] = bytes
    snapshots[number] = snapshot
    newest = number
    return snapshot
  }

  mutating func forget(_ number: Int) {
    guard let snapshot = snapshots.removeValue(forKey: number) else { return }
    blobs[snapshot.blob] = nil
  }

  func answer(_ request: Envelope<BlobRequest>) -> Envelope<BlobReply> {
    func gone() -> Envelope<BlobReply> {
      Envelope(id: request.id, body: .refused(Refusal(.gone, "the newest is \(newest ?? -1)")))
    }
    switch request.body {
    case .probe: return gone()
    case .locate(let version):
      guard let snapshot = (version ?? newest).flatMap({ snapshots[$0] }) else { return gone() }
      return Envelope(id: request.id, body: .located(snapshot))
    case .chunk(let digest, let offset, let count):
      guard let bytes = blobs[digest] else { return gone() }
      return Envelope(
        id: request.id, body: .chunk(digest: digest, offset: offset, total: bytes.count),
        payload: [Array(bytes[offset..<min(bytes.count, offset + count)])])
    }
  }
}

func patternBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  (0..<count).map {
    UInt8(truncatingIfNeeded: AddressedRandom.bits(seed: seed, domain: .shuffle, UInt64($0)))
  }
}

struct FetcherTests {
  static func fetcher() -> Fetcher {
    Fetcher(maximumFileBytes: 8 << 20, maximumSnapshotBytes: 32 << 20)
  }

  /// Lets the fetcher run against the server; `fate` says what comes of each answer.
  enum Fate { case arrives, isLost, isDoubled, isFlipped }

  static func run(
    _ fetcher: inout Fetcher, _ server: MemoryServer, from start: Int = 0, to end: Int = 600_000,
    fate: (Int) -> Fate = { _ in .arrives }
  ) -> (outcome: Fetcher.Outcome?, asked: Int, ended: Int) {
    var asked = 0
    var now = start
    while now <= end {
      fetcher.advance(now: now)
      let requests = fetcher.takeRequests()
      for request in requests {
        asked += 1
        var answer = server.answer(request)
        switch fate(asked) {
        case .arrives: fetcher.receive(answer, now: now)
        case .isLost: break
        case .isDoubled:
          fetcher.receive(answer, now: now)
          fetcher.receive(answer, now: now)
        case .isFlipped:
          if !answer.payload.isEmpty { answer.payload[0][0] ^= 1 }
          fetcher.receive(answer, now: now)
        }
      }
      if let outcome = fetcher.takeOutcome() { return (outcome, asked, now) }
      if requests.isEmpty { now += 250 }
    }
    return (nil, asked, now)
  }

  @Test(arguments: [0, 1, 1000, BlobAssembly.pieceBytes, BlobAssembly.pieceBytes + 1, 5_000_000])
  func `a file comes out as it went in, whatever its length`(_ count: Int) {
    var server = MemoryServer()
    let bytes = patternBytes(count)
    server.blobs[Digest(of: bytes)] = bytes
    var fetcher = Self.fetcher()
    fetcher.begin(.file(NamedDigest(name: "f", digest: Digest(of: bytes))), now: 0)
    let result = Self.run(&fetcher, server)
    #expect(result.outcome == .file(name: "f", bytes: bytes))
    let pieces = max(1, (count + BlobAssembly.pieceBytes - 1) / BlobAssembly.pieceBytes)
    #expect(result.asked == pieces)
  }

  @Test func `with every third answer lost only what is missing is asked again`() {
    var server = MemoryServer()
    let bytes = patternBytes(20 * BlobAssembly.pieceBytes + 17)
    let snapshot = server.publish(7, bytes)
    var fetcher = Self.fetcher()
    fetcher.begin(.version(7, isExact: false), now: 0)
    let result = Self.run(&fetcher, server, fate: { $0 % 3 == 0 ? .isLost : .arrives })
    #expect(result.outcome == .snapshot(snapshot, bytes: bytes))
    // 22 requests are needed; the lost ones, and the lost ones among those, come on top:
    // 22 * (1 + 1/3 + 1/9 + ...) = 33.
    #expect(result.asked <= 36)
    #expect(fetcher.bytesReceived == bytes.count)
  }

  @Test func `a broken connection keeps what has arrived`() {
    var server = MemoryServer()
    let bytes = patternBytes(12 * BlobAssembly.pieceBytes)
    let snapshot = server.publish(1, bytes)
    var fetcher = Self.fetcher()
    fetcher.begin(.version(1, isExact: true), now: 0)
    // Locate and seven pieces arrive, then the server is gone.
    #expect(
      Self.run(&fetcher, server, to: 2_000, fate: { $0 > 8 ? .isLost : .arrives }).outcome == nil)
    fetcher.reconnected(now: 2_000)
    let rest = Self.run(&fetcher, server, from: 2_000)
    #expect(rest.outcome == .snapshot(snapshot, bytes: bytes))
    #expect(rest.asked == 5)
  }

  @Test func `doubled answers change nothing`() {
    var server = MemoryServer()
    let bytes = patternBytes(3 * BlobAssembly.pieceBytes)
    let snapshot = server.publish(1, bytes)
    var fetcher = Self.fetcher()
    fetcher.begin(.version(nil, isExact: false), now: 0)
    #expect(
      Self.run(&fetcher, server, fate: { _ in .isDoubled }).outcome
        == .snapshot(snapshot, bytes: bytes))
  }

  @Test func `a flipped byte is found by the digest and all is fetched anew`() {
    var server = MemoryServer()
    let bytes = patternBytes(2 * BlobAssembly.pieceBytes)
    let snapshot = server.publish(1, bytes)
    var fetcher = Self.fetcher()
    fetcher.begin(.version(1, isExact: false), now: 0)
    let result = Self.run(&fetcher, server, fate: { $0 == 2 ? .isFlipped : .arrives })
    #expect(result.outcome == .snapshot(snapshot, bytes: bytes))
    #expect(result.asked == 1 + 2 + 2)
  }

  @Test func `bytes that are never those of the digest are a failure, not a loop`() {
    var server = MemoryServer()
    _ = server.publish(1, patternBytes(1000))
    var fetcher = Self.fetcher()
    fetcher.begin(.version(1, isExact: false), now: 0)
    let result = Self.run(&fetcher, server, fate: { $0 > 1 ? .isFlipped : .arrives })
    guard case .failed(let problem)? = result.outcome else {
      Issue.record("\(String(describing: result.outcome))")
      return
    }
    #expect(problem.contains("1000 bytes fetched 3 times"))
  }

  @Test func `a version that is gone gives way to the newest, unless no other will do`() {
    var server = MemoryServer()
    _ = server.publish(3, patternBytes(100))
    let newest = server.publish(4, patternBytes(200))
    server.forget(3)
    var fetcher = Self.fetcher()
    fetcher.begin(.version(3, isExact: false), now: 0)
    #expect(
      Self.run(&fetcher, server).outcome == .snapshot(newest, bytes: patternBytes(200)))
    fetcher.begin(.version(3, isExact: true), now: 0)
    #expect(
      Self.run(&fetcher, server).outcome == .gone(version: 3, sentence: "the newest is 4"))
  }

  @Test func `a version that is named before it is published is awaited, and no older one fetched`()
  {
    var server = MemoryServer()
    let old = server.publish(3, patternBytes(100))
    var fetcher = Self.fetcher()
    fetcher.begin(.version(4, isExact: false), now: 0)
    let early = Self.run(&fetcher, server, to: 5_000)
    #expect(early.outcome == nil && early.asked > 2 && fetcher.bytesReceived == 0)
    let new = server.publish(4, patternBytes(200))
    #expect(
      Self.run(&fetcher, server, from: 5_250).outcome == .snapshot(new, bytes: patternBytes(200)))
    // One that never comes is given up for what there is.
    fetcher.begin(.version(9, isExact: false), now: 10_000)
    let given = Self.run(&fetcher, server, from: 10_000)
    #expect(given.outcome == .snapshot(new, bytes: patternBytes(200)))
    #expect(given.ended >= 10_000 + Fetcher.longestUnpublishedMilliseconds)
    #expect(old != new)
  }

  @Test func `a version that goes while it is fetched gives way to the newest`() {
    var server = MemoryServer()
    _ = server.publish(3, patternBytes(30 * BlobAssembly.pieceBytes))
    var fetcher = Self.fetcher()
    fetcher.begin(.version(3, isExact: false), now: 0)
    #expect(
      Self.run(&fetcher, server, to: 1_000, fate: { $0 > 4 ? .isLost : .arrives }).outcome == nil)
    server.forget(3)
    let newest = server.publish(5, patternBytes(200))
    fetcher.reconnected(now: 1_000)
    #expect(
      Self.run(&fetcher, server, from: 1_000).outcome
        == .snapshot(newest, bytes: patternBytes(200)))
  }

  @Test func `a server without any version is asked until it has one`() {
    var server = MemoryServer()
    var fetcher = Self.fetcher()
    fetcher.begin(.version(nil, isExact: false), now: 0)
    #expect(Self.run(&fetcher, server, to: 3_000).outcome == nil)
    let first = server.publish(0, [1, 2, 3])
    #expect(
      Self.run(&fetcher, server, from: 3_000).outcome == .snapshot(first, bytes: [1, 2, 3]))
  }

  @Test func `a size beyond what the model can have is refused before anything is allocated`() {
    var server = MemoryServer()
    var snapshot = server.publish(1, patternBytes(100))
    snapshot.byteCount = 1 << 50
    server.snapshots[1] = snapshot
    var fetcher = Self.fetcher()
    fetcher.begin(.version(1, isExact: false), now: 0)
    guard case .failed(let problem)? = Self.run(&fetcher, server).outcome else {
      Issue.record("it was taken")
      return
    }
    #expect(problem.contains("at most \(32 << 20)"))
    let digest = Digest(of: [7])
    fetcher.begin(.file(NamedDigest(name: "f", digest: digest)), now: 0)
    let id = fetcher.takeRequests()[0].id
    fetcher.receive(
      Envelope(id: id, body: .chunk(digest: digest, offset: 0, total: 1 << 50), payload: [[7]]),
      now: 1)
    #expect(
      fetcher.takeOutcome() == .failed("f has \(1 << 50) bytes; at most \(8 << 20) are taken"))
  }

  @Test(arguments: [(1, 10), (0, 9), (-1, 10), (BlobAssembly.pieceBytes, 10), (0, 11)])
  func `a piece that does not fit is as if it had not come`(_ offset: Int, _ count: Int) {
    var assembly = BlobAssembly(digest: Digest(of: [1]), byteCount: 10, maximumBytes: 100)
    #expect(assembly.nextRequests(credit: 4).count == 1)
    let isTaken = assembly.accept(
      offset: offset, total: 10, [UInt8](repeating: 0, count: count))
    #expect(!isTaken)
    #expect(assembly.arrivedBytes == 0)
  }

  @Test func `no more than the credit is on its way`() {
    var server = MemoryServer()
    let snapshot = server.publish(1, patternBytes(40 * BlobAssembly.pieceBytes))
    var fetcher = Self.fetcher()
    fetcher.begin(.version(1, isExact: false), now: 0)
    fetcher.receive(server.answer(fetcher.takeRequests()[0]), now: 0)
    var open = fetcher.takeRequests()
    var most = open.count
    while !open.isEmpty {
      fetcher.receive(server.answer(open.removeFirst()), now: 0)
      open += fetcher.takeRequests()
      most = max(most, open.count)
    }
    #expect(most == Fetcher.credit)
    #expect(fetcher.takeOutcome() == .snapshot(snapshot, bytes: server.blobs[snapshot.blob]!))
  }

  @Test func `on a thin link patience follows the link instead of asking twice`() {
    var server = MemoryServer()
    _ = server.publish(1, patternBytes(6 * BlobAssembly.pieceBytes))
    var fetcher = Self.fetcher()
    fetcher.begin(.version(1, isExact: false), now: 0)
    // A piece every 4.2 s, as at 1 Mbit/s.
    var queue: [Envelope<BlobRequest>] = []
    var asked = 0
    for now in stride(from: 0, through: 60_000, by: 100) {
      fetcher.advance(now: now)
      let requests = fetcher.takeRequests()
      asked += requests.count
      queue += requests
      if now % 4_200 == 0, !queue.isEmpty {
        fetcher.receive(server.answer(queue.removeFirst()), now: now)
      }
    }
    #expect(asked == 7)
    #expect(fetcher.resumptions == 0)
  }
}
