// forage-actor as a process: what stops it, how fast, and with which status.

import Acting
import Experience
import Operations
import Testing
import Wire

@Suite(.serialized) struct ProcessTests {
  /// The program, built beside the tests.
  static func program() throws -> String {
    let tests = try Files.realPath("/proc/self/exe")
    var folders = [Files.folder(of: tests)]
    // Under some toolchains the tests are a bundle run by a helper: look where it was loaded from.
    folders += CommandLine.arguments.filter { $0.contains("/release/") || $0.contains("/debug/") }
      .map { Files.folder(of: $0) }
    guard let folder = folders.first(where: { Files.exists("\($0)/forage-actor") }) else {
      throw Failure(
        "find", on: "forage-actor", happened: "it is not in \(folders)",
        remedy: "swift build -c release", exitCode: .noInput)
    }
    return "\(folder)/forage-actor"
  }

  static func text(_ child: ChildProcess) -> String {
    guard let descriptor = child.errorDescriptor else { return "" }
    let bytes = try? Descriptor.read(descriptor, count: 1 << 16, path: "the actor's log")
    return String(decoding: bytes ?? [], as: UTF8.self)
  }

  /// An actor in the middle of completions that never end.
  func busyActor(lifeline: Lifeline? = nil) throws -> (FakeRun, ChildProcess) {
    let run = try FakeRun(maximumNewTokens: 20_000, neverStops: true)
    run.publish(0)
    run.replay.book.withLock {
      $0.script = [.fetch(run.version(0)), RoundTests.tickets(0..<2)]
    }
    let child = try ChildProcess(
      Self.program(), [run.replay.endpoint, "--name", "actor-0", "--threads", "1"],
      output: .discard, error: .pipe, lifeline: lifeline)
    let isBusy = run.replay.until {
      $0.heartbeats.last?.state == "sampling 2 tickets with version 0"
    }
    let told = run.replay.book.withLock { book in
      "\(book.heartbeats.map(\.state)), \(book.groups.mapValues(\.count)), \(book.asked.count)"
    }
    #expect(isBusy, "\(told)")
    return (run, child)
  }

  @Test func `SIGTERM in the middle of a batch ends it at once and well`() throws {
    let (run, child) = try busyActor()
    let start = MonotonicClock.now
    child.terminate()
    #expect(child.wait(deadline: .after(seconds: 10)) == .exited(0))
    #expect(MonotonicClock.seconds(since: start) < 5)
    #expect(Self.text(child).contains("SIGTERM came"))
    #expect(run.replay.book.withLock { $0.groups.isEmpty })
  }

  @Test func `it ends when its supervisor is gone`() throws {
    var lifeline: Lifeline? = try Lifeline()
    let (_, child) = try busyActor(lifeline: lifeline)
    lifeline = nil
    #expect(child.wait(deadline: .after(seconds: 10)) == .exited(0))
    #expect(Self.text(child).contains("the supervisor is gone"))
  }

  @Test func `without a replay it gives up in time, with a status and a hint`() throws {
    let folder = try SocketFolder()
    let address = folder.endpoint("nobody")
    let child = try ChildProcess(
      Self.program(), [address, "--give-up-seconds", "0.5"], output: .discard, error: .pipe)
    let exit = child.wait(deadline: .after(seconds: 10))
    #expect(exit?.exitCode == .unavailable)
    let text = Self.text(child)
    #expect(text.contains(address))
    #expect(text.contains("--give-up-seconds"))
  }

  @Test func `a wrong line is a status of its own, and help is not an error`() throws {
    let wrong = try ChildProcess(Self.program(), ["nowhere"], output: .discard, error: .pipe)
    #expect(wrong.wait(deadline: .after(seconds: 10))?.exitCode == .usage)
    let help = try ChildProcess(Self.program(), ["--help"], output: .discard, error: .pipe)
    #expect(help.wait(deadline: .after(seconds: 10)) == .exited(0))
  }
}
