// The supervisor with children of a line of shell each.

import Commands
import Documents
import Glibc
import Operations
import Testing

@Suite(.serialized) struct SupervisorTests {
  private static func settings(deaths: Int) throws -> SupervisorSection {
    try RunSettings(
      .object([
        (
          "supervisor",
          .object([
            ("maximumDeaths", .integer(deaths)), ("firstBackoffSeconds", 0.01),
            ("maximumBackoffSeconds", 0.02),
          ])
        )
      ]), source: "a test"
    ).supervisor
  }

  private static func plan(_ name: String, _ script: String, stop: Double = 5) -> ChildPlan {
    ChildPlan(
      name: name, program: "/bin/sh", arguments: ["-c", script],
      logPath: "/tmp/forage-supervisor-\(getpid())-\(name).log", stopSeconds: stop)
  }

  /// Ticks until `done` or five seconds.
  private static func tick(
    _ supervisor: Supervisor, progress: () -> Int = { 0 }, isFinished: Bool = false,
    until done: () -> Bool
  ) throws {
    let deadline = Deadline.after(seconds: 5)
    while !done(), !deadline.hasPassed {
      try supervisor.tick(progress: progress(), isFinished: isFinished)
      usleep(2000)
    }
  }

  @Test func `a dead child is started again, and progress forgives its deaths`() throws {
    let supervisor = try Supervisor(
      [Self.plan("mortal", "exit 1")], settings: Self.settings(deaths: 3), log: .silent)
    defer { supervisor.stop() }
    var progress = 0
    try Self.tick(
      supervisor,
      progress: {
        progress += 1
        return progress
      }, until: { supervisor.totalDeaths >= 8 })
    #expect(supervisor.totalDeaths >= 8)
  }

  @Test func `too many deaths without progress end the run, with the child's last words`() throws {
    let plan = Self.plan("mortal", "echo the last words >&2; exit 1")
    defer { unlink(plan.logPath) }
    let supervisor = try Supervisor([plan], settings: Self.settings(deaths: 3), log: .silent)
    defer { supervisor.stop() }
    let failure = #expect(throws: Failure.self) {
      try Self.tick(supervisor, until: { false })
    }
    #expect(failure?.exitCode == .gaveUp)
    #expect(failure?.happened.contains("died 3 times") == true)
    #expect(failure?.happened.contains("the last words") == true)
  }

  @Test func `a status that no restart can help ends the run at once`() throws {
    let plan = Self.plan("wrong", "exit \(ExitCode.settings.rawValue)")
    defer { unlink(plan.logPath) }
    let supervisor = try Supervisor([plan], settings: Self.settings(deaths: 9), log: .silent)
    defer { supervisor.stop() }
    let failure = #expect(throws: Failure.self) {
      try Self.tick(supervisor, until: { false })
    }
    #expect(failure?.exitCode == .settings)
    #expect(supervisor.totalDeaths == 1)
  }

  @Test func `after the last step a child may end by itself`() throws {
    let plan = Self.plan("done", "exit 0")
    defer { unlink(plan.logPath) }
    let supervisor = try Supervisor([plan], settings: Self.settings(deaths: 1), log: .silent)
    try supervisor.tick(progress: 1, isFinished: true)
    #expect(supervisor.processes.count == 1)
    try Self.tick(
      supervisor, progress: { 1 }, isFinished: true, until: { supervisor.processes.isEmpty })
    #expect(supervisor.processes.isEmpty && supervisor.totalDeaths == 0)
  }

  @Test func `a child that ignores SIGTERM is killed after its time`() throws {
    let plan = Self.plan("deaf", "trap '' TERM; while :; do sleep 0.05; done", stop: 0.3)
    defer { unlink(plan.logPath) }
    let supervisor = try Supervisor([plan], settings: Self.settings(deaths: 1), log: .silent)
    try supervisor.tick(progress: 0, isFinished: false)
    let process = try #require(supervisor.processes.first).processID
    usleep(100_000)
    supervisor.stop()
    #expect(kill(process, 0) == -1 && errno == ESRCH)
  }
}
