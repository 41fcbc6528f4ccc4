// Completions as rows: what was trained, with what reward and ratio, and what it says.

import Documents
import Experience
import Replay

struct TrajectoryTable {
  let rows: [TrajectoryRow]
  let limit: Int
  /// For the line that says what to type next.
  let run: String

  /// As a table cut at `width`, or a JSON line a row.
  func write(
    _ look: LedgerLook, isJSON: Bool, width: Int?, to write: (String) -> Void
  ) throws {
    if isJSON {
      for row in rows { write(JSON.write(try document(row, look)) + "\n") }
      return
    }
    guard let first = rows.first else { return write("no completion fits\n") }
    var table = TextTable([
      ("step", .right), ("ticket", .right), ("sample", .right), ("reward", .right),
      ("right", .left), ("finish", .left), ("tokens", .right), ("advantage", .right),
      ("ratio", .right), ("kl", .right), ("clipped", .right), ("exercise", .left),
      ("completion", .left),
    ])
    for row in rows { table.add(try cells(row, look)) }
    for line in table.lines(width: width) { write(line + "\n") }
    let more = rows.count == limit ? "; there may be more: --limit" : ""
    write("\n\(rows.count) \(rows.count == 1 ? "completion" : "completions")\(more)\n")
    let purpose =
      if case .evaluate(let version) = first.key.purpose {
        " --purpose evaluate --version \(version)"
      } else { "" }
    write(
      "whole: forage inspect \(run)\(purpose) --ticket \(first.key.number) "
        + "--sample \(first.sample)\n")
  }

  private func cells(_ row: TrajectoryRow, _ look: LedgerLook) throws -> [String] {
    let trained = row.trained
    func number(_ value: Float?, _ digits: Int) -> String {
      RunView.format(value.map { Double($0) }, digits)
    }
    let group = try look.group(row.key)
    let trajectory = group.flatMap { group in
      group.trajectories.indices.contains(row.sample) ? group.trajectories[row.sample] : nil
    }
    return [
      row.step.map(String.init) ?? "-", String(row.key.number), String(row.sample),
      RunView.format(row.reward, 2), row.correctness, row.finish, String(row.tokens),
      number(trained?.advantage, 2), number(trained?.ratioGreatest, 3), number(trained?.kl, 4),
      trained.map { RunView.percent(Double($0.clippedShare)) } ?? "-", group?.exercise ?? "-",
      trajectory.map { look.visible($0.completion.tokens) } ?? "-",
    ]
  }

  private func document(_ row: TrajectoryRow, _ look: LedgerLook) throws -> Document {
    let group = try look.group(row.key)
    var members = row.members
    if let group, group.trajectories.indices.contains(row.sample) {
      members += [
        ("exercise", .string(group.exercise)), ("version", .integer(group.version.number)),
        ("prompt", .string(look.text(group.prompt))),
        ("completion", .string(look.text(group.trajectories[row.sample].completion.tokens))),
      ]
    }
    return .object(members)
  }
}

extension TrajectoryRow {
  /// The row's columns by the names the ledger gives them.
  var members: [(String, Document)] {
    let purpose: [(String, Document)] =
      switch key.purpose {
      case .train: [("purpose", "train")]
      case .evaluate(let version): [("purpose", "evaluate"), ("evaluated", .integer(version))]
      }
    return purpose + [
      ("ticket", .integer(key.number)), ("sample", .integer(sample)),
      ("step", step.map(Document.integer) ?? nil), ("reward", reward.map(Document.number) ?? nil),
      (
        "parts",
        .array(
          parts.map {
            .object([
              ("part", .string($0.part)), ("value", .shortest($0.value)),
              ("position", .integer($0.position)),
            ])
          })
      ),
      ("reason", .string(reason)), ("strict", .bool(isStrictlyCorrect)),
      ("lenient", .bool(isLenientlyCorrect)), ("finish", .string(finish)),
      ("tokens", .integer(tokens)),
    ] + trainedMembers
  }

  private var trainedMembers: [(String, Document)] {
    guard let trained else { return [] }
    return [
      ("is_trained", .bool(trained.isTrained)), ("advantage", .shortest(trained.advantage)),
      ("ratio_least", .shortest(trained.ratioLeast)),
      ("ratio_mean", .shortest(trained.ratioMean)),
      ("ratio_greatest", .shortest(trained.ratioGreatest)), ("kl", .shortest(trained.kl)),
      ("clipped_share", .shortest(trained.clippedShare)), ("entropy", .shortest(trained.entropy)),
    ]
  }
}
