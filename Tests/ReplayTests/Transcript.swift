// Transcripts: what happens to a ledger and what it does, a line each.
//
//     a tickets 2 with 0  =>  a: tickets 0 1
//
// With a curriculum tickets are written with their level, 3/1, and a commit says where it leaves
// the pool: `pool 1`.
// Left of the arrow stands an event, right of it the actions it must lead to, parted by "; ".
// `again` parts the tickets a batch reuses from its fresh ones; a commit names them unless it says
// `fresh`. `e3.1` is evaluation ticket 1 of version 3; `a`, `b` are actors, `learner` and `rival`
// learners.

import Documents
import Experience
import Replay
import Testing
import Wire

struct Transcript {
  var ledger: Ledger
  var now: Int64 = 1
  private var nextRequest = 1
  private var names: [Peer: String] = [:]

  init(
    batch: Int, lagMax: Int, steps: Int = 10, evaluationEvery: Int = 0, evaluationPrompts: Int = 1,
    reuse: ReuseRules? = nil, isOffline: Bool = false, curriculum: CurriculumRules? = nil,
    history: LedgerHistory = .init()
  ) {
    var configuration = LedgerConfiguration(
      run: "run", lineage: "line", settings: .object([]), groupsPerStep: batch, lagMax: lagMax,
      steps: steps, ticketLeaseNanoseconds: 30_000_000_000, evaluationEvery: evaluationEvery,
      evaluationPrompts: evaluationPrompts, reuse: reuse)
    configuration.isOffline = isOffline
    configuration.curriculum = curriculum
    configuration.seed = 1
    ledger = Ledger(configuration, history: history, at: now)
  }

  /// Weights as each step would make them.
  static func version(_ number: Int, digest: Int? = nil) -> PolicyVersion {
    PolicyVersion(
      lineage: "line", number: number,
      digest: Digest(bytes: Array(repeating: UInt8(digest ?? number), count: 32)))
  }

  /// Runs every line and holds it to what it says.
  mutating func run(_ text: String, location: SourceLocation = #_sourceLocation) {
    for line in text.split(separator: "\n") {
      let sides = line.split(separator: "=>", maxSplits: 1, omittingEmptySubsequences: false)
        .map { $0.trimmingSpaces }
      guard sides[0].first != "#" else { continue }
      let got = perform(sides[0]).map(words).joined(separator: "; ")
      #expect(got == (sides.count > 1 ? sides[1] : ""), "\(sides[0])", sourceLocation: location)
      #expect(ledger.brokenLaw() == nil, "\(sides[0])", sourceLocation: location)
    }
  }

  private mutating func perform(_ text: String) -> [Action] {
    let words = text.split(separator: " ").map(String.init)
    switch words[0] {
    case "tick":
      now += Int64(words[1])! * 1_000_000
      return handle(.tick)
    case "stored": return handle(.stored(words.dropFirst().map(Self.key)))
    case "full":
      return handle(.notStored(words.dropFirst().map(Self.key), Refusal(.busy, "full")))
    case "sourced":
      let facts = words.dropFirst().map {
        Arrival(
          key: Self.key($0), version: Self.version(40), bytes: 100, tally: Self.tally(spread: 1))
      }
      return handle(.sourced(facts))
    case "recorded": return handle(.recorded)
    case "unrecorded": return handle(.notRecorded(Refusal(.busy, "full")))
    case "damaged": return handle(.damaged(Self.key(words[1]), lease: asker("learner")))
    case "gone": return handle(.gone(peer(words[1])))
    default: return handle(request(words))
    }
  }

  private mutating func handle(_ event: Event) -> [Action] { ledger.handle(event, at: now) }

  private mutating func request(_ words: [String]) -> Event {
    let asker = asker(words[0])
    let isLearner = words[0] == "learner" || words[0] == "rival"
    func number(after word: String) -> Int? {
      words.firstIndex(of: word).flatMap { Int(words[$0 + 1]) }
    }
    switch words[1] {
    case "hello":
      let holding = words.firstIndex(of: "holding").map { words[($0 + 1)...].map(Self.key) } ?? []
      return .hello(
        asker,
        Hello(
          role: isLearner ? .learner : .actor, name: words[0], numericClass: "",
          holding: holding, version: number(after: "with").map { Self.version($0) },
          instance: isLearner ? words[0] : ""))
    case "tickets":
      let version = number(after: "with").map { Self.version($0) }
      return .tickets(asker, TicketRequest(version: version, count: Int(words[2])!))
    case "group":
      let tally = Self.tally(spread: Double(number(after: "spread") ?? 1))
      let version = Self.version(number(after: "of")!, digest: number(after: "digest"))
      return .arrived(
        asker,
        Arrival(
          key: Self.key(words[2]), version: version, bytes: 100, tally: tally,
          level: number(after: "level")))
    case "garbage": return .unusable(asker, Self.key(words[2]), Refusal(.invalid, "x"), bytes: 9)
    case "beats":
      return .heartbeat(
        asker,
        Heartbeat(
          holding: words.dropFirst(2).map(Self.key), version: nil, state: "\(nextRequest)",
          stateMilliseconds: 0, tokensSampled: 0, groupsSubmitted: 0, idleMilliseconds: 0))
    case "lease":
      return .lease(
        asker, LeaseRequest(step: Int(words[2])!, epoch: number(after: "epoch") ?? ledger.epoch))
    case "commit": return .commit(asker, commit(words, number))
    default: preconditionFailure("a line begins with \(words)")
    }
  }

  private func commit(_ words: [String], _ number: (String) -> Int?) -> StepCommit {
    let step = Int(words[2])!
    var tickets = ledger.lease?.tickets ?? []
    if let index = words.firstIndex(of: "tickets") {
      tickets = words[(index + 1)...].map { Int($0)! }
    }
    let trained = tickets.prefix(1).map {
      TrainedTrajectory(
        ticket: $0, sample: 0, isTrained: true, advantage: 0, ratioLeast: 1, ratioMean: 1,
        ratioGreatest: 1, kl: 0, clippedShare: 0, entropy: 0)
    }
    return StepCommit(
      step: step, epoch: number("epoch") ?? ledger.epoch,
      outcome: words.contains("skipped") ? .skipped : .trained, tickets: tickets,
      reused: words.contains("fresh") ? [] : ledger.lease?.reused ?? [],
      version: Self.version(step + 1, digest: number("digest")),
      stateDigest: Self.version(0).digest, checkpoint: nil,
      curriculum: number("pool").map { CurriculumState(level: $0) }, trajectories: trained)
  }

  private static func tally(spread: Double) -> GroupTally {
    var tally = GroupTally()
    tally.samples = 2
    tally.reward = 1
    tally.spread = spread
    tally.strict = 1
    tally.tokens = 10
    return tally
  }

  private mutating func asker(_ name: String) -> Asker {
    nextRequest += 1
    return Asker(peer(name), nextRequest)
  }

  private mutating func peer(_ name: String) -> Peer {
    let peer = Peer(Array(name.utf8))
    names[peer] = name
    return peer
  }

  static func key(_ text: String) -> TicketKey {
    guard text.hasPrefix("e") else { return TicketKey(purpose: .train, number: Int(text)!) }
    let parts = text.dropFirst().split(separator: ".").map { Int($0)! }
    return TicketKey(purpose: .evaluate(version: parts[0]), number: parts[1])
  }

  // MARK: Actions in words

  private func words(_ key: TicketKey) -> String {
    switch key.purpose {
    case .train: "\(key.number)"
    case .evaluate(let version): "e\(version).\(key.number)"
    }
  }

  private func words(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: " ")
  }

  private func again(_ reused: [Int]) -> String {
    reused.isEmpty ? "" : " again \(words(reused))"
  }

  private func words(_ action: Action) -> String {
    switch action {
    case .reply(let asker, let reply): "\(names[asker.peer]!): \(words(reply))"
    case .importGroups(let numbers): "import \(words(numbers))"
    case .store(let key): "store \(words(key))"
    case .recordDrop(let drop):
      "drop \(words(drop.key)) \(drop.reason.rawValue)\(drop.wasAccepted ? "" : " on arrival")"
    case .recordEpoch(let record): "record epoch \(record.epoch)"
    case .recordLease(let step, _, let batch, _):
      "record lease \(step) of \(words(batch.tickets))" + again(batch.reused)
    case .forgetLease(let step): "forget lease \(step)"
    case .recordCommit(let record):
      "record commit \(record.commit.step), \(record.fates.map(\.rawValue).joined(separator: " "))"
    case .recordEvaluation(let summary): "record evaluation \(summary.version)"
    case .recordAbandonedEvaluation(let version): "abandon evaluation \(version)"
    case .sendLease(let asker, let batch):
      "\(names[asker.peer]!): lease \(batch.step) of \(words(batch.tickets))" + again(batch.reused)
        + (batch.evaluations.isEmpty ? "" : " with \(words(batch.evaluations.map(\.version)))")
        + (batch.pinnedVersions.isEmpty ? "" : " pinning \(words(batch.pinnedVersions))")
    case .sendCommittedLease(let asker, let step): "\(names[asker.peer]!): recorded lease \(step)"
    case .compareCommit(let asker, let commit): "\(names[asker.peer]!): compare \(commit.step)"
    }
  }

  private func words(_ reply: Reply) -> String {
    switch reply {
    case .welcome(let welcome): "welcome \(welcome.epoch)"
    case .tickets(let tickets):
      "tickets "
        + tickets.map { words($0.key) + ($0.level.map { "/\($0)" } ?? "") }
        .joined(separator: " ")
    case .fetch(let version): "fetch \(version.number)"
    case .wait(let wait): "wait for \(wait.reason)"
    case .acknowledged(let key): "ack \(words(key))"
    case .alive: "alive"
    case .lease(let batch): "lease \(batch.step)"
    case .committed(let committed): "committed \(committed.step)"
    case .status: "status"
    case .probed: "probed"
    case .measured: "measured"
    case .refused(let refusal): "refused \(refusal.code.rawValue)"
    }
  }
}

extension Substring {
  var trimmingSpaces: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
