import Messaging
import Testing

@Suite struct LineBudgetTests {
  @Test func `a window has so many lines, and the next says how many had no room`() {
    var budget = LineBudget(linesPerWindow: 3)
    let start = 5_000_000
    for _ in 0..<3 { #expect(budget.take(at: start) == "") }
    for later in 1...7 { #expect(budget.take(at: start + later) == nil) }
    let next = start + LineBudget.windowMilliseconds
    #expect(budget.take(at: next - 1) == nil)
    #expect(budget.take(at: next) == " (and 8 more since the line before)")
    #expect(budget.take(at: next) == "")
  }
}
