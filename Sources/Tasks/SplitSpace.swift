// Splits a numbered space of exercises into train, validation and held-out by a keyed permutation.
//
// Hashing each member to a split would need a search for the n-th member of one, and drawing with
// repeats until it falls right. A permutation gives both at once: the first part of it is held-out,
// the next validation, the rest train, so sizes are exact, the i-th member costs the same for any
// i, no two indices meet, and no two splits can. The key is the task's, not the run's: every run of
// a task is measured on the same exercises.
//
// The permutation is a Feistel network over the next power of four (Luby and Rackoff, 1988) whose
// round function is the addressed hash; a value beyond the space is sent through again, at most a
// few times in the mean since the space fills more than a quarter.

import Experience

/// A space of `count` members, each in exactly one split.
public struct SplitSpace: Sendable {
  /// Members in all.
  public let count: Int
  private let heldOut: Int
  private let validation: Int
  private let order: KeyedPermutation

  /// Four is the least space in which every split can have a member and train two.
  static let minimumCount = 4

  /// Shares are of the members; each split gets at least one.
  public init(count: Int, seed: UInt64, heldOutShare: Double, validationShare: Double) {
    precondition(
      count >= Self.minimumCount, "a space of \(count) members, fewer than \(Self.minimumCount)")
    precondition(
      heldOutShare >= 0 && validationShare >= 0 && heldOutShare + validationShare <= 0.9,
      "shares of \(heldOutShare) and \(validationShare) leave too little to train on")
    self.count = count
    heldOut = max(1, Int(Double(count) * heldOutShare))
    validation = max(1, Int(Double(count) * validationShare))
    order = KeyedPermutation(count: count, key: seed)
  }

  public func size(of split: Split) -> Int {
    switch split {
    case .heldOut: heldOut
    case .validation: validation
    case .train: count - heldOut - validation
    }
  }

  /// The split's member at a position below its size.
  public func member(of split: Split, at position: Int) -> Int {
    let size = size(of: split)
    precondition(
      position >= 0 && position < size,
      "position \(position) of the \(split.rawValue) split, which has \(size) members")
    switch split {
    case .heldOut: return order.member(at: position)
    case .validation: return order.member(at: heldOut + position)
    case .train: return order.member(at: heldOut + validation + position)
    }
  }

  /// Where a member belongs.
  public func split(of member: Int) -> Split {
    precondition(member >= 0 && member < count, "member \(member) of a space of \(count)")
    let place = order.place(of: member)
    return place < heldOut ? .heldOut : place < heldOut + validation ? .validation : .train
  }
}

/// The numbers below `count` in an order that a key decides: each comes once.
struct KeyedPermutation: Sendable {
  let count: Int
  private let key: UInt64
  private let halfBits: Int

  /// Six rounds: four already make a permutation no cheap test tells from a random one.
  private static let rounds: UInt64 = 6

  init(count: Int, key: UInt64) {
    precondition(count >= 1, "an order of \(count) members")
    self.count = count
    self.key = key
    halfBits = (Int.bitWidth - (count - 1).leadingZeroBitCount + 1) / 2
  }

  func member(at place: Int) -> Int {
    var value = UInt64(place)
    repeat {
      var (left, right) = halves(value)
      for round in 0..<Self.rounds { (left, right) = (right, left ^ scrambled(right, round)) }
      value = left << UInt64(halfBits) | right
    } while value >= UInt64(count)
    return Int(value)
  }

  func place(of member: Int) -> Int {
    var value = UInt64(member)
    repeat {
      var (left, right) = halves(value)
      for round in (0..<Self.rounds).reversed() {
        (left, right) = (right ^ scrambled(left, round), left)
      }
      value = left << UInt64(halfBits) | right
    } while value >= UInt64(count)
    return Int(value)
  }

  private func halves(_ value: UInt64) -> (left: UInt64, right: UInt64) {
    (value >> UInt64(halfBits), value & mask)
  }

  private func scrambled(_ half: UInt64, _ round: UInt64) -> UInt64 {
    AddressedRandom.bits(seed: key, domain: .heldOut, round, half) & mask
  }

  private var mask: UInt64 { (1 << UInt64(halfBits)) - 1 }
}
