// The model of the loop at its limits, where the answer is plain without it.

import Commands
import Testing

@Suite struct LoopModelTests {
  /// 8 groups, 2 at a time in 1 s, a learner of 0.5 s, nothing else.
  private func parts(
    lagMax: Int = 0, batchGroups: Int = 2, batchSeconds: Double = 1, learner: Double = 0.5,
    parallelism: Double = 2, groupBytes: Double = 0, versionBytes: Double = 0, swap: Double = 0
  ) -> LoopParts {
    LoopParts(
      groups: 8, lagMax: lagMax, batchGroups: batchGroups, batchSeconds: batchSeconds,
      swapSeconds: swap, fetchSeconds: 0, waitSeconds: 0, learnerSeconds: learner, actorThreads: 1,
      learnerThreads: 2, parallelism: parallelism, groupBytes: groupBytes,
      versionBytes: versionBytes)
  }

  private func step(
    _ parts: LoopParts, _ actors: Int, over link: LoopLink = .memory, apart: Bool = true
  ) -> Double {
    LoopModel(parts, link: link, sharesCores: !apart).forecast(actors: actors).stepSeconds
  }

  @Test func `at lag 0 sampling and training take turns`() {
    #expect(step(parts(), 1) == 4 + 0.5)
    #expect(step(parts(), 2) == 2 + 0.5)
    #expect(step(parts(), 4) == 1 + 0.5)
    let one = LoopModel(parts(), sharesCores: false).forecast(actors: 1)
    #expect(one.bound == .actors)
    #expect(abs(one.learnerWaits - 4 / 4.5) < 1e-12 && abs(one.actorsWait - 0.5 / 4.5) < 1e-12)
  }

  @Test func `actors beyond the batches of a step have nothing to do`() {
    #expect(step(parts(), 5) == step(parts(), 4))
    let many = LoopModel(parts(), sharesCores: false).forecast(actors: 64)
    #expect(many.stepSeconds == 1.5)
    // 4 s of work for 64 of them.
    #expect(abs(many.actorsWait - (1 - 4.0 / 64 / 1.5)) < 1e-12)
    // Three batches of 3, 3 and 2 groups keep two actors for two rounds.
    #expect(step(parts(batchGroups: 3), 2) == 2 + 0.5)
  }

  @Test func `with lag the slower side bounds, and the other waits`() {
    let actors = LoopModel(parts(lagMax: 8), sharesCores: false).forecast(actors: 1)
    #expect(actors.stepSeconds == 4 && actors.bound == .actors)
    #expect(actors.learnerWaits == 1 - 0.5 / 4 && actors.actorsWait == 0)
    let learner = LoopModel(parts(lagMax: 8, learner: 3), sharesCores: false).forecast(actors: 4)
    #expect(learner.stepSeconds == 3 && learner.bound == .learner)
    #expect(learner.learnerWaits == 0 && abs(learner.actorsWait - 2.0 / 3) < 1e-12)
  }

  @Test func `a thin link bounds by each version to each actor`() {
    let thin = LoopLink(bytesPerSecond: 1_000_000, roundTripSeconds: 0)
    let parts = parts(versionBytes: 3_000_000)
    for n in [1, 2, 4, 64] {
      let rest = step(self.parts(), n)
      #expect(abs(step(parts, n, over: thin) - (rest + 3 * Double(n))) < 1e-9, "\(n) actors")
    }
    #expect(LoopModel(parts, link: thin).forecast(actors: 4).bound == .linkToActors)
  }

  @Test func `with lag an actor skips versions that it has no time to fetch`() {
    let thin = LoopLink(bytesPerSecond: 1_000_000, roundTripSeconds: 0)
    // 12 s to fetch, 1 to sample, 0.5 to learn: a version is used two steps after it was made.
    let one = LoopModel(parts(lagMax: 1, versionBytes: 3_000_000), link: thin, sharesCores: false)
      .forecast(actors: 4)
    #expect(one.stepSeconds == 13.5 / 2 && one.bound == .linkToActors)
    // At any age at all: the actors' own work.
    #expect(step(parts(lagMax: 64, versionBytes: 3_000_000), 4, over: thin) == 1)
  }

  @Test func `a link that carries no group in time bounds by the groups`() {
    let thin = LoopLink(bytesPerSecond: 1_000, roundTripSeconds: 0)
    let forecast = LoopModel(parts(lagMax: 64, groupBytes: 1_000), link: thin, sharesCores: false)
      .forecast(actors: 4)
    #expect(forecast.stepSeconds == 8 && forecast.bound == .linkToReplay)
  }

  @Test func `five round trips of a step at lag 0 are waited for, and hidden by lag`() {
    let far = LoopLink(bytesPerSecond: .infinity, roundTripSeconds: 0.3)
    #expect(abs(step(parts(), 4, over: far) - step(parts(), 4) - 1.5) < 1e-9)
    #expect(step(parts(lagMax: 8), 1, over: far) == 4)
  }

  @Test func `actors that share two cores are no faster than two, those apart are`() {
    #expect(step(parts(), 2, apart: false) == 2.5)
    #expect(step(parts(), 4, apart: false) == 2.5)
    #expect(step(parts(), 4, apart: true) == 1.5)
    // Two threads that get in each other's way: 1.6 threads' worth.
    #expect(abs(step(parts(parallelism: 1.6), 4, apart: false) - (4 / 1.6 + 0.5)) < 1e-9)
  }

  @Test func `with lag, shared cores do the actors' work and the learner's one after the other`() {
    // 4 core-seconds of sampling and 0.5 s of both cores.
    let forecast = LoopModel(parts(lagMax: 8)).forecast(actors: 4)
    #expect(forecast.stepSeconds == (4 + 0.5 * 2) / 2 && forecast.bound == .cores)
    // But for the learner's share of the cores the actors would be at work all the time; slowed
    // down, they still are.
    #expect(forecast.actorsWait == 0 && abs(forecast.learnerWaits - (1 - 0.5 / 2)) < 1e-12)
  }

  @Test func `no step is shorter with a slower part, and none is below the learner's`() {
    for lagMax in [0, 1, 4] {
      for n in [1, 2, 3, 4, 8, 64] {
        for isApart in [true, false] {
          let base = step(parts(lagMax: lagMax, swap: 0.1), n, apart: isApart)
          #expect(base >= 0.5)
          func other(_ parts: LoopParts) -> Double { step(parts, n, apart: isApart) }
          #expect(other(parts(lagMax: lagMax, batchSeconds: 2, swap: 0.1)) >= base)
          #expect(other(parts(lagMax: lagMax, learner: 2, swap: 0.1)) >= base)
          #expect(other(parts(lagMax: lagMax + 1, swap: 0.1)) <= base)
        }
      }
    }
  }

  @Test(
    arguments: [
      ("100Mbit", 12_500_000 * LoopLink.payloadShare),
      ("1gbit", 125_000_000 * LoopLink.payloadShare),
      ("10MB", 10_000_000), ("1.5kB", 1_500), ("", nil), ("Mbit", nil), ("-1MB", nil),
      ("10", nil), ("infMB", nil), ("nanMB", nil),
    ] as [(String, Double?)])
  func `a bandwidth is a number and its unit`(text: String, bytes: Double?) {
    #expect(LoopLink.bytesPerSecond(text) == bytes)
  }
}
