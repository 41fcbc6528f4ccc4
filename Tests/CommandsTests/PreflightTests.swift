// What a preflight refuses, at the numbers the settings name, and the time it predicts.

import Commands
import Documents
import Operations
import Testing

@Suite struct PreflightTests {
  private static func settings(_ overrides: String...) throws -> RunSettings {
    try RunSettings(document: .object([]), source: "test", overrides: overrides)
  }

  /// 100 steps of 32 groups of 8 completions of 10 tokens: 2560 tokens at 2560 a second, and half a
  /// second for each of 16 groups with spread; no evaluation.
  private static let plain = [
    "run.steps=100", "evaluation.every=0", "evaluation.finalPrompts=1",
    "evaluation.finalSamples=1",
  ]

  private static var figures: PreflightFigures {
    var figures = PreflightFigures()
    (figures.prompts, figures.samples, figures.meanLength) = (16, 8, 10)
    (figures.spread, figures.reward, figures.strict) = (0.5, 0.3, 0.2)
    (figures.tokensPerSecond, figures.groupSeconds, figures.fixedSeconds) = (2560, 0.25, 1)
    return figures
  }

  private static func verdict(
    _ figures: PreflightFigures, hours: Double? = nil, _ more: String...
  ) throws -> PreflightVerdict {
    let settings = try RunSettings(
      document: .object([]), source: "test", overrides: plain + more)
    return PreflightVerdict(
      figures, settings, stepsLeft: 100, secondsLeft: hours.map { $0 * 3600 })
  }

  @Test func `a step takes its sampling, its groups with spread, and what every step takes`()
    throws
  {
    let time = TimeForecast(
      Self.figures,
      try RunSettings(document: .object([]), source: "test", overrides: Self.plain))
    #expect(time.samplingSeconds == 1)
    #expect(time.learningSeconds == 16 * 0.25 + 1)
    #expect(time.mostLearningSeconds == 32 * 0.25 + 1)
    #expect(time.stepSeconds == 6)
    // Before and after, each one prompt of two completions of ten tokens.
    let evaluation = 20.0 / 2560
    #expect(time.evaluationSeconds == evaluation)
    #expect(time.seconds(steps: 100) == 600 + 2 * evaluation)
    #expect(time.steps(within: 61) == 10 && time.steps(within: 1) == 0)
  }

  @Test func `validation, checkpoints and reused groups take their share`() throws {
    var figures = Self.figures
    figures.checkpointSeconds = 5
    let settings = try Self.settings(
      "evaluation.every=10", "evaluation.prompts=64", "evaluation.samples=4",
      "learner.checkpointEvery=10", "replay.mode=replay", "replay.reusedGroups=8")
    let time = TimeForecast(figures, settings)
    #expect(time.learningSeconds == (16 + 8) * 0.25 + 1)
    #expect(time.stepSeconds == 1 + 7 + 0.1 + 0.5)
  }

  @Test func `a run that promises well is not refused, and says when it is done`() throws {
    let verdict = try Self.verdict(Self.figures)
    #expect(verdict.refusals.isEmpty)
    #expect(verdict.sentence.hasPrefix("all 100 steps in about 10:00, by "))
    #expect(try Self.verdict(Self.figures, hours: 1).sentence.hasPrefix("all 100 steps"))
  }

  @Test func `hours that end before the steps say how many there will be`() throws {
    let verdict = try Self.verdict(Self.figures, hours: 0.1)
    #expect(verdict.sentence.hasPrefix("59 of 100 steps by "))
    #expect(verdict.refusals.isEmpty)
    let few = try Self.verdict(Self.figures, hours: 0.01)
    #expect(few.refusals.count == 1)
    #expect(few.refusals[0].what.contains("preflight.leastSteps is 10"))
    #expect(try Self.verdict(Self.figures, hours: 0.01, "preflight.leastSteps=5").refusals.isEmpty)
  }

  @Test func `too little spread is refused below the number, and not at it`() throws {
    var figures = Self.figures
    figures.spread = 0.05
    #expect(try Self.verdict(figures).refusals.isEmpty)
    figures.spread = 0.04
    let refusal = try #require(try Self.verdict(figures).refusals.first)
    #expect(refusal.what.contains("preflight.leastSpread"))
    #expect(refusal.remedy.contains("easier"))
    figures.strict = 1
    #expect(try Self.verdict(figures).refusals.first?.remedy == "take a harder task")
    #expect(try Self.verdict(figures, "preflight.leastSpread=0.01").refusals.isEmpty)
  }

  @Test func `completions that are nearly all cut are refused`() throws {
    var figures = Self.figures
    figures.truncated = 0.96
    #expect(
      try Self.verdict(figures).refusals.map(\.remedy) == ["raise sampling.maximumNewTokens"])
    #expect(try Self.verdict(figures, "preflight.mostTruncated=1").refusals.isEmpty)
  }

  @Test func `a step so long that the supervisor would end the run is refused with what to set`()
    throws
  {
    var figures = Self.figures
    figures.fixedSeconds = 192
    let refusal = try #require(try Self.verdict(figures).refusals.first)
    #expect(refusal.remedy == "set supervisor.stallSeconds to 1005")
    #expect(try Self.verdict(figures, "supervisor.stallSeconds=1005").refusals.isEmpty)
  }

  @Test func `memory and disk are held against what is free`() {
    func refusals(memory: Int, disk: Int) -> [String] {
      ResourceForecast(
        memoryNeeded: memory, memoryFree: 1000, diskNeeded: disk, diskFree: 1000, diskReserve: 100,
        mostMemory: 0.9
      ).refusals.map(\.remedy)
    }
    #expect(refusals(memory: 900, disk: 900).isEmpty)
    #expect(refusals(memory: 901, disk: 900).first?.contains("learner.microbatchTokens") == true)
    #expect(refusals(memory: 900, disk: 901).first?.contains("make room") == true)
    #expect(refusals(memory: 901, disk: 901).count == 2)
  }

  @Test func `the look alone shows completions with their scores and leaves nothing behind`()
    throws
  {
    let folder = try TemporaryFolder()
    let config =
      Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))
      + "/Configs/tiny/grpo.yaml"
    let outcome = try Forage.run("run", config, "--preflight", "--folder", "\(folder.path)/r")
    #expect(outcome.has(.success), "\(outcome.output)\(outcome.complaint)")
    #expect(outcome.output.contains("preflight: all 24 steps in about"))
    #expect(outcome.output.contains("reward ") && outcome.output.contains("+"))
    #expect(!Files.exists("\(folder.path)/r"))
  }

  @Test func `a refusal has its own status, and --anyway goes on`() throws {
    let config =
      Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))
      + "/Configs/tiny/grpo.yaml"
    // A model that nobody has shown anything gets no reward.
    let options = ["run", config, "--preflight", "--warmStart.maximumSteps=0"]
    let refused = try Forage.run(options)
    #expect(refused.has(.unpromising), "\(refused.output)\(refused.complaint)")
    #expect(refused.complaint.contains("preflight.leastSpread"))
    #expect(refused.complaint.contains("--anyway"))
    let anyway = try Forage.run(options + ["--anyway"])
    #expect(anyway.has(.success), "\(anyway.output)\(anyway.complaint)")
    #expect(anyway.output.contains("going on all the same"))
    let memory = try Forage.run(options + ["--preflight.mostMemory=0.01", "--actor.count=4000"])
    #expect(memory.has(.unpromising) && memory.complaint.contains("of memory"))
  }
}
