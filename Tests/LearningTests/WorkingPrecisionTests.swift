// A policy in BF16: what is sampled with, trained with and published are the masters, rounded.

import Experience
import Learning
import Policy
import Testing
import Wire

@Suite struct WorkingPrecisionTests {
  /// The floats of tensors, one after another.
  private func floats(_ tensors: WeightTensors) throws -> [Float] {
    try tensors.flatMap { try $0.floats() }
  }

  private func masters(_ bench: Bench) throws -> [Float] {
    try floats(bench.optimizer.state().tensors.filter { $0.name.hasPrefix("master.") })
  }

  @Test func `the weights are the masters rounded, before training and after`() throws {
    let bench = try Bench(precision: .bf16)
    let exact = try floats(Bench().policy.copyWeights())
    #expect(try masters(bench) == exact)
    for step in 0..<3 {
      let rounded = try masters(bench).map { master in
        // Sixteen bits are cut off: what is left differs by half a unit of them at the most.
        let weight = Float(bitPattern: master.bitPattern & 0xFFFF_0000)
        let next = Float(bitPattern: weight.bitPattern + 0x1_0000)
        let (below, above) = (abs(master - weight), abs(next - master))
        if below == above { return weight.bitPattern & 0x1_0000 == 0 ? weight : next }
        return below < above ? weight : next
      }
      #expect(try floats(bench.policy.copyWeights()) == rounded)
      let before = try masters(bench)
      _ = try bench.trainer().train(bench.groups(), step: step)
      #expect(try masters(bench) != before)
    }
  }

  @Test func `an update too small for a weight of eight bits adds up in its master`() throws {
    let bench = try Bench(precision: .bf16)
    // Each step moves a weight by about 1e-7; half a unit of most of them is some 1e-3.
    let trainer = CohortTrainer(
      policy: bench.policy, reference: bench.reference, optimizer: bench.optimizer,
      objective: .init(),
      schedule: LearningRateSchedule(peak: 1e-7, final: 1e-7, warmUpSteps: 0, steps: 10),
      microbatchTokens: 4096)
    let (weights, before) = (try floats(bench.policy.copyWeights()), try masters(bench))
    let groups = try bench.groups()
    for step in 0..<4 { _ = try trainer.train(groups, step: step) }
    let after = try masters(bench)
    let moved = zip(before, after).count { $0 != $1 }
    let changed = zip(weights, try floats(bench.policy.copyWeights())).count { $0 != $1 }
    #expect(moved > before.count / 2)
    #expect(changed < moved / 10)
  }

  @Test func `at lag 0 no token's log-prob differs from the actor's`() throws {
    let bench = try Bench(precision: .bf16)
    let trainer = bench.trainer()
    for step in 0..<3 {
      let result = try trainer.train(bench.groups(version: step), step: step)
      #expect(result.freshTokens > 0 && result.mismatchedTokens == 0)
    }
  }

  @Test func `a version travels at half the bytes and arrives with its digest`() throws {
    let bench = try Bench(precision: .bf16)
    _ = try bench.trainer().train(bench.groups(), step: 0)
    let version = PolicyVersion(lineage: "test", number: 1, digest: bench.policy.digest())
    let weights = bench.policy.copyWeights()
    let whole = SnapshotCodec.encode(weights, version: version)
    let narrow = SnapshotCodec.encode(weights, version: version, encoding: .bf16)
    // Half of 4 bytes a parameter; the headers are alike.
    #expect(whole.count - narrow.count >= 2 * bench.policy.parameterCount - 64)
    let actor = CPUTransformer(configuration: Bench.shape, threads: 1)
    let (written, tensors) = try SnapshotCodec.decode(narrow)
    try actor.load(tensors)
    #expect(written == version && actor.digest() == version.digest)
  }

  @Test func `weights that are no bf16 are not narrowed`() throws {
    let weights = try Bench().policy.copyWeights()
    #expect(weights.contains { $0.narrowedToBF16() == nil })
  }
}
