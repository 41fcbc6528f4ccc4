// forage verify and regenerate on what can be made without a run; Tests/EndToEnd/verify.sh has one.

import Commands
import Experience
import Operations
import Testing

@Suite struct CheckTests {
  let folder: TemporaryFolder
  let run: RunFolder

  init() throws {
    folder = try TemporaryFolder()
    run = try Samples.writeRun(to: "\(folder.path)/run-001")
  }

  @Test func `both laws are told over the ledger's rows, and what is not whole is named`() throws {
    let outcome = try Forage.run("verify", run.path, "--records-only")
    #expect(outcome.has(.differs), "\(outcome)")
    #expect(outcome.output.contains("tickets granted 5 = filled 5 + outstanding 0 + un-filled 0"))
    #expect(outcome.output.contains("groups accepted 5 = trained 4"))
    #expect(outcome.output.contains("DIFFERS: checkpoints/latest names no checkpoint"))
    #expect(outcome.lines.last?.hasPrefix("not verified: 1 differences") == true)
    let config = "\(run.checkpoints)/step-000000/config.json"
    try Files.writeDurably(config, try Files.readText(config) + " ")
    let damaged = try Forage.run("verify", run.path, "--records-only").output
    #expect(damaged.contains("config.json failed: its digest is"), "\(damaged)")
  }

  @Test(arguments: [
    (["verify", "RUN", "--steps", "5"], ExitCode.usage, "100..200"),
    (["verify", "RUN", "--steps", "0..9"], .usage, "the run has 2 steps"),
    (["regenerate", "RUN"], .usage, "--ticket N is missing"),
    (["regenerate", "RUN", "--ticket", "77"], .noInput, "the ledger has none"),
    (["regenerate", "RUN", "--ticket", "0", "--sample", "9"], .noInput, "the ledger has none"),
    (["regenerate", "RUN", "--ticket", "2"], .badInput, "its weights have digest"),
  ])
  func `what cannot be repeated says why`(
    arguments: [String], code: ExitCode, words: String
  ) throws {
    let outcome = try Forage.run(arguments.map { $0 == "RUN" ? run.path : $0 })
    #expect(outcome.has(code), "\(outcome)")
    #expect(outcome.complaint.contains(words), "\(outcome.complaint)")
  }

  private func group(
    tokens: [Int32] = [4, 5, 6], logProb: Float = -0.5, reward: Float = 1
  ) -> TrajectoryGroup {
    TrajectoryGroup(
      key: TicketKey(purpose: .train, number: 1),
      version: PolicyVersion(lineage: "line", number: 0, digest: .init(bytes: .zeros)),
      exercise: "1+1", prompt: [1, 2],
      trajectories: (0..<2).map { sample in
        Trajectory(
          completion: Completion(
            tokens: sample == 0 ? [7] : tokens,
            behaviorLogProbs: Array(repeating: logProb, count: sample == 0 ? 1 : tokens.count),
            finish: .stop),
          verdict: Verdict(
            parts: [RewardPart(position: 0, part: "correct", value: reward)], reason: "so",
            isStrictlyCorrect: true, isLenientlyCorrect: true))
      }, temperature: 1, seed: 1, actor: "a", numericClass: "class",
      times: RolloutTimes(ticketNanoseconds: 0, sampledNanoseconds: 0, judgedNanoseconds: 0))
  }

  @Test func `a group is compared by tokens, bits of log-probs and verdicts`() {
    func differences(_ again: TrajectoryGroup, sample: Int? = nil) -> [String] {
      GroupComparison(group(), again, sample: sample).differences
    }
    #expect(differences(group()).isEmpty)
    #expect(differences(group(tokens: [4, 9, 6])) == ["sample 1: token 1 was 5 and is 9"])
    #expect(differences(group(tokens: [4, 9, 6]), sample: 0).isEmpty)
    #expect(differences(group(tokens: [4, 5])) == ["sample 1: it had 3 tokens and has 2"])
    let near = differences(group(logProb: (-0.5 as Float).nextUp))
    #expect(near.count == 2 && near[0].contains("the log-prob of token 0 was -0.5 and is -0.499"))
    #expect(differences(group(reward: 0)).count == 2)
  }
}

extension [UInt8] {
  fileprivate static var zeros: [UInt8] { Array(repeating: 0, count: 32) }
}
