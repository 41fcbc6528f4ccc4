// forage bench weights: how fast a version reaches several actors and is what they sample with, by
// the weight server, the fetcher and the transformer of a real run, digests included: bare, under
// keys, and in BF16; beside it the same bytes as bare ZeroMQ messages.
//
// An actor samples on while a version comes; it stands still only while it swaps. So the pause is
// told apart from the whole.

import Acting
import Digests
import Documents
import Experience
import Learning
import Messaging
import Operations
import Policy
import Wire

struct WeightsBench {
  private static let megabyte = 1_000_000
  /// Of a made version's model.
  private static let (layers, vocabulary, headSize) = (8, 1024, 32)

  private let megabytes: Int
  private let actors: Int
  private let transport: String
  private let configuration: ModelConfiguration

  init(_ arguments: Arguments) throws {
    megabytes = try arguments.integer("megabytes", in: 1...65_536) ?? 256
    actors = try arguments.integer("actors", in: 1...64) ?? 2
    transport = arguments.value("transport") ?? "tcp"
    guard ["tcp", "ipc"].contains(transport) else {
      throw arguments.bad("transport", transport, "tcp or ipc")
    }
    // The model, its copy, the bytes served, half of them again in BF16, and an optimizer's three
    // copies while it rounds; each actor's bytes, tensors and weights.
    let needed = (7 + 3 * actors) * megabytes * Self.megabyte
    let free = Machine.availableMemoryBytes
    guard needed < free else {
      throw Failure(
        "measure", on: "\(megabytes) MB to \(actors) actors",
        happened: "that may take \(needed >> 20) MiB, and \(free >> 20) MiB are free",
        remedy: "lower --megabytes or --actors", exitCode: .unavailable)
    }
    configuration = Self.shape(of: megabytes * Self.megabyte)
  }

  /// The widest model whose weights are no more than so many bytes.
  private static func shape(of bytes: Int) -> ModelConfiguration {
    func shape(_ heads: Int) -> ModelConfiguration {
      ModelConfiguration(
        vocabularySize: vocabulary, hiddenSize: heads * headSize,
        feedForwardSize: 3 * heads * headSize, layers: layers, heads: heads, keyValueHeads: heads,
        maximumPositions: 64)
    }
    var heads = 1
    while 4 * shape(heads + 1).parameterCount <= bytes { heads += 1 }
    return shape(heads)
  }

  /// What the actors of one repeat took, seconds each.
  private struct Reached {
    /// Until all bytes were there and checked.
    var fetched: [Double]
    /// From there to weights that sample.
    var paused: [Double]
    /// Until then.
    var swapped: [Double]
  }

  private struct Made {
    var version: PolicyVersion
    var bytes: [UInt8]
    var encodeSeconds: Double

    var megabytes: String { BenchNumber.text(Double(bytes.count) / 1e6) }
  }

  /// One element a repeat.
  private struct Seen {
    var bare: [Reached] = []
    var rounded: [Reached] = []
    var curve: [Reached] = []
    /// Seconds of each actor.
    var raw: [[Double]] = []
    var digests: [Double] = []
  }

  func run(repeats: Int) throws -> BenchReport {
    let folder = try BenchFolder(in: "/tmp")
    let keys = try KeyStore(making: "\(folder.path)/keys")
    _ = try keys.makeOwn()
    let (full, rounded) = makeVersions()
    BenchProgress.say("\(full.megabytes) MB to \(actors) actors over \(transport)")
    let open = try server("open", folder, .none)
    let locked = try server("locked", folder, .keys(keys.folder))
    defer {
      open.stop()
      locked.stop()
    }
    open.publish(full.version, bytes: full.bytes)
    locked.publish(full.version, bytes: full.bytes)
    open.publish(rounded.version, bytes: rounded.bytes, encoding: .bf16)
    var seen = Seen()
    for index in 0..<repeats {
      seen.bare.append(try reach(open.weightsEndpoint, full, keys: nil))
      seen.rounded.append(try reach(open.weightsEndpoint, rounded, keys: nil))
      seen.curve.append(
        try reach(locked.weightsEndpoint, full, keys: keys.folder.client(.actor)))
      seen.raw.append(
        try RawTransfer.race(
          to: actors, at: address("raw-\(index)", folder), count: full.bytes.count))
      let start = MonotonicClock.now
      _ = Digest(of: full.bytes)
      seen.digests.append(MonotonicClock.seconds(since: start))
      BenchProgress.repeated(
        index, of: repeats,
        "\(BenchNumber.text(seen.bare[index].swapped.max()!)) s to the last actor, "
          + "\(BenchNumber.text(seen.rounded[index].swapped.max()!)) s in bf16, "
          + "\(BenchNumber.text(seen.curve[index].swapped.max()!)) s under keys, "
          + "\(BenchNumber.text(seen.raw[index].max()!)) s as bare messages")
    }
    let served = open.counters.bytesByVersion
    return report(full, rounded, seen) { made in
      Double(served[made.version.number] ?? 0) / Double(repeats)
    }
  }

  /// One policy as a version in F32, and as one whose working precision is BF16.
  private func makeVersions() -> (full: Made, rounded: Made) {
    let policy = CPUTransformer(configuration: configuration, threads: 1)
    policy.initialize(seed: 1)
    func make(_ number: Int, _ encoding: SnapshotEncoding) -> Made {
      let version = PolicyVersion(lineage: "bench", number: number, digest: policy.digest())
      let start = MonotonicClock.now
      let bytes = SnapshotCodec.encode(
        policy.copyWeights(), version: version, encoding: encoding)
      return Made(
        version: version, bytes: bytes, encodeSeconds: MonotonicClock.seconds(since: start))
    }
    let full = make(0, .f32)
    _ = CPUOptimizer(policy, settings: OptimizerSettings(), precision: .bf16)
    return (full, make(1, .bf16))
  }

  private func server(
    _ name: String, _ folder: BenchFolder, _ protection: Protection
  ) throws -> WeightServer {
    try WeightServer(
      .init(
        weights: address("\(name)-w", folder), announce: address("\(name)-a", folder),
        protection: protection), files: [], keepCount: 2, log: .silent)
  }

  private func address(_ name: String, _ folder: BenchFolder) -> String {
    transport == "tcp" ? "tcp://127.0.0.1:*" : "ipc://\(folder.path)/\(name)"
  }

  private func reach(
    _ endpoint: String, _ made: Made, keys: ClientKeys?
  ) throws -> Reached {
    let (version, count) = (made.version, made.bytes.count)
    let marks = Monitor((0..<actors).map { _ in (fetch: Int64(0), swap: Int64(0)) })
    let configuration = configuration
    let swapped = try StartingLine.race(actors, name: "actor") { index, line in
      let transformer = CPUTransformer(configuration: configuration, threads: 1)
      let client = try DealerClient(
        to: endpoint, peer: "the weights", in: MessagingContext(), keys: keys)
      // One answer, and the connection stands.
      _ = try client.exchange(
        Envelope(id: 0, body: BlobRequest.locate(version: nil)).encoded(), matching: { _ in true },
        deadlineMilliseconds: RawTransfer.patienceMilliseconds)
      try line.wait()
      let bytes = try Self.pump(client, version: version, count: count)
      let fetched = MonotonicClock.now
      let (written, tensors) = try SnapshotCodec.decode(bytes)
      try transformer.load(tensors)
      guard written == version, transformer.digest() == version.digest else {
        throw Failure(
          "load", on: "\(version)", happened: "its tensors have another digest",
          exitCode: .internal)
      }
      marks.withLock { $0[index] = (fetched, MonotonicClock.now) }
    }
    let paused = marks.withLock { $0.map { Double($0.swap - $0.fetch) / 1e9 } }
    return Reached(
      fetched: zip(swapped, paused).map { $0 - $1 }, paused: paused, swapped: swapped)
  }

  /// Moves messages between the fetcher and its server until the version is there.
  private static func pump(
    _ client: DealerClient, version: PolicyVersion, count: Int
  ) throws -> [UInt8] {
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
      if case .snapshot(_, let bytes) = outcome { return bytes }
      throw Failure(
        "fetch", on: "\(version)", happened: "it came to \(outcome)", exitCode: .internal)
    }
    throw Failure(
      "fetch", on: "\(version)", happened: "\(fetcher.state) after minutes",
      remedy: "lower --megabytes", exitCode: .unavailable)
  }

  private func report(
    _ full: Made, _ rounded: Made, _ seen: Seen, served: (Made) -> Double
  ) -> BenchReport {
    let size = Double(full.bytes.count) / 1e6
    func rates(_ seconds: [[Double]]) -> [Double] { seconds.flatMap { $0.map { size / $0 } } }
    func last(_ name: String, _ reached: [Reached]) -> BenchFigure {
      BenchFigure(name, "s", reached.map { $0.swapped.max()! })
    }
    let each = BenchFigure("each actor", "MB/s", rates(seen.bare.map(\.fetched)))
    let whole = BenchFigure("to the last actor", "s", seen.bare.map { $0.fetched.max()! })
    let pause = BenchFigure("pause of an actor", "s", seen.bare.flatMap(\.paused))
    let swap = last("to the last actor's swap", seen.bare)
    let keyed = last("under keys, to the last swap", seen.curve)
    let narrow = last("in bf16, to the last swap", seen.rounded)
    let share = BenchFigure(
      "of bare ZeroMQ", "%", zip(seen.bare, seen.raw).map { 100 * $1.max()! / $0.fetched.max()! })
    return BenchReport(
      what: "weights",
      settings: [
        ("megabytes", .integer(megabytes)), ("version_bytes", .integer(full.bytes.count)),
        ("bf16_version_bytes", .integer(rounded.bytes.count)), ("actors", .integer(actors)),
        ("transport", .string(transport)), ("piece_bytes", .integer(BlobAssembly.pieceBytes)),
        ("raw_chunk_bytes", .integer(RawTransfer.chunkBytes)),
      ],
      figures: [
        BenchFigure("encode", "s", [full.encodeSeconds]), each, whole, pause, swap,
        BenchFigure("bytes served a version", "MB", [served(full) / 1e6]),
        BenchFigure("in bf16, encode", "s", [rounded.encodeSeconds]),
        BenchFigure("in bf16, pause", "s", seen.rounded.flatMap(\.paused)), narrow,
        BenchFigure("in bf16, bytes served", "MB", [served(rounded) / 1e6]),
        BenchFigure("under keys, each", "MB/s", rates(seen.curve.map(\.fetched))), keyed,
        BenchFigure("bare ZeroMQ, each", "MB/s", rates(seen.raw)),
        BenchFigure("bare ZeroMQ, to the last", "s", seen.raw.map { $0.max()! }), share,
        BenchFigure("digest alone", "MB/s", seen.digests.map { size / $0 }),
      ],
      sentence: "A version of \(full.megabytes) MB is whole and checked at the last of "
        + "\(actors) actors after \(whole.text), \(each.text) each: "
        + "\(BenchNumber.percent(share.median / 100)) of the speed of bare ZeroMQ messages over "
        + "\(transport). The last samples with it after \(swap.text), \(keyed.text) under keys, "
        + "\(narrow.text) as \(rounded.megabytes) MB of bf16; each stands still for "
        + "\(pause.text) of that.")
  }
}
