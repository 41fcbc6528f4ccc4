// What the simulated actors and the simulated learner do of themselves, and with what they hear.

import Experience
import Replay
import Wire

extension Simulation {
  // MARK: Actors

  mutating func act(_ index: Int) {
    let peer = actors[index].peer
    if !actors[index].hasHello {
      // Asked again at any time: a hello may be lost.
      let hello = Hello(
        role: .actor, name: actors[index].name, numericClass: "",
        holding: actors[index].holding, version: actors[index].version.map { version($0) })
      _ = ask(peer) { .hello($0, hello) }
      return
    }
    if isFaulty, random.chance(10) { return beat(index) }
    if !isFaulty { beat(index) }
    if let ticket = actors[index].tickets.first { return sample(index, ticket) }
    if let key = actors[index].unacknowledged.keys.sorted().first, !isFaulty || random.chance(2) {
      return submit(index, key)
    }
    if let newest = ledger.version?.number, isFaulty, random.chance(4) {
      // An announcement came through.
      actors[index].version = newest
    }
    if actors[index].asked != nil, isFaulty, !random.chance(6) { return }
    let request = TicketRequest(
      version: actors[index].version.map { version($0) }, count: 1 + random.below(3))
    actors[index].asked = ask(peer) { .tickets($0, request) }
  }

  private mutating func beat(_ index: Int) {
    let actor = actors[index]
    let heartbeat = Heartbeat(
      holding: actor.holding, version: actor.version.map { version($0) }, state: "simulated",
      stateMilliseconds: 0, tokensSampled: events, groupsSubmitted: 0, idleMilliseconds: 0)
    _ = ask(actor.peer) { .heartbeat($0, heartbeat) }
  }

  private mutating func sample(_ index: Int, _ ticket: Ticket) {
    actors[index].tickets.removeFirst()
    guard let held = actors[index].version, held >= ticket.minimumVersion else { return }
    actors[index].unacknowledged[ticket.key] = held
    submit(index, ticket.key)
  }

  private mutating func submit(_ index: Int, _ key: TicketKey) {
    let peer = actors[index].peer
    if isFaulty, random.chance(15) {
      fault("invalid group")
      _ = ask(peer) { .unusable($0, key, Refusal(.invalid, "made so"), bytes: 10) }
      return
    }
    var tally = GroupTally()
    tally.samples = 1
    tally.tokens = 5
    tally.spread = Double(random.below(3)) / 2
    var sampled = version(actors[index].unacknowledged[key]!)
    if isFaulty, random.chance(20) {
      fault("foreign weights")
      sampled = PolicyVersion(
        lineage: configuration.lineage, number: sampled.number, digest: Self.digests[63])
    }
    let arrival = Arrival(key: key, version: sampled, bytes: 100, tally: tally)
    _ = ask(peer) { .arrived($0, arrival) }
  }

  mutating func hear(_ index: Int, _ id: Int, _ reply: Reply) {
    if actors[index].asked == id { actors[index].asked = nil }
    switch reply {
    case .welcome: actors[index].hasHello = true
    case .tickets(let tickets): actors[index].tickets += tickets
    case .fetch(let version):
      // Weights of old versions are gone sometimes; the newest can always be had.
      let isGone = random.chance(2) && version.number < ledger.nextStep
      actors[index].version = isGone ? ledger.nextStep : version.number
    case .wait(let wait): actors[index].isOver = wait.isFinished
    case .acknowledged(let key): actors[index].unacknowledged[key] = nil
    case .refused(let refusal): hearRefusal(index, refusal)
    default: break
    }
  }

  /// The wire's refusals name no ticket; a real actor pairs them by request. Here whatever has been
  /// judged and is not on the disk is given up, as that actor would.
  private mutating func hearRefusal(_ index: Int, _ refusal: Refusal) {
    switch refusal.code {
    case .helloFirst: actors[index].hasHello = false
    case .busy: break
    default: actors[index].unacknowledged = [:]
    }
  }

  // MARK: The learner

  mutating func actAsLearner() {
    // A request may be lost: it is given up and asked again, later.
    if learner.asked != nil, isFaulty, !random.chance(5) { return }
    let peer = learner.peer
    switch learner.phase {
    case .unknown:
      let known = disk.history.version ?? version(0)
      let hello = Hello(
        role: .learner, name: "learner", numericClass: "", weightsAddress: "w",
        announceAddress: "a", version: known)
      learner.asked = ask(peer) { .hello($0, hello) }
    case .ready:
      let request = LeaseRequest(step: learner.step, epoch: learner.epoch)
      learner.asked = ask(peer) { .lease($0, request) }
    case .leased(let batch):
      let step = learner.step
      let outcome: StepOutcome = step % 3 == 2 ? .skipped : .trained
      let trained = (batch.tickets.prefix(1) + batch.reused).map {
        TrainedTrajectory(
          ticket: $0, sample: 0, isTrained: true, advantage: 0, ratioLeast: 1, ratioMean: 1,
          ratioGreatest: 1, kl: 0, clippedShare: 0, entropy: 0)
      }
      let made =
        outcome == .skipped
        ? PolicyVersion(
          lineage: configuration.lineage, number: step + 1, digest: version(step).digest)
        : PolicyVersion(
          lineage: configuration.lineage, number: step + 1, digest: Self.digests[step + 1])
      let commit = StepCommit(
        step: step, epoch: learner.epoch, outcome: outcome, tickets: batch.tickets,
        reused: batch.reused, version: made, stateDigest: Self.digests[0], checkpoint: nil,
        trajectories: trained)
      learner.asked = ask(peer) { .commit($0, commit) }
    case .over: break
    }
  }

  mutating func hearAsLearner(_ id: Int, _ reply: Reply) {
    guard learner.asked == id else { return }
    learner.asked = nil
    switch reply {
    case .welcome(let welcome):
      learner.epoch = welcome.epoch
      learner.step = (welcome.lastCommit?.step ?? -1) + 1
      // Sometimes it has an older checkpoint and repeats a step.
      if isFaulty, learner.step > 0, random.chance(3) {
        fault("step repeated")
        learner.step -= 1
      }
      learner.phase = .ready
    case .lease(let batch):
      learner.phase =
        batch.tickets.isEmpty
        ? .over : .leased(Batch(tickets: batch.tickets, reused: batch.reused))
    case .committed(let committed):
      learner.step = committed.step + 1
      learner.phase = .ready
    case .refused(let refusal) where refusal.code == .helloFirst:
      learner.phase = .unknown
    case .refused(let refusal) where refusal.code == .fenced || refusal.code == .order:
      learner = SimulatedLearner(peer: freshPeer())
    default: break
    }
  }
}
