// forage inspect and the report's completions, on a ledger of known content.

import Documents
import Operations
import Testing

@Suite struct InspectTests {
  let folder: TemporaryFolder
  let run: RunFolder

  init() throws {
    folder = try TemporaryFolder()
    run = try Samples.writeRun(to: "\(folder.path)/run-001")
  }

  /// "ticket/sample" of every row found.
  func found(_ arguments: String...) throws -> [String] {
    let outcome = try Forage.run(["inspect", run.path, "--json"] + arguments)
    #expect(outcome.has(.success), "\(outcome.complaint)")
    return try outcome.lines.map { line in
      let row = try parse(line)
      return "\(Int(row["ticket"]?.number ?? -1))/\(Int(row["sample"]?.number ?? -1))"
    }
  }

  @Test func `step 1, reward 1.2 and a ratio above 3 are one completion`() throws {
    // The reward is a sum of Float32 parts: no Double 1.2 equals it.
    #expect(try found("--step", "1", "--reward", "1.2", "--ratio-above", "3") == ["3/0"])
  }

  @Test func `filters and orders are those asked for`() throws {
    #expect(try found("--step", "0") == ["0/0", "0/1", "1/0", "1/1"])
    #expect(try found("--step", "0-1", "--reward-max", "0.5") == ["0/1", "1/1", "2/1", "3/1"])
    #expect(
      try found("--reward-min", "1.2", "--order", "ratio", "--limit", "2") == ["3/0", "2/0"])
    #expect(try found("--ticket", "2") == ["2/0", "2/1"])
    #expect(try found("--purpose", "evaluate", "--version", "1") == ["7/0", "7/1"])
    #expect(
      try found("--purpose", "evaluate", "--version", "1", "--ticket", "7", "--reward-max", "1")
        == ["7/1"])
    #expect(try found("--step", "7") == [])
  }

  @Test func `a group that waits to be trained can be seen`() throws {
    #expect(try found("--ticket", "4") == ["4/0", "4/1"])
    #expect(try found("--ticket", "4", "--reward", "0.2") == ["4/1"])
    let page = try Forage.run("inspect", run.path, "--ticket", "4", "--sample", "0")
    #expect(page.output.contains("no step has trained it"), "\(page.output)")
  }

  @Test func `a completion whole is its tokens, log-probs, reward by part and reason`() throws {
    let page = try Forage.run("inspect", run.path, "--ticket", "3", "--sample", "1").output
    for part in [
      "ticket 3, sample 1 of 2, exercise 1+2 of 3, trained by step 1", "version line/1@",
      "prompt      1+2=", "completion  <think>1</think>4", "finish      length, 4 tokens",
      "reward      0.200 = correct 0.000 + format 0.200", "no: wrong: 4 is not 3",
      "advantage -0.500", "ratio       0.7500 to 4.0000, mean 1.0000; clipped 25 %",
      "kl 0.06250 and entropy 2.0000",
    ] { #expect(page.contains(part), "\(part) in\n\(page)") }
    let row = page.split(separator: "\n").first { $0.contains("-0.25000") }
    let one = Samples.tokenizer.encode("1")[0]
    // exp(-0.25) = 0.7788, sampled by version 1.
    #expect(
      row?.split(separator: " ").map(String.init)
        == ["1", "1", "\(one)", "-0.25000", "0.7788", "1"])
    let json = try parse(
      Forage.run("inspect", run.path, "--ticket", "3", "--sample", "1", "--json").output)
    let logProbs = json["tokens"]?.elements.map { $0["logprob"]?.number }
    #expect(logProbs == [-0.125, -0.25, -0.375, -0.5])
    #expect(json["completion"] == "<think>1</think>4" && json["reason"] == "wrong: 4 is not 3")
  }

  @Test func `without a filter it sums the ledger up and shows the newest step`() throws {
    let text = try Forage.run("inspect", run.path).output
    for part in [
      "line: 2 steps committed, learner epoch 1", "5 training groups, 1 evaluation groups",
      "step 1:", "4 completions",
    ] { #expect(text.contains(part), "\(part) in\n\(text)") }
  }

  @Test(arguments: [
    (["--step", "x"], ExitCode.usage, "a step, or two"),
    (["--step", "5-2"], .usage, "10-20"),
    (["--sample", "1"], .usage, "needs --ticket"),
    (["--rewrad", "1"], .usage, "--reward?"),
    (["--reward", "1", "--reward-min", "0"], .usage, "either"),
    (["--order", "best"], .usage, "ratio"),
    (["--purpose", "evaluate"], .noInput, "none is finished"),
    (
      ["--purpose", "evaluate", "--version", "0", "--ticket", "1048583"], .usage, "below 1048576"
    ),
    (["--ticket", "99", "--sample", "0"], .noInput, "the ledger has none"),
    (["--ticket", "3", "--sample", "9"], .noInput, "--ticket 3"),
  ])
  func `a question that has no answer says why`(
    arguments: [String], code: ExitCode, words: String
  ) throws {
    let outcome = try Forage.run(["inspect", run.path] + arguments)
    #expect(outcome.has(code), "\(outcome)")
    #expect(outcome.complaint.contains(words), "\(outcome.complaint)")
  }

  @Test func `a ledger that is missing or none is refused`() throws {
    let text = "this is no ledger, and long enough to be looked at: " + run.path
    try Files.writeDurably(run.ledger, text + String(repeating: ".", count: 200))
    let foreign = try Forage.run("inspect", run.path)
    #expect(foreign.has(.badInput), "\(foreign)")
    #expect(foreign.complaint.contains("restore the file from a copy"), "\(foreign.complaint)")
    try Files.remove(run.ledger)
    #expect(try Forage.run("inspect", run.path).has(.noInput))
    #expect(try Forage.run("inspect", folder.path).has(.noInput))
  }

  @Test func `the report has completions of the first step and the last, right and wrong`() throws {
    let outcome = try Forage.run("report", run.path)
    #expect(outcome.has(.success), "\(outcome.complaint)")
    let page = try Files.readText(run.report)
    for part in [
      "Step 0: 1+2 of 0, right", "Step 0: 1+2 of 0, wrong", "Step 1: 1+2 of 2, right",
      "Step 1: 1+2 of 2, wrong", "The greatest ratio of the run: 1+2 of 3, right, ratio up to 4.00",
      "&lt;answer&gt;3&lt;/answer&gt;", "wrong: 4 is not 3",
    ] { #expect(page.contains(part), "\(part)") }
  }
}
