// One version's evaluation: so many prompts, each sampled with exactly that version.

import Experience
import Wire

struct Evaluation {
  enum Slot {
    case open
    case held(by: Peer, renewed: Int64)
    case storing(GroupFacts, waiters: [Asker])
    case done(GroupFacts)
  }

  let version: PolicyVersion
  private(set) var slots: [Slot]
  private(set) var openCount: Int
  private(set) var doneCount = 0
  /// Actors told to go back for this version.
  var invited: Set<Peer> = []
  /// Those of them that came back with another.
  var declined: Set<Peer> = []

  init(version: PolicyVersion, prompts: Int) {
    self.version = version
    slots = Array(repeating: .open, count: prompts)
    openCount = prompts
  }

  var isDone: Bool { doneCount == slots.count }

  func contains(_ number: Int) -> Bool { slots.indices.contains(number) }

  private mutating func set(_ number: Int, _ slot: Slot) {
    if case .open = slots[number] { openCount -= 1 }
    if case .done = slots[number] { doneCount -= 1 }
    if case .open = slot { openCount += 1 }
    if case .done = slot { doneCount += 1 }
    slots[number] = slot
  }

  mutating func grant(_ count: Int, to peer: Peer, at now: Int64) -> [Ticket] {
    guard openCount > 0 else { return [] }
    var granted: [Ticket] = []
    for number in slots.indices where granted.count < count {
      guard case .open = slots[number] else { continue }
      set(number, .held(by: peer, renewed: now))
      let key = TicketKey(purpose: .evaluate(version: version.number), number: number)
      granted.append(Ticket(key: key, minimumVersion: version.number))
    }
    return granted
  }

  mutating func renew(_ number: Int, of peer: Peer, at now: Int64) {
    guard contains(number) else { return }
    switch slots[number] {
    case .held(peer, _), .open: set(number, .held(by: peer, renewed: now))
    default: break
    }
  }

  mutating func store(_ number: Int, _ facts: GroupFacts, waiters: [Asker]) {
    set(number, .storing(facts, waiters: waiters))
  }

  mutating func finish(_ number: Int, _ facts: GroupFacts) { set(number, .done(facts)) }

  /// The write failed for want of room; whoever brought the group holds it.
  mutating func unstore(_ number: Int, at now: Int64) -> [Asker] {
    guard case .storing(_, let waiters) = slots[number] else { return [] }
    set(number, .held(by: waiters[0].peer, renewed: now))
    return waiters
  }

  /// True when the peer held it.
  mutating func reopen(_ number: Int, heldBy peer: Peer) -> Bool {
    guard contains(number), case .held(peer, _) = slots[number] else { return false }
    set(number, .open)
    return true
  }

  /// True when something became open.
  mutating func endSilentLeases(due: Int64) -> Bool {
    var isChanged = false
    for number in slots.indices {
      if case .held(_, let renewed) = slots[number], renewed <= due {
        set(number, .open)
        isChanged = true
      }
    }
    return isChanged
  }

  mutating func lapse(of peer: Peer, keeping kept: Set<TicketKey>, for heir: Peer?, at now: Int64)
    -> Bool
  {
    var isChanged = false
    for number in slots.indices {
      guard case .held(peer, _) = slots[number] else { continue }
      let key = TicketKey(purpose: .evaluate(version: version.number), number: number)
      if let heir, kept.contains(key) {
        set(number, .held(by: heir, renewed: now))
      } else {
        set(number, .open)
        isChanged = true
      }
    }
    return isChanged
  }

  mutating func postponeLeases(by nanoseconds: Int64) {
    for number in slots.indices {
      if case .held(let peer, let renewed) = slots[number] {
        slots[number] = .held(by: peer, renewed: renewed + nanoseconds)
      }
    }
  }

  func held(by peer: Peer) -> Int {
    slots.reduce(0) {
      if case .held(peer, _) = $1 { $0 + 1 } else { $0 }
    }
  }

  /// In the order of the prompts, so that the sums do not depend on who came home first.
  func summary() -> EvaluationSummary {
    var total = GroupTally()
    var passed = 0
    var shares: [Double] = []
    for case .done(let facts) in slots {
      total.samples += facts.tally.samples
      total.reward += facts.tally.reward
      total.strict += facts.tally.strict
      total.lenient += facts.tally.lenient
      total.completed += facts.tally.completed
      total.invalid += facts.tally.invalid
      total.tokens += facts.tally.tokens
      passed += facts.tally.strict > 0 ? 1 : 0
      shares.append(Double(facts.tally.strict) / Double(max(1, facts.tally.samples)))
    }
    let count = Double(max(1, total.samples))
    return EvaluationSummary(
      version: version.number, prompts: slots.count, samples: total.samples / max(1, slots.count),
      reward: total.reward / count, strict: Double(total.strict) / count,
      strictInterval: MeanInterval.halfWidth(shares),
      lenient: Double(total.lenient) / count, completed: Double(total.completed) / count,
      invalid: total.invalid, passAtK: Double(passed) / Double(slots.count),
      meanLength: Double(total.tokens) / count)
  }
}
