// Who waits for whom, from what three witnesses say.

import Commands
import Documents
import Glibc
import Operations
import Testing

@Suite struct WaitGraphTests {
  /// A process that lives: this one, under another name.
  private static func account(
    _ name: String, _ activity: Strand.Activity, _ text: String, seconds: Int = 9,
    processID: Int = Int(getpid()), age: Double = 0, also: ProcessAccount.Line...
  ) -> ProcessAccount {
    let line = ProcessAccount.Line(
      strand: "main", activity: activity, text: text, milliseconds: seconds * 1000,
      sinceTurnMilliseconds: 0, isLate: false)
    return ProcessAccount(
      name: name, processID: processID, at: MonotonicClock.now - Int64(age * 1e9),
      strands: [line] + also, gauges: [])
  }

  private static func graph(_ accounts: ProcessAccount..., status: Document? = nil) -> WaitGraph {
    WaitGraph(accounts: accounts, status: status)
  }

  private static func edges(_ graph: WaitGraph) -> [String] {
    graph.nodes.flatMap { node in node.targets.map { "\(node.name) -> \($0)" } }
  }

  @Test func `a reason's first words are whom it waits for`() {
    let graph = Self.graph(
      Self.account("actor-0", .peer, "the learner to serve version 3"),
      Self.account("actor-1", .peer, "replay at ipc://x to answer hello"),
      Self.account("learner", .peer, "actors to fill 3 of 8 groups of step 1 (actor-1 holds 2)"),
      Self.account("replay", .resource, "the disk to take a commit"))
    #expect(
      Self.edges(graph) == [
        "actor-0 -> learner", "actor-1 -> replay", "learner -> actor-1", "replay -> the disk",
      ])
    #expect(graph.circle == nil)
  }

  @Test func `waits that go round are named as a circle`() {
    let graph = Self.graph(
      Self.account("actor-0", .peer, "the learner to commit step 5"),
      Self.account("actor-1", .peer, "the learner to commit step 5"),
      Self.account("learner", .peer, "actors to fill 2 of 8 groups of step 5"))
    #expect(graph.circle == ["actor-0", "learner", "actor-0"])
    #expect(graph.lines.last?.contains("a circle") == true)
  }

  @Test func `one that can go on, or a wait that is young, makes no circle`() {
    let learner = Self.account("learner", .peer, "actors to fill 2 of 8 groups of step 5")
    let waiter = Self.account("actor-0", .peer, "the learner to commit step 5")
    let worker = Self.account("actor-1", .work, "sampling 4 tickets with version 5")
    let young = Self.account("actor-1", .peer, "the learner to commit step 5", seconds: 1)
    #expect(Self.graph(learner, waiter, worker).circle == nil)
    #expect(Self.graph(learner, waiter, young).circle == nil)
    #expect(Self.graph(learner, waiter).circle != nil)
  }

  @Test func `with replay dead the graph stands, and says who does not answer`() {
    let accounts = [
      Self.account("learner", .peer, "replay at ipc://x to answer hello"),
      // The largest process id a kernel gives is 2^22.
      Self.account("replay", .work, "serving", processID: 1 << 23, age: 5),
    ]
    let graph = WaitGraph(accounts: accounts, status: nil, isReplaySilent: true)
    #expect(Self.edges(graph) == ["learner -> replay"])
    let trouble = graph.nodes.first { $0.name == "replay" }?.trouble
    #expect(trouble?.hasPrefix("does not answer: process 8388608 is gone for 5") == true)
    let unheard = WaitGraph(accounts: [], status: nil, isReplaySilent: true)
    #expect(unheard.lines == ["replay [does not answer]: no word"])
  }

  @Test func `a process that wrote nothing lately is not believed to wait`() {
    let graph = Self.graph(
      Self.account("learner", .resource, "the disk to give a checkpoint", age: 60))
    #expect(graph.outsideWait == nil && Self.edges(graph).isEmpty)
    #expect(graph.lines.first?.contains("no account of itself for 60.0 s") == true)
  }

  @Test func `the thread that a process's own thread waits for says why`() {
    let sockets = ProcessAccount.Line(
      strand: "sockets", activity: .peer, text: "replay to take 5 groups (the disk is full)",
      milliseconds: 4000, sinceTurnMilliseconds: 0, isLate: false)
    let graph = Self.graph(
      Self.account("actor-0", .peer, "the learner to commit step 5", also: sockets))
    #expect(Self.edges(graph) == ["actor-0 -> replay"])
  }

  @Test func `a thread that waits for another of its own process does not speak for it`() {
    // A version is committed, and its learner was stopped before it served it.
    func line(_ strand: String, _ text: String) -> ProcessAccount.Line {
      ProcessAccount.Line(
        strand: strand, activity: .peer, text: text, milliseconds: 4000, sinceTurnMilliseconds: 0,
        isLate: false)
    }
    let graph = Self.graph(
      Self.account(
        "actor-0", .peer, "the weight server to send version 44",
        also: line("judge", "main to sample groups")))
    #expect(Self.edges(graph) == ["actor-0 -> learner"])
    let alone = Self.graph(
      Self.account(
        "actor-0", .peer, "judge to take groups", also: line("judge", "main to sample groups")))
    #expect(alone.nodes.map(\.text) == ["main to sample groups"])
  }

  @Test func `replay's word counts where a peer leaves none, and a late peer is marked`() {
    let status = Document.object([
      (
        "peers",
        .array([
          .object([
            ("name", "far-0"), ("role", "actor"), ("isPresent", true),
            ("silentMilliseconds", 4200), ("state", "sampling 4 tickets"),
            ("stateMilliseconds", 900),
          ]), .object([("name", "looker"), ("role", "looker")]),
        ])
      ),
      (
        "waits",
        .array([
          .object([
            ("who", "far-0"), ("for", "the learner to commit step 2"), ("milliseconds", 700),
          ])
        ])
      ),
    ])
    let graph = Self.graph(Self.account("learner", .work, "step 2: forward"), status: status)
    #expect(
      graph.lines.first
        == "far-0 [late: silent for 4.2 s] waits for the learner to commit step 2 for 0.7 s"
        + "  -> learner")
    #expect(graph.nodes.count == 2)
  }

  @Test func `room on a disk and actors yet to come are nobody's fault here`() {
    let lone = Self.graph(
      Self.account("learner", .peer, "actors to fill 8 of 8 groups (no actor is connected)"))
    #expect(lone.outsideWait?.hasPrefix("learner waits for actors") == true)
    let low = Document.object([
      (
        "service",
        .object([("isDiskLow", true), ("freeBytes", 1024), ("reserveBytes", 4096)])
      )
    ])
    let full = Self.graph(Self.account("replay", .work, "serving"), status: low)
    #expect(full.outsideWait?.hasPrefix("replay waits for the disk to have room") == true)
    let busy = Self.graph(
      Self.account("actor-0", .peer, "the learner to commit step 1"),
      Self.account("learner", .work, "step 1: forward"))
    #expect(busy.outsideWait == nil)
  }
}
