// The merges of a vocabulary by the pair they join: asked for at every pair of every new piece, so
// it is one flat array with a multiplied hash rather than a dictionary. The hash begins with a
// number drawn at start: a file made so that its pairs collide would otherwise be slow for ever.

/// Merges by pair of ids.
struct MergeTable: Sendable {
  private struct Slot {
    var pair: UInt64
    var merge: UInt64
  }

  /// No pair of ids is this: ids are not negative.
  private static let empty = UInt64.max
  /// What a pair without a merge has: later than any rank.
  static let none = UInt64.max

  private var slots: [Slot]
  private let mask: Int
  private let seed: UInt64
  private(set) var count = 0

  /// Room for this many.
  init(count: Int) {
    var capacity = 8
    while capacity < 2 * count { capacity *= 2 }
    slots = .init(repeating: Slot(pair: Self.empty, merge: Self.none), count: capacity)
    mask = capacity - 1
    seed = UInt64.random(in: .min ... .max)
  }

  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Rank above result: the lesser of two merges comes first.
  @inline(__always) static func rank(_ merge: UInt64) -> Int32 {
    Int32(truncatingIfNeeded: merge >> 32)
  }
  @inline(__always) static func result(_ merge: UInt64) -> Int32 {
    Int32(truncatingIfNeeded: merge)
  }

  /// False when the pair has a merge already.
  mutating func insert(_ left: Int32, _ right: Int32, rank: Int32, result: Int32) -> Bool {
    precondition(2 * count < slots.count, "a table of \(slots.count) slots is full")
    let pair = Self.pair(left, right)
    var place = index(of: pair)
    while slots[place].pair != Self.empty {
      if slots[place].pair == pair { return false }
      place = (place + 1) & mask
    }
    slots[place] = Slot(pair: pair, merge: Self.pair(rank, result))
    count += 1
    return true
  }

  /// The merge of two neighbors, or `none`.
  @inline(__always) func merge(_ left: Int32, _ right: Int32) -> UInt64 {
    let pair = Self.pair(left, right)
    return slots.withUnsafeBufferPointer { slots in
      var place = index(of: pair)
      while true {
        let slot = slots[place]
        if slot.pair == pair { return slot.merge }
        if slot.pair == Self.empty { return Self.none }
        place = (place + 1) & mask
      }
    }
  }

  @inline(__always) private func index(of pair: UInt64) -> Int {
    var hash = (pair ^ seed) &* 0x9e37_79b9_7f4a_7c15
    hash ^= hash >> 32
    hash = hash &* 0xd6e8_feb8_6659_fd93
    return Int(truncatingIfNeeded: hash >> 20) & mask
  }
}
