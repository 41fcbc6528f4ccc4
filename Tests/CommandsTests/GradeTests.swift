// forage grade as a person runs it: by a verifier's name, and by a config's task.

import Documents
import Operations
import Testing

@Suite struct GradeTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func `each line is judged, in order, and the sum said beside`() throws {
    let input = try folder.write(
      "lines",
      """
      {"prompt":"q","completion":"2+2=4\\n#### 4","answer":"#### 4"}
      {"prompt":"q","completion":"#### 4","answer":"4","truncated":true}
      {"prompt":"q","completion":"The answer is 4.","answer":"4"}
      {"prompt":"q","completion":"#### 5","answer":"4"}
      {"prompt":"q","completion":"#### 5","answer":"four"}

      """)
    let outcome = try Forage.run("grade", "--verifier", "gsm8k", "--input", input)
    #expect(outcome.has(.success), "\(outcome.complaint)")
    let verdicts = try outcome.lines.map { try parse($0) }
    #expect(verdicts.map { $0["strict"] } == [true, true, false, false, false])
    #expect(verdicts.map { $0["lenient"] } == [true, true, true, false, false])
    #expect(verdicts.map { $0["completed_correct"] } == [true, false, false, false, false])
    #expect(verdicts.map { $0["valid"] } == [true, true, true, true, false])
    #expect(verdicts.map { $0["reward"]?.number } == [1, 1, 0, 0, nil])
    #expect(verdicts[3]["reason"] == "wrong:  5")
    #expect(
      outcome.complaint.contains(
        "5 completions: 2 strictly correct, 3 leniently, 1 completed-correct, 1 without a verdict; "
          + "mean reward 0.5"), "\(outcome.complaint)")
  }

  @Test func `a config's task judges as its run does`() throws {
    let config = try folder.write("config.yaml", "task: {kind: arithmetic, formatReward: 0.5}")
    let input = try folder.write(
      "lines",
      "{\"completion\":\"<think>x</think><answer>132</answer>\",\"answer\":\"132\",\"tokens\":9}\n")
    let outcome = try Forage.run("grade", config, "--input", input)
    #expect(outcome.has(.success), "\(outcome.complaint)")
    let parts = try parse(outcome.output)["parts"]
    #expect(parts?["correct"]?.number == 1 && parts?["format"]?.number == 0.5)
  }

  @Test(arguments: [
    (["--verifier", "gsm9k"], "did you mean", ExitCode.usage),
    (["--verifier", "numeric", "--verifier.tolerance=1"], "tolerance", .settings),
    (["--verifier", "length", "--verifier.free=1", "--verifier.limit=9"], "tokens", .badInput),
    ([], "--verifier or CONFIG", .usage),
  ])
  func `what cannot be judged is refused, a line by its number`(
    words: [String], part: String, code: ExitCode
  ) throws {
    let input = try folder.write("lines", "{\"completion\":\"4\",\"answer\":\"4\"}\n")
    let outcome = try Forage.run(["grade", "--input", input] + words)
    #expect(outcome.has(code), "\(String(describing: outcome.status)) \(outcome.complaint)")
    #expect(outcome.complaint.contains(part), "\(outcome.complaint)")
    if code == .badInput { #expect(outcome.complaint.contains("line 1")) }
  }
}
