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

  private func save(
    _ bench: Bench, at version: Int, in checkpoints: Checkpoints,
    _ curriculum: CurriculumState? = nil
  ) throws -> String {
    let digest = bench.policy.digest()
    let state = CheckpointState(
      version: PolicyVersion(lineage: "test", number: version, digest: digest), chain: digest,
      curriculum: curriculum)
    return try checkpoints.save(
      state, configuration: Bench.shape, weights: bench.policy.copyWeights(),
      tokenizer: .characters(Array("abcdefghijklm")), optimizer: bench.optimizer)
  }

  @Test func `a checkpoint reads back bit for bit`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    _ = try bench.trainer().train(bench.groups(), step: 0)
    let name = try save(bench, at: 1, in: checkpoints)
    let loaded = try checkpoints.load(name)
    #expect(name == "step-000001")
    #expect(loaded.state.version.number == 1)
    let again = try Bench(seed: 5)
    #expect(again.policy.digest() != bench.policy.digest())
    try loaded.model.load(into: again.policy)
    try again.optimizer.load(path: loaded.optimizerPath)
    #expect(again.policy.digest() == bench.policy.digest())
    #expect(CPUTransformer.digest(again.policy.copyWeights()) == bench.policy.digest())
    #expect(again.optimizer.state() == bench.optimizer.state())
    #expect(bench.optimizer.updates == 1 && again.optimizer.updates == 1)
  }

  @Test func `in bf16 the masters come back with the moments, and the next step is the same`()
    throws
  {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench(precision: .bf16)
    let groups = try bench.groups()
    _ = try bench.trainer().train(groups, step: 0)
    let loaded = try checkpoints.load(save(bench, at: 1, in: checkpoints))
    // The file says that there are masters; whoever reads it does not.
    let again = try Bench(seed: 5)
    try loaded.model.load(into: again.policy)
    try again.optimizer.load(path: loaded.optimizerPath)
    #expect(again.optimizer.precision == .bf16)
    #expect(again.optimizer.state() == bench.optimizer.state())
    try again.reference.load(Bench(precision: .bf16).reference.copyWeights())
    _ = try bench.trainer().train(groups, step: 1)
    _ = try again.trainer().train(groups, step: 1)
    #expect(again.policy.digest() == bench.policy.digest())
    #expect(again.optimizer.state() == bench.optimizer.state())
    // And a file without masters takes them away.
    try again.optimizer.load(Bench().optimizer.state(), source: "here")
    #expect(again.optimizer.precision == .f32)
  }

  @Test func `the pool of a curriculum is kept under the seal, and only then is the format new`()
    throws
  {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let pool = CurriculumState(level: 1, count: 12, correct: 7)
    let plain = try save(Bench(), at: 1, in: checkpoints)
    let name = try save(Bench(), at: 2, in: checkpoints, pool)
    func text(_ name: String) throws -> String {
      try Files.readText("\(checkpoints.path(name))/state.json", maximumBytes: 65_536)
    }
    #expect(try checkpoints.readState(name).curriculum == pool)
    #expect(try checkpoints.readState(plain).curriculum == nil)
    #expect(try text(plain).contains("\"format\": 2"))
    #expect(try text(name).contains("\"format\": 3"))
    let altered = try text(name).replacing("\"level\": 1", with: "\"level\": 0")
    try Files.writeDurably("\(checkpoints.path(name))/state.json", altered)
    #expect(throws: (any Error).self) { try checkpoints.readState(name) }
  }

  @Test(
    arguments: [
      "model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json", "state.json",
    ])
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
    #expect(throws: (any Error).self) { try checkpoints.load(newest) }
    try Files.remove(path)
    #expect(try checkpoints.newestGood()?.name == "step-000001")
  }

  @Test func `a damaged checkpoint pushes no good one out`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    for version in [10, 20, 30, 40] { _ = try save(bench, at: version, in: checkpoints) }
    let path = "\(checkpoints.path("step-000040"))/model.safetensors"
    var bytes = try Files.read(path)
    bytes[bytes.count - 1] ^= 1
    try Files.writeDurably(path, bytes)
    try checkpoints.rotate(keep: 2)
    #expect(try checkpoints.names() == ["step-000040", "step-000030", "step-000020"])
  }

  /// The text of a state.json with one line put in the place of another.
  private func rewrite(_ name: String, in checkpoints: Checkpoints, _ edit: (String) -> String)
    throws
  {
    let path = "\(checkpoints.path(name))/state.json"
    try Files.writeDurably(path, edit(try Files.readText(path)))
  }

  @Test func `each line of state.json is under its seal`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    _ = try bench.trainer().train(bench.groups(), step: 0)
    let name = try save(bench, at: 7, in: checkpoints)
    let chain = try checkpoints.readState(name).chain.hexadecimal
    let other = String(chain.reversed())
    try rewrite(name, in: checkpoints) {
      $0.replacing("\"chain\": \"\(chain)\"", with: "\"chain\": \"\(other)\"")
    }
    let error = #expect(throws: (any Error).self) { try checkpoints.readState(name) }
    #expect("\(error!)".contains("the file was altered"))
  }

  @Test func `format 1 had no seal and is read, a later format is refused by its number`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    let bench = try Bench()
    let name = try save(bench, at: 7, in: checkpoints)
    let state = try checkpoints.readState(name)
    func withoutSeal(_ format: Int) throws {
      try rewrite(name, in: checkpoints) { text in
        let lines = text.split(separator: "\n").filter { !$0.contains("\"seal\"") }
        return lines.joined(separator: "\n")
          .replacing(/"format": \d+/, with: "\"format\": \(format)")
          .replacing(/},\s*}/, with: "}}")
      }
    }
    try withoutSeal(1)
    #expect(try checkpoints.readState(name) == state)
    try withoutSeal(2)
    #expect(throws: (any Error).self) { try checkpoints.readState(name) }
    try withoutSeal(3)
    #expect(throws: (any Error).self) { try checkpoints.readState(name) }
    try withoutSeal(Checkpoints.format + 1)
    let error = #expect(throws: (any Error).self) { try checkpoints.readState(name) }
    #expect("\(error!)".contains("is 4; this program reads up to 3"))
  }

  @Test func `moments of another format are refused by its name, without one they are read`() throws
  {
    let bench = try Bench()
    var state = bench.optimizer.state()
    #expect(state.metadata["format"] == "forage-adamw-1")
    state.metadata["format"] = nil
    try bench.optimizer.load(state, source: "here")
    state.metadata["format"] = "forage-adamw-3"
    let error = #expect(throws: (any Error).self) {
      try bench.optimizer.load(state, source: "here")
    }
    #expect("\(error!)".contains("here: its format is forage-adamw-3"))
  }

  @Test func `latest counts only where it names a checkpoint that is there`() throws {
    let place = try Place()
    let checkpoints = try Checkpoints(folder: place.path)
    #expect(checkpoints.latest() == nil)
    let name = try save(try Bench(), at: 3, in: checkpoints)
    try checkpoints.setLatest(name)
    #expect(checkpoints.latest() == name)
    for wrong in ["step-000004", "stap-000003", "", "../checkpoints"] {
      try Files.writeDurably("\(place.path)/latest", wrong)
      #expect(checkpoints.latest() == nil)
    }
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
    // Told to stop it has removed none, and the next time does.
    var asked = 0
    try checkpoints.rotate(keep: 2) {
      asked += 1
      return asked > 1
    }
    #expect(try asked == 2 && checkpoints.names().count == 5)
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
