// A person's slow verifier beside sampling: an actor over real sockets whose program answers only
// while a gate is open.

import Acting
import Documents
import Experience
import Operations
import Testing
import Wire

@Suite(.serialized) struct JudgingTests {
  /// A run whose verdicts come from a shell script, and wait while the gate is closed.
  private final class Gated {
    let folder = try! SocketFolder()
    let run: FakeRun
    private var gate: String { folder.path + "/closed" }

    init(program: String? = nil) throws {
      let script =
        "while read -r line; do while [ -e \(folder.path)/closed ]; do sleep 0.02; done; "
        + "echo '{\"reward\":0.5,\"strict\":true,\"lenient\":true}'; done"
      let words: [Document] =
        program.map { [.string($0)] } ?? [.string("/bin/sh"), .string("-c"), .string(script)]
      let lines = (0..<12).map { "{\"question\":\"\($0)+1=\",\"answer\":\"\($0 + 1)\"}\n" }
      run = try FakeRun(
        task: .object([
          ("kind", "file"), ("file", "sums.jsonl"), ("heldOutCount", 2), ("validationCount", 2),
          ("verifier", .object([("kind", "command"), ("command", .array(words))])),
        ]), lines: lines.joined())
      run.publish(0)
      run.replay.book.withLock {
        $0.afterwards = .wait(Wait(milliseconds: 10, reason: "the test"))
      }
    }

    func close() throws { try Files.writeDurably(gate, "") }
    func open() throws { try Files.remove(gate) }

    /// An actor that has joined, before a gate that is closed from here on.
    func actor() throws -> RunningActor {
      let actor = try run.startActor()
      #expect(run.replay.until { $0.hellos.count == 2 && !$0.asked.isEmpty })
      try close()
      return actor
    }

    /// Keys in the order their groups were submitted, each once.
    var submitted: [Int] {
      var keys: [Int] = []
      for request in run.replay.book.withLock({ $0.requests }) {
        if case .submit(let submission) = request, !keys.contains(submission.key.number) {
          keys.append(submission.key.number)
        }
      }
      return keys
    }
  }

  @Test func `a slow program holds up no sampling, and groups come in order all the same`() throws {
    let gated = try Gated()
    let run = gated.run
    let actor = try gated.actor()
    run.replay.book.withLock {
      $0.script = [
        .fetch(run.version(0)), RoundTests.tickets(0..<2), RoundTests.tickets(2..<4),
      ]
    }
    #expect(run.replay.until { $0.script.isEmpty })
    // Asking again means that the second batch has been sampled; nothing has been judged.
    let asked = run.replay.book.withLock { $0.asked.count }
    #expect(run.replay.until { $0.asked.count > asked + 1 && $0.groups.isEmpty })
    #expect(
      run.replay.until {
        $0.requests.contains {
          if case .heartbeat(let beat) = $0 {
            return beat.state == "waiting for the verifier to judge 4 groups"
              && beat.holding.count == 4
          }
          return false
        }
      })
    #expect(run.replay.book.withLock { $0.groups.isEmpty })
    try gated.open()
    #expect(run.replay.until { $0.groups.count == 4 })
    #expect(gated.submitted == [0, 1, 2, 3])
    for (key, group) in try RoundTests.groups(run) {
      let (prompt, completions) = run.expected(key, version: 0)
      #expect(group.prompt == prompt && group.trajectories.map(\.completion) == completions)
      for trajectory in group.trajectories {
        #expect(trajectory.verdict.parts.map(\.value) == [0.5] && trajectory.verdict.isValid)
      }
    }
    run.replay.book.withLock { $0.afterwards = RoundTests.finished }
    #expect(try actor.end() == "the run is finished")
  }

  @Test func `a run that ends does not wait for verdicts`() throws {
    let gated = try Gated()
    let run = gated.run
    let actor = try gated.actor()
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), RoundTests.tickets(0..<2)]
    }
    #expect(run.replay.until { $0.script.isEmpty })
    run.replay.book.withLock { $0.afterwards = RoundTests.finished }
    #expect(try actor.end() == "the run is finished")
    #expect(run.replay.book.withLock { $0.groups.isEmpty })
    try gated.open()
  }

  @Test func `an actor whose host lacks the program ends with its name before any ticket`() throws {
    let gated = try Gated(program: "/nonexistent/judge")
    let actor = try gated.run.startActor()
    let failure = #expect(throws: Failure.self) { _ = try actor.end() }
    #expect("\(failure!)".contains("/nonexistent/judge"))
    #expect(failure?.exitCode == .noInput)
    #expect(gated.run.replay.book.withLock { $0.asked.isEmpty && $0.groups.isEmpty })
  }
}
