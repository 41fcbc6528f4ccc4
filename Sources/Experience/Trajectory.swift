// What an actor brings home: completions of one prompt, each with the probabilities it was sampled
// with and the verdict on it.

/// Why sampling ended.
public enum FinishReason: String, Sendable, CaseIterable {
  /// A stop token was sampled; it is the completion's last token.
  case stop
  /// The length limit cut the completion: it is truncated.
  case length
}

/// The tokens sampled after a prompt, the stop token included.
public struct Completion: Equatable, Sendable {
  /// `[tokens]`
  public var tokens: [Int32]
  /// `[tokens]`, natural logarithm under the distribution each token was really sampled from.
  public var behaviorLogProbs: [Float]
  public var finish: FinishReason

  public init(tokens: [Int32], behaviorLogProbs: [Float], finish: FinishReason) {
    precondition(
      tokens.count == behaviorLogProbs.count,
      "\(tokens.count) tokens with \(behaviorLogProbs.count) log-probs")
    self.tokens = tokens
    self.behaviorLogProbs = behaviorLogProbs
    self.finish = finish
  }

  public var isTruncated: Bool { finish == .length }
}

/// One part of a reward, credited at a token.
public struct RewardPart: Equatable, Sendable {
  /// Index of the completion's token the part is credited at: its last, unless a verifier knows
  /// better.
  public var position: Int
  public var part: String
  public var value: Float

  public init(position: Int, part: String, value: Float) {
    self.position = position
    self.part = part
    self.value = value
  }
}

/// What a verifier says of a completion.
public struct Verdict: Equatable, Sendable {
  public var parts: [RewardPart]
  /// The reason in words, for people.
  public var reason: String
  /// The answer is right and the format is exactly as asked.
  public var isStrictlyCorrect: Bool
  /// The answer is right wherever it stands.
  public var isLenientlyCorrect: Bool

  public init(
    parts: [RewardPart], reason: String, isStrictlyCorrect: Bool, isLenientlyCorrect: Bool
  ) {
    self.parts = parts
    self.reason = reason
    self.isStrictlyCorrect = isStrictlyCorrect
    self.isLenientlyCorrect = isLenientlyCorrect
  }

  /// The part that marks a verdict that never came about: the verifier's program died, or was too
  /// late. It is carried like any part, so that it is counted wherever parts are.
  public static let invalidPart = "invalid"

  /// A verdict that never came about, with the reason. Its reward says nothing.
  public static func invalid(_ reason: String) -> Verdict {
    Verdict(
      parts: [RewardPart(position: 0, part: invalidPart, value: 0)], reason: reason,
      isStrictlyCorrect: false, isLenientlyCorrect: false)
  }

  /// Whether somebody judged.
  public var isValid: Bool { !parts.contains { $0.part == Self.invalidPart } }

  /// The scalar: the sum of the parts.
  public var reward: Float { parts.reduce(0) { $0 + $1.value } }
}

/// The record of one rollout.
public struct Trajectory: Equatable, Sendable {
  public var completion: Completion
  public var verdict: Verdict

  public init(completion: Completion, verdict: Verdict) {
    self.completion = completion
    self.verdict = verdict
  }

  /// Right as asked, and ended by itself.
  public var isCompletedCorrect: Bool { verdict.isStrictlyCorrect && !completion.isTruncated }
}

/// Monotonic times of the actor that made a group, in nanoseconds of its own clock; durations
/// within one actor are exact, and no decision rests on them.
public struct RolloutTimes: Equatable, Sendable {
  public var ticketNanoseconds: Int64
  public var sampledNanoseconds: Int64
  public var judgedNanoseconds: Int64

  public init(ticketNanoseconds: Int64, sampledNanoseconds: Int64, judgedNanoseconds: Int64) {
    self.ticketNanoseconds = ticketNanoseconds
    self.sampledNanoseconds = sampledNanoseconds
    self.judgedNanoseconds = judgedNanoseconds
  }
}

/// All trajectories of one ticket: the unit that is submitted, stored, leased and trained.
public struct TrajectoryGroup: Equatable, Sendable {
  public var key: TicketKey
  /// The one version every token was sampled with.
  public var version: PolicyVersion
  /// Names the exercise within its task, for people.
  public var exercise: String
  /// The ticket's: which level of a curriculum the exercise is of.
  public var level: Int?
  public var prompt: [Int32]
  /// Sample s of the ticket at index s.
  public var trajectories: [Trajectory]
  /// The temperature sampled with; 0 is greedy.
  public var temperature: Float
  /// The run's seed the addresses of the random numbers begin with.
  public var seed: UInt64
  /// The name of the actor.
  public var actor: String
  /// The numeric class the log-probs were computed under: bits are comparable within one class.
  public var numericClass: String
  public var times: RolloutTimes

  public init(
    key: TicketKey, version: PolicyVersion, exercise: String, prompt: [Int32],
    trajectories: [Trajectory], temperature: Float, seed: UInt64, actor: String,
    numericClass: String, times: RolloutTimes, level: Int? = nil
  ) {
    self.key = key
    self.version = version
    self.exercise = exercise
    self.level = level
    self.prompt = prompt
    self.trajectories = trajectories
    self.temperature = temperature
    self.seed = seed
    self.actor = actor
    self.numericClass = numericClass
    self.times = times
  }
}
