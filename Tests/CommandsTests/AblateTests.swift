// forage ablate: what runs a sweep makes, and what its table says of them.

import Commands
import Documents
import Foundation
import Testing

@Suite struct AblateTests {
  private static let configs = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Configs/ablations")

  private func sweep(_ text: String) throws -> Sweep {
    let source = Self.configs.appending(path: "made.yaml").path
    return try Sweep(YAML.parse(Array(text.utf8), source: source), source: source)
  }

  @Test func `a grid is every combination, the last key turning fastest, and named cells follow`()
    throws
  {
    let sweep = try sweep(
      """
      config: ../tiny/grpo.yaml
      seeds: [7, 8]
      settings: {run.steps: 9}
      grid:
        objective.beta: [0, 0.1]
        learner.lagMax: [1, 2]
      cells:
        no mean: {objective.baseline: leave-one-out}
      """)
    #expect(
      sweep.cells.map(\.name) == [
        "objective.beta=0 learner.lagMax=1", "objective.beta=0 learner.lagMax=2",
        "objective.beta=0.1 learner.lagMax=1", "objective.beta=0.1 learner.lagMax=2", "no mean",
      ])
    #expect(
      sweep.overrides(sweep.cells[3], seed: 8) == [
        "run.steps=9", "objective.beta=0.1", "learner.lagMax=2", "run.seed=8",
      ])
  }

  @Test func `a folder goes on with the settings its runs were made with, or not at all`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    func plan(_ clip: String) throws {
      _ = try SweepRunner(
        sweep("config: ../tiny/grpo.yaml\ncells:\n  clip: {objective.clipHigh: \(clip)}\n"),
        folder: folder.path)
    }
    try plan("0.3")
    try plan("0.3")
    let error = #expect(throws: (any Error).self) { try plan("0.4") }
    #expect("\(error.map { "\($0)" } ?? "")".contains("other cells, settings"))
  }

  @Test(arguments: [
    ("config: ../tiny/grpo.yaml\n", "nothing to compare"),
    ("config: ../tiny/grpo.yaml\ngrid: {objective.beta: 1}\n", "needs a list"),
    ("config: ../tiny/grpo.yaml\ngrid: {objective.beta: [-1]}\n", "objective.beta is -1"),
    ("config: ../tiny/grpo.yaml\ngrid: {objective.betta: [1]}\n", "did you mean"),
    ("config: ../tiny/grpo.yaml\ngird: {objective.beta: [1]}\n", "did you mean"),
    ("config: ../tiny/grpo.yaml\nseeds: [1, 1]\ngrid: {objective.beta: [1]}\n", "each seed once"),
    ("config: ../tiny/none.yaml\ngrid: {objective.beta: [1]}\n", "none.yaml"),
  ])
  func `a sweep that no run can be made of is refused before the first`(text: String, says: String)
  {
    let error = #expect(throws: (any Error).self) { try sweep(text) }
    #expect("\(error.map { "\($0)" } ?? "")".contains(says))
  }

  @Test func `every sweep of Configs can be made`() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.configs.path)
    #expect(files.count > 5)
    for file in files {
      let sweep = try Sweep.load(Self.configs.appending(path: file).path)
      #expect(sweep.cells.count > 1, "\(file)")
    }
  }

  @Test func `an interval is Student's`() {
    // s = 1, t(0.975, 2) = 4.303, sqrt(3) = 1.732.
    let three = AblationEstimate([1, 2, 3])
    #expect(three?.mean == 2)
    #expect(abs((three?.half ?? 0) - 4.303 / 3.0.squareRoot()) < 1e-12)
    #expect(three?.text(2) == "2.00 ± 2.48")
    #expect(AblationEstimate([5])?.text(1) == "5.0")
    #expect(AblationEstimate([]) == nil)
  }

  @Test func `a cell is held against the first seed by seed, and a run that failed is told`() {
    func run(_ cell: String, _ seed: Int, _ value: Double?) -> AblationRun {
      AblationRun(
        cell: cell, seed: seed, status: value == nil ? 87 : 0,
        measures: value.map { ["pass@1": $0] } ?? [:])
    }
    let results = AblationResults(
      cells: ["a", "b"],
      runs: [
        run("a", 1, 0.2), run("b", 1, 0.3), run("a", 2, 0.6), run("b", 2, 0.7), run("a", 3, 0.4),
        run("b", 3, nil),
      ])
    // The seeds differ by 0.4, the differences not at all.
    #expect(abs((results.difference("pass@1", of: "b")?.mean ?? 0) - 0.1) < 1e-12)
    #expect((results.difference("pass@1", of: "b")?.half ?? 1) < 1e-9)
    #expect(results.difference("pass@1", of: "a") == nil)
    let lines = results.markdown().split(separator: "\n")
    #expect(lines[2] == "| `a` | 3 | 0.400 ± 0.497 |  |")
    #expect(lines[3].hasPrefix("| `b` | 2, seed 3 ended with 87 | 0.500 ±"))
    #expect(lines[3].hasSuffix("| 0.100 ± 0.000 |"))
    #expect(results.csv().contains("\"b\",3,87,,,"))
  }

  @Test func `a run that failed is tried again, and its last end counts`() {
    func line(_ cell: String, _ seed: Int, _ status: Int) -> Document {
      .object([
        ("cell", .string(cell)), ("seed", .integer(seed)), ("status", .integer(status)),
      ])
    }
    let ends = SweepRunner.ends([
      .object([("format", 1)]), line("a", 1, 87), line("b", 1, 0), line("a", 2, 0),
      line("a", 1, 0),
    ])
    #expect(ends.map { "\($0.cell) \($0.seed) \($0.status)" } == ["b 1 0", "a 2 0", "a 1 0"])
  }

  @Test func `lag, clipped share and greatest ratio are over all steps`() {
    func step(_ lag: Double, _ clipped: Double, _ ratio: Double) -> Document {
      .object([
        ("lag/mean", .number(lag)), ("clip_ratio/region_mean", .number(clipped)),
        ("ratio/max", .number(ratio)),
      ])
    }
    let measures = AblationResults.measures(steps: [step(1, 0.25, 9), step(2, 0.5, 3)])
    #expect(measures["lag"] == 1.5 && measures["clipped"] == 37.5 && measures["ratio"] == 9)
    #expect(AblationResults.measures(steps: []) == ["seconds": 0])
  }
}
