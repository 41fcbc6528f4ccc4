// The cohort: everything one optimizer step trains on, all microbatches and learners of it. Credit,
// filters and denominators are its business alone, which is why a microbatch cannot change them.

/// What an objective sees of a completion: numbers, one a token, and no text.
public struct CohortCompletion: Equatable, Sendable {
  /// The sum of the verifier's parts.
  public var reward: Float
  /// The length limit cut it.
  public var isTruncated: Bool
  /// `[tokens]`, log-probs under the distribution each token was really sampled from.
  public var behavior: [Float]
  /// `[tokens]`, log-probs of the frozen model; empty where they were not measured.
  public var reference: [Float]

  public init(reward: Float, isTruncated: Bool, behavior: [Float], reference: [Float] = []) {
    precondition(!behavior.isEmpty, "a completion of 0 tokens; it holds at least its stop token")
    precondition(
      reference.isEmpty || reference.count == behavior.count,
      "\(reference.count) reference log-probs for \(behavior.count) tokens")
    self.reward = reward
    self.isTruncated = isTruncated
    self.behavior = behavior
    self.reference = reference
  }

  public var tokenCount: Int { behavior.count }
}

/// All completions of one ticket.
public struct CohortGroup: Equatable, Sendable {
  /// The ticket's number: what statistics are reported under.
  public var ticket: Int
  /// Sample s at index s.
  public var completions: [CohortCompletion]
  /// False where a verdict never came about: there is no comparison to learn from, and the group is
  /// skipped, whatever its rewards.
  public var isJudged: Bool

  public init(ticket: Int, completions: [CohortCompletion], isJudged: Bool = true) {
    precondition(!completions.isEmpty, "ticket \(ticket) has a group of 0 completions")
    self.ticket = ticket
    self.completions = completions
    self.isJudged = isJudged
  }
}

/// All groups of one step, in the order of training.
public struct Cohort: Equatable, Sendable {
  public var groups: [CohortGroup]

  public init(groups: [CohortGroup]) {
    self.groups = groups
  }
}

/// What the sum over a cohort's tokens is divided by. Several learners add theirs before the step.
public struct Denominators: Equatable, Sendable {
  /// Tokens and completions that are trained: masked ones and skipped groups count in neither.
  public var tokens: Int
  public var completions: Int

  public init(tokens: Int = 0, completions: Int = 0) {
    self.tokens = tokens
    self.completions = completions
  }

  public static func + (left: Self, right: Self) -> Self {
    Denominators(
      tokens: left.tokens + right.tokens, completions: left.completions + right.completions)
  }

  /// Nothing is trained: the step leaves the weights and the optimizer as they are.
  public var isEmpty: Bool { tokens == 0 }

  /// What each token of a completion of this length counts for; 0 in an empty cohort.
  public func weight(tokenCount: Int, settings: GRPOSettings) -> Double {
    guard !isEmpty else { return 0 }
    switch settings.normalization {
    case .tokenMean: return 1 / Double(tokens)
    case .sequenceMean: return 1 / (Double(completions) * Double(tokenCount))
    case .constant: return 1 / (Double(completions) * Double(settings.constantLength))
    }
  }
}
