// What forage serve can be asked of without a server: its temperatures, and how its one computing
// thread stands before the watchdog.

import Commands
import Operations
import Testing

@Suite struct ServeTests {
  @Test func `the least temperature is taken, and less is refused unless it is 0`() {
    #expect(APIRequest.temperature(0.01) == Float(0.01))
    #expect(APIRequest.temperature(0.009) == nil)
    #expect(APIRequest.temperature(0) == 0)
    #expect(APIRequest.temperature(2) == 2)
  }

  @Test func `a prompt may take an hour, and what comes after it has its whole patience`() throws {
    let second = MonotonicClock.nanosecondsPerSecond
    let patience = Int64(Watchdog.patienceSeconds) * second
    let strand = Strand("compute")
    func verdict(_ facts: Strand.Facts) -> Watchdog.Verdict {
      Watchdog.judge(facts, at: facts.turned + 3600 * second, patience: patience)
    }
    strand.work("a token for each of 3 sequences")
    var turns = try #require(strand.reading).turns
    // Two in a row, as the prompts of one request are.
    for _ in 0..<2 {
      let reading = strand.runPrompt(tokenCount: 2000) { strand.reading }
      let during = try #require(reading)
      #expect(verdict(during) == .late(seconds: 3600))
      let after = try #require(strand.reading)
      #expect(verdict(after) == .hung(seconds: 3600))
      #expect(Watchdog.judge(after, at: after.turned + patience, patience: patience) == .fine)
      #expect(during.turns > turns && after.turns > during.turns)
      turns = after.turns
    }
  }
}
