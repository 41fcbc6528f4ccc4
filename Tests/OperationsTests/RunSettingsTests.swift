import Documents
import Operations
import Testing

@Suite struct RunSettingsTests {
  func read(_ text: String, _ overrides: String...) throws(DocumentError) -> RunSettings {
    try RunSettings(
      document: YAML.parse(Array(text.utf8), source: "c.yaml"), source: "c.yaml",
      overrides: overrides)
  }

  func problem(_ text: String, _ overrides: String...) -> String {
    do {
      _ = try RunSettings(
        document: YAML.parse(Array(text.utf8), source: "c.yaml"), source: "c.yaml",
        overrides: overrides)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test func `the defaults agree with each other`() {
    #expect(RunSettings.defaults().learner.groupsPerStep == 32)
  }

  @Test func `what is typed goes over the file, and the last wins`() throws {
    let settings = try read(
      "learner:\n  learningRate: 2e-4\n  lagMax: 3", "learner.learningRate=1e-3",
      "learner.learningRate=5e-4", "task.kind=sum")
    #expect(settings.learner.learningRate == 5e-4)
    #expect(settings.learner.lagMax == 3)
    #expect(settings.task["kind"] != nil)
  }

  @Test func `resolved settings read back the same`() throws {
    let settings = try read(
      "run: {name: x, seed: 9}\ntask: {kind: sum, digits: [1, 2]}\nobjective: {beta: 1e-3}")
    let again = try read(settings.yaml)
    #expect(again.resolved == settings.resolved || SettingsChange.between(settings, again).isEmpty)
    #expect(again.yaml == settings.yaml)
    guard case .object(let members) = settings.resolved.value else { return }
    #expect(members.prefix(3).map(\.key) == ["run", "task", "model"])
  }

  @Test func `a misspelled key is refused with its place and the word meant`() {
    let text = problem("learner:\n  learningrte: 1e-4")
    #expect(text.contains("c.yaml:2:") && text.contains("did you mean learningRate?"))
    #expect(problem("", "lerner.lagMax=1").contains("did you mean learner?"))
  }

  @Test func `settings that can never progress are refused at the key to change`() {
    let cases = [
      (
        "learner: {groupsPerStep: 4, lagMax: 1}\nactor: {ticketsPerRequest: 9}", "ticketsPerRequest"
      ),
      ("learner: {learningRate: 1e-5}", "finalLearningRate"),
      ("model: {hiddenSize: 100, heads: 3}", "heads"),
      ("model: {hiddenSize: 12, heads: 4, keyValueHeads: 4}", "heads"),
      ("model: {keyValueHeads: 3}", "keyValueHeads"),
      ("model: {maximumPositions: 32}", "maximumNewTokens"),
      ("learner: {microbatchTokens: 32}", "microbatchTokens"),
      ("replay: {maximumGroupBytes: 3071}", "maximumGroupBytes"),
      ("replay: {maximumGroupBytes: 3072}\nevaluation: {samples: 9}", "maximumGroupBytes"),
      ("replay: {maximumQueuedBytes: 1024}", "maximumQueuedBytes"),
      ("replay: {reusedGroups: 1}", "reusedGroups"),
      ("replay: {mode: replay}", "reusedGroups"),
      ("replay: {mode: replay, reusedGroups: 1, maximumUses: 1}", "maximumUses"),
      ("replay: {mode: replay, reusedGroups: 1, selection: recorded}", "selection"),
      ("replay: {mode: offline}", "source"),
      ("replay: {source: runs/a}", "source"),
      ("replay: {mode: replay, reusedGroups: 65535}", "reusedGroups"),
      // 1024 x (16 x (8192 x 12 + 2048) + 65536) bytes are above 2^30.
      (
        """
        learner: {groupsPerStep: 1024, microbatchTokens: 16384}
        model: {maximumPositions: 9000}
        sampling: {groupSize: 16, maximumNewTokens: 8192}
        """, "groupsPerStep"
      ),
      ("supervisor: {firstBackoffSeconds: 31}", "firstBackoffSeconds"),
      ("supervisor: {stallSeconds: 30}", "stallSeconds"),
      ("network: {listen: 127.0.0.1, weightsPort: 45910}", "Port"),
      ("network: {listen: eth0}", "listen"),
      ("run: {name: ../x}", "name"),
    ]
    for (text, key) in cases {
      #expect(problem(text).contains(key), "\(text) gave \"\(problem(text))\"")
    }
  }

  @Test func `the arithmetic of a refusal is exact at its edge`() throws {
    // 4 x (1 + 1) = 8 tickets are open at once; 8 x 32 x 12 = 3072 bytes are a group.
    _ = try read("learner: {groupsPerStep: 4, lagMax: 1}\nactor: {ticketsPerRequest: 8}")
    _ = try read("replay: {maximumGroupBytes: 3072}\nevaluation: {samples: 8}")
    _ = try read("replay: {maximumGroupBytes: 3072}\nevaluation: {samples: 9, every: 0}")
    _ = try read("learner: {microbatchTokens: 33}")
    // A lease of 1000 groups of at most 2^30 / 1000 bytes is one of 2^30 bytes at most.
    let many = try read("learner: {groupsPerStep: 1000}")
    #expect(many.admissibleGroupBytes == 1_073_741)
    #expect(try read("").admissibleGroupBytes == 1 << 25)
    _ = try read("model: {maximumPositions: 33}")
  }

  @Test func `a file that is not there names itself`() throws {
    let failure = try #require(throws: Failure.self) {
      try RunSettings.load(path: "/nonexistent/c.yaml")
    }
    #expect(failure.exitCode == .noInput && failure.on == "/nonexistent/c.yaml")
    let folder = try TemporaryFolder()
    try Files.writeDurably(folder.file("c.yaml"), "run: {steps: 7}")
    #expect(
      try RunSettings.load(path: folder.file("c.yaml"), overrides: ["run.seed=3"]).run.steps == 7)
  }
}

@Suite struct FailureTests {
  @Test func `a failure says what was tried, on what, what happened and what to do`() {
    let failure = Failure.system(
      "bind to", on: "tcp://127.0.0.1:45910", code: 98,
      remedy: "check that the port is free (ss -ltnp)", exitCode: .portTaken)
    #expect(
      "\(failure)" == "bind to tcp://127.0.0.1:45910 failed: address already in use (errno 98); "
        + "check that the port is free (ss -ltnp)")
  }

  @Test func `each kind of error has its status`() {
    let report = FailureReport.report(
      DocumentError(source: "c.yaml", line: 3, column: 5, problem: "wrong"))
    #expect(report.exitCode == .settings && report.line == "c.yaml:3:5: wrong")
    let usage = ArgumentError(program: "forage", fact: .repeated("x"))
    #expect(FailureReport.report(usage).exitCode == .usage)
  }

  @Test func `statuses stay out of the way of shells and signals`() {
    for code in ExitCode.allCases where code != .interrupted { #expect(code.rawValue < 126) }
    #expect(!ExitCode.fenced.mayHelpToRestart && ExitCode.unavailable.mayHelpToRestart)
  }
}
