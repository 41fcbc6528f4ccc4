import Glibc
import Testing

/// More seeds, or one, for a long look: FORAGE_SIMULATION_SEEDS=100000.
private var seeds: Range<UInt64> {
  let count = getenv("FORAGE_SIMULATION_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 1500
  return 0..<count
}

@Suite struct SimulationTests {
  @Test func `both laws hold under every fault, and when the faults stop the run ends`() {
    var faults: [String: Int] = [:]
    var events = 0
    for seed in seeds {
      var simulation = Simulation(seed: seed)
      let problem = simulation.run(turns: 1500, rounds: 600)
      #expect(problem == nil, "seed \(seed): \(problem ?? "")")
      if problem != nil { break }
      faults.merge(simulation.faults) { $0 + $1 }
      events += simulation.events
    }
    // A fault that never happens is not survived.
    for name in [
      "lost request", "lost reply", "repeated", "reordered", "disk full", "not recorded",
      "damaged blob", "damaged lease", "killed replay", "killed actor", "killed learner",
      "killed after a record", "connection lost", "invalid group", "foreign weights",
      "step repeated", "abandoned evaluation", "reused group", "forked",
    ] {
      #expect(faults[name, default: 0] > 10, "\(name): \(faults[name, default: 0]) times")
    }
  }
}
