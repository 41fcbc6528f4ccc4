// Every training ticket in exactly one state, and the counts the two laws are about.
//
// A ticket's way:  (not granted) -> held -> storing -> ready -> leased -> retired
//                  held -> lapsed (its holder fell silent) -> held
//                  held, ready, leased -> unfilled (its group was dropped) -> held
//
// Numbers below `lowWater` are all retired and no longer listed one by one.

import Experience

/// Ascending numbers, in one array: there are at most (lagMax + 1) batches of them.
struct SortedNumbers {
  private(set) var numbers: [Int] = []

  var first: Int? { numbers.first }
  var count: Int { numbers.count }

  mutating func insert(_ number: Int) {
    let index = position(number)
    precondition(index == numbers.count || numbers[index] != number, "\(number) is there already")
    numbers.insert(number, at: index)
  }

  mutating func remove(_ number: Int) {
    let index = position(number)
    precondition(index < numbers.count && numbers[index] == number, "\(number) is not there")
    numbers.remove(at: index)
  }

  /// The index of the first number not below `number`.
  private func position(_ number: Int) -> Int {
    var low = 0
    var high = numbers.count
    while low < high {
      let middle = (low + high) / 2
      if numbers[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Groups, tokens and bytes that were sampled in vain.
package struct DropTotals: Equatable, Sendable {
  package var groups = 0
  package var tokens = 0
  package var bytes = 0

  package init() {}

  package init(groups: Int, tokens: Int, bytes: Int) {
    self.groups = groups
    self.tokens = tokens
    self.bytes = bytes
  }

  mutating func add(tokens: Int, bytes: Int) {
    groups += 1
    self.tokens += tokens
    self.bytes += bytes
  }
}

struct TicketBook {
  enum State {
    case held(by: Peer, renewed: Int64)
    /// Granted, and its holder is gone: to be reissued.
    case lapsed
    /// Its group was dropped: to be reissued.
    case unfilled
    /// Its group is on its way to the disk; the waiters are told when it is there.
    case storing(GroupFacts, waiters: [Asker])
    case ready(GroupFacts)
    case leased(GroupFacts)
    case retired

    var kind: Kind {
      switch self {
      case .held: .held
      case .lapsed: .lapsed
      case .unfilled: .unfilled
      case .storing: .storing
      case .ready: .ready
      case .leased: .leased
      case .retired: .retired
      }
    }
  }

  enum Kind: Int, CaseIterable { case held, lapsed, unfilled, storing, ready, leased, retired }

  /// Of the numbers in `lowWater..<next`.
  private(set) var states: [Int: State] = [:]
  /// The lowest number never granted; so many tickets have been granted.
  private(set) var next = 0
  /// Every number below is retired.
  private(set) var lowWater = 0
  private(set) var reissue = SortedNumbers()
  private(set) var ready = SortedNumbers()
  private var counts = [Int](repeating: 0, count: Kind.allCases.count)

  /// Groups ever committed to the disk.
  private(set) var accepted = 0
  private(set) var fates: [Fate: Int] = [:]
  /// Dropped after having been accepted.
  private(set) var dropped: [DropReason: DropTotals] = [:]
  /// Turned away on arrival.
  private(set) var refused: [DropReason: DropTotals] = [:]

  func count(_ kind: Kind) -> Int { counts[kind.rawValue] }

  /// Nil for a number never granted.
  func state(_ number: Int) -> State? {
    if number < lowWater { return .retired }
    return states[number]
  }

  // MARK: Transitions

  /// The one place a state changes.
  private mutating func set(_ number: Int, _ state: State) {
    precondition(number >= lowWater && number < next, "ticket \(number) of \(lowWater)..<\(next)")
    if let old = states[number] {
      counts[old.kind.rawValue] -= 1
      switch old {
      case .lapsed, .unfilled: reissue.remove(number)
      case .ready: ready.remove(number)
      default: break
      }
    }
    counts[state.kind.rawValue] += 1
    switch state {
    case .lapsed, .unfilled: reissue.insert(number)
    case .ready: ready.insert(number)
    default: break
    }
    states[number] = state
  }

  /// Counts every number up to and including this one as granted: replay grants in ascending
  /// order, so what an earlier life of it granted is known from the highest number seen.
  mutating func extend(through number: Int) {
    while next <= number {
      next += 1
      set(next - 1, .lapsed)
    }
  }

  mutating func hold(_ number: Int, by peer: Peer, at now: Int64) {
    if number >= next {
      extend(through: number - 1)
      next += 1
    }
    set(number, .held(by: peer, renewed: now))
  }

  mutating func lapse(_ number: Int) { set(number, .lapsed) }

  mutating func store(_ number: Int, _ facts: GroupFacts, waiters: [Asker]) {
    extend(through: number)
    set(number, .storing(facts, waiters: waiters))
  }

  mutating func makeReady(_ number: Int, _ facts: GroupFacts) {
    accepted += 1
    set(number, .ready(facts))
  }

  mutating func lease(_ numbers: [Int]) {
    for number in numbers {
      guard case .ready(let facts) = state(number) else {
        preconditionFailure("ticket \(number) is leased without being ready")
      }
      set(number, .leased(facts))
    }
  }

  /// A lease that is no more: its groups are ready again.
  mutating func release(_ numbers: [Int]) {
    for number in numbers {
      if case .leased(let facts) = state(number) { set(number, .ready(facts)) }
    }
  }

  mutating func retire(_ numbers: [Int], _ fates: [Fate]) {
    for (number, fate) in zip(numbers, fates) {
      set(number, .retired)
      self.fates[fate, default: 0] += 1
    }
    while case .retired? = states[lowWater] {
      states[lowWater] = nil
      lowWater += 1
    }
  }

  /// Where `lowWater` will be once these are retired.
  func lowWater(afterRetiring numbers: [Int]) -> Int {
    let leaving = Set(numbers)
    var mark = lowWater
    while leaving.contains(mark) || states[mark]?.kind == .retired { mark += 1 }
    return mark
  }

  mutating func drop(_ drop: Drop) {
    if drop.wasAccepted {
      dropped[drop.reason, default: .init()].add(tokens: drop.tokens, bytes: drop.bytes)
      set(drop.key.number, .unfilled)
    } else {
      refused[drop.reason, default: .init()].add(tokens: drop.tokens, bytes: drop.bytes)
    }
  }

  /// The holder brought home a group that was turned away.
  mutating func unfill(_ number: Int) { set(number, .unfilled) }

  /// A stall of replay itself ends no lease.
  mutating func postponeLeases(by nanoseconds: Int64) {
    for (number, state) in states {
      if case .held(let peer, let renewed) = state {
        states[number] = .held(by: peer, renewed: renewed + nanoseconds)
      }
    }
  }

  /// As a store remembers it.
  init(_ history: LedgerHistory) {
    lowWater = history.lowWater
    next = history.lowWater
    counts[Kind.retired.rawValue] = history.lowWater
    let highest = [history.retired.max(), history.groups.keys.max(), history.unfilled.max()]
    extend(through: highest.compactMap { $0 }.max() ?? -1)
    for number in history.retired { set(number, .retired) }
    for (number, facts) in history.groups { set(number, .ready(facts)) }
    for number in history.unfilled where state(number)?.kind == .lapsed { set(number, .unfilled) }
    fates = history.fates
    dropped = history.dropped
    refused = history.refused
    accepted = history.accepted
    lease(history.lease?.tickets ?? [])
  }
}

// MARK: The two laws

extension TicketBook {
  /// Nil while both laws hold; constant time, asserted after every event of a run.
  func brokenLaw() -> String? {
    let filled = count(.ready) + count(.leased) + count(.retired)
    let outstanding = count(.held) + count(.lapsed) + count(.storing)
    if next != filled + outstanding + count(.unfilled) {
      return "tickets granted \(next) are not filled \(filled) + outstanding \(outstanding) "
        + "+ un-filled \(count(.unfilled))"
    }
    let retired = fates.values.reduce(0, +)
    let lost = dropped.values.reduce(0) { $0 + $1.groups }
    if accepted != retired + count(.ready) + count(.leased) + lost {
      return "groups accepted \(accepted) are not retired \(retired) + ready \(count(.ready)) "
        + "+ leased \(count(.leased)) + dropped \(lost)"
    }
    if retired != count(.retired) {
      return "\(retired) groups have a fate and \(count(.retired)) tickets are retired"
    }
    return nil
  }

  /// The same, with every count taken again from the tickets themselves.
  func brokenLawByRecount() -> String? {
    var recounted = [Int](repeating: 0, count: Kind.allCases.count)
    recounted[Kind.retired.rawValue] = lowWater
    for number in lowWater..<next {
      guard let state = states[number] else { return "ticket \(number) has no state" }
      recounted[state.kind.rawValue] += 1
    }
    if recounted != counts { return "counts \(counts), recounted \(recounted)" }
    if states.count != next - lowWater { return "\(states.count) states for \(next - lowWater)" }
    let waiting = states.filter { $0.value.kind == .lapsed || $0.value.kind == .unfilled }
    if reissue.numbers != waiting.keys.sorted() { return "the list to reissue is out of step" }
    let prepared = states.filter { $0.value.kind == .ready }
    if ready.numbers != prepared.keys.sorted() { return "the list of ready ones is out of step" }
    return brokenLaw()
  }
}
