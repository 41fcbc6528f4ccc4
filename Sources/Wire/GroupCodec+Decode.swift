// Reading a group from an actor, who may be wrong or hostile: every length, id and value is checked
// before anything is made of it. What is not the format is `malformed`; what is, and breaks a rule
// that training relies on, is `invalid`.

import Documents
import Experience
import Safetensors

extension TrajectoryGroup {
  /// Checks every length, id and value before allocating in proportion to it. `limits` nil reads
  /// what has been checked before (a ledger's own row): structure is still checked, sizes are not.
  public init(decoding bytes: [UInt8], limits: GroupLimits?) throws(Refusal) {
    let columns = try Columns(bytes, of: "group")
    var head = GroupHead(columns.metadata)
    try head.checkFormat()
    let groupSize = try columns.count(of: "lengths")
    let tokenCount = try columns.count(of: "tokens")
    try Self.checkGroupSize(groupSize, limits)
    let prompt = try columns.integers("prompt", count: try columns.count(of: "prompt"))
    try Self.check(prompt: prompt, limits)
    let completions = try Self.completions(columns, groupSize, tokenCount, limits)
    try Self.check(prompt: prompt, fits: completions, limits)
    let verdicts = try Self.verdicts(
      columns, names: try head.rewardNames(), lengths: completions.map(\.tokens.count))
    let version = try head.version()
    let versions = try columns.integers("versions", count: tokenCount)
    if let index = versions.firstIndex(where: { $0 != Int32(version.number) }) {
      throw invalid(
        "token \(index) was sampled with version \(versions[index]), the group with "
          + "\(version.number)")
    }
    try columns.finish()
    self.init(
      key: try head.key(), version: version, exercise: try head.name(GroupField.exercise),
      prompt: prompt,
      trajectories: zip(completions, verdicts).map { Trajectory(completion: $0, verdict: $1) },
      temperature: try head.temperature(), seed: try head.seed(),
      actor: try head.name(GroupField.actor),
      numericClass: try head.name(GroupField.numericClass), times: try head.times(),
      level: try head.level())
    try head.finish()
  }

  private static func checkGroupSize(_ groupSize: Int, _ limits: GroupLimits?) throws(Refusal) {
    guard groupSize > 0 else { throw invalid("a group without trajectories") }
    if let limits, groupSize != limits.groupSize {
      throw invalid("\(groupSize) trajectories, expected \(limits.groupSize)")
    }
  }

  private static func check(prompt: [Int32], _ limits: GroupLimits?) throws(Refusal) {
    guard !prompt.isEmpty else { throw invalid("a prompt without tokens") }
    guard let limits else { return }
    guard prompt.count <= limits.maximumPositions else {
      throw invalid("a prompt of \(prompt.count) tokens, at most \(limits.maximumPositions)")
    }
    try check(tokens: prompt, of: "prompt", limits)
  }

  /// A longer one would be beyond what the learner's forward pass has room for.
  private static func check(
    prompt: [Int32], fits completions: [Completion], _ limits: GroupLimits?
  ) throws(Refusal) {
    guard let limits else { return }
    for (sample, completion) in completions.enumerated() {
      let positions = prompt.count + completion.tokens.count - 1
      guard positions <= limits.maximumPositions else {
        throw invalid(
          "completion \(sample) ends at position \(positions), the model has "
            + "\(limits.maximumPositions)")
      }
    }
  }

  private static func check(
    tokens: [Int32], of what: String, _ limits: GroupLimits
  ) throws(Refusal) {
    if let index = tokens.firstIndex(where: { $0 < 0 || Int($0) >= limits.vocabularySize }) {
      throw invalid(
        "\(what) token \(index) is \(tokens[index]), the vocabulary has \(limits.vocabularySize)")
    }
  }

  private static func completions(
    _ columns: Columns, _ groupSize: Int, _ tokenCount: Int, _ limits: GroupLimits?
  ) throws(Refusal) -> [Completion] {
    let lengths = try columns.integers("lengths", count: groupSize)
    let longest = Int32(clamping: limits?.maximumNewTokens ?? Int(Int32.max))
    for (sample, length) in lengths.enumerated() where !(1...max(1, longest)).contains(length) {
      throw invalid("completion \(sample) has \(length) tokens, expected 1 to \(longest)")
    }
    let sum = lengths.reduce(0) { $0 + Int($1) }
    guard sum == tokenCount else {
      throw invalid("lengths sum to \(sum), and there are \(tokenCount) tokens")
    }
    let tokens = try columns.integers("tokens", count: tokenCount)
    if let limits { try check(tokens: tokens, of: "completion", limits) }
    let logProbs = try columns.floats("behavior_logprobs", count: tokenCount)
    if let index = logProbs.firstIndex(where: { !($0.isFinite && $0 <= 0) }) {
      throw invalid("log-prob \(index) is \(logProbs[index]), expected a finite number up to 0")
    }
    let truncated = try columns.flags("finish", count: groupSize)
    var completions: [Completion] = []
    completions.reserveCapacity(groupSize)
    var start = 0
    for (length, isTruncated) in zip(lengths, truncated) {
      let range = start..<(start + Int(length))
      completions.append(
        Completion(
          tokens: Array(tokens[range]), behaviorLogProbs: Array(logProbs[range]),
          finish: isTruncated ? .length : .stop))
      start = range.upperBound
    }
    return completions
  }

  private static func verdicts(
    _ columns: Columns, names: [String], lengths: [Int]
  ) throws(Refusal) -> [Verdict] {
    let groupSize = lengths.count
    let parts = try rewardParts(columns, names: names, lengths: lengths)
    let reasons = try reasons(columns, groupSize)
    let strict = try columns.flags("strict", count: groupSize)
    let lenient = try columns.flags("lenient", count: groupSize)
    for (sample, parts) in parts.enumerated() {
      let reward = parts.reduce(0) { $0 + $1.value }
      guard abs(reward) <= WireLimits.maximumReward else {
        throw invalid(
          "the reward of sample \(sample) is \(reward), at most \(WireLimits.maximumReward)")
      }
    }
    return (0..<groupSize).map { sample in
      Verdict(
        parts: parts[sample], reason: reasons[sample], isStrictlyCorrect: strict[sample],
        isLenientlyCorrect: lenient[sample])
    }
  }

  /// The parts of each sample's reward.
  private static func rewardParts(
    _ columns: Columns, names: [String], lengths: [Int]
  ) throws(Refusal) -> [[RewardPart]] {
    let count = try columns.count(of: "reward_values")
    let values = try columns.floats("reward_values", count: count)
    let samples = try columns.integers("reward_samples", count: count)
    let positions = try columns.integers("reward_positions", count: count)
    let ids = try columns.integers("reward_part_ids", count: count)
    var parts: [[RewardPart]] = Array(repeating: [], count: lengths.count)
    var last = 0
    for row in 0..<count {
      let (sample, position, id) = (Int(samples[row]), Int(positions[row]), Int(ids[row]))
      guard sample >= last, sample < lengths.count else {
        throw invalid(
          "reward \(row) is of sample \(sample), expected \(last) to \(lengths.count - 1)")
      }
      guard (0..<lengths[sample]).contains(position) else {
        throw invalid(
          "reward \(row) is at token \(position), completion \(sample) has \(lengths[sample])")
      }
      guard names.indices.contains(id) else {
        throw invalid("reward \(row) is of part \(id), there are \(names.count)")
      }
      guard values[row].isFinite else { throw invalid("reward \(row) is \(values[row])") }
      last = sample
      parts[sample].append(RewardPart(position: position, part: names[id], value: values[row]))
    }
    return parts
  }

  private static func reasons(_ columns: Columns, _ groupSize: Int) throws(Refusal) -> [String] {
    let lengths = try columns.integers("reason_lengths", count: groupSize)
    let maximum = WireLimits.maximumSentenceBytes
    for (sample, length) in lengths.enumerated() where !(0...maximum).contains(Int(length)) {
      throw invalid("reason \(sample) has \(length) bytes, expected 0 to \(maximum)")
    }
    let sum = lengths.reduce(0) { $0 + Int($1) }
    let bytes = try columns.bytes("reasons", count: sum)
    var reasons: [String] = []
    reasons.reserveCapacity(groupSize)
    var start = 0
    for (sample, length) in lengths.enumerated() {
      let end = start + Int(length)
      guard let reason = String(validating: bytes[start..<end], as: UTF8.self) else {
        throw invalid("reason \(sample) is not UTF-8")
      }
      reasons.append(reason)
      start = end
    }
    return reasons
  }
}

private func invalid(_ sentence: String) -> Refusal { Refusal(.invalid, "group: \(sentence)") }

/// The metadata, taken key by key, so that an unknown one is found.
private struct GroupHead {
  private var rest: [String: String]

  init(_ metadata: [String: String]) { rest = metadata }

  mutating func checkFormat() throws(Refusal) {
    let format = try take(GroupField.format)
    guard format == GroupField.formatName else {
      throw Refusal(
        .malformed,
        bounded("group: format \"\(format)\", expected \"\(GroupField.formatName)\""))
    }
  }

  mutating func key() throws(Refusal) -> TicketKey {
    let purpose = try take(GroupField.purpose)
    let number = try integer(GroupField.ticket, in: 0...WireLimits.maximumNumber)
    switch purpose {
    case "train": return TicketKey(purpose: .train, number: number)
    case "evaluate":
      let version = try integer(GroupField.evaluates, in: 0...WireLimits.maximumVersion)
      return TicketKey(purpose: .evaluate(version: version), number: number)
    default: throw fault(GroupField.purpose, purpose, "train or evaluate")
    }
  }

  /// Nil where the run has no curriculum.
  mutating func level() throws(Refusal) -> Int? {
    guard rest[GroupField.level] != nil else { return nil }
    return try integer(GroupField.level, in: 0...CurriculumRules.maximumLevels - 1)
  }

  mutating func version() throws(Refusal) -> PolicyVersion {
    let text = try take(GroupField.digest)
    guard let digest = Digest(hexadecimal: text) else {
      throw fault(GroupField.digest, text, "64 lowercase hexadecimal digits")
    }
    return PolicyVersion(
      lineage: try name(GroupField.lineage),
      number: try integer(GroupField.version, in: 0...WireLimits.maximumVersion), digest: digest)
  }

  mutating func times() throws(Refusal) -> RolloutTimes {
    RolloutTimes(
      ticketNanoseconds: Int64(try integer(GroupField.ticketTime, in: .min ... .max)),
      sampledNanoseconds: Int64(try integer(GroupField.sampledTime, in: .min ... .max)),
      judgedNanoseconds: Int64(try integer(GroupField.judgedTime, in: .min ... .max)))
  }

  mutating func seed() throws(Refusal) -> UInt64 {
    let text = try take(GroupField.seed)
    guard text.first?.isNumber == true, let seed = UInt64(text) else {
      throw fault(GroupField.seed, text, "a decimal number of 64 bits")
    }
    return seed
  }

  /// Above 100 every token is as likely as every other.
  mutating func temperature() throws(Refusal) -> Float {
    let text = try take(GroupField.temperature)
    // Float reads hexadecimal, "nan" and "inf" too.
    guard text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }),
      let temperature = Float(text), temperature.isFinite
    else { throw fault(GroupField.temperature, text, "a decimal number") }
    guard (0...100).contains(temperature) else {
      throw invalid("temperature \(temperature), expected 0 to 100")
    }
    return temperature
  }

  mutating func rewardNames() throws(Refusal) -> [String] {
    let text = try take(GroupField.rewardParts, maximumBytes: 1 << 16)
    do throws(DocumentError) {
      let document = try JSON.parse(Array(text.utf8), source: "group")
      let fields = try Fields(
        .object([(GroupField.rewardParts, document)]), source: "group", path: "metadata")
      let names = try fields.strings(
        GroupField.rewardParts, maximumCount: WireLimits.maximumRewardNames,
        maximumLength: WireLimits.maximumNameBytes)
      guard Set(names).count == names.count else {
        throw fields.error(GroupField.rewardParts, "a name stands twice")
      }
      return names
    } catch {
      throw Refusal(malformed: error)
    }
  }

  mutating func name(_ key: String) throws(Refusal) -> String { try take(key) }

  func finish() throws(Refusal) {
    guard let extra = rest.keys.min() else { return }
    throw Refusal(.malformed, bounded("group: metadata nobody knows: \(extra)"))
  }

  private mutating func integer(
    _ key: String, in range: ClosedRange<Int>
  ) throws(Refusal) -> Int {
    let text = try take(key)
    guard let number = Int(text), text.first != "+" else { throw fault(key, text, "an integer") }
    guard range.contains(number) else {
      throw invalid("\(key) is \(number), expected \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private mutating func take(
    _ key: String, maximumBytes: Int = WireLimits.maximumNameBytes
  ) throws(Refusal) -> String {
    guard let text = rest.removeValue(forKey: key) else {
      throw Refusal(.malformed, "group: the metadata has no \(key)")
    }
    guard text.utf8.count <= maximumBytes else {
      throw Refusal(
        .malformed, "group: \(key) has \(text.utf8.count) bytes, at most \(maximumBytes)")
    }
    return text
  }

  private func fault(_ key: String, _ text: String, _ expected: String) -> Refusal {
    Refusal(.malformed, bounded("group: \(key) is \"\(text)\", expected \(expected)"))
  }
}
