// The fetcher and the weight server, over a link that breaks.

import Acting
import Digests
import Experience
import Learning
import Messaging
import Operations
import Testing
import Wire

@Suite(.serialized) struct WeightLinkTests {
  let folder: SocketFolder
  let context: MessagingContext
  let version = PolicyVersion(lineage: "l", number: 5, digest: Digest(of: [5]))
  let bytes = patternBytes(40 * BlobAssembly.pieceBytes + 3)

  init() throws {
    folder = try SocketFolder()
    context = try MessagingContext()
  }

  func server() throws -> WeightServer {
    let server = try WeightServer(
      .init(weights: folder.endpoint("weights"), announce: folder.endpoint("announce")),
      files: [], keepCount: 2, log: .silent)
    server.publish(version, bytes: bytes)
    return server
  }

  /// Moves messages until the outcome, or until `enough` bytes have come.
  func pump(
    _ fetcher: inout Fetcher, _ client: DealerClient, enough: Int = .max
  ) throws -> Fetcher.Outcome? {
    let deadline = Deadline.after(seconds: 20)
    let poller = Poller()
    poller.add(client)
    while !deadline.hasPassed {
      let now = Int(MonotonicClock.now / 1_000_000)
      fetcher.advance(now: now)
      for request in fetcher.takeRequests() {
        try client.send(request.encoded(), deadlineMilliseconds: 5_000)
      }
      try poller.wait(timeoutMilliseconds: 20)
      while let frames = try client.socket.receive() {
        fetcher.receive(try Envelope<BlobReply>(decoding: frames), now: now)
        if let outcome = fetcher.takeOutcome() { return outcome }
        if fetcher.bytesReceived >= enough { return nil }
      }
    }
    return nil
  }

  @Test func `a fetch broken by the server's death goes on where it stood`() throws {
    let first = try server()
    var fetcher = Fetcher(maximumFileBytes: 1, maximumSnapshotBytes: 64 << 20)
    fetcher.begin(.version(nil, isExact: false), now: Int(MonotonicClock.now / 1_000_000))
    let half = bytes.count / 2
    do {
      let client = try DealerClient(to: first.weightsEndpoint, peer: "it", in: context)
      #expect(try pump(&fetcher, client, enough: half) == nil)
    }
    first.stop()
    #expect(fetcher.bytesReceived >= half)
    let before = fetcher.bytesReceived

    let second = try server()
    defer { second.stop() }
    let client = try DealerClient(to: second.weightsEndpoint, peer: "it", in: context)
    fetcher.reconnected(now: Int(MonotonicClock.now / 1_000_000))
    guard case .snapshot(let snapshot, let fetched)? = try pump(&fetcher, client) else {
      Issue.record("nothing came of it")
      return
    }
    #expect(snapshot.version == version)
    #expect(fetched == bytes)
    #expect(second.counters.bytesServed == bytes.count - before)
  }
}
