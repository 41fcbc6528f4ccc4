// An actor against a replay and a weight server over real sockets, from hello to the end of the
// run, with the faults it must outlive.

import Acting
import Digests
import Experience
import Operations
import Policy
import Testing
import Wire

@Suite(.serialized) struct RoundTests {
  static let finished = Reply.wait(Wait(milliseconds: 1, reason: "", isFinished: true))

  static func tickets(_ numbers: Range<Int>, _ purpose: Purpose = .train) -> Reply {
    .tickets(
      numbers.map { Ticket(key: TicketKey(purpose: purpose, number: $0), minimumVersion: 0) })
  }

  static func key(_ number: Int, _ purpose: Purpose = .train) -> TicketKey {
    TicketKey(purpose: purpose, number: number)
  }

  /// The groups replay has, decoded.
  static func groups(_ run: FakeRun) throws -> [TicketKey: TrajectoryGroup] {
    try run.replay.book.withLock { $0.groups }
      .mapValues { try TrajectoryGroup(decoding: $0, limits: nil) }
  }

  @Test func `a run from hello to its end, each group being what its ticket says`() throws {
    let run = try FakeRun()
    run.publish(0)
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), Self.tickets(0..<2), Self.tickets(2..<4)]
    }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.groups.count == 4 })
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() == "the run is finished")
    let groups = try Self.groups(run)
    for number in 0..<4 {
      let group = try #require(groups[Self.key(number)])
      let (prompt, completions) = run.expected(group.key, version: 0)
      #expect(group.version == run.version(0))
      #expect(group.prompt == prompt)
      #expect(group.trajectories.map(\.completion) == completions)
      #expect(group.actor == "actor-0" && group.seed == FakeRun.seed && group.temperature == 1)
      #expect(group.numericClass == CPUTransformer.numericClassOfThisMachine)
      let exercise = run.exercises.exercise(seed: FakeRun.seed, split: .train, index: number)
      #expect(group.exercise == exercise.name)
      for trajectory in group.trajectories {
        let tokens = trajectory.completion.tokens
        let text = trajectory.completion.finish == .stop ? tokens.dropLast() : tokens[...]
        #expect(
          trajectory.verdict
            == run.exercises.judge(
              exercise, completion: run.tokenizer.decode(Array(text)), tokenCount: tokens.count,
              isTruncated: trajectory.completion.isTruncated))
      }
    }
    let book = run.replay.book.withLock { $0 }
    #expect(book.asked.first?.version == nil || book.asked.first?.version == run.version(0))
    #expect(book.asked.allSatisfy { $0.count == 2 })
    // One to learn what the run is, one to say what this actor fills its tickets with.
    #expect(book.hellos.count == 2)
    let declared = book.hellos.last?.files.map(\.name) ?? []
    #expect(Set(declared).isSuperset(of: ["config.json", "tokenizer.json", "task", "verifier"]))
  }

  @Test func `a ticket filled twice by two actors is the same to the last bit`() throws {
    let run = try FakeRun()
    run.publish(0)
    var seen: [TrajectoryGroup] = []
    for name in ["actor-0", "actor-1"] {
      run.replay.book.withLock {
        $0.groups = [:]
        $0.script = [.fetch(run.version(0)), Self.tickets(name == "actor-0" ? 5..<7 : 6..<7)]
        $0.afterwards = .wait(Wait(milliseconds: 10, reason: "the test"))
      }
      let actor = try run.startActor(name)
      #expect(run.replay.until { $0.groups[Self.key(6)] != nil })
      seen.append(try #require(try Self.groups(run)[Self.key(6)]))
      run.replay.book.withLock { $0.afterwards = Self.finished }
      #expect(try actor.end() != nil)
    }
    #expect(seen[0].trajectories == seen[1].trajectories)
  }

  @Test func `a newer version is fetched ahead of need and used from then on`() throws {
    let run = try FakeRun()
    run.publish(0)
    run.replay.book.withLock { $0.script = [.fetch(run.version(0)), Self.tickets(0..<1)] }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.groups.count == 1 })
    // Never named to the actor: the announcement alone brings it there.
    run.publish(1)
    let wanted = run.version(1)
    #expect(run.replay.until { $0.asked.last?.version == wanted })
    run.replay.book.withLock { $0.script = [Self.tickets(1..<2)] }
    #expect(run.replay.until { $0.groups.count == 2 })
    #expect(try Self.groups(run)[Self.key(1)]?.version == wanted)
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() != nil)
  }

  @Test func `an evaluation is sampled with exactly its version, then the newest is held again`()
    throws
  {
    let run = try FakeRun()
    run.publish(0)
    run.publish(1)
    let evaluation = Purpose.evaluate(version: 0)
    run.replay.book.withLock {
      $0.script = [
        .fetch(run.version(1)), Self.tickets(0..<1), Self.tickets(0..<2, evaluation),
        .wait(Wait(milliseconds: 10, reason: "the test")), Self.tickets(1..<2),
      ]
    }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.groups.count == 4 })
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() != nil)
    let groups = try Self.groups(run)
    for number in 0..<2 {
      let group = try #require(groups[Self.key(number, evaluation)])
      #expect(group.version == run.version(0))
      #expect(
        group.trajectories.map(\.completion) == run.expected(group.key, version: 0).1)
      #expect(groups[Self.key(number)]?.version == run.version(1))
    }
  }

  @Test func `a version that is gone is not waited for`() throws {
    let run = try FakeRun(keepCount: 1)
    for number in 0..<3 { run.publish(number) }
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), Self.tickets(0..<1)]
    }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.groups.count == 1 })
    #expect(try Self.groups(run)[Self.key(0)]?.version == run.version(2))
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() != nil)
  }

  @Test func `busy is waited out and nothing is lost`() throws {
    let run = try FakeRun()
    run.publish(0)
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), Self.tickets(0..<4)]
      $0.busyAnswers = 9
    }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.groups.count == 4 })
    #expect(run.replay.book.withLock { $0.submissions } >= 4 + 9)
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() != nil)
  }

  @Test func `a restarted replay is told what is held and gets what it had not acknowledged`()
    throws
  {
    let run = try FakeRun()
    run.publish(0)
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), Self.tickets(0..<2)]
      $0.isMute = true
    }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.submissions == 2 })
    #expect(run.replay.book.withLock { $0.groups.isEmpty })
    try run.restartReplay { $0.script = [Self.tickets(2..<3)] }
    #expect(run.replay.until { $0.groups.count == 3 })
    let hello = try #require(run.replay.book.withLock { $0.hellos.last })
    // At the start, with what it works with, and after the restart.
    #expect(run.replay.book.withLock { $0.hellos.count } == 3)
    #expect(Set(hello.holding).isSuperset(of: [Self.key(0), Self.key(1)]))
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() != nil)
  }

  @Test func `an actor that comes before the learner waits for it`() throws {
    let run = try FakeRun()
    run.publish(0)
    run.replay.book.withLock {
      $0.emptyWelcomes = 2
      $0.script = [.fetch(run.version(0)), Self.tickets(0..<1)]
    }
    let actor = try run.startActor()
    #expect(run.replay.until { $0.groups.count == 1 })
    // Two in vain, the one that is welcomed, and one with what it works with.
    #expect(run.replay.book.withLock { $0.hellos.count } == 4)
    run.replay.book.withLock { $0.afterwards = Self.finished }
    #expect(try actor.end() != nil)
  }

  @Test func `heartbeats tell what is done and whom it waits for`() throws {
    let run = try FakeRun()
    run.publish(0)
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), Self.tickets(0..<2)]
      $0.afterwards = .wait(Wait(milliseconds: 5_000, reason: "the learner to commit step 0"))
    }
    let actor = try run.startActor()
    #expect(
      run.replay.until {
        $0.heartbeats.last?.state == "waiting for the learner to commit step 0"
      })
    let beat = try #require(run.replay.book.withLock { $0.heartbeats.last })
    let tokens = try Self.groups(run).values.flatMap(\.trajectories)
      .reduce(0) { $0 + $1.completion.tokens.count }
    #expect(beat.holding.isEmpty && beat.version == run.version(0))
    #expect(beat.tokensSampled == tokens && beat.groupsSubmitted == 2)
    #expect(beat.idleMilliseconds > 0)
    run.replay.book.withLock { $0.refusal = Refusal(.anotherRun, "the test is over") }
    #expect(throws: Failure.self) { try actor.end() }
  }

  @Test func `weights that are not what their version says are refused by name`() throws {
    let run = try FakeRun()
    let claimed = run.version(0)
    run.weights.publish(
      claimed, bytes: SnapshotCodec.encode(run.model(1).copyWeights(), version: claimed))
    run.replay.book.withLock { $0.afterwards = .fetch(claimed) }
    let actor = try run.startActor()
    let error = #expect(throws: Failure.self) { try actor.end() }
    #expect(error?.exitCode == .badInput)
    #expect(error?.happened.contains(run.model(1).digest().short) == true)
  }

  @Test func `a refusal for good ends the actor with its code and sentence`() throws {
    let run = try FakeRun()
    run.replay.book.withLock {
      $0.refusal = Refusal(.numericClass, "this run admits f32/other only")
    }
    let actor = try run.startActor()
    let error = #expect(throws: Failure.self) { try actor.end() }
    #expect(error?.exitCode == .refused)
    #expect(error?.description.contains("this run admits f32/other only") == true)
  }
}
