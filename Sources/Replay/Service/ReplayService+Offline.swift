// An offline run's groups: taken from the source when a step needs them.

import Digests
import Experience
import Operations
import Wire

extension ReplayService {
  /// The source's groups as this run has listed them; takes stock of the source the first time.
  static func feed(
    _ settings: RunSettings, store: LedgerStore, rules: GroupRules, log: Log
  ) throws -> OfflineFeed? {
    guard settings.replay.mode == .offline else { return nil }
    var groups = try store.sources()
    if groups.isEmpty {
      let source = try OfflineSource(settings.replay.source)
      let key = TicketKey(purpose: .train, number: 0)
      let stock: OfflineStock
      do {
        stock = try source.stock(
          limits: rules.limits(for: key), temperature: Float(settings.sampling.temperature))
      } catch let refusal as Refusal {
        throw Failure(
          "learn from", on: source.path, happened: refusal.sentence,
          remedy: "begin the run anew with settings that fit the source", exitCode: .settings)
      }
      try stock.check(settings)
      groups = stock.groups
      try store.record(stock, path: source.path)
      log.info(
        "listed \(groups.count) groups of \(stock.lineage) in \(source.path); "
          + "\(stock.damaged) damaged ones are left out")
    }
    return OfflineFeed(
      groups, settings.replay.selection, seed: settings.run.seed, path: settings.replay.source)
  }

  /// Takes groups from the source; they become ready with the next commit.
  func importGroups(_ numbers: [Int]) throws {
    // As actors are refused: the ledger asks again when the learner does.
    guard !isDiskLow else { return try feed(.sourced([])) }
    var arrivals: [Arrival] = []
    for number in numbers {
      guard let group = try offline?.group(number) else {
        preconditionFailure("ticket \(number) is to be taken from a source, and there is none")
      }
      collect(group)
      arrivals.append(
        Arrival(
          key: group.group.key, version: group.group.version, bytes: group.blob.count,
          tally: group.tally))
    }
    try feed(.sourced(arrivals))
  }
}

extension OfflineStock {
  /// Refuses steps that the source cannot give groups for, with the arithmetic.
  public func check(_ settings: RunSettings) throws(Failure) {
    let batch = settings.learner.groupsPerStep
    let passes = settings.replay.maximumUses
    guard count * passes < settings.run.steps * batch else { return }
    let last = count * passes / batch
    throw Failure(
      "run offline from", on: settings.replay.source,
      happened: "run.steps x learner.groupsPerStep = \(settings.run.steps) x \(batch) groups are "
        + "asked for, and its \(count) groups (\(damaged) damaged ones left out) give "
        + "\(count) x replay.maximumUses \(passes) = \(count * passes)",
      remedy: last > 0
        ? "lower run.steps to \(last), or raise replay.maximumUses"
        : "name another run, or raise replay.maximumUses",
      exitCode: .settings)
  }
}
