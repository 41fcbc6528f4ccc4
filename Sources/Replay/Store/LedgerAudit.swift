// Both laws over a ledger's file, with every count taken from its rows, and whether its tables tell
// one story: what a step says it trained, what is retired, what is there.

import Experience
import Wire

/// What a ledger adds up to. A ticket counts as granted when the ledger has seen its number or a
/// higher one.
public struct LedgerAudit: Sendable {
  public var granted = 0
  public var filled = 0
  public var outstanding = 0
  public var unfilled = 0

  public var accepted = 0
  /// By fate, in the order of `Fate`.
  public var retired: [(fate: String, groups: Int)] = []
  public var ready = 0
  public var leased = 0
  /// Of groups that had been accepted, by reason.
  public var dropped: [(reason: String, groups: Int)] = []

  public var steps = 0
  /// Each in a sentence; none where all is well.
  public var problems: [String] = []

  public var ticketLaw: String {
    "tickets granted \(granted) = filled \(filled) + outstanding \(outstanding) + un-filled "
      + "\(unfilled)"
  }

  public var groupLaw: String {
    let parts =
      retired.map { "\($0.fate) \($0.groups)" } + ["ready \(ready)", "leased \(leased)"]
      + dropped.map { "dropped as \($0.reason) \($0.groups)" }
    return "groups accepted \(accepted) = " + parts.joined(separator: " + ")
  }
}

extension LedgerReader {
  /// Looks at every row but the blobs, in one transaction.
  public func audit() throws(LedgerError) -> LedgerAudit {
    try database.execute("BEGIN")
    defer { try? database.execute("COMMIT") }
    var auditor = try Auditor(self)
    auditor.look()
    return auditor.audit
  }

  fileprivate func facts() throws(LedgerError) -> LedgerFacts {
    var facts = LedgerFacts()
    facts.groups = Set(try integers("SELECT key FROM groups WHERE key >= 0"))
    facts.drops = try database.prepare(
      "SELECT key, reason FROM drops WHERE was_accepted = 1 AND key >= 0"
    ).rows { ($0.integer(0), $0.text(1)) }
    let retired = try database.prepare("SELECT number, step, position, fate FROM retired").rows {
      (
        $0.integer(0),
        LedgerFacts.Retired(
          step: $0.integer(1), position: $0.integer(2), fate: $0.text(3))
      )
    }
    facts.retired = Dictionary(retired, uniquingKeysWith: { $1 })
    let uses = try database.prepare("SELECT step, number FROM uses ORDER BY step, position").rows {
      ($0.integer(0), $0.integer(1))
    }
    facts.uses = Dictionary(grouping: uses, by: \.0).mapValues { $0.map(\.1) }
    facts.commits = try rows.commits("ORDER BY step", [], lineage: lineage)
    facts.digests = try rows.digests()
    facts.lease = try rows.lease(step: facts.commits.count)
    return facts
  }

  private func integers(_ sql: String) throws(LedgerError) -> [Int] {
    try database.prepare(sql).rows { $0.integer(0) }
  }
}

/// The rows, as they are.
private struct LedgerFacts {
  struct Retired {
    var step: Int
    var position: Int
    var fate: String
  }

  var groups: Set<Int> = []
  var drops: [(Int, String)] = []
  var retired: [Int: Retired] = [:]
  /// Tickets trained once more, by step.
  var uses: [Int: [Int]] = [:]
  var commits: [StepCommit] = []
  var digests: [Int: Digest] = [:]
  var lease: Batch?
}

private struct Auditor {
  /// A damaged ledger may have thousands of one kind: the first tell what is wrong.
  static let maximumProblems = 20

  let facts: LedgerFacts
  var audit = LedgerAudit()

  init(_ reader: LedgerReader) throws(LedgerError) { facts = try reader.facts() }

  private mutating func object(_ problem: String) {
    if audit.problems.count < Self.maximumProblems { audit.problems.append(problem) }
  }

  mutating func look() {
    audit.steps = facts.commits.count
    lookAtSteps()
    lookAtLease()
    countTickets()
    countGroups()
  }

  /// Every commit has its version, its tickets are retired by it alone, and nothing else is.
  private mutating func lookAtSteps() {
    var stepOf: [Int: Int] = [:]
    for (index, commit) in facts.commits.enumerated() {
      if commit.step != index { object("step \(index) is missing before step \(commit.step)") }
      if facts.digests[commit.step + 1] != commit.version.digest {
        object("version \(commit.step + 1) is not the one step \(commit.step) made")
      }
      if commit.tickets.count != facts.commits[0].tickets.count {
        object(
          "step \(commit.step) has \(commit.tickets.count) groups, step 0 has "
            + "\(facts.commits[0].tickets.count)")
      }
      for (position, number) in commit.tickets.enumerated() {
        if let other = stepOf.updateValue(commit.step, forKey: number) {
          object("ticket \(number) is in the commits of step \(other) and of step \(commit.step)")
        }
        guard let retired = facts.retired[number] else {
          object("ticket \(number) of step \(commit.step) is not retired")
          continue
        }
        if retired.step != commit.step || retired.position != position {
          object(
            "ticket \(number) of step \(commit.step) is retired by step \(retired.step) at "
              + "\(retired.position), not \(position)")
        }
      }
    }
    lookAtUses()
    for number in facts.retired.keys.sorted() {
      if stepOf[number] == nil { object("ticket \(number) is retired, and no step has it") }
      if !facts.groups.contains(number) { object("the group of ticket \(number) is gone") }
    }
  }

  /// What a step trains once more was retired before it, and each use is on record once.
  private mutating func lookAtUses() {
    for commit in facts.commits {
      for number in commit.reused where facts.retired[number]?.step ?? Int.max >= commit.step {
        object("step \(commit.step) reuses ticket \(number), which no earlier step has trained")
      }
      let recorded = facts.uses[commit.step] ?? []
      if recorded != commit.reused {
        object(
          "step \(commit.step) reuses \(commit.reused), and the uses on record are \(recorded)")
      }
    }
  }

  private mutating func lookAtLease() {
    for number in facts.lease?.tickets ?? [] {
      if facts.retired[number] != nil { object("ticket \(number) is leased again") }
      if !facts.groups.contains(number) { object("leased ticket \(number) has no group") }
    }
  }

  private mutating func countTickets() {
    let dropped = Set(facts.drops.map(\.0)).subtracting(facts.groups)
    let seen = facts.groups.union(dropped).union(facts.retired.keys)
    audit.granted = (seen.max() ?? -1) + 1
    for number in 0..<audit.granted {
      if facts.groups.contains(number) {
        audit.filled += 1
      } else if dropped.contains(number) {
        audit.unfilled += 1
      } else {
        audit.outstanding += 1
      }
    }
    if audit.granted != audit.filled + audit.outstanding + audit.unfilled {
      object("the law of tickets does not hold: \(audit.ticketLaw)")
    }
  }

  private mutating func countGroups() {
    audit.accepted = facts.groups.count + facts.drops.count
    for fate in Fate.allCases {
      audit.retired.append(
        (fate.rawValue, facts.retired.values.count { $0.fate == fate.rawValue }))
    }
    let leased = Set(facts.lease?.tickets ?? [])
    audit.leased = leased.count
    audit.ready = facts.groups.count { facts.retired[$0] == nil && !leased.contains($0) }
    for reason in DropReason.allCases {
      audit.dropped.append((reason.rawValue, facts.drops.count { $0.1 == reason.rawValue }))
    }
    let sum =
      audit.retired.reduce(0) { $0 + $1.groups } + audit.ready + audit.leased
      + audit.dropped.reduce(0) { $0 + $1.groups }
    if audit.accepted != sum {
      object("the law of groups does not hold: \(audit.groupLaw), which are \(sum)")
    }
  }
}
