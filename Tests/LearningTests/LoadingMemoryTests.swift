// What loading takes: each case runs in a process of its own, whose peak of resident memory the
// kernel has counted.

import Experience
import Glibc
import Learning
import Operations
import Policy
import Testing

/// A checkpoint on disk of 24 million weights: enough that one piece of them, 4 MiB, is a small
/// part.
private enum Large {
  static let shape = ModelConfiguration(
    vocabularySize: 16_384, hiddenSize: 768, feedForwardSize: 2048, layers: 2, heads: 12,
    keyValueHeads: 4, maximumPositions: 64)
  static let bytes = shape.parameterCount * 4

  static func withCheckpoint(_ body: (String) async throws -> Void) async throws {
    let place = try CheckpointTests.Place()
    let policy = CPUTransformer(configuration: shape, threads: 2)
    policy.initialize(seed: 3)
    let digest = policy.digest()
    let version = PolicyVersion(lineage: "test", number: 0, digest: digest)
    _ = try Checkpoints(folder: place.path).save(
      CheckpointState(version: version, chain: digest), configuration: shape,
      weights: policy.copyWeights(), tokenizer: .characters(Array("abcdefghijklm")),
      optimizer: CPUOptimizer(policy, settings: OptimizerSettings()))
    try await body(place.path)
  }

  /// Bytes by which `body` raises this process's peak of resident memory above what it has now.
  static func growth(_ body: () throws -> Void) throws -> Int {
    // 5 resets the peak to what is resident now (man 5 proc).
    guard let file = fopen("/proc/self/clear_refs", "w") else {
      throw Failure.system("open", on: "/proc/self/clear_refs", exitCode: .unavailable)
    }
    fputs("5", file)
    fclose(file)
    let before = Machine.residentBytes
    try body()
    let status = try Files.readText("/proc/self/status", maximumBytes: 1 << 16)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    guard let peak = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw Failure.system("read", on: "VmHWM of /proc/self/status", exitCode: .unavailable)
    }
    return peak * 1024 - before
  }

  static func check(_ growth: Int, isWithin copies: Double) {
    let share = Double(growth) / Double(bytes)
    Log.standardError("loading").info("the peak is \(share) times the weights")
    // Less than the weights themselves would mean that nothing was measured.
    precondition(share > copies / 1.1 * 0.95, "\(share) times the weights: not all was read")
    precondition(share <= copies, "\(share) times the weights, at most \(copies)")
  }
}

@Suite(.serialized) struct `Loading at most a tenth above what is kept` {
  @Test func `holds for the weights of a folder`() async throws {
    try await Large.withCheckpoint { path in
      await #expect(processExitsWith: .success) { [path = path as String] in
        let folder = try ModelFolder(path: path + "/step-000000")
        let growth = try Large.growth {
          let policy = CPUTransformer(configuration: folder.configuration, threads: 2)
          try folder.load(into: policy)
          _ = policy.digest()
        }
        Large.check(growth, isWithin: 1.1)
      }
    }
  }

  @Test func `holds for a learner that resumes: weights, two moments and the reference`()
    async
    throws
  {
    try await Large.withCheckpoint { path in
      await #expect(processExitsWith: .success) { [path = path as String] in
        let checkpoints = try Checkpoints(folder: path)
        let settings = try RunSettings(.object([]), source: "none")
        let timeline = try TrainingTimeline([(0, settings)], source: "none")
        precondition(timeline.needsReference)
        let growth = try Large.growth {
          guard let loaded = try checkpoints.newestGood() else { preconditionFailure("none") }
          let taker = try StepTaker.start(
            at: loaded, timeline: timeline, threads: 2, checkpoints: checkpoints)
          precondition(taker.version.number == 0)
        }
        Large.check(growth, isWithin: 4 * 1.1)
      }
    }
  }
}
