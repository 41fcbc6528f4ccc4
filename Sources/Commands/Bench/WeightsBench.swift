// forage bench weights: how fast a version reaches several actors, by the weight server and the
// fetcher of a real run, digest included; beside it the same bytes as bare ZeroMQ messages.

import Acting
import Digests
import Documents
import Experience
import Learning
import Messaging
import Operations
import Wire

struct WeightsBench {
  private static let megabyte = 1_000_000

  private let megabytes: Int
  private let actors: Int
  private let transport: String

  init(_ arguments: Arguments) throws {
    megabytes = try arguments.integer("megabytes", in: 1...65_536) ?? 256
    actors = try arguments.integer("actors", in: 1...64) ?? 2
    transport = arguments.value("transport") ?? "tcp"
    guard ["tcp", "ipc"].contains(transport) else {
      throw arguments.bad("transport", transport, "tcp or ipc")
    }
    // The server's copy, and each actor's, which is copied once more as its digest is taken.
    let needed = (1 + 2 * actors) * megabytes * Self.megabyte
    let free = Machine.availableMemoryBytes
    guard needed < free else {
      throw Failure(
        "measure", on: "\(megabytes) MB to \(actors) actors",
        happened: "that may take \(needed >> 20) MiB, and \(free >> 20) MiB are free",
        remedy: "lower --megabytes or --actors", exitCode: .unavailable)
    }
  }

  func run(repeats: Int) throws -> BenchReport {
    let folder = try BenchFolder(in: "/tmp")
    let count = megabytes * Self.megabyte
    BenchProgress.say("\(megabytes) MB to \(actors) actors over \(transport)")
    let server = try WeightServer(
      .init(weights: address("weights", folder), announce: address("announce", folder)),
      files: [], keepCount: 1, log: .silent)
    defer { server.stop() }
    let version = PolicyVersion(lineage: "bench", number: 0, digest: Digest(of: []))
    let bytes = RawTransfer.bytes(count)
    server.publish(version, bytes: bytes)
    var served: [[Double]] = []
    var raw: [[Double]] = []
    var digests: [Double] = []
    for index in 0..<repeats {
      served.append(try fetch(from: server.weightsEndpoint, version: version, count: count))
      raw.append(
        try RawTransfer.race(to: actors, at: address("raw-\(index)", folder), count: count))
      let start = MonotonicClock.now
      _ = Digest(of: bytes)
      digests.append(MonotonicClock.seconds(since: start))
      BenchProgress.repeated(
        index, of: repeats,
        "\(BenchNumber.text(served[index].max()!)) s to the last actor, "
          + "\(BenchNumber.text(raw[index].max()!)) s as bare messages")
    }
    return report(served, raw, digests)
  }

  private func address(_ name: String, _ folder: BenchFolder) -> String {
    transport == "tcp" ? "tcp://127.0.0.1:*" : "ipc://\(folder.path)/\(name)"
  }

  /// Seconds each actor took until it held the whole version, its digest checked.
  private func fetch(
    from endpoint: String, version: PolicyVersion, count: Int
  ) throws -> [Double] {
    try StartingLine.race(actors, name: "actor") { index, line in
      let client = try DealerClient(to: endpoint, peer: "the weights", in: MessagingContext())
      // One answer, and the connection stands.
      _ = try client.exchange(
        Envelope(id: 0, body: BlobRequest.locate(version: nil)).encoded(), matching: { _ in true },
        deadlineMilliseconds: RawTransfer.patienceMilliseconds)
      try line.wait()
      try Self.pump(client, version: version, count: count)
    }
  }

  /// Moves messages between the fetcher and its server until the version is there.
  private static func pump(_ client: DealerClient, version: PolicyVersion, count: Int) throws {
    var fetcher = Fetcher(maximumFileBytes: 1, maximumSnapshotBytes: count)
    let poller = Poller()
    poller.add(client)
    let deadline = Deadline.after(seconds: Double(RawTransfer.patienceMilliseconds) / 1000)
    func now() -> Int { Int(MonotonicClock.now / 1_000_000) }
    fetcher.begin(.version(version.number, isExact: true), now: now())
    while !deadline.hasPassed {
      fetcher.advance(now: now())
      for request in fetcher.takeRequests() {
        try client.send(
          request.encoded(), deadlineMilliseconds: RawTransfer.patienceMilliseconds)
      }
      guard let frames = try client.socket.receive() else {
        try poller.wait(timeoutMilliseconds: 100)
        continue
      }
      fetcher.receive(try Envelope<BlobReply>(decoding: frames), now: now())
      guard let outcome = fetcher.takeOutcome() else { continue }
      if case .snapshot = outcome { return }
      throw Failure(
        "fetch", on: "\(version)", happened: "it came to \(outcome)", exitCode: .internal)
    }
    throw Failure(
      "fetch", on: "\(version)", happened: "\(fetcher.state) after minutes",
      remedy: "lower --megabytes", exitCode: .unavailable)
  }

  private func report(
    _ served: [[Double]], _ raw: [[Double]], _ digests: [Double]
  ) -> BenchReport {
    let each = BenchFigure(
      "each actor", "MB/s", served.flatMap { $0.map { Double(megabytes) / $0 } })
    let last = BenchFigure("to the last actor", "s", served.map { $0.max()! })
    let bare = BenchFigure(
      "bare ZeroMQ, each", "MB/s", raw.flatMap { $0.map { Double(megabytes) / $0 } })
    let bareLast = BenchFigure("bare ZeroMQ, to the last", "s", raw.map { $0.max()! })
    let digest = BenchFigure("digest alone", "MB/s", digests.map { Double(megabytes) / $0 })
    let share = BenchFigure(
      "of bare ZeroMQ", "%", zip(served, raw).map { 100 * $1.max()! / $0.max()! })
    return BenchReport(
      what: "weights",
      settings: [
        ("megabytes", .integer(megabytes)), ("actors", .integer(actors)),
        ("transport", .string(transport)), ("piece_bytes", .integer(BlobAssembly.pieceBytes)),
        ("raw_chunk_bytes", .integer(RawTransfer.chunkBytes)),
      ],
      figures: [each, last, bare, bareLast, share, digest],
      sentence: "A version of \(megabytes) MB is whole and checked at the last of \(actors) actors "
        + "after \(last.text), \(each.text) each: \(BenchNumber.percent(share.median / 100)) of "
        + "the speed of bare ZeroMQ messages over \(transport).")
  }
}
