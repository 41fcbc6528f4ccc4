// Sees what parties tell each other and holds it against what must be: whatever was acknowledged is
// on the disk or on record as dropped, a version has one digest wherever it is named, nothing is
// published that was not committed, and the end is the one the plan and the ledger say.

import Digests
import Experience
import Wire

final class Witness {
  private let plan: Plan
  private var acknowledged: Set<TicketKey> = []
  private var digests: [Int: Digest] = [:]
  /// Learners by the epoch they were welcomed in.
  private var reigns: [Int: String] = [:]
  private(set) var problems: [String] = []

  init(_ plan: Plan) { self.plan = plan }

  func require(_ isTrue: Bool, _ problem: @autoclosure () -> String) {
    if !isTrue { problems.append(problem()) }
  }

  /// Replay says that a group is safe.
  func sees(acknowledged key: TicketKey, _ durable: LedgerTables) {
    require(durable.holds(key), "\(key) is acknowledged and not on the disk")
    acknowledged.insert(key)
  }

  /// What a process finds when it starts.
  func checkKept(_ tables: LedgerTables) {
    for key in acknowledged.sorted() where !tables.holds(key) {
      require(tables.droppedKeys.contains(key), "\(key) was acknowledged and is lost")
    }
  }

  func sees(_ version: PolicyVersion, _ where: String) {
    let known = digests[version.number] ?? version.digest
    require(
      known == version.digest,
      "version \(version.number) has digest \(version.digest.short) \(`where`), and was "
        + known.short)
    digests[version.number] = known
  }

  func sees(published version: PolicyVersion, _ durable: LedgerTables) {
    sees(version, "as published")
    require(
      version.number == 0 || durable.commits.count >= version.number,
      "version \(version.number) is published and its step is not committed")
  }

  /// A learner that another has followed is never let in again. Welcomes may be read out of order.
  func sees(welcomed learner: String, since known: Int, to epoch: Int) {
    if known > 0, let other = reigns.first(where: { $0 > known && $0 < epoch && $1 != learner }) {
      problems.append(
        "\(learner) of epoch \(known) is welcomed in \(epoch), after \(other.value) in "
          + "\(other.key)")
    }
    reigns[epoch] = learner
  }

  func judgeEnd(_ tables: LedgerTables, problems: inout [String]) {
    checkKept(tables)
    guard tables.commits.count == plan.steps, let last = tables.commits.last else {
      return problems.append("\(tables.commits.count) commits of \(plan.steps) steps")
    }
    for commit in tables.commits { sees(commit.version, "as committed") }
    if plan.lagMax == 0, last.stateDigest != Work.quietChain(plan) {
      problems.append("a synchronous run ended elsewhere than the quiet one")
    }
    // Whatever its lag, a run can be repeated from the batches its ledger recorded.
    var policy = Work.first(plan)
    var chain = Work.firstChain(plan)
    for commit in tables.commits {
      var groups: [TrajectoryGroup] = []
      for number in commit.tickets {
        guard let blob = tables.blob(TicketKey(purpose: .train, number: number)),
          let group = try? TrajectoryGroup(decoding: blob, limits: plan.limits)
        else { return problems.append("the trained group of ticket \(number) cannot be read") }
        groups.append(group)
      }
      let again = Work.train(policy, chain: chain, step: commit.step, on: groups, plan)
      guard again.version == commit.version, again.chain == commit.stateDigest else {
        return problems.append("step \(commit.step) cannot be repeated from the ledger")
      }
      (policy, chain) = (again.policy, again.chain)
    }
  }
}
