// forage ablate: believe less, measure more. A grid of settings over seeds, one run after another
// in a folder of its own, and a table of what each cell came to. Cut off, it goes on where it
// stopped: a run that ended well is kept, one that was under way or failed is resumed.

import Documents
import Glibc
import Operations

enum AblateCommand: Command {
  static let usage = Usage(
    "forage ablate",
    "Runs a grid of settings over seeds, and writes a table with intervals and a page of curves.",
    positionals: [Usage.Positional("SWEEP", "cells, seeds and the settings they change (YAML)")],
    options: [
      .value("folder", "DIR", "where the runs go; runs/ablate-<name> without; an old one goes on"),
      .flag("dry-run", "print the runs it would make, and stop"),
      .flag("table", "write the table of what is there, and stop"),
    ],
    example: "forage ablate Configs/ablations/deviation.yaml")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let path = arguments.required(0)
    let sweep = try Sweep.load(path)
    let folder = arguments.value("folder") ?? "runs/ablate-\(sweep.name)"
    if arguments.flag("dry-run") {
      for cell in sweep.cells {
        for seed in sweep.seeds {
          let words = sweep.overrides(cell, seed: seed).map { "--\($0)" }
          Terminal.write("forage run \(sweep.config) \(words.joined(separator: " "))\n")
        }
      }
      return .success
    }
    let runner = try SweepRunner(sweep, folder: folder)
    if !arguments.flag("table"), try !runner.carryOut() {
      try runner.write()
      Terminal.write(
        "\nstopped; continue with: forage ablate \(path) --folder \(folder)\n")
      return .success
    }
    Terminal.write("\n" + (try runner.write()) + "\ntable: \(folder)/table.md\n")
    Terminal.write("page:  \(folder)/ablation.html\n")
    let failures = try runner.failures
    guard failures > 0, !arguments.flag("table") else { return .success }
    throw Failure(
      "finish the sweep in", on: folder,
      happened: "\(failures) of its runs failed; their logs say why",
      remedy: "mend that and try them again: forage ablate \(path) --folder \(folder)",
      exitCode: .failure)
  }
}

/// Carries a sweep out. Its folder has a run's folder for each cell and seed, and `results.jsonl`
/// with a line for each that ended.
package struct SweepRunner {
  private let sweep: Sweep
  private let folder: String
  private var results: String { "\(folder)/results.jsonl" }

  package init(_ sweep: Sweep, folder: String) throws {
    self.sweep = sweep
    self.folder = folder
    try Files.makeFolder(folder)
    try keepPlan()
  }

  /// A folder belongs to one plan: cells of another would stand in one table with these.
  private func keepPlan() throws {
    let path = "\(folder)/plan.txt"
    let config = try Files.readText(sweep.config)
    func plan(_ cells: [String]) -> String {
      ([sweep.config] + sweep.settings + cells).map { $0 + "\n" }.joined() + config
    }
    let own = plan(sweep.cells.map { ([$0.name] + $0.overrides).joined(separator: " ") })
    // Of an older build, whose plans had the cells' names alone.
    let older = plan(sweep.cells.map(\.name))
    guard Files.exists(path) else { return try Files.writeDurably(path, own) }
    switch try Files.readText(path) {
    case own: return
    case older: try Files.writeDurably(path, own)
    default:
      throw Failure(
        "continue the sweep in", on: folder,
        happened: "its runs were made with other cells, settings or another config",
        remedy: "name another folder with --folder, or remove this one", exitCode: .usage)
    }
  }

  /// Runs whose last end was no good one.
  var failures: Int { get throws { try ended().count { $0.status != 0 } } }

  /// False when it was asked to stop.
  func carryOut() throws -> Bool {
    let signals = try SignalWatch()
    let total = sweep.cells.count * sweep.seeds.count
    let began = MonotonicClock.now
    var number = 0
    var made = 0
    let done = try ended().filter { $0.status == 0 }
    func isDone(_ cell: Sweep.Cell, _ seed: Int) -> Bool {
      done.contains { $0.cell == cell.name && $0.seed == seed }
    }
    var toMake = sweep.seeds.reduce(0) { sum, seed in
      sum + sweep.cells.count { !isDone($0, seed) }
    }
    // Seed by seed, so that a sweep that is stopped early has whole columns to compare.
    for seed in sweep.seeds {
      for cell in sweep.cells {
        number += 1
        if isDone(cell, seed) { continue }
        let left = made == 0 ? "" : timeLeft(began, made: made, left: toMake)
        Terminal.write("run \(number) of \(total): \(cell.name), seed \(seed)\(left)\n")
        guard let status = try carryOut(cell, seed, signals) else { return false }
        made += 1
        toMake -= 1
        try record(cell, seed, status)
      }
    }
    return true
  }

  private func timeLeft(_ began: Int64, made: Int, left: Int) -> String {
    let each = MonotonicClock.seconds(since: began) / Double(made)
    return ", about \(RunView.clock(each * Double(left))) to go"
  }

  /// The status a run ended with; nil when it was stopped with us.
  private func carryOut(
    _ cell: Sweep.Cell, _ seed: Int, _ signals: SignalWatch
  ) throws -> ChildExit? {
    let run = runFolder(cell, seed)
    var words = ["run", "--plain"]
    if run.isRun {
      words += ["--resume", run.path]
    } else {
      words += [sweep.config, "--folder", run.path]
      words += sweep.overrides(cell, seed: seed).map { "--\($0)" }
    }
    let log = "\(folder)/\(Files.name(of: run.path)).log"
    let child = try ChildProcess(
      try Files.realPath("/proc/self/exe"), words, output: .append(log), error: .append(log))
    while true {
      if let exit = child.wait(deadline: .after(seconds: 0.5)) {
        if !exit.isSuccess {
          Terminal.write("  it \(exit); its output: \(log)\n")
        } else if try HeldOutResults(run).result("after") == nil {
          // Somebody stopped that run alone.
          return nil
        }
        return exit
      }
      if signals.isStopping {
        _ = child.stop(deadline: .after(seconds: Self.stopSeconds))
        return nil
      }
    }
  }

  /// A run takes 25 s at most to stop by itself.
  private static let stopSeconds = 30.0

  private func runFolder(_ cell: Sweep.Cell, _ seed: Int) -> RunFolder {
    let index = sweep.cells.firstIndex(of: cell)! + 1
    return RunFolder("\(folder)/cell-\(index)-seed-\(seed)")
  }

  private func record(_ cell: Sweep.Cell, _ seed: Int, _ exit: ChildExit) throws {
    let status =
      switch exit {
      case .exited(let status): Int(status)
      case .signaled(let signal): 128 + Int(signal)
      }
    try MetricsWriter(path: results).append(
      .object([
        ("cell", .string(cell.name)), ("seed", .integer(seed)), ("status", .integer(status)),
      ]))
  }

  private func ended() throws -> [RunEnd] {
    guard Files.exists(results) else { return [] }
    var reader = MetricsReader(path: results)
    return Self.ends(try reader.read())
  }

  package typealias RunEnd = (cell: String, seed: Int, status: Int)

  /// How each run ended that did, by the lines of results.jsonl. One that failed is tried again
  /// when the sweep is continued, and its last end counts.
  package static func ends(_ lines: [Document]) -> [RunEnd] {
    var found: [RunEnd] = []
    for line in lines {
      guard let cell = line["cell"]?.stringValue, let seed = line["seed"]?.integerValue,
        let status = line["status"]?.integerValue
      else { continue }
      found.removeAll { $0.cell == cell && $0.seed == seed }
      found.append((cell, seed, status))
    }
    return found
  }

  /// Writes table, rows and page of what is there; the table.
  @discardableResult
  func write() throws -> String {
    let ended = try ended()
    var runs: [AblationRun] = []
    var curves: [(cell: String, runs: [RunMetrics])] = []
    for cell in sweep.cells {
      var metrics: [RunMetrics] = []
      for end in ended where end.cell == cell.name {
        let run = runFolder(cell, end.seed)
        let measures = end.status == 0 ? try AblationResults.measures(of: run) : [:]
        runs.append(
          AblationRun(cell: end.cell, seed: end.seed, status: end.status, measures: measures))
        metrics.append(try RunMetrics(run))
      }
      curves.append((cell.name, metrics))
    }
    let results = AblationResults(cells: sweep.cells.map(\.name), runs: runs)
    let page = AblationPage(name: sweep.name, results: results, curves: curves)
    try Files.writeDurably("\(folder)/table.md", results.markdown())
    try Files.writeDurably("\(folder)/table.csv", results.csv())
    try Files.writeDurably("\(folder)/ablation.html", page.html())
    return results.markdown()
  }
}
