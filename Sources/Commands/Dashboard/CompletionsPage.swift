// A run's completions as a table, chosen as `forage inspect` chooses them: the form's fields are
// its options, so both ask one question.

import Documents
import Operations
import Replay

struct CompletionsPage {
  private static let fields: [(name: String, label: String)] = [
    ("step", "step, or 10-20"), ("reward-min", "reward from"), ("reward-max", "reward to"),
    ("ratio-above", "ratio above"), ("limit", "rows"),
  ]

  private let run: RunFolder
  private let given: [(name: String, value: String)]
  private let look: LedgerLook
  private let rows: [TrajectoryRow]
  private let problem: String?

  /// What cannot be asked is said on the page.
  init(_ run: RunFolder, _ query: [(name: String, value: String)]) throws {
    self.run = run
    let known = Self.fields.map(\.name) + ["order"]
    given = query.filter { known.contains($0.name) && !$0.value.isEmpty }
    look = try LedgerLook(run)
    do {
      let words = [run.path] + given.flatMap { ["--\($0.name)", $0.value] }
      let arguments = try Arguments(words, usage: InspectCommand.usage)
      var question = try InspectQuestion(arguments)
      if given.allSatisfy({ $0.name == "limit" || $0.name == "order" }) {
        let last = try look.reader.committedSteps() - 1
        if last >= 0 { question.filter.steps = last...last }
      }
      rows = try look.rows(question.filter, key: nil, limit: question.limit)
      problem = nil
    } catch let error as ArgumentError {
      rows = []
      problem = error.description
    }
  }

  func html() throws -> String {
    var out = "<h1>Completions</h1><form>"
    for field in Self.fields {
      let value = given.first { $0.name == field.name }?.value ?? ""
      out +=
        "<label>\(field.label)<input name=\"\(field.name)\" value=\"\(escape(value))\"></label>"
    }
    let order = given.first { $0.name == "order" }?.value
    out += "<label>order<select name=\"order\">"
    for name in ["ticket", "reward", "ratio"] {
      out += "<option\(name == order ? " selected" : "")>\(name)</option>"
    }
    out += "</select></label><button>show</button></form>"
    if let problem { return out + "<p>\(escape(problem))</p>" }
    if rows.isEmpty { return out + "<p>No completion fits.</p>" }
    out += "<table><tr><th>step</th><th>ticket</th><th>sample</th><th>reward</th><th>right</th>"
    out += "<th>tokens</th><th>ratio up to</th><th>exercise</th><th>completion</th></tr>"
    for row in rows { out += try cells(row) }
    return out + "</table>"
  }

  private func cells(_ row: TrajectoryRow) throws -> String {
    let group = try look.group(row.key)
    let trajectory = group.flatMap { group in
      group.trajectories.indices.contains(row.sample) ? group.trajectories[row.sample] : nil
    }
    var address = "\(DashboardSite.address(run))/completion?ticket=\(row.key.number)"
    address += "&sample=\(row.sample)"
    if case .evaluate(let version) = row.key.purpose { address += "&version=\(version)" }
    func number(_ text: String) -> String { "<td class=\"n\">\(text)</td>" }
    let ratio = RunView.format(row.trained.map { Double($0.ratioGreatest) }, 3)
    return "<tr>" + number(row.step.map(String.init) ?? "-")
      + number("<a href=\"\(escape(address))\">\(row.key.number)</a>") + number("\(row.sample)")
      + number(RunView.format(row.reward, 2)) + "<td>\(row.correctness)</td>"
      + number("\(row.tokens)") + number(ratio) + "<td>\(escape(group?.exercise ?? "-"))</td>"
      + "<td class=\"t\">"
      + escape(trajectory.map { look.visible($0.completion.tokens) } ?? "-") + "</td></tr>"
  }
}
