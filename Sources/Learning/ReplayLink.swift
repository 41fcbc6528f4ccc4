// The learner's side of its conversation with replay: a request, its answer, and what to do when
// neither comes. Every request may be asked again (a lease answers the same list, a commit of the
// same digest is acknowledged again), so a lost message costs a repeat and nothing else.

import Experience
import Glibc
import Messaging
import Operations
import Wire

/// The process was asked to stop while it waited.
public struct StopRequested: Error, Sendable {}

/// A learner's connection to replay; belongs to the thread that made it.
public final class ReplayLink {
  /// An answer later than this is asked for again: several group commits at the slowest disk.
  static let repeatMilliseconds = 5_000
  static let heartbeatNanoseconds: Int64 = 1_000_000_000
  /// Before a request that is waited for: its answer then finds this thread at the socket.
  static let probeNanoseconds: Int64 = 200_000_000

  private let client: DealerClient
  private let hello: () -> Hello
  private let log: Log
  private let stopDescriptor: Int32
  private let isStopping: () -> Bool
  private let patienceSeconds: Double
  private let strand: Strand
  private var nextID = 1
  private var lastHeartbeat: Int64 = 0
  private var clock = ClockWatch()
  /// This process among all that ever were the run's learner.
  private let instance: String
  /// Of the newest welcome: what leases and commits carry.
  public private(set) var welcome: Welcome?

  /// `hello` is asked at the first meeting and again whenever replay has forgotten this learner.
  public init(
    to endpoint: String, in context: MessagingContext, keys: ClientKeys? = nil,
    maximumGroupBytes: Int, patienceSeconds: Double,
    stopDescriptor: Int32, isStopping: @escaping () -> Bool, strand: Strand = Strand("link"),
    log: Log,
    hello: @escaping () -> Hello
  ) throws {
    var limits = SocketLimits()
    limits.maximumFrameBytes = max(limits.maximumFrameBytes, maximumGroupBytes)
    limits.maximumMessageBytes = RunSettings.maximumLeaseBytes + WireLimits.maximumControlBytes
    client = try DealerClient(to: endpoint, peer: "replay", in: context, limits: limits, keys: keys)
    self.hello = hello
    instance = String(UInt64.random(in: .min ... .max), radix: 16)
    self.log = log
    self.stopDescriptor = stopDescriptor
    self.isStopping = isStopping
    self.patienceSeconds = patienceSeconds
    self.strand = strand
  }

  public var epoch: Int { welcome?.epoch ?? 0 }

  /// Says hello and keeps the welcome. Refused as fenced where another learner has said hello since
  /// this one first did: it has been away, and is not to take the run back.
  @discardableResult
  public func meet() throws -> Welcome {
    strand.wait(for: "replay at \(client.endpoint) to answer hello", until: .now)
    let answer = try patiently {
      try self.exchange(isHello: true) { _ in .hello(self.ownHello) }
    }
    guard case .welcome(let welcome) = answer.body else { throw unexpected(answer.body, "hello") }
    self.welcome = welcome
    return welcome
  }

  private var ownHello: Hello {
    var hello = hello()
    hello.instance = instance
    return hello
  }

  /// Asks until replay answers, up to the patience; a refusal is thrown, but for one that says
  /// replay has forgotten us: then hello comes first and the request again, under the new epoch.
  /// With `finishingWithinSeconds` the request is seen through even while the process is stopping.
  public func ask(
    finishingWithinSeconds seconds: Double? = nil, _ request: @escaping (_ epoch: Int) -> Request
  ) throws -> Envelope<Reply> {
    while true {
      let answer = try patiently {
        try self.exchange(finishing: seconds.map(Deadline.after(seconds:)), request)
      }
      guard case .refused(let refusal) = answer.body else { return answer }
      guard refusal.code == .helloFirst else { throw refusal }
      log.info("replay does not know this learner any more: saying hello again")
      try meet()
    }
  }

  /// Asks again while replay is busy: its disk may be full, and space may come back. There is no
  /// last time: replay lives and says what it waits for, the watchdog says that this one waits, and
  /// the run's supervisor decides.
  private func patiently(_ ask: () throws -> Envelope<Reply>) throws -> Envelope<Reply> {
    var isSaid = false
    while true {
      let answer = try ask()
      guard case .refused(let refusal) = answer.body, refusal.code == .busy else { return answer }
      if !isSaid { log.warning("replay at \(client.endpoint) is busy: \(refusal.sentence)") }
      isSaid = true
      strand.wait(for: "replay to be less busy (\(refusal.sentence))", until: .now)
      let pause = Deadline.after(seconds: 1)
      while !pause.hasPassed {
        if isStopping() { throw StopRequested() }
        strand.turn()
        usleep(20_000)
      }
    }
  }

  private func exchange(
    isHello: Bool = false, finishing: Deadline? = nil, _ request: (Int) -> Request
  ) throws -> Envelope<Reply> {
    let waiting = Waiting(for: "replay at \(client.endpoint)")
    let patience = Deadline.after(seconds: patienceSeconds)
    var id = takeID()
    while true {
      let isOver = isStopping() && (finishing?.hasPassed ?? true)
      if isOver { throw StopRequested() }
      let slice = Operations.Deadline.after(seconds: Double(Self.repeatMilliseconds) / 1000)
      strand.turn(until: slice)
      do {
        var answer: Envelope<Reply>?
        _ = try client.exchange(
          Envelope(id: id, body: request(epoch)).encoded(),
          matching: { frames in
            guard let reply = try? Envelope<Reply>(decoding: frames) else { return false }
            if case .alive(let alive) = reply.body { self.heard(alive) }
            guard reply.id == id else { return false }
            answer = reply
            return true
          }, deadlineMilliseconds: Self.repeatMilliseconds,
          wake: finishing == nil ? stopDescriptor : nil, untilReconnected: true)
        if let answer { return answer }
      } catch {
        if isStopping(), finishing?.hasPassed ?? true { throw StopRequested() }
        switch error.reason {
        case .timedOut: log.warning("\(waiting); asking again")
        case .reconnected: log.info("another connection to replay stands; asking again")
        default: throw error
        }
        guard !patience.hasPassed else {
          throw waiting.expired(
            remedy: "check that forage-replay runs (forage status, logs/replay.log)")
        }
        // Every hello opens an epoch: only the answer to the newest one counts.
        if isHello { id = takeID() }
      }
    }
  }

  private func takeID() -> Int {
    defer { nextID += 1 }
    return nextID
  }

  /// What an answer to a heartbeat says of the clocks. One that lay unread while a step was taken
  /// says little, and is passed over for shorter round trips.
  private func heard(_ alive: Alive) {
    let sample = ClockSample(
      sentMicroseconds: alive.sentMicroseconds, receivedMicroseconds: alive.receivedMicroseconds,
      answeredMicroseconds: alive.answeredMicroseconds, returned: MonotonicClock.now)
    guard let sample else { return }
    clock.take(sample)
    strand.span(
      .clock, id: Int(sample.offset), from: sample.at, to: sample.at + sample.roundTrip)
  }

  /// Says what this learner does, at most once a second, or when it probes, a few times; the answer
  /// is not waited for.
  public func beat(
    state: String, since: Int64, version: PolicyVersion?, idleMilliseconds: Int,
    probes: Bool = false
  ) {
    let now = MonotonicClock.now
    let interval = probes ? Self.probeNanoseconds : Self.heartbeatNanoseconds
    guard now - lastHeartbeat >= interval, welcome != nil else { return }
    lastHeartbeat = now
    var heartbeat = Heartbeat(
      holding: [], version: version, state: state,
      stateMilliseconds: Int((now - since) / 1_000_000), tokensSampled: 0, groupsSubmitted: 0,
      idleMilliseconds: idleMilliseconds)
    if let best = clock.best {
      heartbeat.offsetMicroseconds = Int(best.offset / 1000)
      heartbeat.roundTripMicroseconds = Int(best.roundTrip / 1000)
    }
    heartbeat.sentMicroseconds = Int(MonotonicClock.now / 1000)
    let frames = Envelope(id: nextID, body: Request.heartbeat(heartbeat)).encoded()
    nextID += 1
    // A full queue or a lost connection shows in the next request; a heartbeat is only a hint.
    _ = try? client.socket.send(frames)
  }

  private func unexpected(_ body: Reply, _ request: String) -> any Error {
    if case .refused(let refusal) = body { return refusal }
    return Failure(
      "say \(request) to", on: client.endpoint, happened: "the answer was of another kind",
      remedy: "both ends must be of one version of Forage", exitCode: .internal)
  }
}
