// A ticket is the unit of work: the right and the duty to sample one group of completions.

/// Why a group is sampled.
public enum Purpose: Hashable, Sendable {
  case train
  /// Sampled with exactly this version number; never trained on.
  case evaluate(version: Int)
}

/// What makes a ticket one of its kind. Training tickets count from 0 over the run; evaluation
/// tickets count from 0 within their version.
public struct TicketKey: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let purpose: Purpose
  public let number: Int

  public init(purpose: Purpose, number: Int) {
    self.purpose = purpose
    self.number = number
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.rank, left.number) < (right.rank, right.number)
  }

  public var description: String {
    switch purpose {
    case .train: "ticket \(number)"
    case .evaluate(let version): "evaluation ticket \(number) of version \(version)"
    }
  }

  private var rank: Int {
    switch purpose {
    case .train: -1
    case .evaluate(let version): version
    }
  }
}

/// A ticket as granted. Its exercise and its random numbers follow from the run's seed, the key and
/// the level alone, so whoever fills it, and however often it is reissued, the work is the same.
public struct Ticket: Hashable, Sendable {
  public let key: TicketKey
  /// The least version number the group may be sampled with.
  public let minimumVersion: Int
  /// Which level of the run's curriculum the exercise is of; nil without one, and for evaluations,
  /// which ask all levels alike.
  public let level: Int?

  public init(key: TicketKey, minimumVersion: Int, level: Int? = nil) {
    self.key = key
    self.minimumVersion = minimumVersion
    self.level = level
  }
}
