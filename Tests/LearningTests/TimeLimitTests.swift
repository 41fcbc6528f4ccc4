// Hours given to a run: which step is the last.

import Learning
import Operations
import Testing

@Suite struct TimeLimitTests {
  @Test func `without a limit every step is begun`() {
    var limit = TimeLimit(.never)
    limit.took(seconds: 1e9)
    #expect(limit.allowsStep)
  }

  @Test func `before the first step any time is enough, and none is too little`() {
    #expect(TimeLimit(.after(seconds: 60)).allowsStep)
    #expect(!TimeLimit(.now).allowsStep)
  }

  @Test func `a step that would end too late is not begun`() {
    var limit = TimeLimit(.after(seconds: 60))
    limit.took(seconds: 30)
    #expect(limit.allowsStep)
    limit.took(seconds: 61)
    #expect(!limit.allowsStep)
    // The longest of the newest three counts, and one long step is forgotten.
    for _ in 0..<2 { limit.took(seconds: 1) }
    #expect(!limit.allowsStep)
    limit.took(seconds: 1)
    #expect(limit.allowsStep)
  }

  @Test func `a deadline some seconds earlier, and none`() {
    let end = Deadline.after(seconds: 100)
    #expect(end.moment - end.before(seconds: 40).moment == 40_000_000_000)
    #expect(Deadline.never.before(seconds: 40) == .never)
  }
}
