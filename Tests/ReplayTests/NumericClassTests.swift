// A synchronous run has one numeric class, whoever comes first and whatever was started again.

import Documents
import Experience
import Replay
import Testing
import Wire

@Suite struct NumericClassTests {
  private let learner = Asker(Peer([1]), 1)
  private let actor = Peer([2])

  private func ledger(lagMax: Int = 0, recorded: String? = nil) -> Ledger {
    var history = LedgerHistory()
    history.fingerprint = recorded.map { Fingerprint([.init(Fingerprint.numbers, $0)]) }
    return Ledger(
      LedgerConfiguration(
        run: "run", lineage: "line", settings: .object([]), groupsPerStep: 1, lagMax: lagMax,
        steps: 1, ticketLeaseNanoseconds: 1_000_000_000, evaluationEvery: 0, evaluationPrompts: 1),
      history: history, at: 0)
  }

  private func hello(
    _ role: Role, _ numericClass: String, allowsOtherBuild: Bool = false
  ) -> Hello {
    Hello(
      role: role, name: "x", numericClass: numericClass, version: Transcript.version(0),
      fingerprint: role == .learner
        ? Fingerprint([.init(Fingerprint.numbers, numericClass)]) : Fingerprint(),
      allowsOtherBuild: allowsOtherBuild)
  }

  /// The code that an actor of the class hears to its hello; nil for a welcome.
  private func refusal(_ ledger: inout Ledger, _ numericClass: String) -> Refusal.Code? {
    let actions = ledger.handle(.hello(Asker(actor, 1), hello(.actor, numericClass)), at: 0)
    guard case .reply(_, .refused(let refusal))? = actions.first else { return nil }
    return refusal.code
  }

  @Test func `until the learner is back, an actor of another class than the recorded one waits`() {
    var restarted = ledger(recorded: "one")
    #expect(refusal(&restarted, "another") == .busy)
    #expect(refusal(&restarted, "one") == nil)
    _ = restarted.handle(.hello(learner, hello(.learner, "one")), at: 0)
    _ = restarted.handle(.recorded, at: 0)
    #expect(refusal(&restarted, "another") == .numericClass)
    var asynchronous = ledger(lagMax: 1, recorded: "one")
    #expect(refusal(&asynchronous, "another") == nil)
  }

  @Test func `a run that goes on under another class, as meant, has actors of that class`() {
    var moved = ledger(recorded: "one")
    #expect(refusal(&moved, "another") == .busy)
    let meant = hello(.learner, "another", allowsOtherBuild: true)
    _ = moved.handle(.hello(learner, meant), at: 0)
    _ = moved.handle(.recorded, at: 0)
    #expect(refusal(&moved, "another") == nil)
    #expect(refusal(&moved, "one") == .numericClass)
  }

  @Test func `one that came before any learner says hello again, and is judged by the learner's`() {
    var ledger = ledger()
    #expect(refusal(&ledger, "another") == nil)
    _ = ledger.handle(.hello(learner, hello(.learner, "one")), at: 0)
    let begun = ledger.handle(.recorded, at: 0)
    guard case .reply(_, .welcome)? = begun.last else {
      Issue.record("the learner heard \(begun)")
      return
    }
    let request = TicketRequest(version: Transcript.version(0), count: 1)
    let asked = ledger.handle(.tickets(Asker(actor, 2), request), at: 0)
    guard case .reply(_, .refused(let answer))? = asked.first else {
      Issue.record("the actor heard \(asked)")
      return
    }
    #expect(answer.code == .helloFirst)
    #expect(refusal(&ledger, "another") == .numericClass)
    #expect(refusal(&ledger, "one") == nil)
  }
}
