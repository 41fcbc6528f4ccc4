// Settings of a run that nobody watches: what is checked before it begins, and what it calls
// attention to while it goes on. No number of a run depends on any of them.

import Documents

/// What is looked at before the first step, and what is too little to begin with.
public struct PreflightSection: Sendable {
  public var isEnabled: Bool
  /// Tickets sampled at the most: the first ones of the run, as its first version samples them.
  public var prompts: Int
  /// What sampling them may take, about; fewer are sampled where it would be more.
  public var seconds: Double
  /// Least share of the sampled groups that have spread.
  public var leastSpread: Double
  /// Greatest share of the sampled completions that the length limit cut.
  public var mostTruncated: Double
  /// Least steps within the hours given; a run that has fewer in all needs those.
  public var leastSteps: Int
  /// Least bytes that stay free on the disk when all is written; 0 is replay's reserve.
  public var leastFreeBytes: Int
  /// Greatest share of the memory available that the processes may need.
  public var mostMemory: Double

  init(_ fields: Fields) throws(DocumentError) {
    isEnabled = try fields.bool("enabled", default: true)
    prompts = try fields.integer("prompts", default: 16, in: 1...4096)
    seconds = try fields.number("seconds", default: 60, in: 0.1...86_400)
    leastSpread = try fields.number("leastSpread", default: 0.05, in: 0...1)
    mostTruncated = try fields.number("mostTruncated", default: 0.95, in: 0...1)
    leastSteps = try fields.integer("leastSteps", default: 10, in: 0...10_000_000)
    leastFreeBytes = try fields.integer("leastFreeBytes", default: 0, in: 0...(1 << 50))
    mostMemory = try fields.number("mostMemory", default: 0.95, in: 0.01...100)
  }
}

/// When a run calls attention to itself. Figures are means over a window of steps.
public struct AlarmsSection: Sendable {
  public var isEnabled: Bool
  /// Steps a figure is the mean of.
  public var window: Int
  /// Share of completions that the length limit cut, above which it is an alarm.
  public var truncation: Double
  /// Share of groups with spread, below which it is one.
  public var spread: Double
  /// Steps whose newer half must have more reward than the older.
  public var flatSteps: Int
  /// Entropy, as a share of what it began with.
  public var entropy: Double
  /// Nats a token from the reference.
  public var divergence: Double
  /// Mean of the reward's part `format`.
  public var format: Double
  /// Strict accuracy from which spread, reward and entropy may do as they like.
  public var solved: Double
  /// Seconds without a word from an actor.
  public var actorSeconds: Double
  /// Free bytes; 0 is twice replay's reserve.
  public var freeBytes: Int

  init(_ fields: Fields) throws(DocumentError) {
    isEnabled = try fields.bool("enabled", default: true)
    window = try fields.integer("window", default: 10, in: 1...10_000)
    truncation = try fields.number("truncation", default: 0.5, in: 0...1)
    spread = try fields.number("spread", default: 0.1, in: 0...1)
    flatSteps = try fields.integer("flatSteps", default: 100, in: 4...100_000)
    entropy = try fields.number("entropy", default: 0.1, in: 0...1)
    divergence = try fields.number("kl", default: 1, in: 0...1e9)
    format = try fields.number("format", default: 0.001, in: 0...1e9)
    solved = try fields.number("solved", default: 0.9, in: 0...1)
    actorSeconds = try fields.number("actorSeconds", default: 60, in: 1...86_400)
    freeBytes = try fields.integer("freeBytes", default: 0, in: 0...(1 << 50))
  }
}
