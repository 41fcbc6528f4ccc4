// What `forage ablate` is given: a run's settings, what to change in them, and over which seeds.
//
//     config: ../arithmetic.yaml        from the sweep file's folder
//     seeds: [1, 2, 3]
//     settings: {run.steps: 200}        for every run
//     grid:                             every combination is a cell
//       objective.beta: [0, 0.01, 0.1]
//       learner.lagMax: [0, 4]
//     cells:                            or, beside it, cells by name
//       no clip: {objective.clipLow: 1, objective.clipHigh: 100}
//
// The first cell is what the others are held against.

import Documents
import Operations

/// A file of cells and seeds, each cell a set of settings that a run can be made with.
package struct Sweep: Sendable {
  /// One combination, run once a seed.
  package struct Cell: Sendable, Equatable {
    /// "objective.beta=0.01 learner.lagMax=4", or the name given.
    package let name: String
    /// `objective.beta=0.01`, as typed behind `--`.
    package let overrides: [String]
  }

  /// Nights, not years: more is a slip of the pen.
  static let maximumRuns = 1000
  /// 4 seeds say little of a spread; 100 want a bigger machine.
  static let maximumSeeds = 100

  package let name: String
  package let config: String
  package let seeds: [Int]
  /// For every run, before those of its cell.
  package let settings: [String]
  package let cells: [Cell]

  package static func load(_ path: String) throws -> Sweep {
    let bytes = try Files.read(path, maximumBytes: 1 << 20)
    return try Sweep(YAML.parse(bytes, source: path), source: path)
  }

  /// Throws also where a run of it would be refused, so that no night ends at its second cell.
  package init(_ document: Document, source: String) throws {
    let fields = try Fields(document, source: source)
    let file = Files.name(of: source)
    let stem = String(file.prefix { $0 != "." })
    name = try fields.string("name", default: stem, maximumLength: 100)
    let folder = Files.folder(of: source)
    let config = try fields.string("config")
    self.config = config.hasPrefix("/") ? config : "\(folder)/\(config)"
    let seeds = try fields.integers(
      "seeds", default: [1, 2, 3], maximumCount: Self.maximumSeeds, in: 0...Int.max)
    self.seeds = seeds
    guard !seeds.isEmpty, Set(seeds).count == seeds.count else {
      throw fields.error("seeds", "each seed once, and at least one")
    }
    settings = try Self.overrides(fields.document("settings"), at: "settings", fields)
    let grid = try Self.grid(fields)
    let named = try Self.named(fields)
    try fields.finish()
    cells = grid + named
    guard !cells.isEmpty else {
      throw fields.error("grid", "is missing, and there are no cells: nothing to compare")
    }
    guard Set(cells.map(\.name)).count == cells.count else {
      throw fields.error("cells", "two cells have one name")
    }
    guard cells.count * seeds.count <= Self.maximumRuns else {
      throw fields.error(
        "grid", "makes \(cells.count * seeds.count) runs, at most \(Self.maximumRuns)")
    }
    for cell in cells {
      let settings = try RunSettings.load(
        path: self.config, overrides: overrides(cell, seed: seeds[0]))
      _ = try RunParts(settings, source: self.config)
    }
  }

  /// What a run of a cell is started with.
  package func overrides(_ cell: Cell, seed: Int) -> [String] {
    settings + cell.overrides + ["run.seed=\(seed)"]
  }

  /// Every combination of the grid's values, the last key turning fastest.
  private static func grid(_ fields: Fields) throws -> [Cell] {
    guard let document = fields.document("grid"), document.value != .null else { return [] }
    guard case .object(let members) = document.value else {
      throw fields.error("grid", "is no mapping of settings to lists of values")
    }
    var combinations: [[String]] = [[]]
    for member in members {
      guard case .array(let values) = member.value.value, !values.isEmpty else {
        throw fields.error("grid", "\(member.key) needs a list of values")
      }
      guard combinations.count * values.count <= maximumRuns else {
        throw fields.error("grid", "makes more than \(maximumRuns) cells")
      }
      combinations = combinations.flatMap { combination in
        values.map { combination + ["\(member.key)=\(text($0))"] }
      }
    }
    return combinations.map { Cell(name: $0.joined(separator: " "), overrides: $0) }
  }

  private static func named(_ fields: Fields) throws -> [Cell] {
    guard let document = fields.document("cells"), document.value != .null else { return [] }
    guard case .object(let members) = document.value else {
      throw fields.error("cells", "is no mapping of names to settings")
    }
    var cells: [Cell] = []
    for member in members {
      let overrides = try overrides(member.value, at: "cells", fields)
      cells.append(Cell(name: member.key, overrides: overrides))
    }
    return cells
  }

  private static func overrides(
    _ document: Document?, at key: String, _ fields: Fields
  ) throws -> [String] {
    guard let document, document.value != .null else { return [] }
    guard case .object(let members) = document.value else {
      throw fields.error(key, "wants settings and values, as {learner.lagMax: 4}")
    }
    return members.map { "\($0.key)=\(text($0.value))" }
  }

  /// As one types it: JSON is YAML, and plain text stays as it was.
  private static func text(_ value: Document) -> String {
    if case .plain(let text) = value.value { return text }
    return JSON.write(value)
  }
}
