// Docs/METRICS.md is what somebody reads a run by, so it must name every number that is written,
// and none that is not. Keys are read from the source text: what is between \( and ) stands as * on
// the page.

import Foundation
import Testing

@Suite struct MetricsDocTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  /// The strings that stand where a pattern's group is, interpolations replaced.
  private func keys(_ pattern: some RegexComponent<(Substring, Substring)>, in path: String)
    throws -> Set<String>
  {
    Set(
      try text(path).matches(of: pattern).map {
        String($0.output.1).replacing(/\\\([^)]*\)/, with: "*")
      })
  }

  private func written() throws -> Set<String> {
    let record = "Sources/Learning/StepRecord.swift"
    let pair = /\("([^"]+)", (?:\.integer|\.number|\.string|\.array|result\.)/
    var found = try keys(/(?:add|count)\("([^"]+)"/, in: record).union(keys(pair, in: record))
    for name in ["Learner", "CohortTrainer", "StepTaker"] {
      let path = "Sources/Learning/\(name).swift"
      found.formUnion(try keys(/enter\("(\w+)"\)/, in: path).map { "time/\($0)" })
    }
    for path in [
      "Sources/Commands/Run/Evaluator.swift", "Sources/Commands/Run/HeldOutResults.swift",
    ] {
      found.formUnion(try keys(pair, in: path))
    }
    // What is scraped is declared in whatever room moves it.
    let sources = Self.root.appending(path: "Sources")
    let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift" else { continue }
      let path = String(file.path.dropFirst(Self.root.path.count))
      found.formUnion(try keys(/Meter\(\s*"(forage_\w+)"/, in: path))
    }
    return found
  }

  @Test func `the page names every metric that is written, and no other`() throws {
    let rows = try text("Docs/METRICS.md").matches(of: /(?m)^\| `([^`]+)` \|/)
    let named = Set(rows.map { String($0.output.1) })
    let written = try written()
    #expect(written.count > 70, "the source is written otherwise than this test reads it")
    #expect(written.subtracting(named).sorted() == [], "add a row for each to Docs/METRICS.md")
    #expect(named.subtracting(written).sorted() == [], "these rows tell of nothing that is written")
  }
}
