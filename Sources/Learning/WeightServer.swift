// Serves bytes by digest: the files a run is made of, and the encoded weights of the newest
// versions. One thread owns two sockets: a router that answers `BlobRequest`s, and a publisher that
// announces. Announcements are hints, so they are repeated every second and nothing rests on them.
//
// A peer that reads slower than it asks fills its own queue; what does not fit is dropped and
// counted, and the peer asks again. So no actor can hold up another, nor the learner.

import Digests
import Experience
import Messaging
import Operations
import Wire

public final class WeightServer: Sendable {
  /// Chunks queued toward one peer: four windows of an actor, 32 MiB.
  public static let sendQueueMessages = 64
  /// Versions whose bytes are still told apart: the oldest are forgotten.
  public static let maximumCountedVersions = 256
  public static let announceSeconds = 1.0
  /// Requests answered before the publisher's turn comes again.
  private static let requestsPerTurn = 64
  /// Requests of one peer in memory, each a mebibyte at most and a hundred bytes in earnest.
  public static let receiveQueueMessages = 64
  /// Versions kept for evaluations beside the newest: replay has two open at a time.
  public static let maximumPinned = 4
  /// A bind answers at once or never.
  private static let startSeconds = 10.0
  private static let stopSeconds = 5.0

  /// Where to serve and to announce, and who may reach it.
  public struct Addresses: Sendable {
    public var weights: String
    public var announce: String
    /// Without keys a bind that other hosts reach is refused, unless this names the risk.
    public var protection: Protection

    public init(weights: String, announce: String, protection: Protection = .none) {
      self.weights = weights
      self.announce = announce
      self.protection = protection
    }
  }

  /// What has been served since the start.
  public struct Counters: Equatable, Sendable {
    public var bytesServed = 0
    public var bytesByVersion: [Int: Int] = [:]
    public var chunksServed = 0
    /// Answers that did not fit a peer's queue, or whose peer was gone.
    public var answersDropped = 0
    /// By who asked: the name of its key, or where it comes from.
    public var refused = RefusalTally()
    /// Measurements of the link that were answered, and their bytes both ways.
    public var probes = 0
    public var probeBytes = 0
    /// Connections that never became a conversation, and requests of keys that may not ask.
    public var turnedAway = 0

    public init() {}
  }

  private struct Store {
    var files: [Digest: [UInt8]] = [:]
    /// Encoded weights by version number.
    var snapshots: [Int: (snapshot: Snapshot, bytes: [UInt8])] = [:]
    var newest: Int?
    var pinned: Set<Int> = []
    var counters = Counters()
    var isStopping = false

    var newestSnapshot: Snapshot? { newest.flatMap { snapshots[$0]?.snapshot } }
  }

  /// Digests of the files served, by name.
  public let files: [NamedDigest]
  /// As bound: what the learner's hello tells.
  public let weightsEndpoint: String
  public let announceEndpoint: String
  private let keepCount: Int
  private let watchdog: Watchdog?
  private let store: Monitor<Store>
  private let wake: EventFD
  private let thread: WorkerThread

  /// Binds and starts serving the files; versions follow by `publish`. `keepCount` newest versions
  /// are served: lagMax + 2.
  public init(
    _ addresses: Addresses, files: [(name: String, bytes: [UInt8])], keepCount: Int,
    watchdog: Watchdog? = nil, log: Log
  ) throws {
    precondition(keepCount > 0, "a server that keeps \(keepCount) versions")
    var initial = Store()
    var named: [NamedDigest] = []
    for file in files {
      let digest = Digest(of: file.bytes)
      initial.files[digest] = file.bytes
      named.append(NamedDigest(name: file.name, digest: digest))
    }
    self.files = named
    self.keepCount = keepCount
    let store = Monitor(initial)
    let wake = try EventFD()
    let started = Monitor<Result<(String, String), any Error>?>(nil)
    let strand = watchdog?.strand("weights") ?? Strand("weights")
    thread = try WorkerThread(name: "weights") {
      let loop: ServingLoop
      do {
        loop = try ServingLoop(
          addresses, store: store, wake: wake, watchdog: watchdog, log: log)
        started.withLock { $0 = .success((loop.weightsEndpoint, loop.announceEndpoint)) }
        started.wakeAll()
      } catch {
        started.withLock { $0 = .failure(error) }
        started.wakeAll()
        watchdog?.forget(strand)
        return
      }
      // A thread that failed is found by `fault`; it turns no more.
      defer { watchdog?.forget(strand) }
      try loop.run(strand)
    }
    let result = started.wait(deadline: .after(seconds: Self.startSeconds)) { $0 }
    guard let result else {
      throw Waiting(for: "the weight server's thread to bind").expired(
        remedy: "check the load of this machine")
    }
    (weightsEndpoint, announceEndpoint) = try result.get()
    self.store = store
    self.wake = wake
    self.watchdog = watchdog
  }

  deinit { stop() }

  /// Serves a version from now on and announces it. Any thread.
  @discardableResult
  public func publish(
    _ version: PolicyVersion, bytes: [UInt8], encoding: SnapshotEncoding = .f32
  ) -> Snapshot {
    let snapshot = Snapshot(
      version: version, blob: Digest(of: bytes), byteCount: bytes.count,
      encoding: encoding.rawValue)
    store.withLock {
      $0.snapshots[version.number] = (snapshot, bytes)
      // After a resume the learner begins again at its checkpoint: the last word is the newest.
      $0.newest = version.number
      Self.forget(&$0, keepCount: keepCount)
    }
    let held = store.withLock { $0.snapshots.values.reduce(0) { $0 + $1.bytes.count } }
    watchdog?.set(
      "bytes of weights served", to: held,
      of: (keepCount + Self.maximumPinned + 1) * max(1, bytes.count))
    wake.signal()
    return snapshot
  }

  /// Versions an evaluation still needs are kept, if they are still here; others may go.
  public func pin(_ versions: Set<Int>) {
    store.withLock {
      $0.pinned = Set(versions.sorted().suffix(Self.maximumPinned))
      Self.forget(&$0, keepCount: keepCount)
    }
  }

  public var servedVersions: [Int] { store.withLock { $0.snapshots.keys.sorted() } }
  public var counters: Counters { store.withLock { $0.counters } }

  /// nil while it serves; what went wrong once its thread failed.
  public var fault: (any Error)? {
    if case .failed(let error) = thread.outcome { error } else { nil }
  }

  public func stop() {
    store.withLock { $0.isStopping = true }
    wake.signal()
    _ = thread.join(deadline: .after(seconds: Self.stopSeconds))
  }

  private static func forget(_ store: inout Store, keepCount: Int) {
    let kept = Set(store.snapshots.keys.sorted().suffix(keepCount))
    for number in store.snapshots.keys
    where !kept.contains(number) && !store.pinned.contains(number) && number != store.newest {
      store.snapshots[number] = nil
    }
    while store.counters.bytesByVersion.count > maximumCountedVersions,
      let oldest = store.counters.bytesByVersion.keys.min()
    {
      store.counters.bytesByVersion[oldest] = nil
    }
  }

  // MARK: the serving thread

  private final class ServingLoop {
    let weightsEndpoint: String
    let announceEndpoint: String
    private let context: MessagingContext
    private let router: Socket
    private let publisher: Socket
    private let authenticator: Authenticator?
    private let strangers: Strangers
    private let doors: [Door]
    /// Listeners ask nothing, so nothing of theirs can be refused: they are hung up on.
    private let listenersDoor: Door
    private var withdrawals = 0
    private let watchdog: Watchdog?
    private let store: Monitor<Store>
    private let wake: EventFD
    private let log: Log
    private var probes = ProbeDesk<[UInt8]>(service: "weights")
    private var lines = LineBudget()
    /// Who asked what is being answered.
    private var asking = "somebody"
    /// What the answer under way carries of a version.
    private var served: (version: Int, bytes: Int)?

    init(
      _ addresses: Addresses, store: Monitor<Store>, wake: EventFD, watchdog: Watchdog?, log: Log
    ) throws {
      self.store = store
      self.watchdog = watchdog
      self.wake = wake
      self.log = log
      context = try MessagingContext()
      var limits = SocketLimits()
      limits.sendQueueMessages = WeightServer.sendQueueMessages
      limits.receiveQueueMessages = WeightServer.receiveQueueMessages
      limits.maximumFrameBytes = WireLimits.maximumProbeFrameBytes
      let security = try addresses.protection.security(in: context, admitting: [.actor, .learner])
      authenticator = security.authenticator
      strangers = authenticator?.strangers ?? Strangers()
      router = try Socket(.router, in: context, limits: limits, security: security)
      publisher = try Socket(.publisher, in: context, limits: limits, security: security)
      weightsEndpoint = try router.bind(to: addresses.weights)
      announceEndpoint = try publisher.bind(to: addresses.announce)
      listenersDoor = try Door(publisher, strangers: strangers)
      doors = [try Door(router, strangers: strangers), listenersDoor]
    }

    func run(_ strand: Strand) throws {
      let poller = Poller()
      strand.work("serving weights")
      poller.add(router)
      poller.add(fileDescriptor: wake.fileDescriptor)
      if let authenticator { poller.add(authenticator) }
      for door in doors { door.add(to: poller) }
      var nextAnnouncement = Deadline.now
      while true {
        let isNews = wake.drain()
        let (isStopping, newest) = store.withLock { ($0.isStopping, $0.newestSnapshot) }
        if isStopping { return }
        if isNews || nextAnnouncement.hasPassed {
          nextAnnouncement = .after(seconds: WeightServer.announceSeconds)
          if let newest {
            try strand.measure(.announce, id: newest.version.number) {
              _ = try publisher.send([newest.encodedAnnouncement()])
            }
          }
        }
        try watchDoors()
        try answerRequests(strand)
        try answerProbes()
        strand.turn(until: nextAnnouncement)
        try poller.wait(
          timeoutMilliseconds: probes.isEmpty ? Int(nextAnnouncement.pollMilliseconds) : 0)
      }
    }

    /// Lets newcomers in or not, and tells of those who were turned away.
    private func watchDoors() throws {
      try authenticator?.serve()
      for door in doors { try door.watch() }
      if let authenticator, authenticator.withdrawals > withdrawals {
        withdrawals = authenticator.withdrawals
        try listenersDoor.hangUp()
      }
      for line in authenticator?.takeLines() ?? strangers.takeLines() { log.warning(line) }
      store.withLock { $0.counters.turnedAway = strangers.total }
      if strangers.total > 0 {
        watchdog?.set(Watchdog.Gauge.turnedAway, to: strangers.total, of: 0)
      }
    }

    private func answerRequests(_ strand: Strand) throws {
      for _ in 0..<WeightServer.requestsPerTurn {
        guard let message = try router.receiveSigned() else { return }
        let frames = message.frames
        // The first frame is the peer's identity; a message of nothing else has no one to ask.
        guard let peer = frames.first else { continue }
        asking = authenticator?.entry(of: message.key)?.name ?? message.address ?? "somebody"
        if let authenticator, authenticator.entry(of: message.key) == nil {
          strangers.turnAway(.otherRole, at: "somebody", "the key of a connection was withdrawn")
          let refusal = Refusal(.role, "the key of this connection has been withdrawn")
          count(refusal)
          let answer = Envelope<BlobReply>(refusing: Array(frames.dropFirst()), refusal)
          _ = try router.send([peer] + answer.encoded())
          continue
        }
        let began = MonotonicClock.now
        served = nil
        let answer: Envelope<BlobReply>?
        do {
          let request = try Envelope<BlobRequest>(decoding: Array(frames.dropFirst()))
          answer = reply(to: request, from: peer)
        } catch {
          count(error)
          answer = Envelope(refusing: Array(frames.dropFirst()), error)
        }
        // What a probe is owed comes after what the others asked for.
        guard let answer else { continue }
        if try router.send([peer] + answer.encoded()) != .sent {
          store.withLock { $0.counters.answersDropped += 1 }
        } else if let served {
          strand.span(.serveChunk, id: served.version, from: began, amount: served.bytes)
        }
      }
    }

    private func answerProbes() throws {
      for answer in probes.takeTurn() {
        let envelope = Envelope(
          id: answer.id, body: BlobReply.probed(answer.body), payload: [answer.payload])
        let isSent = try router.send([answer.asker] + envelope.encoded()) == .sent
        store.withLock {
          $0.counters.probes = probes.answered
          $0.counters.probeBytes = probes.bytes
          if !isSent { $0.counters.answersDropped += 1 }
        }
      }
    }

    /// Nil for what is answered later.
    private func reply(
      to request: Envelope<BlobRequest>, from peer: [UInt8]
    ) -> Envelope<BlobReply>? {
      switch request.body {
      case .probe(let probe):
        return probes.take(probe, id: request.id, payload: request.payload, from: peer)
          .map { refuse(id: request.id, $0) }
      case .locate(let version):
        let (found, newest) = store.withLock { store in
          (
            (version ?? store.newest).flatMap { store.snapshots[$0]?.snapshot },
            store.newestSnapshot
          )
        }
        guard let found else {
          return refuse(id: request.id, Self.gone(version.map { "version \($0)" }, newest))
        }
        return Envelope(id: request.id, body: .located(found))
      case .chunk(let digest, let offset, let count):
        return chunk(id: request.id, digest: digest, offset: offset, count: count)
      }
    }

    private func chunk(
      id: Int, digest: Digest, offset: Int, count: Int
    ) -> Envelope<BlobReply> {
      guard (1...WireLimits.maximumChunkBytes).contains(count) else {
        return refuse(
          id: id,
          Refusal(
            .tooLarge, "a chunk has 1 to \(WireLimits.maximumChunkBytes) bytes, not \(count)"))
      }
      // Only the array's reference is taken under the lock; its bytes are copied outside.
      let (bytes, version, newest) = store.withLock { store -> ([UInt8]?, Int?, Snapshot?) in
        if let file = store.files[digest] { return (file, nil, nil) }
        let entry = store.snapshots.values.first { $0.snapshot.blob == digest }
        return (entry?.bytes, entry?.snapshot.version.number, store.newestSnapshot)
      }
      guard let bytes else {
        return refuse(id: id, Self.gone("the blob \(digest.short)", newest))
      }
      // An empty blob has one chunk, an empty one.
      guard offset >= 0, offset < bytes.count || offset == 0 else {
        return refuse(
          id: id,
          Refusal(
            .malformed,
            "offset \(offset) is outside of the blob \(digest.short) of \(bytes.count) bytes"))
      }
      let piece = Array(bytes[offset..<min(bytes.count, offset + count)])
      tally(piece.count, version: version)
      return Envelope(
        id: id, body: .chunk(digest: digest, offset: offset, total: bytes.count), payload: [piece])
    }

    private func tally(_ count: Int, version: Int?) {
      served = version.map { ($0, count) }
      store.withLock {
        $0.counters.bytesServed += count
        $0.counters.chunksServed += 1
        if let version { $0.counters.bytesByVersion[version, default: 0] += count }
      }
    }

    private func refuse(id: Int, _ refusal: Refusal) -> Envelope<BlobReply> {
      count(refusal)
      return Envelope(id: id, body: .refused(refusal))
    }

    /// One that no sound peer earns is told of, at a bounded rate.
    private func count(_ refusal: Refusal) {
      let faults = store.withLock { store in
        store.counters.refused.count(refusal.code, of: asking)
        return store.counters.refused.faults
      }
      guard refusal.code.isFault else { return }
      watchdog?.set(Watchdog.Gauge.refused, to: faults, of: 0)
      guard let more = lines.take() else { return }
      log.warning("refused \(asking): \(refusal.code.rawValue): \(refusal.sentence)\(more)")
    }

    private static func gone(_ what: String?, _ newest: Snapshot?) -> Refusal {
      guard let newest else { return Refusal(.gone, "no version has been published yet") }
      return Refusal(
        .gone,
        "\(what ?? "that") is not served (any more); the newest is version "
          + "\(newest.version.number)")
    }
  }
}
