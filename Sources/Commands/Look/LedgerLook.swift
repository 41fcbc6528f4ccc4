// What a run's ledger says of completions, joined with their text: the ledger keeps tokens, a run's
// checkpoints keep the tokenizer.

import Documents
import Experience
import Operations
import Policy
import Replay
import Wire

/// A completion with all that is known of it.
package struct WholeTrajectory {
  package var row: TrajectoryRow
  package var group: TrajectoryGroup

  package var trajectory: Trajectory { group.trajectories[row.sample] }
}

package final class LedgerLook {
  package let reader: LedgerReader
  private let tokenizer: Tokenizer?
  /// Rows of a table mostly share groups with their neighbors.
  private var newest: (key: TicketKey, group: TrajectoryGroup?)?

  /// Without a tokenizer tokens are told by their ids.
  package init(ledger path: String, tokenizer: Tokenizer?) throws(LedgerError) {
    reader = try LedgerReader(path: path)
    self.tokenizer = tokenizer
  }

  convenience init(_ run: RunFolder) throws {
    try self.init(ledger: run.ledger, tokenizer: RunCheckpoints(run).tokenizer())
  }

  func group(_ key: TicketKey) throws(LedgerError) -> TrajectoryGroup? {
    if let newest, newest.key == key { return newest.group }
    let group = try reader.group(key)
    newest = (key, group)
    return group
  }

  /// Rows that fit, at most `limit`; those of one ticket also when no step has trained it yet.
  package func rows(
    _ filter: TrajectoryFilter, key: TicketKey?, limit: Int
  ) throws(LedgerError) -> [TrajectoryRow] {
    guard let key else { return try reader.trajectories(filter, limit: limit) }
    var filter = filter
    switch key.purpose {
    case .train: filter.ticket = key.number
    case .evaluate(let version): filter.purpose = .evaluate(version: version)
    }
    let rows = try reader.trajectories(filter, limit: LedgerReader.Limits.maximumRows)
      .filter { $0.key == key }
    if !rows.isEmpty { return Array(rows.prefix(limit)) }
    return try waitingRows(key, filter, limit: limit)
  }

  /// Of a group that waits to be trained: its rows are not written yet. What a step would say of
  /// them cannot be asked for.
  private func waitingRows(
    _ key: TicketKey, _ filter: TrajectoryFilter, limit: Int
  ) throws(LedgerError) -> [TrajectoryRow] {
    guard filter.steps == nil, filter.ratioAbove == nil, filter.isTrained == nil,
      let group = try group(key)
    else { return [] }
    let rows = group.trajectories.enumerated().map { sample, trajectory in
      TrajectoryRow(waiting: trajectory, key: key, sample: sample)
    }
    return Array(
      rows.filter { row in
        guard let reward = filter.reward else { return true }
        return reward.contains(row.reward ?? .nan)
      }.prefix(limit))
  }

  /// Nil when the ledger has no such completion.
  package func whole(
    _ key: TicketKey, sample: Int
  ) throws(LedgerError) -> WholeTrajectory? {
    guard let group = try group(key), group.trajectories.indices.contains(sample) else {
      return nil
    }
    let rows = try rows(
      TrajectoryFilter(), key: key, limit: LedgerReader.Limits.maximumRows)
    let row =
      rows.first { $0.sample == sample }
      ?? TrajectoryRow(waiting: group.trajectories[sample], key: key, sample: sample)
    return WholeTrajectory(row: row, group: group)
  }

  // MARK: Text

  package func text(_ tokens: [Int32]) -> String {
    tokenizer?.decode(tokens) ?? tokens.map { "#\($0)" }.joined(separator: " ")
  }

  /// On one line, every token visible.
  package func visible(_ tokens: [Int32]) -> String {
    tokenizer.map { tokenizer in tokens.map(tokenizer.display).joined() }
      ?? tokens.map { "#\($0)" }.joined(separator: " ")
  }

  func display(_ token: Int32) -> String { tokenizer?.display(token) ?? "#\(token)" }
}

extension TrajectoryRow {
  /// Of a group that no step has trained.
  fileprivate init(waiting trajectory: Trajectory, key: TicketKey, sample: Int) {
    self.init(
      key: key, sample: sample, step: nil, reward: Double(trajectory.verdict.reward),
      parts: trajectory.verdict.parts, reason: trajectory.verdict.reason,
      finish: trajectory.completion.finish.rawValue, tokens: trajectory.completion.tokens.count,
      isStrictlyCorrect: trajectory.verdict.isStrictlyCorrect,
      isLenientlyCorrect: trajectory.verdict.isLenientlyCorrect, trained: nil)
  }

  var correctness: String {
    isStrictlyCorrect ? "strict" : isLenientlyCorrect ? "lenient" : "no"
  }
}
