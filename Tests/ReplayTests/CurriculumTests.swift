// Levels in the ledger: a ticket is of the level that the committed steps say, whoever gets it and
// whenever; a group of another level is refused; the state is kept with the commit.

import Digests
import Experience
import Replay
import Testing
import Wire

@Suite struct CurriculumLedgerTests {
  static let rules = CurriculumRules(levels: 3, threshold: 0.5, window: 4, newestShare: 0.5)

  /// Tickets are written with their level: 3/1.
  static func levels(_ numbers: Range<Int>, open: Int) -> String {
    numbers.map { "\($0)/\(rules.level(ofTicket: $0, seed: 1, open: open))" }
      .joined(separator: " ")
  }

  static func level(_ number: Int, open: Int) -> Int {
    rules.level(ofTicket: number, seed: 1, open: open)
  }

  /// Step k of two tickets at lag 0 while `open` is open, which leaves the pool at `next`.
  static func step(_ step: Int, open: Int, next: Int) -> String {
    let (first, second) = (2 * step, 2 * step + 1)
    return """
      a tickets 2 with \(step)  =>  a: tickets \(levels(first..<second + 1, open: open))
      a group \(first) of \(step) level \(level(first, open: open))    =>  store \(first)
      a group \(second) of \(step) level \(level(second, open: open))  =>  store \(second)
      stored \(first) \(second) =>  a: ack \(first); a: ack \(second)
      learner lease \(step)     =>  record lease \(step) of \(first) \(second)
      recorded                  =>  learner: lease \(step) of \(first) \(second)
      learner commit \(step) pool \(next)  =>  record commit \(step), trained without-spread
      recorded                  =>  learner: committed \(step)
      """
  }

  @Test func `levels open with the step that says so, for the tickets after it`() {
    // Tickets 4 and 5 of step 2 are drawn from two levels, 6 and 7 from three.
    let text = [
      TranscriptTests.opening, Self.step(0, open: 0, next: 0), Self.step(1, open: 0, next: 1),
      Self.step(2, open: 1, next: 2), Self.step(3, open: 2, next: 2),
    ].joined(separator: "\n")
    var transcript = Transcript(batch: 2, lagMax: 0, curriculum: Self.rules)
    transcript.run(text)
    #expect(Set((4..<40).map { Self.level($0, open: 1) }) == [0, 1])
  }

  @Test func `with lag, a ticket is of what was open when it could first be granted`() {
    var transcript = Transcript(batch: 1, lagMax: 1, curriculum: Self.rules)
    transcript.run(
      TranscriptTests.opening + """

        a tickets 2 with 0         =>  a: tickets 0/0 1/0
        a group 0 of 0 level 0     =>  store 0
        stored 0                   =>  a: ack 0
        learner lease 0            =>  record lease 0 of 0
        recorded                   =>  learner: lease 0 of 0
        learner commit 0 pool 1    =>  record commit 0, trained
        recorded                   =>  learner: committed 0
        # Ticket 2 of step 2 sees version 1, with which level 1 is open.
        a tickets 1 with 1         =>  a: tickets \(Self.levels(2..<3, open: 1))
        # Ticket 1 was of version 0's pool, and stays so when it is given out again.
        a garbage 1                =>  drop 1 invalid on arrival; a: refused invalid
        b tickets 1 with 1         =>  b: tickets 1/0
        """)
  }

  @Test func `a group of another level, or of none, is refused and its ticket given out again`() {
    var transcript = Transcript(batch: 2, lagMax: 0, curriculum: Self.rules)
    transcript.run(
      TranscriptTests.opening + """

        a tickets 2 with 0      =>  a: tickets 0/0 1/0
        a group 0 of 0 level 1  =>  drop 0 invalid on arrival; a: refused invalid
        a group 1 of 0          =>  drop 1 invalid on arrival; a: refused invalid
        b tickets 2 with 0      =>  b: tickets 0/0 1/0
        b group 0 of 0 level 0  =>  store 0
        """)
    var plain = Transcript(batch: 2, lagMax: 0)
    plain.run(
      TranscriptTests.opening + """

        a tickets 2 with 0      =>  a: tickets 0 1
        a group 0 of 0 level 0  =>  drop 0 invalid on arrival; a: refused invalid
        """)
  }

  @Test func `a commit that leaves the pool where no step can is refused`() {
    let lease = """
      a tickets 1 with 0      =>  a: tickets 0/0
      a group 0 of 0 level 0  =>  store 0
      stored 0                =>  a: ack 0
      learner lease 0         =>  record lease 0 of 0
      recorded                =>  learner: lease 0 of 0
      learner commit 0        =>  learner: refused invalid
      learner commit 0 pool 2 =>  learner: refused invalid
      learner commit 0 pool 1 =>  record commit 0, trained
      """
    var transcript = Transcript(batch: 1, lagMax: 0, curriculum: Self.rules)
    transcript.run(TranscriptTests.opening + "\n" + lease)
  }

  @Test func `a ledger opened again knows its levels, and a flipped state is found`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/ledger.sqlite"
    func open() throws -> LedgerStore {
      try LedgerStore(path: path, newLineage: "line", settings: "seed 1")
    }
    let store = try open()
    try store.record(StoreTests.epoch(1))
    for (step, level) in [0, 0, 1, 1, 2, 2].enumerated() {
      var group = Samples.group(Samples.train(step), version: StoreTests.first)
      group.level = 0
      try store.write([.group(Samples.pending(group))])
      try store.recordLease(step: step, epoch: 1, Batch(tickets: [step]))
      var record = StoreTests.commit(tickets: [step], step: step)
      record.lowWater = step + 1
      record.commit.curriculum = CurriculumState(level: level, count: 2 * step, correct: step)
      try store.record(record) { _ in group }
    }
    let history = try open().history()
    // Step 2 makes version 3, the first with level 1.
    #expect(history.openings == [0, 3, 5])
    #expect(history.lastCommit?.curriculum == CurriculumState(level: 2, count: 10, correct: 5))
    #expect(try LedgerReader(path: path).verify().problems.isEmpty)
    try Tampering.run(
      "UPDATE commits SET curriculum = replace(curriculum, '\"correct\":1', '\"correct\":2') "
        + "WHERE step = 1", on: path)
    #expect(try LedgerReader(path: path).verify().problems.count == 1)
  }
}
