import Experience
import Replay
import Testing
import Wire

@Suite struct EvaluationTests {
  @Test func `evaluation is first in line for its version and told with the next lease`() {
    var transcript = Transcript(batch: 1, lagMax: 1, evaluationEvery: 2, evaluationPrompts: 2)
    transcript.run(
      TranscriptTests.opening + """

        a tickets 1 with 0  =>  a: tickets e0.0
        b tickets 4 with 0  =>  b: tickets e0.1
        b tickets 4 with 0  =>  b: tickets 0 1
        b group 0 of 0      =>  store 0
        stored 0            =>  b: ack 0
        learner lease 0     =>  record lease 0 of 0
        recorded            =>  learner: lease 0 of 0 pinning 0
        a group e0.0 of 0   =>  store e0.0
        b group e0.1 of 0   =>  store e0.1
        stored e0.0 e0.1    =>  a: ack e0.0; b: ack e0.1; record evaluation 0
        a group e0.0 of 0   =>  a: ack e0.0
        # Once the commit is on the disk the learner has been told.
        learner lease 0     =>  learner: lease 0 of 0 with 0
        learner commit 0    =>  record commit 0, trained
        recorded            =>  learner: committed 0
        b group 1 of 0      =>  store 1
        stored 1            =>  b: ack 1
        learner lease 1     =>  record lease 1 of 1
        recorded            =>  learner: lease 1 of 1
        """)
  }

  @Test func `evaluation never holds training up, and is given up when nobody has its weights`() {
    var transcript = Transcript(batch: 1, lagMax: 1, evaluationEvery: 2, evaluationPrompts: 1)
    transcript.run(
      """
      learner hello with 0  =>  record epoch 1
      recorded              =>  learner: welcome 1
      a hello               =>  a: welcome 0
      b hello               =>  b: welcome 0
      b tickets 1 with 0    =>  b: tickets e0.0
      a tickets 1 with 0    =>  a: tickets 0
      a group 0 of 0        =>  store 0
      stored 0              =>  a: ack 0
      learner lease 0       =>  record lease 0 of 0
      recorded              =>  learner: lease 0 of 0 pinning 0
      learner commit 0      =>  record commit 0, trained
      recorded              =>  learner: committed 0
      # b lost its evaluation ticket and its weights.
      b hello               =>  b: welcome 0
      a tickets 4 with 1    =>  a: tickets 1 2
      # Nothing to train: an idle actor is sent back for version 0, once.
      a tickets 1 with 1    =>  a: fetch 0
      a tickets 1 with 1
      b tickets 1 with 1    =>  b: fetch 0
      b tickets 1 with 1    =>  abandon evaluation 0
      b group e0.0 of 0     =>  b: refused unknown-ticket
      """)
  }

  @Test func `the run is over when its last version is evaluated, and everybody hears it`() {
    var transcript = Transcript(
      batch: 1, lagMax: 0, steps: 1, evaluationEvery: 5, evaluationPrompts: 1)
    transcript.run(
      TranscriptTests.opening + """

        a tickets 1 with 0  =>  a: tickets e0.0
        a group e0.0 of 0   =>  store e0.0
        stored e0.0         =>  a: ack e0.0; record evaluation 0
        a tickets 1 with 0  =>  a: tickets 0
        a group 0 of 0      =>  store 0
        stored 0            =>  a: ack 0
        learner lease 0     =>  record lease 0 of 0
        recorded            =>  learner: lease 0 of 0 with 0
        learner commit 0    =>  record commit 0, trained
        recorded            =>  learner: committed 0
        learner lease 1
        tick 1000           =>  learner: wait for actors to fill 1 of 1 groups of the evaluation of version 1
        learner lease 1
        a tickets 1 with 0  =>  a: fetch 1
        b tickets 1 with 1  =>  b: tickets e1.0
        a tickets 1 with 1
        b group e1.0 of 1   =>  store e1.0
        stored e1.0         =>  b: ack e1.0; record evaluation 1; a: wait for nothing: the run is over; learner: lease 1 of  with 1
        """)
  }

  @Test func `a summary does not depend on who came home first`() {
    func summary(order: [Int]) -> EvaluationSummary? {
      let version = Transcript.version(0)
      var ledger = Ledger(
        LedgerConfiguration(
          run: "run", lineage: "line", settings: .object([]), groupsPerStep: 1, lagMax: 0, steps: 1,
          ticketLeaseNanoseconds: 1_000_000_000, evaluationEvery: 1, evaluationPrompts: 3), at: 0)
      let learner = Asker(Peer([1]), 1)
      let actor = Asker(Peer([2]), 1)
      let hello = Hello(role: .learner, name: "learner", numericClass: "", version: version)
      var actions = ledger.handle(.hello(learner, hello), at: 0)
      actions += ledger.handle(.recorded, at: 0)
      actions += ledger.handle(
        .hello(actor, Hello(role: .actor, name: "a", numericClass: "")), at: 0)
      for number in order {
        var tally = GroupTally()
        tally.samples = 2
        // Sums of these depend on their order in the last bits.
        tally.reward = [0.1, 1e16, -1e16][number]
        tally.strict = number == 1 ? 1 : 0
        tally.completed = number == 1 ? 1 : 0
        tally.invalid = number
        tally.tokens = 4 + number
        let key = TicketKey(purpose: .evaluate(version: 0), number: number)
        actions += ledger.handle(
          .arrived(actor, Arrival(key: key, version: version, bytes: 1, tally: tally)), at: 0)
        actions += ledger.handle(.stored([key]), at: 0)
      }
      for case .recordEvaluation(let summary) in actions { return summary }
      return nil
    }
    let first = summary(order: [0, 1, 2])
    // 3 prompts of 2 samples: 1 strict of 6, 1 prompt of 3 passed, (4 + 5 + 6) / 6 tokens.
    #expect(first?.strict == 1.0 / 6)
    #expect(first?.completed == 1.0 / 6)
    #expect(first?.invalid == 0 + 1 + 2)
    #expect(first?.passAtK == 1.0 / 3)
    // Over prompts: shares 0, 1/2 and 0.
    #expect(first?.strictInterval == MeanInterval.halfWidth([0, 0.5, 0]))
    #expect(first?.meanLength == 2.5)
    #expect(first == summary(order: [2, 0, 1]))
    #expect(first == summary(order: [1, 2, 0]))
  }
}
