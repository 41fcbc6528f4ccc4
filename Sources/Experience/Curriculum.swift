// A pool of exercises that grows harder as accuracy rises.
//
// A curriculum is an ordered list of levels. At first the pool holds level 0; when the share of
// strictly correct completions at the newest level reaches the threshold over a window, the next
// level is added. Older levels stay in the pool, so that they are not forgotten: a ticket is of the
// newest level with chance `newestShare`, else of one of the older, all alike.
//
// A run must come out the same whoever samples it, so the state is three integers that every step
// commit carries, advanced by a pure function of the committed state and the groups the step
// retires, in their order. A ticket's level follows from the run's seed, the ticket's number and
// the level open in the state committed with version max(0, n / B - lagMax): the newest that is
// sure to be there whenever the ticket can be granted.
//
// Only groups of the newest level count: old levels are easier, and stale groups were drawn when
// there was less in the pool.

/// How the pool stands after a step.
public struct CurriculumState: Hashable, Sendable {
  /// The newest level in the pool, from 0.
  public var level: Int
  /// Completions of that level judged since it was opened or its last window was full, and those of
  /// them that were strictly correct.
  public var count: Int
  public var correct: Int

  public init(level: Int = 0, count: Int = 0, correct: Int = 0) {
    self.level = level
    self.count = count
    self.correct = correct
  }
}

/// When a level is opened, and how tickets are spread over those that are open.
public struct CurriculumRules: Equatable, Sendable {
  public static let maximumLevels = 64

  public let levels: Int
  /// The share of a window that must be strictly correct.
  public let threshold: Double
  /// Completions of the newest level that are judged together, at the least.
  public let window: Int
  /// The chance of a ticket to be of the newest level, once there are others.
  public let newestShare: Double

  public init(levels: Int, threshold: Double, window: Int, newestShare: Double) {
    precondition(
      (1...Self.maximumLevels).contains(levels), "\(levels) levels of 1...\(Self.maximumLevels)")
    precondition(window >= 1, "a window of \(window) completions")
    self.levels = levels
    self.threshold = threshold
    self.window = window
    self.newestShare = newestShare
  }

  /// The level of a ticket while levels up to `open` are in the pool.
  public func level(ofTicket number: Int, seed: UInt64, open: Int) -> Int {
    precondition((0..<levels).contains(open), "level \(open) of \(levels)")
    let address = UInt64(number)
    let draw = AddressedRandom.uniform(seed: seed, domain: .curriculum, address)
    if open == 0 || Double(draw) < newestShare { return open }
    return AddressedRandom.integer(below: open, seed: seed, domain: .curriculum, address, 1)
  }

  /// The state after a step that retires these groups, in the batch's order.
  ///
  /// A completion that nobody judged counts neither way, nor does a group without a level.
  public func advanced(
    _ state: CurriculumState, by groups: some Sequence<TrajectoryGroup>
  ) -> CurriculumState {
    var state = state
    for group in groups where group.level == state.level {
      for trajectory in group.trajectories where trajectory.verdict.isValid {
        state.count += 1
        if trajectory.verdict.isStrictlyCorrect { state.correct += 1 }
      }
      guard state.count >= window else { continue }
      let isReached = Double(state.correct) >= threshold * Double(state.count)
      let next = isReached ? min(state.level + 1, levels - 1) : state.level
      state = CurriculumState(level: next)
    }
    return state
  }
}
