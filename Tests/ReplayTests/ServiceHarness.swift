// A replay service on a thread of its own, and peers that talk to it over real sockets. Every wait
// has a deadline.

import Digests
import Documents
import Experience
import Messaging
import Operations
import Replay
import Wire

/// A service over a folder; started and stopped any number of times.
final class ServiceHarness {
  let folder: RunFolder
  let settings: RunSettings
  let endpoint: String
  private var stop: EventFD?
  private var thread: WorkerThread?

  init(_ folder: TemporaryFolder, _ overrides: [String] = []) throws {
    self.folder = RunFolder(folder.path)
    settings = try Samples.settings(overrides)
    endpoint = "ipc://\(folder.path)/socket"
  }

  deinit { try? end() }

  func start(allowing keys: [String] = []) throws {
    let stop = try EventFD()
    let (settings, folder, endpoint) = (settings, folder, endpoint)
    self.stop = stop
    thread = try WorkerThread(name: "replay") {
      let service = try ReplayService(
        settings: settings, folder: folder, endpoint: endpoint, context: MessagingContext(),
        log: .silent, allowedChanges: keys)
      try service.serve(until: [stop.fileDescriptor])
    }
  }

  /// Waits until it ends of itself, and throws what it threw.
  func waitForEnd() throws {
    guard let outcome = thread?.join(deadline: .after(seconds: 30)) else { return }
    thread = nil
    if case .failed(let error) = outcome { throw error }
  }

  /// Stops it as SIGTERM would, and throws what it threw.
  func end() throws {
    stop?.signal()
    guard let outcome = thread?.join(deadline: .after(seconds: 30)) else { return }
    thread = nil
    switch outcome {
    case .finished: break
    case .failed(let error): throw error
    case .running: throw Failure("stop", on: "the service", happened: "it still runs after 30 s")
    }
  }
}

/// An actor or learner of the tests.
final class TestPeer {
  let client: DealerClient
  private let deadlineMilliseconds: Int
  private var nextID = 1

  init(endpoint: String, deadlineMilliseconds: Int, keys: ClientKeys? = nil) throws {
    client = try DealerClient(to: endpoint, peer: "replay", in: MessagingContext(), keys: keys)
    self.deadlineMilliseconds = deadlineMilliseconds
  }

  convenience init(_ harness: ServiceHarness) throws {
    try self.init(endpoint: harness.endpoint, deadlineMilliseconds: 30_000)
  }

  func ask(_ body: Request, payload: [[UInt8]] = []) throws -> Envelope<Reply> {
    nextID += 1
    let id = nextID
    let request = Envelope(id: id, body: body, payload: payload)
    while true {
      do {
        let frames = try client.exchange(
          request.encoded(),
          matching: { (try? Envelope<Reply>(decoding: $0))?.id == id },
          deadlineMilliseconds: deadlineMilliseconds, untilReconnected: true)
        return try Envelope<Reply>(decoding: frames)
      } catch let error as MessagingError {
        // What was on its way when the service was stopped went with it, as in a run.
        guard case .reconnected = error.reason else { throw error }
      }
    }
  }

  func hello(actor name: String, holding: [TicketKey] = []) throws -> Welcome {
    let hello = Hello(role: .actor, name: name, numericClass: "class", holding: holding)
    guard case .welcome(let welcome) = try ask(.hello(hello)).body else { throw Unexpected() }
    return welcome
  }

  /// Learns the lineage first: version 0 is named within it.
  func helloAsLearner() throws -> Welcome {
    func hello(_ version: PolicyVersion?) throws -> Welcome {
      let hello = Hello(
        role: .learner, name: "learner", numericClass: "class", weightsAddress: "ipc:///w",
        announceAddress: "ipc:///a", version: version)
      guard case .welcome(let welcome) = try ask(.hello(hello)).body else { throw Unexpected() }
      return welcome
    }
    let first = try hello(nil)
    return try hello(first.version ?? Samples.version(0, lineage: first.lineage))
  }

  func tickets(_ count: Int, _ version: PolicyVersion?) throws -> Reply {
    try ask(.tickets(TicketRequest(version: version, count: count))).body
  }

  func submit(_ group: TrajectoryGroup) throws -> Reply {
    let blob = group.encoded()
    return try ask(
      .submit(Submission(key: group.key, digest: Digest(of: blob))), payload: [blob]
    ).body
  }

  func status() throws -> Document {
    guard case .status(let document) = try ask(.status).body else { throw Unexpected() }
    return document
  }

  struct Unexpected: Error {}
}

extension Reply {
  var refusal: Refusal.Code? {
    if case .refused(let refusal) = self { refusal.code } else { nil }
  }
}

/// Takes and fills tickets until the run is over.
func actToTheEnd(
  _ peer: TestPeer, name: String, acknowledged: (TicketKey) -> Void = { _ in }
) throws {
  var version = try peer.hello(actor: name).version
  while true {
    switch try peer.tickets(3, version) {
    case .tickets(let tickets):
      for ticket in tickets {
        let group = Samples.group(ticket.key, version: version!, actor: name)
        if case .acknowledged(let key) = try peer.submit(group) { acknowledged(key) }
      }
    case .fetch(let newest): version = newest
    case .wait(let wait): if wait.isFinished { return }
    case .refused(let refusal) where refusal.code == .helloFirst:
      _ = try peer.hello(actor: name)
    default: throw TestPeer.Unexpected()
    }
  }
}

/// Leases and commits every step; returns the batches, in order.
func learnToTheEnd(_ peer: TestPeer) throws -> (
  batches: [[Int]], evaluations: [EvaluationSummary]
) {
  let welcome = try peer.helloAsLearner()
  var step = (welcome.lastCommit?.step ?? -1) + 1
  var batches: [[Int]] = []
  var evaluations: [EvaluationSummary] = []
  while true {
    let answer = try peer.ask(.lease(LeaseRequest(step: step, epoch: welcome.epoch)))
    if case .wait = answer.body { continue }
    guard case .lease(let batch) = answer.body else { throw TestPeer.Unexpected() }
    evaluations += batch.evaluations
    if batch.tickets.isEmpty { return (batches, evaluations) }
    let groups = try answer.payload.map { try TrajectoryGroup(decoding: $0, limits: nil) }
    guard groups.map(\.key.number) == batch.batch else { throw TestPeer.Unexpected() }
    batches.append(batch.tickets)
    let commit = StepCommit(
      step: step, epoch: welcome.epoch, outcome: .trained, tickets: batch.tickets,
      reused: batch.reused, version: Samples.version(step + 1, lineage: welcome.lineage),
      stateDigest: Digest(of: [UInt8(step)]), checkpoint: nil,
      trajectories: batch.batch.map {
        TrainedTrajectory(
          ticket: $0, sample: 0, isTrained: true, advantage: 1, ratioLeast: 1, ratioMean: 1,
          ratioGreatest: 1, kl: 0, clippedShare: 0, entropy: 1)
      })
    guard case .committed = try peer.ask(.commit(commit)).body else { throw TestPeer.Unexpected() }
    step += 1
  }
}
