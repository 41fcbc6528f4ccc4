// sft, generate, logprobs and eval on one small model: what one writes another reads, and where two
// say the same thing they say it in the same bits.

import Commands
import Documents
import Operations
import Policy
import Testing

@Suite struct UseTests {
  let folder: TemporaryFolder
  let model: String

  init() throws {
    folder = try TemporaryFolder()
    model = "\(folder.path)/model"
    try Samples.writeModel(to: model)
  }

  @Test func `what generate says of its tokens logprobs says too, bit for bit`() throws {
    let prompts = ["1+2=", "33+4=", "9="]
    let input = try folder.write("prompts", prompts.map { "{\"prompt\":\"\($0)\"}\n" }.joined())
    let outcome = try Forage.run(
      "generate", "--model", model, "--input", input, "--samples", "3", "--max-new-tokens", "12")
    #expect(outcome.has(.success), "\(outcome.complaint)")
    #expect(outcome.lines.count == prompts.count)
    let scorer = TokenScorer(try LoadedModel(path: model, threads: 1).policy)
    let tokenizer = Samples.tokenizer
    for (line, prompt) in zip(outcome.lines, prompts) {
      let answer = try parse(line)
      #expect(answer["prompt"] == .string(prompt))
      let completions = answer["completions"]?.elements ?? []
      #expect(completions.count == 3)
      let fed = [try #require(tokenizer.beginToken)] + tokenizer.encode(prompt)
      for completion in completions {
        let tokens = try #require(completion["tokens"]).floats.map { Int32($0) }
        let scores = scorer.score([fed + tokens])[0]
        #expect(completion["logprobs"]?.floats == scores.logProbs.suffix(tokens.count))
        #expect(completion["text"] == .string(tokenizer.decode(tokens)))
        let isStopped = tokens.last.map { tokenizer.stopTokens.contains($0) } ?? false
        #expect(completion["finish"] == (isStopped ? "stop" : "length"))
      }
    }
  }

  @Test func `a sample does not depend on how many are asked for, and does on the seed`() throws {
    func first(of samples: Int, seed: UInt64) throws -> [Int32] {
      let settings = GenerationSettings(
        samples: samples, temperature: 2, maximumNewTokens: 20, seed: seed)
      let sampler = PromptSampler(
        try LoadedModel(path: model, threads: 1), tokenizer: Samples.tokenizer, settings)
      return try sampler.complete("5+5=").completions[0].tokens
    }
    #expect(try first(of: 1, seed: 1) == first(of: 4, seed: 1))
    #expect(try first(of: 1, seed: 1) != first(of: 1, seed: 2))
  }

  @Test func `a prompt gives text, and several samples a line above each`() throws {
    let arguments = ["generate", "--model", model, "--prompt", "1+1=", "--temperature", "0"]
    let one = try Forage.run(arguments)
    #expect(one.has(.success), "\(one.complaint)")
    let two = try Forage.run(arguments + ["--samples", "2"])
    // Greedy: both samples are the one.
    let heads = two.lines.filter { $0.hasPrefix("---") }
    #expect(heads.count == 2 && heads[0].hasPrefix("--- sample 1 of 2: "))
    #expect(two.output == "\(heads[0])\n\(one.output)\(heads[1])\n\(one.output)")
  }

  @Test(arguments: [
    ("1+x=", "8", "no token for \"x\""),
    ("1+1=", "45", "5 tokens and 45 new ones need 49 positions, and the model has 48"),
  ])
  func `a prompt the model cannot take is refused, in a file by its line`(
    prompt: String, count: String, problem: String
  ) throws {
    let arguments = ["generate", "--model", model, "--max-new-tokens", count]
    let outcome = try Forage.run(arguments + ["--prompt", prompt])
    #expect(outcome.has(.badInput))
    #expect(outcome.complaint.contains(problem), "\(outcome.complaint)")
    let input = try folder.write("input", "{\"prompt\":\"=\"}\n{\"prompt\":\"\(prompt)\"}\n")
    let file = try Forage.run(arguments + ["--input", input])
    #expect(file.has(.badInput) && file.lines.count == 1)
    #expect(file.complaint.contains("line 2"), "\(file.complaint)")
  }

  @Test func `without a prompt or with two sources generate says what it needs`() throws {
    let arguments = ["generate", "--model", model]
    #expect(try Forage.run(arguments).has(.usage))
    #expect(try Forage.run(arguments + ["--prompt", "1", "--input", "x"]).has(.usage))
  }

  static let config = """
    run: {name: small, seed: 5}
    task: {kind: arithmetic, digits: 1, heldOutShare: 0.4, validationShare: 0.4}
    model: {hiddenSize: 16, layers: 1, heads: 2, keyValueHeads: 2, feedForwardSize: 24}
    sampling: {maximumNewTokens: 24}
    warmStart: {batch: 8, evaluateEvery: 3, evaluationPrompts: 8}
    evaluation: {prompts: 8, finalPrompts: 9}
    """

  @Test func `sft makes a folder that eval measures, the same whatever the threads`() throws {
    let config = try folder.write("config.yaml", Self.config)
    let made = "\(folder.path)/made"
    let sft = ["sft", config, "--output", made]
    let outcome = try Forage.run(sft + ["--steps", "4"])
    #expect(outcome.has(.success), "\(outcome.complaint)")
    #expect(outcome.output.contains("step 3: loss"), "\(outcome.output)")
    #expect(try Forage.run(sft).has(.cannotCreate))
    let eval = ["eval", "--model", made, config, "--samples", "2", "--json", "--threads"]
    let one = try Forage.run(eval + ["1"])
    #expect(one.has(.success), "\(one.complaint)")
    #expect(try one.output == Forage.run(eval + ["2"]).output)
    let result = try parse(one.output)
    #expect(result["prompts"] == 9 && result["samples"] == 2 && result["seed"] == 5)
    #expect(result["split"] == "held-out")
    #expect(try #require(result["pass@k"]?.number) >= #require(result["pass@1"]?.number))
  }

  @Test func `sft whose steps run out below the band says so and keeps the model`() throws {
    let config = try folder.write("config.yaml", Self.config)
    let outcome = try Forage.run(
      "sft", config, "--output", "\(folder.path)/made", "--warmStart.maximumSteps=2")
    #expect(outcome.has(.settings))
    #expect(outcome.complaint.contains("below warmStart.stopAtLeast"), "\(outcome.complaint)")
    let model = try LoadedModel(path: "\(folder.path)/made", threads: 1)
    #expect(model.folder.configuration.hiddenSize == 16)
  }

  @Test func `eval refuses another task's model, and splits and steps that are not there`() throws {
    let config = try folder.write(
      "config.yaml", "task: {kind: arithmetic, operations: [multiply]}")
    let eval = ["eval", "--model", model]
    let other = try Forage.run(eval + [config, "--sampling.maximumNewTokens=8"])
    #expect(other.has(.badInput))
    #expect(other.complaint.contains("no token for \"*\""), "\(other.complaint)")
    #expect(try Forage.run(eval + [config, "--split", "heldout"]).has(.usage))
    #expect(try Forage.run(eval).has(.usage))
    let run = try Samples.writeRun(to: "\(folder.path)/run")
    let step = try Forage.run("eval", "--run", run.path, "--step", "9")
    #expect(step.has(.noInput))
    #expect(step.complaint.contains("there are step-000000"), "\(step.complaint)")
  }
}
