// forage explain says what Docs/METRICS.md says: the page of this checkout is the one within the
// program, and every metric of it has a formula and a healthy range.

import Commands
import Foundation
import Testing

@Suite struct ExplainTests {
  private static let page = """
    # Metrics
    ## The loss
    | key | formula | as in | healthy, and what to do outside it |
    |---|---|---|---|
    | `kl` | mean of k3 | TRL | 0 at step 0 |
    | `rewards/*/mean` | sum / completions | | |
    A line with | a bar.
    ## Time
    | key | the seconds spent on |
    |---|---|
    | `time/*` | one phase each |
    | `time/fetch` | decoding |
    """

  @Test func `a row is a metric, its cells stand under the headings of its own table`() {
    let metrics = MetricTable(page: Self.page).metrics
    #expect(metrics.map(\.key) == ["kl", "rewards/*/mean", "time/*", "time/fetch"])
    #expect(metrics.map(\.section) == ["The loss", "The loss", "Time", "Time"])
    #expect(
      metrics[0].parts == [
        .init(heading: "formula", text: "mean of k3"), .init(heading: "as in", text: "TRL"),
        .init(heading: "healthy, and what to do outside it", text: "0 at step 0"),
      ])
    #expect(metrics[1].parts.map(\.heading) == ["formula"])
  }

  @Test
  func `a key that is written out goes before a pattern, and a pattern fits what it stands for`() {
    let table = MetricTable(page: Self.page)
    #expect(table.meanings(of: "time/fetch").map(\.key) == ["time/fetch"])
    #expect(table.meanings(of: "time/credit").map(\.key) == ["time/*"])
    #expect(table.meanings(of: "rewards/format/mean").map(\.key) == ["rewards/*/mean"])
    #expect(table.meanings(of: "rewards/mean").isEmpty)
    #expect(table.meanings(of: "loss").isEmpty)
  }

  @Test
  func `the program carries the page of its checkout, with a healthy range for each`()
    throws
  {
    let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Docs/METRICS.md")
    let metrics = MetricTable.built.metrics
    #expect(metrics == MetricTable(page: try String(contentsOf: page, encoding: .utf8)).metrics)
    #expect(metrics.count > 90)
    #expect(metrics.allSatisfy { !$0.parts.isEmpty && !$0.section.isEmpty })
    let without = metrics.filter { !$0.parts.contains { $0.heading.hasPrefix("healthy") } }
    #expect(without.map(\.key) == [], "say in the last column what is healthy")
  }
}
