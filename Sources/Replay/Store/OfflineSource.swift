// Another run's ledger as the source of an offline run.
//
// At its first start an offline run takes stock of the source: every training group that is whole
// and fits the run, in the order of tickets, with its digest. The list is written into the run's
// own ledger and never changes; the source may go on. Ticket n of the run is then filled from place
// n mod N of pass n / N through the list, in an order that follows from the settings and the pass
// alone. A group is copied under its new number when a step needs it, so the run's ledger holds all
// that its steps trained and can be inspected, resumed and verified without the source.

import Digests
import Documents
import Experience
import Operations
import Wire

/// A group of the source, as listed.
package struct SourceGroup: Equatable, Sendable {
  /// Its ticket there.
  package var number: Int
  package var blobDigest: Digest
  package var version: Int
  package var spread: Double

  package init(number: Int, blobDigest: Digest, version: Int, spread: Double) {
    self.number = number
    self.blobDigest = blobDigest
    self.version = version
    self.spread = spread
  }
}

/// What an offline run can learn from.
public struct OfflineStock: Sendable {
  package var groups: [SourceGroup]
  public var lineage: String
  /// Groups left out because their bytes are not what their digests say.
  public var damaged: Int

  public var count: Int { groups.count }
}

public struct OfflineSource {
  public let path: String
  private let reader: LedgerReader

  /// `source` is a run's folder or its ledger.
  public init(_ source: String) throws(LedgerError) {
    path = Files.isFolder(source) ? RunFolder(source).ledger : source
    reader = try LedgerReader(path: path)
  }

  public var lineage: String { reader.lineage }

  /// The digest of a file that the source's learner served; nil where no learner has said hello.
  public func fileDigest(_ name: String) throws(LedgerError) -> Digest? {
    try reader.announcement()?.files.first { $0.name == name }?.digest
  }

  /// Reads every training group once. Throws `Refusal`, which names the ticket, at one that this
  /// run could not train on: a token beyond the vocabulary, another size or temperature.
  public func stock(limits: GroupLimits, temperature: Float) throws -> OfflineStock {
    var stock = OfflineStock(groups: [], lineage: lineage, damaged: 0)
    for number in try reader.trainingTickets() {
      do {
        let group = try group(number, limits: limits)
        guard group.group.temperature == temperature else {
          throw Refusal(
            .invalid,
            "sampled at temperature \(group.group.temperature), and sampling.temperature is "
              + "\(temperature)")
        }
        stock.groups.append(
          SourceGroup(
            number: number, blobDigest: group.blobDigest, version: group.group.version.number,
            spread: group.tally.spread))
      } catch let refusal as Refusal {
        throw Refusal(refusal.code, "ticket \(number) of \(path): \(refusal.sentence)")
      } catch let error as LedgerError {
        guard case .damaged = error else { throw error }
        stock.damaged += 1
      }
    }
    return stock
  }

  /// A group of the source, checked; throws `LedgerError` or `Refusal`.
  private func group(_ number: Int, limits: GroupLimits?) throws -> PendingGroup {
    guard let stored = try reader.storedGroup(TicketKey(purpose: .train, number: number)) else {
      throw LedgerError.damaged(path: path, problem: "the group of ticket \(number) is missing")
    }
    let group = try TrajectoryGroup(decoding: stored.blob, limits: limits)
    return PendingGroup(
      group: group, tally: GroupTally(group), blob: stored.blob, blobDigest: stored.blobDigest)
  }

  /// The group listed as `entry`, as the group of ticket `number` of this run.
  package func group(_ entry: SourceGroup, as number: Int) throws -> PendingGroup {
    var copy = try group(entry.number, limits: nil)
    guard copy.blobDigest == entry.blobDigest else {
      throw LedgerError.damaged(
        path: path,
        problem: "the group of ticket \(entry.number) is another than when this run began")
    }
    copy.group.key = TicketKey(purpose: .train, number: number)
    copy.blob = copy.group.encoded()
    copy.blobDigest = Digest(of: copy.blob)
    return copy
  }
}

/// Fills tickets of an offline run from its list.
package struct OfflineFeed {
  package let groups: [SourceGroup]
  let selection: ReplaySelection
  let seed: UInt64
  private let path: String
  private var source: OfflineSource?
  /// Places in the list, in the order of the pass under way.
  private var order: (pass: Int, places: [Int]) = (-1, [])

  package init(_ groups: [SourceGroup], _ selection: ReplaySelection, seed: UInt64, path: String) {
    precondition(!groups.isEmpty, "an offline run without groups")
    self.groups = groups
    self.selection = selection
    self.seed = seed
    self.path = path
  }

  /// The listed group that fills a ticket.
  package mutating func entry(_ number: Int) -> SourceGroup {
    let (pass, place) = number.quotientAndRemainder(dividingBy: groups.count)
    if order.pass != pass {
      let candidates = groups.enumerated().map {
        ReplayOrder.Candidate(
          number: $0.offset, version: $0.element.version, spread: $0.element.spread)
      }
      order = (pass, ReplayOrder.sorted(candidates, by: selection, seed: seed, round: pass))
    }
    return groups[order.places[place]]
  }

  /// The source is opened when it is needed first: a run that has all its groups needs it no more.
  mutating func group(_ number: Int) throws -> PendingGroup {
    if source == nil { source = try OfflineSource(path) }
    return try source!.group(entry(number), as: number)
  }
}

extension LedgerStore {
  /// What an offline run has listed, in order; empty before it has.
  package func sources() throws(LedgerError) -> [SourceGroup] {
    let statement = try prepared(
      "SELECT \(TableColumns.sources), row_digest FROM sources ORDER BY position")
    let groups = try statement.rows { row throws(LedgerError) in
      _ = try rows.checked("sources", row)
      return SourceGroup(
        number: row.integer(1),
        blobDigest: try rows.digest(row, 2, of: "group \(row.integer(1)) of the source"),
        version: row.integer(3), spread: row.number(4))
    }
    return groups
  }

  /// Lists the source's groups, once and for all.
  package func record(_ stock: OfflineStock, path source: String) throws(LedgerError) {
    try database.transaction { () throws(LedgerError) in
      for (position, group) in stock.groups.enumerated() {
        try insert(
          into: "sources", TableColumns.sources,
          [
            .integer(position), .integer(group.number), .blob(group.blobDigest.bytes),
            .integer(group.version), .number(group.spread),
          ])
      }
      try set("source", source)
      try set("sourceLineage", stock.lineage)
    }
  }
}
