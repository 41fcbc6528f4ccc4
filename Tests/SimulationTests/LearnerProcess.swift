// A learner as a process: how it starts, leases, commits, keeps checkpoints and serves weights
// (mirrors `LearnerProgram`, `ReplayLink`, `Learner`, `Checkpoints`, `WeightServer`).

import Digests
import Experience
import Safetensors
import Wire

final class LearnerProcess: Process {
  /// One question at a time; it is asked again until it is answered.
  private struct Question {
    var id: Int
    var isHello: Bool
    var request: (_ epoch: Int) -> Request
    var answer: (Envelope<Reply>) throws -> Void
  }

  private struct Served {
    var snapshot: Snapshot
    var bytes: [UInt8]
  }

  private var replay: Link!
  private var question: Question?
  private var nextID = 1
  private var epoch = 0
  private var policy = Work.Policy(tensors: [])
  private var version: PolicyVersion!
  private var chain: Digest!
  private var served: [Int: Served] = [:]
  private var pinned: Set<Int> = []
  private(set) var isOver = false
  private var doing = "starting"

  private var plan: Plan { world.plan }
  private var files: SimulatedFiles { world.files }

  override init(_ name: String, in world: World) {
    super.init(name, in: world)
    replay = Link(from: self, to: World.replayAddress, in: world)
  }

  // MARK: Starting

  func begin() {
    world.after(0, self) { [unowned self] in try start() }
  }

  private func start() throws {
    for folder in files.folders(of: "checkpoints") where folder.hasPrefix(".writing") {
      files.remove("checkpoints/\(folder)")
    }
    try load(atMost: nil)
    meet { [unowned self] welcome in
      let committed = (welcome.lastCommit?.step ?? -1) + 1
      guard version.number > committed else { return try work(committed) }
      // The ledger is the authority: a checkpoint beyond its last commit does not count.
      world.count("checkpoint beyond the commit")
      try load(atMost: committed)
      meet { [unowned self] _ in try work(committed) }
    }
  }

  private func work(_ committed: Int) throws {
    if version.number < committed { world.count("resumed behind") }
    if world.mutation == .skipsRedo, version.number < committed {
      version = PolicyVersion(
        lineage: version.lineage, number: committed, digest: version.digest)
    }
    publish()
    try takeStep()
  }

  private func load(atMost most: Int?) throws {
    guard
      let loaded = Checkpoint.newestGood(
        in: files, atMost: most, believing: world.mutation == .believesCheckpoints)
    else {
      world.witness.require(false, "no checkpoint is whole")
      throw Crash()
    }
    (policy, version, chain) = (loaded.policy, loaded.version, loaded.chain)
  }

  static func makeFirstModel(_ plan: Plan, _ files: SimulatedFiles) {
    let policy = Work.first(plan)
    let version = PolicyVersion(lineage: plan.lineage, number: 0, digest: policy.digest)
    let first = Checkpoint(policy: policy, version: version, chain: Work.firstChain(plan))
    first.save(in: files, aside: "first", syncing: true) {}
  }

  // MARK: Questions

  private func meet(_ then: @escaping (Welcome) throws -> Void) {
    ask(isHello: true) { [unowned self] _ in
      .hello(
        Hello(
          role: .learner, name: "learner", numericClass: "class", weightsAddress: name,
          announceAddress: "", version: version,
          files: Self.files.map { NamedDigest(name: $0.name, digest: Digest(of: $0.bytes)) },
          instance: world.mutation == .returnsAsNewcomer ? "" : name))
    } then: { [unowned self] answer in
      guard case .welcome(let welcome) = answer.body else { return try leave(answer.body) }
      world.witness.sees(welcomed: name, since: epoch, to: welcome.epoch)
      epoch = welcome.epoch
      try then(welcome)
    }
  }

  private func ask(
    isHello: Bool = false, _ request: @escaping (_ epoch: Int) -> Request,
    then answer: @escaping (Envelope<Reply>) throws -> Void
  ) {
    question = Question(id: nextID, isHello: isHello, request: request, answer: answer)
    nextID += 1
    repeatQuestion(after: 0, id: nextID - 1)
  }

  private func repeatQuestion(after delay: Int64, id: Int) {
    world.after(delay, self) { [unowned self] in
      guard var open = question, open.id == id else { return }
      if open.isHello, delay > 0 {
        open.id = nextID
        nextID += 1
        question = open
      }
      try mayDie()
      replay.send(Envelope(id: open.id, body: open.request(epoch)).encoded())
      repeatQuestion(after: 5 * second, id: open.id)
    }
  }

  override func receive(_ frames: [[UInt8]], over link: Link) throws {
    guard link === replay else { return serve(frames, over: link) }
    guard let reply = try? Envelope<Reply>(decoding: frames) else {
      return world.witness.require(false, "\(name) cannot read a reply of replay")
    }
    guard let open = question, open.id == reply.id else { return }
    if case .refused(let refusal) = reply.body {
      if refusal.code == .busy {
        question = nil
        world.after(second, self) { [unowned self] in
          ask(isHello: open.isHello, open.request, then: open.answer)
        }
        return
      }
      if refusal.code == .helloFirst {
        return meet { [unowned self] _ in ask(open.request, then: open.answer) }
      }
    }
    question = nil
    try open.answer(reply)
  }

  /// Another learner has taken over, or the ledger holds something else: this one ends.
  private func leave(_ reply: Reply) throws {
    if case .refused(let refusal) = reply {
      world.count("learner \(refusal.code.rawValue)")
    } else {
      world.witness.require(false, "\(name) was answered with another kind")
    }
    throw Crash()
  }

  // MARK: Steps

  private func takeStep() throws {
    guard version.number < plan.steps else { return awaitEnd() }
    let step = version.number
    doing = "leasing step \(step)"
    ask {
      .lease(LeaseRequest(step: step, epoch: $0))
    } then: { [unowned self] answer in
      switch answer.body {
      case .lease(let lease):
        guard lease.step == step, lease.tickets.count == answer.payload.count else {
          return world.witness.require(false, "a lease of another step or size")
        }
        pinned = Set(lease.pinnedVersions)
        doing = "training step \(step)"
        let duration = Int64(50 + world.random.below(400)) * millisecond
        world.after(duration, self) { [unowned self] in try train(lease, answer.payload) }
      case .wait(let wait):
        let pause = Int64(min(wait.milliseconds, 50) + 1) * millisecond
        world.after(pause, self) { [unowned self] in try takeStep() }
      default: try leave(answer.body)
      }
    }
  }

  private func train(_ lease: BatchLease, _ payload: [[UInt8]]) throws {
    var groups: [TrajectoryGroup] = []
    for blob in payload {
      groups.append(try TrajectoryGroup(decoding: blob, limits: plan.limits))
    }
    if world.mutation == .learnsWhoSampled, groups[0].actor.hasSuffix("1") { groups.reverse() }
    let step = version.number
    let taken = Work.train(policy, chain: chain, step: step, on: groups, plan)
    try mayDie()
    let isDue = (step + 1) % plan.checkpointEvery == 0 || step + 1 == plan.steps
    if isDue {
      let checkpoint = Checkpoint(
        policy: taken.policy, version: taken.version, chain: taken.chain)
      let aside = ".writing-\(taken.version.number)-\(name)"
      try checkpoint.save(
        in: files, aside: aside, syncing: world.mutation != .believesCheckpoints
      ) { try mayDie() }
    }
    if world.mutation == .publishesBeforeCommit {
      (policy, version) = (taken.policy, taken.version)
      publish()
    }
    let trained = groups.filter { _ in taken.outcome == .trained }.map {
      TrainedTrajectory(
        ticket: $0.key.number, sample: 0, isTrained: true, advantage: 0, ratioLeast: 1,
        ratioMean: 1, ratioGreatest: 1, kl: 0, clippedShare: 0, entropy: 0)
    }
    let pool = plan.curriculum == nil ? nil : taken.policy.pool
    let name = isDue ? Checkpoint.name(taken.version.number) : nil
    doing = "committing step \(step)"
    ask { epoch in
      .commit(
        StepCommit(
          step: step, epoch: epoch, outcome: taken.outcome, tickets: lease.tickets,
          version: taken.version, stateDigest: taken.chain, checkpoint: name,
          curriculum: pool, trajectories: trained))
    } then: { [unowned self] answer in
      guard case .committed(let committed) = answer.body, committed.step == step else {
        return try leave(answer.body)
      }
      try mayDie()
      if isDue { Checkpoint.rotate(in: files) }
      (policy, version, chain) = (taken.policy, taken.version, taken.chain)
      publish()
      try mayDie()
      try takeStep()
    }
  }

  private func awaitEnd() {
    doing = "waiting for the end"
    let step = version.number
    ask {
      .lease(LeaseRequest(step: step, epoch: $0))
    } then: { [unowned self] answer in
      if case .lease(let lease) = answer.body, lease.tickets.isEmpty {
        isOver = true
        return
      }
      if case .refused = answer.body { return try leave(answer.body) }
      world.after(50 * millisecond, self) { [unowned self] in awaitEnd() }
    }
  }

  // MARK: Weights

  private static let files = [
    (name: "config.json", bytes: Array("{}".utf8)),
    (name: "tokenizer.json", bytes: Array("{\"a\":1}".utf8)),
  ]

  private func publish() {
    world.witness.sees(published: version, world.ledgerDisk.current)
    let bytes = SnapshotCodec.encode(policy.tensors, version: version)
    let snapshot = Snapshot(
      version: version, blob: Digest(of: bytes), byteCount: bytes.count, encoding: "f32")
    served[version.number] = Served(snapshot: snapshot, bytes: bytes)
    let kept = Set(served.keys.sorted().suffix(plan.lagMax + 2)).union(pinned)
    served = served.filter { kept.contains($0.key) }
    let frame = snapshot.encodedAnnouncement()
    for actor in world.actors where !world.strikes(oneIn: 4, "announcement lost") {
      world.after(millisecond, actor) { [unowned actor] in try actor.hear(announcement: frame) }
    }
  }

  private func serve(_ frames: [[UInt8]], over link: Link) {
    let answer: Envelope<BlobReply>
    do throws(Refusal) {
      let request = try Envelope<BlobRequest>(decoding: frames)
      answer = reply(to: request)
    } catch {
      answer = Envelope(refusing: frames, error)
    }
    _ = link.reply(answer.encoded(), to: link.peer)
  }

  private func reply(to request: Envelope<BlobRequest>) -> Envelope<BlobReply> {
    let gone = Envelope(id: request.id, body: BlobReply.refused(Refusal(.gone, "not served")))
    switch request.body {
    // No actor probes.
    case .probe: return gone
    case .locate(let number):
      let found = (number ?? served.keys.max()).flatMap { served[$0] }
      return found.map { Envelope(id: request.id, body: .located($0.snapshot)) } ?? gone
    case .chunk(let digest, let offset, let count):
      let bytes =
        Self.files.map(\.bytes).first { Digest(of: $0) == digest }
        ?? served.values.first { $0.snapshot.blob == digest }?.bytes
      guard let bytes, offset < bytes.count else { return gone }
      let piece = Array(bytes[offset..<min(bytes.count, offset + count)])
      return Envelope(
        id: request.id, body: .chunk(digest: digest, offset: offset, total: bytes.count),
        payload: [piece])
    }
  }
}

extension LearnerProcess: CustomStringConvertible {
  var description: String { "\(doing), epoch \(epoch)" }
}
