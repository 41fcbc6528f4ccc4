// How a run stands, from its folder alone: a row among the runs, and what stands above its report
// while somebody is at work on it.

import Documents
import Operations

struct DashboardState {
  private let run: RunFolder
  private let folder: FolderFacts
  private let steps: Int
  private var state: RunState

  init(_ run: RunFolder) throws {
    self.run = run
    folder = try FolderFacts(run)
    steps = try RunSettings.load(path: run.settings).run.steps
    state = RunState(name: run.name, steps: steps)
    if Files.exists(run.metrics) {
      var reader = MetricsReader(path: run.metrics)
      state.take(try reader.read())
    }
    if !folder.processes.isEmpty { state.accounts = run.processAccounts }
  }

  var isLive: Bool { !folder.processes.isEmpty }

  /// Another one when there is more to show.
  var mark: String {
    "\(Files.byteCount(run.metrics) ?? 0)-\(folder.committed ?? 0)-\(folder.processes.count)-"
      + "\(folder.sentence?.utf8.count ?? 0)"
  }

  /// Who does what; nothing of a run at rest.
  func html() -> String {
    guard isLive else { return "" }
    let share = Double(state.step) / Double(max(1, steps))
    let phases = RunView.phaseShares(state).filter { $0.share > 0.002 }
    var bar = ""
    var legend = ""
    for (index, phase) in phases.enumerated() {
      let color = Chart.colors[index % Chart.colors.count]
      bar += "<i style=\"width:\(RunView.format(phase.share * 100, 2))%;background:\(color)\" "
      bar += "title=\"\(escape(phase.name)) \(RunView.percent(phase.share))\"></i>"
      guard index < Chart.colors.count else { continue }
      legend += "<span><i style=\"background:\(color)\"></i>\(escape(phase.name)) "
      legend += "\(RunView.percent(phase.share))</span>"
    }
    let waits = state.graph.lines.map(escape).joined(separator: "\n")
    return """
      <section><p><b>step \(state.step) of \(steps)</b>, \(RunView.clock(state.secondsLeft)) left,
      \(escape(RunView.bottleneck(state)))</p>
      <div style="background:var(--line);border-radius:3px"><i style="display:block;height:.6rem;
      border-radius:3px;background:#0072b2;width:\(RunView.format(share * 100, 2))%"></i></div>
      <p class="note">the newest step's time</p>
      <div class="phases">\(bar)</div><div class="legend">\(legend)</div>
      <style>.phases{display:flex;height:1rem;border-radius:3px;overflow:hidden}
      .phases i{display:block}</style>
      <pre>\(waits)</pre></section>
      """
  }

  func row() throws -> String {
    let name = escape(run.name)
    let standing =
      isLive ? "running" : (folder.committed ?? 0) >= steps ? "finished" : "stopped"
    let after = try HeldOutResults(run).result("after")
    func cell(_ text: String) -> String { "<td class=\"n\">\(text)</td>" }
    return "<tr><td><input type=\"checkbox\" name=\"run\" value=\"\(name)\"></td>"
      + "<td><a href=\"\(escape(DashboardSite.address(run)))\">\(name)</a></td>"
      + "<td>\(standing)</td>" + cell("\(state.step) of \(steps)")
      + cell(RunView.format(state.mean("reward", over: 5), 3))
      + cell(RunView.format(state.evaluations.last?.accuracy, 3))
      + cell(RunView.format(after?["pass@1"]?.numberValue, 3)) + "</tr>"
  }
}
