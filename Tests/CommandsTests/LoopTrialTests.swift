// What forage bench loop lays over the settings it measures.

import Commands
import Operations
import Testing

@Suite struct LoopTrialTests {
  private func settings(_ overrides: [String]) throws -> RunSettings {
    try RunSettings(document: .object([]), source: "test", overrides: overrides)
  }

  @Test(arguments: [(32, 8), (8, 8), (3, 3)])
  func `a run whose lag opens more tickets than a step has groups can be measured without it`(
    asked: Int, taken: Int
  ) throws {
    let own = ["learner.groupsPerStep=8", "learner.lagMax=3", "actor.ticketsPerRequest=\(asked)"]
    let trial = LoopTrial.overrides(of: try settings(own), actors: 2, actorThreads: 3, steps: 4)
    // This throws where sections contradict each other.
    let measured = try settings(own + trial)
    #expect(measured.actor.ticketsPerRequest == taken)
    #expect(measured.learner.lagMax == 0 && measured.run.steps == 4)
    #expect(measured.actor.count == 2 && measured.actor.threads == 3)
    #expect(!measured.preflight.isEnabled)
  }
}
