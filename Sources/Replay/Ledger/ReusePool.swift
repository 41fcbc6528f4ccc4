// Groups of committed steps that a batch may carry once more, and which of them it carries.
//
// A reuse is no second retirement: pacing and the two laws are about fresh groups alone. A group
// enters when a step has trained it (one without spread teaches nothing, one of a skipped step may
// be what was not finite), and leaves after `maximumUses` uses, its first included, or when its
// version is more than `maximumLag` steps behind.
//
// So the pool is a function of the committed steps. With addressed randomness for seed, step and
// ticket the choice for a step is one of the ledger's state too, and it is recorded with the lease
// before anybody trains on it:
//
//     uniform      the lowest bits(seed, step, ticket)
//     newest       the newest version first, then the highest ticket
//     prioritized  drawn without replacement with chances in proportion to spread, the standard
//                  deviation of the group's rewards: the lowest -log(u) / spread, u a uniform at
//                  (seed, step, ticket)
//                  (Efraimidis and Spirakis, 2006; Schaul and others, 1511.05952, with exponent 1)
//
// No weight corrects the prioritized draw: it changes which prompts are trained on, not the
// gradient of one.

import Experience
import Glibc
import Operations

/// How groups are reused.
package struct ReuseRules: Equatable, Sendable {
  /// A step, at the most.
  package var groups: Int
  package var selection: ReplaySelection
  package var maximumUses: Int
  package var maximumLag: Int
  package var seed: UInt64

  package init(
    groups: Int, selection: ReplaySelection, maximumUses: Int, maximumLag: Int, seed: UInt64
  ) {
    self.groups = groups
    self.selection = selection
    self.maximumUses = maximumUses
    self.maximumLag = maximumLag
    self.seed = seed
  }
}

/// A retired group that may be trained on again.
package struct ReusableGroup: Equatable, Sendable {
  /// The number of the version it was sampled with.
  package var version: Int
  /// The standard deviation of its rewards.
  package var spread: Double
  /// Steps that have trained it.
  package var uses: Int

  package init(version: Int, spread: Double, uses: Int) {
    self.version = version
    self.spread = spread
    self.uses = uses
  }
}

/// What a step trains: tickets that it retires, then some of earlier steps once more.
public struct Batch: Equatable, Sendable {
  public var tickets: [Int]
  public var reused: [Int]

  public init(tickets: [Int], reused: [Int] = []) {
    self.tickets = tickets
    self.reused = reused
  }

  /// In the order of training.
  public var all: [Int] { tickets + reused }
}

struct ReusePool {
  let rules: ReuseRules?
  private(set) var groups: [Int: ReusableGroup] = [:]
  /// Reuses of all committed steps.
  private(set) var uses: Int

  init(_ rules: ReuseRules?, _ history: LedgerHistory) {
    self.rules = rules
    uses = history.reuses
    guard let rules else { return }
    groups = history.reusable.filter { $0.value.uses < rules.maximumUses }
    expire(at: history.version?.number ?? 0)
  }

  /// A group that a step has trained for the first time.
  mutating func admit(_ number: Int, version: Int, spread: Double) {
    guard let rules, rules.maximumUses > 1 else { return }
    groups[number] = ReusableGroup(version: version, spread: spread, uses: 1)
  }

  /// A committed step has trained these once more.
  mutating func use(_ numbers: [Int]) {
    guard let rules else { return }
    uses += numbers.count
    for number in numbers {
      guard groups[number] != nil else { continue }
      groups[number]!.uses += 1
      if groups[number]!.uses >= rules.maximumUses { groups[number] = nil }
    }
  }

  /// Forgets what is too old for `step` and all after it.
  mutating func expire(at step: Int) {
    guard let rules else { return }
    groups = groups.filter { $0.value.version >= step - rules.maximumLag }
  }

  /// A group whose bytes are damaged cannot be trained on again.
  mutating func remove(_ number: Int) { groups[number] = nil }

  /// Which groups the batch of `step` carries besides its fresh ones.
  func choose(for step: Int) -> [Int] {
    guard let rules, rules.groups > 0 else { return [] }
    let candidates = groups.map { number, group in
      ReplayOrder.Candidate(number: number, version: group.version, spread: group.spread)
    }
    return Array(
      ReplayOrder.sorted(candidates, by: rules.selection, seed: rules.seed, round: step)
        .prefix(rules.groups))
  }
}

/// An order of groups that depends on nothing but what is given.
package enum ReplayOrder {
  package struct Candidate {
    package var number: Int
    package var version: Int
    package var spread: Double

    package init(number: Int, version: Int, spread: Double) {
      self.number = number
      self.version = version
      self.spread = spread
    }
  }

  /// The numbers, first choice first. `round` addresses the randomness: a step, or a pass.
  package static func sorted(
    _ candidates: [Candidate], by selection: ReplaySelection, seed: UInt64, round: Int
  ) -> [Int] {
    func bits(_ number: Int) -> UInt64 {
      AddressedRandom.bits(seed: seed, domain: .replay, UInt64(round), UInt64(number))
    }
    switch selection {
    case .recorded:
      return candidates.map(\.number).sorted()
    case .newest:
      return candidates.sorted { ($0.version, $0.number) > ($1.version, $1.number) }.map(\.number)
    case .uniform:
      return candidates.map { (bits($0.number), $0.number) }.sorted(by: <).map(\.1)
    case .prioritized:
      return candidates.map { candidate in
        // In (0, 1): a uniform of 0 would have no logarithm.
        let uniform = (Double(bits(candidate.number) >> 11) + 0.5) * 0x1p-53
        // Without spread the key is infinite: last, by number.
        return (-log(uniform) / candidate.spread, candidate.number)
      }.sorted(by: <).map(\.1)
    }
  }
}
