// A group comes back as it went, in bytes that never differ, and every lie in one is found.

import Digests
import Experience
import Foundation
import Safetensors
import Testing
import Wire

@Suite struct GroupCodecTests {
  @Test func `a group reads back with every bit, whatever its purpose`() throws {
    var group = Samples.group
    #expect(try TrajectoryGroup(decoding: group.encoded(), limits: Samples.limits) == group)
    #expect(try TrajectoryGroup(decoding: group.encoded(), limits: nil) == group)
    group.key = Samples.evaluate
    group.temperature = 0
    #expect(try TrajectoryGroup(decoding: group.encoded(), limits: Samples.limits) == group)
  }

  @Test func `every finite temperature within range comes back exactly`() throws {
    var group = Samples.group
    for bits in stride(from: Float(0).bitPattern, to: Float(100).bitPattern, by: 7_654_321) {
      group.temperature = Float(bitPattern: bits)
      let read = try TrajectoryGroup(decoding: group.encoded(), limits: Samples.limits)
      #expect(read.temperature.bitPattern == bits)
    }
  }

  @Test func `the format has not changed`() throws {
    // A change of layout, order or metadata needs a new format name, or old ledgers are misread.
    #expect(
      Digest(of: Samples.group.encoded()).hexadecimal
        == "6281665215abbd201d58b829e3242c0bfc9ecdb8315ecc93dc1dec13a40682f4")
  }

  @Test func `a group that Python's safetensors wrote reads as what it meant`() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/wire/python-group.safetensors")
    let bytes = [UInt8](try Data(contentsOf: path))
    let group = try TrajectoryGroup(
      decoding: bytes,
      limits: GroupLimits(
        groupSize: 4, maximumPositions: 16, maximumNewTokens: 3, vocabularySize: 5))
    #expect(group.key == TicketKey(purpose: .train, number: 96))
    #expect(group.version == PolicyVersion(lineage: "lin", number: 3, digest: Samples.digest))
    #expect(group.prompt == [1, 2, 3])
    #expect(group.trajectories.map(\.completion.tokens) == [[1], [2, 3], [4, 1, 2], [3, 4, 1]])
    #expect(group.trajectories.map(\.completion.finish) == [.stop, .stop, .length, .length])
    #expect(
      group.trajectories[3].completion.behaviorLogProbs == [Float](repeating: -1.3862944, count: 3))
    #expect(group.trajectories.map(\.verdict.reward) == [0.5, 1.5, 0.5, 1.5])
    #expect(
      group.trajectories[3].verdict.parts == [
        RewardPart(position: 2, part: "format", value: 0.5),
        RewardPart(position: 2, part: "answer", value: 1),
      ])
    #expect(group.trajectories[1].verdict.reason == "sample 1 was made up")
    #expect(group.trajectories.map(\.verdict.isStrictlyCorrect) == [false, true, false, true])
    #expect((group.seed, group.temperature, group.actor) == (11, 1, "python-0"))
  }

  @Test func `a reason too long is cut`() throws {
    var group = Samples.group
    group.trajectories[0].verdict.reason = String(repeating: "x", count: 5000)
    let read = try TrajectoryGroup(decoding: group.encoded(), limits: Samples.limits)
    #expect(read.trajectories[0].verdict.reason == String(repeating: "x", count: 1021) + "...")
  }
}

@Suite struct GroupRefusalTests {
  private func refusal(
    limits: GroupLimits? = Samples.limits, _ change: (inout SafetensorsBlob) -> Void
  ) throws -> Refusal? {
    var blob = try SafetensorsBlob(parsing: Samples.group.encoded(), source: "test")
    change(&blob)
    do {
      _ = try TrajectoryGroup(decoding: blob.serialized(), limits: limits)
      return nil
    } catch {
      return error
    }
  }

  private func set(_ name: String, _ index: Int, _ value: Int32) -> (inout SafetensorsBlob) -> Void
  {
    set(name, index, bits: UInt32(bitPattern: value))
  }

  private func set(_ name: String, _ index: Int, _ value: Float) -> (inout SafetensorsBlob) -> Void
  {
    set(name, index, bits: value.bitPattern)
  }

  private func set(
    _ name: String, _ index: Int, bits: UInt32
  ) -> (inout SafetensorsBlob) -> Void {
    { blob in
      let tensor = blob.tensors.firstIndex { $0.name == name }!
      withUnsafeBytes(of: bits.littleEndian) {
        blob.tensors[tensor].bytes.replaceSubrange((4 * index)..<(4 * index + 4), with: $0)
      }
    }
  }

  @Test func `the untouched group passes`() throws {
    #expect(try refusal { _ in } == nil)
  }

  @Test func `values that break a rule are invalid, and the sentence says which`() throws {
    let cases: [((inout SafetensorsBlob) -> Void, String)] = [
      (set("tokens", 0, 32 as Int32), "completion token 0 is 32, the vocabulary has 32"),
      (set("tokens", 5, -1 as Int32), "completion token 5 is -1"),
      (set("prompt", 2, 32 as Int32), "prompt token 2 is 32"),
      (set("behavior_logprobs", 1, Float.nan), "log-prob 1 is nan"),
      (set("behavior_logprobs", 1, -Float.infinity), "log-prob 1 is -inf"),
      (set("behavior_logprobs", 1, Float.leastNonzeroMagnitude), "log-prob 1"),
      (set("versions", 3, 6 as Int32), "token 3 was sampled with version 6"),
      (set("lengths", 0, 0 as Int32), "completion 0 has 0 tokens, expected 1 to 3"),
      (set("lengths", 0, 4 as Int32), "completion 0 has 4 tokens, expected 1 to 3"),
      (set("lengths", 0, Int32.min), "completion 0 has"),
      (set("lengths", 1, 2 as Int32), "lengths sum to 7, and there are 6 tokens"),
      (set("reward_values", 1, Float.infinity), "reward 1 is inf"),
      (set("reward_values", 1, Float.nan), "reward 1 is nan"),
      (set("reward_positions", 0, 3 as Int32), "reward 0 is at token 3, completion 0 has 3"),
      (set("reward_positions", 0, -1 as Int32), "reward 0 is at token -1"),
      (set("reward_samples", 2, 3 as Int32), "reward 2 is of sample 3"),
      (set("reward_samples", 2, -1 as Int32), "reward 2 is of sample -1"),
      (set("reward_samples", 0, 2 as Int32), "reward 1 is of sample 0, expected 2 to 2"),
      (set("reward_part_ids", 0, 2 as Int32), "reward 0 is of part 2, there are 2"),
      (set("reason_lengths", 0, 1025 as Int32), "reason 0 has 1025 bytes"),
      (set("reason_lengths", 0, -9 as Int32), "reason 0 has -9 bytes"),
      ({ $0.metadata["temperature"] = "100.5" }, "temperature"),
      ({ $0.metadata["temperature"] = "-1" }, "temperature"),
      ({ $0.metadata["ticket"] = "-1" }, "ticket"),
      ({ $0.metadata["version"] = "2147483648" }, "version"),
      (
        { blob in
          let index = blob.tensors.firstIndex { $0.name == "reasons" }!
          blob.tensors[index].bytes[0] = 0xFF
        }, "reason 0 is not UTF-8"
      ),
    ]
    for (change, sentence) in cases {
      let refusal = try refusal(change)
      #expect(refusal?.code == .invalid, "\(sentence)")
      #expect(refusal?.sentence.contains(sentence) == true, "\(refusal?.sentence ?? "")")
    }
  }

  @Test func `a group beyond the run's sizes is invalid`() throws {
    let cases: [(WritableKeyPath<GroupLimits, Int>, Int, String)] = [
      (\.groupSize, 2, "3 trajectories, expected 2"),
      (\.groupSize, 4, "3 trajectories, expected 4"),
      (\.maximumPositions, 2, "a prompt of 3 tokens, at most 2"),
      (\.maximumPositions, 4, "completion 0 ends at position 5, the model has 4"),
      (\.maximumNewTokens, 2, "completion 0 has 3 tokens, expected 1 to 2"),
      (\.vocabularySize, 31, "token"),
    ]
    for (path, value, sentence) in cases {
      var limits = Samples.limits
      limits[keyPath: path] = value
      let refusal = try refusal(limits: limits) { _ in }
      #expect(refusal?.code == .invalid)
      #expect(refusal?.sentence.contains(sentence) == true, "\(refusal?.sentence ?? "")")
    }
  }

  @Test func `a reward that sums could not hold is invalid, whoever reads`() {
    for value: Float in [3e38, -3e38, 2e9] {
      var group = Samples.group
      group.trajectories[0].verdict.parts = [0, 1].map {
        RewardPart(position: $0, part: "answer", value: value)
      }
      let error = #expect(throws: Refusal.self) {
        _ = try TrajectoryGroup(decoding: group.encoded(), limits: nil)
      }
      #expect(error?.code == .invalid && error?.sentence.contains("the reward of sample 0") == true)
    }
  }

  @Test func `empty prompts and empty groups are invalid, whoever reads`() throws {
    var group = Samples.group
    group.prompt = []
    var empty = Samples.group
    empty.trajectories = []
    for bytes in [group.encoded(), empty.encoded()] {
      let error = #expect(throws: Refusal.self) {
        _ = try TrajectoryGroup(decoding: bytes, limits: nil)
      }
      #expect(error?.code == .invalid)
    }
  }

  @Test func `what is not the format is malformed`() throws {
    let changes: [(inout SafetensorsBlob) -> Void] = [
      { $0.metadata["format"] = "forage-group-2" }, { $0.metadata["format"] = nil },
      { $0.metadata["purpose"] = "play" }, { $0.metadata["ticket"] = "+1" },
      { $0.metadata["ticket"] = "1.0" }, { $0.metadata["seed"] = "-1" },
      { $0.metadata["seed"] = "+1" }, { $0.metadata["seed"] = "18446744073709551616" },
      { $0.metadata["temperature"] = "nan" }, { $0.metadata["temperature"] = "0x1p0" },
      { $0.metadata["temperature"] = "1e40" }, { $0.metadata["temperature"] = "" },
      { $0.metadata["version_digest"] = "00" }, { $0.metadata["reward_parts"] = "{}" },
      { $0.metadata["reward_parts"] = #"["a","a"]"# }, { $0.metadata["reward_parts"] = "[1]" },
      { $0.metadata["actor"] = String(repeating: "a", count: 257) },
      { $0.metadata["surprise"] = "" }, { $0.metadata["evaluates_version"] = "1" },
      { $0.tensors.removeLast() }, { $0.tensors[0].name = "prompts" },
      { $0.tensors[0].type = .u32 }, { $0.tensors[0].shape = [1, 3] },
      { $0.tensors.append(NamedTensor(name: "extra", shape: [0], integers: [])) },
      { blob in
        let index = blob.tensors.firstIndex { $0.name == "finish" }!
        blob.tensors[index].bytes[0] = 2
      },
      { blob in
        let index = blob.tensors.firstIndex { $0.name == "strict" }!
        blob.tensors[index].bytes[2] = 0xFF
      },
      { blob in
        let index = blob.tensors.firstIndex { $0.name == "behavior_logprobs" }!
        blob.tensors[index] = NamedTensor(name: "behavior_logprobs", shape: [1], floats: [0])
      },
    ]
    for (index, change) in changes.enumerated() {
      #expect(try refusal(change)?.code == .malformed, "change \(index)")
    }
  }

  @Test func `every truncation is refused`() {
    let bytes = Samples.group.encoded()
    for count in 0..<bytes.count {
      #expect(throws: Refusal.self) {
        _ = try TrajectoryGroup(decoding: Array(bytes[..<count]), limits: Samples.limits)
      }
    }
  }
}
