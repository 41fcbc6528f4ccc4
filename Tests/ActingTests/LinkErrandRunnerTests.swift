// What an actor does with an errand: the program it runs, what it tells of it, and that nothing is
// left when nobody asks any more. The program is a shell script here.

import Acting
import Documents
import Glibc
import Operations
import Testing
import Wire

@Suite struct LinkErrandRunnerTests {
  private let folder: SocketFolder

  init() throws { folder = try SocketFolder() }

  private static let errand = LinkErrand(
    token: "t", repeats: 3, milliseconds: 250, parallel: 2, sizes: [64, 4096])
  private static let links = ["tcp://head:1", "tcp://head:2"]

  private func runner(_ script: String, keys: String = "") throws -> LinkErrandRunner {
    let program = "\(folder.path)/program"
    try Files.writeDurably(program, "#!/bin/sh\n\(script)\n", mode: 0o700)
    return LinkErrandRunner(keys: keys, log: .standardError("a", level: .error), program: program)
  }

  /// Its outcome once there is one.
  private func outcome(_ runner: LinkErrandRunner) -> LinkFinding.Outcome? {
    let end = Deadline.after(seconds: 30)
    while !end.hasPassed {
      if let finding = runner.finding, finding.outcome != .underway { return finding.outcome }
      usleep(10_000)
    }
    return runner.finding?.outcome
  }

  @Test
  func `the program is told the errand, the links and the key, and its report is the finding`()
    throws
  {
    let runner = try runner(
      "echo progress >&2; printf '{\"words\": \"%s\"}' \"$*\"", keys: "own.key")
    #expect(runner.finding == nil)
    runner.hear(Self.errand, links: Self.links)
    #expect(runner.finding?.token == "t")
    let words =
      "bench link tcp://head:1 tcp://head:2 --json --repeats 3 --parallel 2 --seconds 0.25 "
      + "--sizes 64,4096 --keys own.key"
    #expect(outcome(runner) == .report(.object([("words", .string(words))])))
    // Heard again it is the same errand; once nobody names it, there is nothing to tell.
    runner.hear(Self.errand, links: Self.links)
    #expect(runner.finding?.outcome != .underway)
    runner.hear(nil, links: Self.links)
    #expect(runner.finding == nil)
  }

  @Test(arguments: [
    ("echo 'repeat 1' >&2; echo 'forage: no route to host' >&2; exit 69", "no route to host"),
    ("exit 3", "exited with status 3"), ("echo 'repeat 1' >&2; kill -9 $$", "SIGKILL"),
    ("echo '{'", "JSON"),
    ("head -c 300000 /dev/zero | tr '\\0' x", "more than 262144 bytes"),
  ])
  func `a program that brings no report is a problem told in its own words`(
    script: String, part: String
  ) throws {
    let runner = try runner(script)
    runner.hear(Self.errand, links: Self.links)
    guard case .problem(let sentence)? = outcome(runner) else {
      Issue.record("\(runner.finding as Any)")
      return
    }
    #expect(sentence.contains(part), "\(sentence)")
  }

  @Test func `a program that is not there is a problem`() {
    let runner = LinkErrandRunner(
      keys: "", log: .standardError("a", level: .error), program: "/nowhere/forage")
    runner.hear(Self.errand, links: Self.links)
    guard case .problem(let sentence)? = outcome(runner) else {
      Issue.record("\(runner.finding as Any)")
      return
    }
    #expect(sentence.contains("/nowhere/forage"), "\(sentence)")
  }

  @Test func `when nobody asks any more the program ends`() throws {
    let marker = "\(folder.path)/process"
    let runner = try runner("echo $$ > \(marker); exec sleep 600")
    runner.hear(Self.errand, links: Self.links)
    let end = Deadline.after(seconds: 30)
    while (Files.byteCount(marker) ?? 0) == 0, !end.hasPassed { usleep(10_000) }
    let process = try #require(
      Int32(try Files.readText(marker, maximumBytes: 64).split(separator: "\n").first ?? ""))
    runner.hear(nil, links: Self.links)
    runner.stop()
    #expect(kill(process, 0) != 0, "process \(process) lives")
  }
}
