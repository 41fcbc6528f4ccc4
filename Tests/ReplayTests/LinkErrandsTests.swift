// Errands of people to actors: how long they live, and who gets them.

import Documents
import Replay
import Testing
import Wire

@Suite struct LinkErrandsTests {
  private static let second: Int64 = 1_000_000_000

  private func request(_ token: String, of actor: String = "a") -> MeasureRequest {
    MeasureRequest(
      actor: actor,
      errand: LinkErrand(token: token, repeats: 3, milliseconds: 500, parallel: 4, sizes: [64]))
  }

  @Test func `an errand reaches its actor alone, and its finding who asks`() throws {
    var errands = LinkErrands()
    #expect(try errands.ask(request("t"), at: 0) == nil)
    #expect(errands.errand(of: "a", at: 1) == request("t").errand)
    #expect(errands.errand(of: "b", at: 1) == nil)
    let underway = LinkFinding(token: "t", outcome: .underway)
    errands.take(underway, from: "a")
    #expect(try errands.ask(request("t"), at: 2) == underway)
    // Of another actor, or of an errand that is over, it is nobody's.
    errands.take(LinkFinding(token: "t", outcome: .problem("x")), from: "b")
    errands.take(LinkFinding(token: "old", outcome: .problem("x")), from: "a")
    #expect(try errands.ask(request("t"), at: 3) == underway)
    let report = LinkFinding(token: "t", outcome: .report(.object([("bench", "link")])))
    errands.take(report, from: "a")
    #expect(try errands.ask(request("t"), at: 4) == report)
  }

  @Test func `an errand nobody asks for is over, and makes room`() throws {
    var errands = LinkErrands()
    _ = try errands.ask(request("t"), at: 0)
    #expect(throws: Refusal.self) { try errands.ask(request("u"), at: Self.second) }
    #expect(throws: Refusal.self) { try errands.ask(request("u", of: "b"), at: Self.second) }
    let late = LinkErrands.patienceNanoseconds
    #expect(errands.errand(of: "a", at: late) != nil)
    #expect(errands.errand(of: "a", at: late + 1) == nil)
    #expect(try errands.ask(request("u"), at: late + 1) == nil)
    #expect(errands.errand(of: "a", at: late + 1)?.token == "u")
    // Who asks keeps it alive.
    _ = try errands.ask(request("u"), at: 2 * late)
    #expect(errands.errand(of: "a", at: 3 * late)?.token == "u")
  }

  @Test func `one that is done makes room at once, and is answered until then`() throws {
    var errands = LinkErrands()
    _ = try errands.ask(request("t"), at: 0)
    let problem = LinkFinding(token: "t", outcome: .problem("no route"))
    errands.take(problem, from: "a")
    #expect(try errands.ask(request("t"), at: 1) == problem)
    #expect(try errands.ask(request("u", of: "b"), at: 2) == nil)
    #expect(errands.errand(of: "a", at: 2) == nil && errands.errand(of: "b", at: 2) != nil)
  }
}
