// The whole run from a seed, by the thousand.
//
//   FORAGE_SIMULATION_SEEDS=100000   so many seeds instead of 2,000
//   FORAGE_SIMULATION_SEED=4711      this one alone: how a failure is seen again

import Digests
import Documents
import Experience
import Glibc
import Replay
import Testing
import Wire

@Suite struct WorldTests {
  private static func number(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  private static var seeds: Range<UInt64> {
    if let one = number("FORAGE_SIMULATION_SEED") { return one..<one + 1 }
    return 0..<(number("FORAGE_SIMULATION_SEEDS") ?? 2_000)
  }

  /// Two halves, for two cores.
  @Test(arguments: [0, 1])
  func `nothing acknowledged is lost, no group is trained twice, and the run comes to its end`(
    half: UInt64
  ) {
    var faults: [String: Int] = [:]
    for seed in Self.seeds where seed % 2 == half {
      let world = World(seed: seed)
      let problem = world.run()
      #expect(
        problem == nil, "FORAGE_SIMULATION_SEED=\(seed) shows it again: \(problem ?? "")")
      if problem != nil { return }
      faults.merge(world.faults) { $0 + $1 }
    }
    guard Self.seeds.count >= 2_000 else { return }
    // A fault that never happens is not survived. The rarest, a version that goes while somebody
    // still wants it, happens in one world of a hundred.
    for name in Self.expected {
      #expect(faults[name, default: 0] >= 5, "\(name): \(faults[name, default: 0]) times")
    }
  }

  private static let expected = [
    "lost", "repeated", "late", "damaged", "connection cut", "killed replay", "killed actor",
    "killed learner", "killed replay within its work", "killed actor within its work",
    "killed learner within its work", "paused", "two learners", "power cut",
    "power cut within a commit", "rotten blob", "damage found", "disk full", "not recorded",
    "busy", "announcement lost", "step redone", "resumed behind", "checkpoint beyond the commit",
    "learner fenced", "version gone",
  ]

  /// Mistakes made on purpose; each must be seen, or the laws above are empty.
  @Test(arguments: Mutation.allCases)
  func `a mistake put into the program is found`(mutation: Mutation) {
    let limit: UInt64 = 400
    for seed in 0..<limit {
      if let problem = World(seed: seed, mutation: mutation).run() {
        print("simulation: \(mutation.rawValue) is found by seed \(seed): \(problem)")
        return
      }
    }
    Issue.record("\(mutation.rawValue) passes \(limit) seeds")
  }

  /// Found by seed 68: the learner was refused at every start, and the run stood for ever.
  @Test func `a learner one step ahead is heard, though its lease was forgotten`() {
    let world = World(seed: 0)
    var tables = LedgerTables(world.plan)
    let first = PolicyVersion(
      lineage: world.plan.lineage, number: 0, digest: Work.first(world.plan).digest)
    tables.apply(
      .epoch(
        EpochRecord(
          epoch: 1,
          announcement: Announcement(weightsAddress: "w", announceAddress: "", files: []),
          firstVersion: first)))
    var ledger = Ledger(
      LedgerConfiguration(
        run: "run", lineage: world.plan.lineage, settings: .object([]), groupsPerStep: 1,
        lagMax: 0, steps: 2, ticketLeaseNanoseconds: second), history: tables.history, at: 0)
    let ahead = PolicyVersion(lineage: first.lineage, number: 1, digest: Digest(of: [1]))
    let hello = Hello(role: .learner, name: "learner", numericClass: "class", version: ahead)
    let actions = ledger.handle(.hello(Asker(Peer([1]), 1), hello), at: 1)
    #expect(
      actions.contains { if case .recordEpoch = $0 { true } else { false } }, "\(actions)")
  }

  @Test func `a seed is a run: twice the same`() {
    for seed in [3, 77, 1_000] as [UInt64] {
      let (first, second) = (World(seed: seed), World(seed: seed))
      #expect(first.run() == second.run())
      #expect(first.events == second.events && first.now == second.now)
      #expect(first.faults == second.faults)
    }
  }
}
