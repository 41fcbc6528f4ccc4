// Checkpoints on disk: read back equal, believed only whole, never replaced, rotated with care.

import Experience
import Glibc
import Learning
import Operations
import Policy
import Testing

@Suite struct CheckpointTests {
  /// A folder of its own, removed at the end.
  final class Place {
    let path: String
    init() throws {
      var template = Array("/tmp/forage-checkpoints-XXXXXX".utf8CString)
      path = String(cString: try #require(mkdtemp(&template)))
    }
    deinit { try? Files.remove(path) }
  }

  private func save(_ bench: Bench, at version: Int, in checkpoints: Checkpoints) throws -> String {
    let digest = bench.policy.digest()
    let state = CheckpointState(
      version: PolicyVersion(lineage: "test", number: version, digest: digest), chain: digest)
    return try checkpoints.save(
      state, configuration: Bench.shape, weights: bench.policy.copyWeights(),
      tokenizer: .characters(Array("abcdefghijklm")), optimizer: bench.optimizer.state())
  }

  @Test func `a checkpoint reads back bit for bit`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    _ = try bench.trainer().train(bench.groups(), step: 0)
    let name = try save(bench, at: 1, in: checkpoints)
    let loaded = try checkpoints.load(name)
    #expect(name == "step-000001")
    #expect(CPUTransformer.digest(loaded.weights) == bench.policy.digest())
    #expect(loaded.optimizer == bench.optimizer.state())
    #expect(loaded.state.version.number == 1)
  }

  @Test(arguments: ["model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json"])
  func `a flipped byte in any file is found, and the checkpoint before it is used`(file: String)
    throws
  {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    _ = try save(bench, at: 1, in: checkpoints)
    let newest = try save(bench, at: 2, in: checkpoints)
    let path = "\(checkpoints.path(newest))/\(file)"
    var bytes = try Files.read(path)
    bytes[bytes.count / 2] ^= 1
    try Files.writeDurably(path, bytes)
    #expect(try checkpoints.newestGood()?.name == "step-000001")
    #expect(throws: (any Error).self) { try checkpoints.readState(newest) }
    #expect(throws: (any Error).self) {
      try checkpoints.rotate(keep: 2)
      _ = try checkpoints.load(newest)
    }
    #expect(try checkpoints.names().count == 2)
  }

  @Test func `a folder of the same step is never replaced`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    let names = try (0..<3).map { _ in try save(bench, at: 5, in: checkpoints) }
    #expect(names == ["step-000005", "step-000005-2", "step-000005-3"])
    #expect(try checkpoints.newestGood(atMost: 4) == nil)
  }

  @Test func `rotation keeps the newest and the first model`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    for version in [0, 10, 20, 30, 40] { _ = try save(bench, at: version, in: checkpoints) }
    try checkpoints.rotate(keep: 2)
    #expect(try checkpoints.names() == ["step-000040", "step-000030", "step-000000"])
  }

  @Test func `half-written folders are no checkpoints and are cleared away`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    try Files.makeFolder("\(place.path)/.writing-3-99")
    #expect(try checkpoints.names().isEmpty)
    try checkpoints.removeUnfinished()
    #expect(try Files.list(place.path).isEmpty)
  }
}
