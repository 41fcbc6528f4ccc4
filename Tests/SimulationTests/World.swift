// A whole run in one thread and no time: replay, learner and actors with their real state machines
// (`Ledger`; `Conversation`, `Outbox`, `Fetcher`, `FetchPlan`) and the real codecs, over a clock,
// disks and links that are simulated and do whatever such things do.
//
// A test of a distributed program that starts processes sees the few orders of events that its
// machine happens to produce. Here a seed is an order: messages are lost, repeated, late, in
// another order, damaged; connections are cut; processes are killed between any two effects, paused
// and replaced while paused; the power fails, and what was not synced is gone, torn or there.
// A simulated hour takes milliseconds, and a failure happens again from its seed.
//
// The glue around the state machines (a service's loop, the learner's order of a step) is written
// here once more, because the product's owns sockets and files; `ReplayProcess`, `ActorProcess` and
// `LearnerProcess` name what each mirrors.

import Experience
import SimulatedLedger
import Wire

/// Thrown where a process ends in the middle of what it does.
struct Crash: Error {}

let millisecond: Int64 = 1_000_000
let second: Int64 = 1_000_000_000

/// What a run is asked to be, drawn from its seed.
struct Plan {
  let seed: UInt64
  let steps: Int
  let batch: Int
  let lagMax: Int
  let actors: Int
  let checkpointEvery: Int
  let evaluationEvery: Int
  /// Every other pair of seeds; levels open within a few steps.
  let curriculum: CurriculumRules?
  let limits = GroupLimits(
    groupSize: 2, maximumPositions: 7, maximumNewTokens: 4, vocabularySize: 64)
  let lineage = "line"

  init(seed: UInt64, random: inout SeededGenerator) {
    self.seed = seed
    steps = 2 + random.below(3)
    batch = 1 + random.below(3)
    lagMax = random.below(3)
    actors = 1 + random.below(2)
    checkpointEvery = 1 + random.below(3)
    evaluationEvery = random.chance(3) ? 2 : 0
    curriculum =
      seed / 2 % 2 == 1
      ? CurriculumRules(levels: 3, threshold: 0.5, window: 2, newestShare: 0.5) : nil
  }
}

/// Something with a life of its own, which may end at any moment.
class Process {
  let name: String
  unowned let world: World
  private(set) var isAlive = true
  /// Stopped (SIGSTOP) until then: what comes meanwhile waits.
  var pausedUntil: Int64 = 0

  init(_ name: String, in world: World) {
    self.name = name
    self.world = world
  }

  func end() { isAlive = false }

  /// A place at which a process may be killed.
  func mayDie() throws {
    if world.strikes(oneIn: 150, "killed \(kind) within its work") { throw Crash() }
  }

  var kind: String { String(name.prefix { $0 != "-" }) }

  func receive(_ frames: [[UInt8]], over link: Link) throws {}
}

final class World {
  /// A run takes some thousand.
  static let maximumEvents = 200_000

  let plan: Plan
  let mutation: Mutation?
  var random: SeededGenerator
  private(set) var now: Int64 = second
  private(set) var events = 0
  private var queue = EventQueue()

  /// While they may happen.
  var isFaulty = true
  private(set) var faults: [String: Int] = [:]
  private(set) var problems: [String] = []

  let ledgerDisk: LedgerDisk
  let files = SimulatedFiles()
  let witness: Witness
  var links: [Link] = []
  var replay: ReplayProcess?
  var learners: [LearnerProcess] = []
  var actors: [ActorProcess] = []

  init(seed: UInt64, mutation: Mutation? = nil) {
    random = SeededGenerator(state: seed)
    plan = Plan(seed: seed, random: &random)
    self.mutation = mutation
    ledgerDisk = LedgerDisk(plan)
    witness = Witness(plan)
    LearnerProcess.makeFirstModel(plan, files)
    startReplay()
    startLearner()
    for index in 0..<plan.actors { startActor(index, after: 0) }
  }

  // MARK: Time

  /// Runs `action` later, unless the process has ended by then.
  func after(_ delay: Int64, _ process: Process?, _ action: @escaping () throws -> Void) {
    queue.push(.init(time: now + delay, process: process, action: action))
  }

  /// Runs through the next event; false when nothing is left to happen.
  private func step() -> Bool {
    guard let event = queue.pop() else { return false }
    now = max(now, event.time)
    if let process = event.process {
      guard process.isAlive else { return true }
      guard process.pausedUntil <= now else {
        after(process.pausedUntil - now, process, event.action)
        return true
      }
    }
    events += 1
    if events > Self.maximumEvents { problems.append("a loop without progress: \(state)") }
    do {
      try event.action()
    } catch is Crash {
      if let process = event.process { kill(process) }
    } catch {
      problems.append("\(event.process?.name ?? "the world") threw \(error)")
    }
    if let replay, let broken = replay.ledger.brokenLaw() { problems.append(broken) }
    return true
  }

  /// What went wrong, or nil: faults for some simulated seconds, then none until the end, which
  /// must come within a bound.
  func run() -> String? {
    let calm = now + Int64(5 + random.below(25)) * second
    scheduleTrouble()
    while now < calm, problem == nil, !isOver, step() {}
    isFaulty = false
    for process in everyone { process.pausedUntil = min(process.pausedUntil, now) }
    // Reconnections and leases take simulated minutes at the worst.
    let end = now + 1_200 * second
    while now < end, problem == nil, !isOver, step() {}
    if problem == nil, !isOver { problems.append("no end: \(state)") }
    if problem == nil { witness.judgeEnd(ledgerDisk.durable, problems: &problems) }
    return problem
  }

  var problem: String? { (problems + witness.problems + ledgerDisk.problems).first }

  private var isOver: Bool {
    replay?.ledger.isFinished == true && learners.contains { $0.isAlive && $0.isOver }
      && actors.allSatisfy(\.isOver)
  }

  private var state: String {
    let who = everyone.filter(\.isAlive).map { "\($0.name): \($0)" }
    let seen = faults.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return "step \(replay?.ledger.nextStep ?? -1) of \(plan.steps) at \(now / second) s, "
      + "lag \(plan.lagMax), batch \(plan.batch); \(who.joined(separator: "; ")); "
      + seen.joined(separator: ", ")
  }

  private var everyone: [Process] { (replay.map { [$0] } ?? []) + learners + actors }

  // MARK: Faults

  /// Whether a fault happens now; counted under its name.
  func strikes(oneIn: Int, _ name: String) -> Bool {
    guard isFaulty, random.chance(oneIn) else { return false }
    faults[name, default: 0] += 1
    return true
  }

  func count(_ name: String) { faults[name, default: 0] += 1 }

  private func scheduleTrouble() {
    after(Int64(50 + random.below(2_000)) * millisecond, nil) { [unowned self] in
      guard isFaulty else { return }
      trouble()
      scheduleTrouble()
    }
  }

  private func trouble() {
    switch random.below(12) {
    case 0, 1:
      count("killed replay")
      if let replay { kill(replay) }
    case 2, 3:
      count("killed actor")
      kill(actors[random.below(actors.count)])
    case 4, 5:
      count("killed learner")
      if let learner = learners.last { kill(learner) }
      if random.chance(3) { rot() }
    case 6: cutPower()
    case 7, 8:
      if !links.isEmpty {
        count("connection cut")
        links[random.below(links.count)].cut()
      }
    case 9:
      count("paused")
      let whom = everyone[random.below(everyone.count)]
      whom.pausedUntil = now + Int64(1 + random.below(8_000)) * millisecond
    case 10:
      // Somebody thinks that the learner is dead, and it is not.
      count("two learners")
      learners.last?.pausedUntil = now + Int64(random.below(6_000)) * millisecond
      startLearner()
    default: rot()
    }
  }

  /// A leased group may be in training already, and then only the ledger's copy would be lost; so
  /// it rots only where no learner lives to commit it.
  private func rot() {
    let isUnattended = !learners.contains(where: \.isAlive)
    if isUnattended {
      for link in links where !link.client.isAlive { link.cut() }
    }
    if ledgerDisk.rot(&random, includingLeased: isUnattended) { count("rotten blob") }
  }

  /// The machine goes off: everybody ends, and both disks forget what they may.
  func cutPower() {
    count("power cut")
    for process in everyone { process.end() }
    ledgerDisk.losePower(&random)
    files.losePower(&random)
    let revived = everyone
    learners = []
    for process in revived where !(process is LearnerProcess) { revive(process) }
    after(200 * millisecond, nil) { [unowned self] in startLearner() }
  }

  func kill(_ process: Process) {
    guard process.isAlive else { return }
    process.end()
    revive(process)
  }

  private func revive(_ process: Process) {
    let delay = Int64(100 + random.below(900)) * millisecond
    after(delay, nil) { [unowned self] in
      switch process {
      case is ReplayProcess: startReplay()
      case is LearnerProcess: if !learners.contains(where: \.isAlive) { startLearner() }
      default:
        if let index = actors.firstIndex(where: { $0 === process }) { startActor(index, after: 0) }
      }
    }
  }

  // MARK: Processes

  private func startReplay() {
    if let replay, replay.isAlive { return }
    let started = ReplayProcess(in: self)
    replay = started
    witness.checkKept(ledgerDisk.current)
    started.begin()
  }

  private func startLearner() {
    learners.removeAll { !$0.isAlive }
    let learner = LearnerProcess("learner-\(events)-\(learners.count)", in: self)
    learners.append(learner)
    learner.begin()
  }

  private func startActor(_ index: Int, after delay: Int64) {
    let actor = ActorProcess("actor-\(index)", in: self)
    if index < actors.count { actors[index] = actor } else { actors.append(actor) }
    actor.begin()
  }
}

/// What happens next, earliest first; of two at one time the one that was asked for first.
struct EventQueue {
  struct Entry {
    var time: Int64
    var order = 0
    var process: Process?
    var action: () throws -> Void
  }

  private var heap: [Entry] = []
  private var pushed = 0

  mutating func push(_ entry: Entry) {
    pushed += 1
    heap.append(entry)
    heap[heap.count - 1].order = pushed
    var index = heap.count - 1
    while index > 0, precedes(index, (index - 1) / 2) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func pop() -> Entry? {
    guard !heap.isEmpty else { return nil }
    heap.swapAt(0, heap.count - 1)
    let first = heap.removeLast()
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2]
      where child < heap.count && precedes(child, least) { least = child }
      if least == index { return first }
      heap.swapAt(index, least)
      index = least
    }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
  }
}
