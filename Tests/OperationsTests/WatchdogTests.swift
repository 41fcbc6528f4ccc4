// The watchdog's rule, and a real process that it ends.

import Glibc
import Operations
import Testing

@Suite struct WatchdogTests {
  private static let second: Int64 = 1_000_000_000
  private static let limit = 10 * second

  private static func facts(
    _ activity: Strand.Activity, turned: Int64 = 0, due: Int64 = 0, since: Int64 = 0
  ) -> Strand.Facts {
    var facts = Strand.Facts(at: turned)
    facts.activity = activity
    facts.due = max(turned, due)
    facts.since = since
    return facts
  }

  private static func verdict(
    _ facts: Strand.Facts, at seconds: Int64, pardoned: Int64 = 0
  ) -> Watchdog.Verdict {
    Watchdog.judge(
      facts, at: seconds * second, patience: limit, pardoned: pardoned * second)
  }

  @Test func `work that does not turn is hung after the patience, and not before`() {
    let work = Self.facts(.work)
    #expect(Self.verdict(work, at: 10) == .fine)
    #expect(Self.verdict(work, at: 11) == .hung(seconds: 11))
  }

  @Test func `a wait that turns is late and never hung`() {
    let wait = Self.facts(.peer, turned: 999 * Self.second)
    #expect(Self.verdict(wait, at: 1000) == .late(seconds: 1000))
    #expect(Self.verdict(Self.facts(.peer), at: 9) == .fine)
  }

  @Test func `a wait whose own slice ended and that does not turn is hung`() {
    let wait = Self.facts(.peer, due: 5 * Self.second)
    #expect(Self.verdict(wait, at: 15) == .late(seconds: 15))
    #expect(Self.verdict(wait, at: 16) == .hung(seconds: 11))
  }

  @Test func `a call into the kernel is late however long it takes`() {
    #expect(Self.verdict(Self.facts(.resource), at: 1_000_000) == .late(seconds: 1_000_000))
  }

  @Test func `time in which the whole process stood still counts for nobody`() {
    #expect(Self.verdict(Self.facts(.work), at: 1000, pardoned: 990) == .fine)
    #expect(Self.verdict(Self.facts(.work), at: 1001, pardoned: 990) == .hung(seconds: 11))
  }

  @Test func `a strand tells what it does, since when, and its changes are remembered`() {
    let events = EventRing()
    let strand = Strand("compute", events: events)
    strand.work("sampling")
    strand.wait(for: "the learner", until: .after(seconds: 1))
    let first = strand.reading
    strand.wait(for: "the learner", until: .after(seconds: 1))
    let again = strand.reading
    #expect(first?.text == "the learner" && first?.activity == .peer)
    #expect(first?.since == again?.since && first?.turns != again?.turns)
    #expect((again?.due ?? 0) > (again?.turned ?? 0))
    #expect(events.last.map(\.text) == ["compute: sampling", "compute: waits for the learner"])
  }

  @Test func `the ring keeps the last events, each cut to its limit`() {
    let events = EventRing()
    for number in 0..<100 { events.note("\(number)") }
    #expect(events.last.map(\.text) == (36..<100).map(String.init))
    events.note(String(repeating: "x", count: 1000))
    #expect(events.last.last?.text.utf8.count == EventRing.maximumBytes)
  }

  @Test func `an account comes back from its file as it was written`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/actor-0.doing.json"
    let watchdog = try Watchdog("actor-0", log: .silent, accountPath: path)
    defer { watchdog.finish() }
    let strand = watchdog.strand("compute")
    strand.wait(for: "replay to grant tickets", until: .after(seconds: 60))
    watchdog.set("bytes in the outbox", to: 3, of: 7)
    let deadline = Deadline.after(seconds: patience)
    var account: ProcessAccount?
    while account?.gauges.isEmpty ?? true, !deadline.hasPassed {
      account = ProcessAccount(path: path)
      usleep(10_000)
    }
    let read = try #require(account)
    #expect(read.name == "actor-0" && read.processID == Int(getpid()))
    #expect(read.strands.map(\.text) == ["replay to grant tickets"])
    #expect(read.strands.map(\.activity) == [.peer])
    #expect(read.gauges.map(\.value) == [3] && read.gauges.map(\.maximum) == [7])
    #expect(read.condition == "running" && read.ageSeconds < patience)
    #expect(ProcessAccount.condition(of: 0) == nil)
  }
}
