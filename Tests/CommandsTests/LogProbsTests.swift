// forage logprobs against PyTorch and transformers (PolicyTests/Fixtures/make.py), against itself
// in another batch, and against lines it must refuse.

import Commands
import Documents
import Operations
import Policy
import Safetensors
import Testing

@Suite struct LogProbsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  static func line(_ tokens: [Int32]) -> String {
    "{\"tokens\":[\(tokens.map(String.init).joined(separator: ","))]}\n"
  }

  /// A fixture's sequences, grouped by their temperature.
  static func groups(
    _ expected: SafetensorsBlob
  ) throws -> [(temperature: Float, prompt: [Int32], completions: [[Int32]])] {
    var groups: [(temperature: Float, prompt: [Int32], completions: [[Int32]])] = []
    while let prompt = try expected["group\(groups.count).prompt"]?.integers() {
      let group = groups.count
      let temperature = try #require(expected["group\(group).temperature"]).floats()[0]
      var completions: [[Int32]] = []
      while let tokens = try expected["group\(group).completion\(completions.count)"]?.integers() {
        completions.append(tokens)
      }
      groups.append((temperature, prompt, completions))
    }
    return groups
  }

  @Test(arguments: ["llama", "llama3", "qwen2", "qwen3"])
  func `log-probs and entropies are those of PyTorch`(family: String) throws {
    let path = "\(fixtureFolder)/\(family)"
    let expected = try SafetensorsBlob(
      parsing: Files.read("\(path)/expected.safetensors"), source: family)
    var logProbs: [Float] = []
    var entropies: [Float] = []
    for group in try Self.groups(expected) {
      let input = try folder.write(
        "input", group.completions.map { Self.line(group.prompt + $0) }.joined())
      let outcome = try Forage.run(
        "logprobs", "--model", path, "--input", input, "--temperature", "\(group.temperature)")
      #expect(outcome.has(.success), "\(outcome.complaint)")
      for (line, completion) in zip(outcome.lines, group.completions) {
        let answer = try parse(line)
        // Values of token t stand at t - 1; the fixture has those of completions alone.
        let mine = try #require(answer["logprobs"]).floats
        #expect(mine.count == group.prompt.count + completion.count - 1)
        logProbs += mine.suffix(completion.count)
        entropies += try #require(answer["entropies"]).floats.suffix(completion.count)
      }
    }
    // Float32 forward against float64: 30 ulp of a logit near 8 are 3e-5.
    func isNear(_ pair: (Float, Float)) -> Bool { abs(pair.0 - pair.1) < 2e-5 * (1 + abs(pair.1)) }
    let theirs = try #require(expected["logprobs"]).floats()
    let theirEntropies = try #require(expected["entropies"]).floats()
    #expect(logProbs.count == theirs.count && entropies.count == theirEntropies.count)
    #expect(zip(logProbs, theirs).allSatisfy(isNear), "\(logProbs) and \(theirs)")
    #expect(zip(entropies, theirEntropies).allSatisfy(isNear))
  }

  @Test func `a line's numbers do not depend on the lines beside it`() throws {
    let model = try LoadedModel(path: "\(fixtureFolder)/qwen3", threads: 2)
    let scorer = TokenScorer(model.policy)
    let lines = (0..<40).map { line in (0...line).map { Int32(($0 * 7 + line) % 40) } }
    let together = scorer.score(lines)
    #expect(together == lines.map { scorer.score([$0])[0] })
    #expect(together[0].logProbs.isEmpty && together[39].logProbs.count == 39)
  }

  @Test func `more lines than one pass takes come back in order, exactly as computed`() throws {
    let model = try LoadedModel(path: "\(fixtureFolder)/llama", threads: 2)
    let scorer = TokenScorer(model.policy)
    let lines = (0..<300).map { line in (0..<30).map { Int32(($0 * $0 + line) % 40) } }
    #expect(lines.count * lines[0].count > 2 * TokenScorer.rowsAtOnce)
    let input = try folder.write("input", lines.map(Self.line).joined())
    var written: [String] = []
    try scorer.answer(LineReader(path: input)) { written.append($0) }
    #expect(written.count == lines.count)
    for index in stride(from: 0, to: lines.count, by: 37) {
      let alone = scorer.score([lines[index]])[0]
      let answer = try parse(written[index])
      #expect(answer["logprobs"]?.floats == alone.logProbs)
      #expect(answer["entropies"]?.floats == alone.entropies)
    }
  }

  @Test(arguments: [
    ("{\"tokens\":[3,40]}", "tokens[1] is 40, expected 0 to 39"),
    ("{\"tokens\":[-1]}", "tokens[0] is -1"),
    ("{\"tokens\":[1.5]}", "tokens[0] is 1.5, expected an integer"),
    ("{\"tokens\":[]}", "is empty"),
    ("{\"token\":[1]}", "tokens is missing"),
    ("{\"tokens\":[1],\"more\":1}", "more is"),
    ("[1,2]", "expected a mapping"),
    ("not json", "not JSON"),
    (" ", "it is empty"),
  ])
  func `a bad line is named, after the answers to those before it`(
    bad: String, problem: String
  ) throws {
    let input = try folder.write("input", Self.line([1, 2, 3]) + bad + "\n" + Self.line([1, 2]))
    let outcome = try Forage.run(
      "logprobs", "--model", "\(fixtureFolder)/llama", "--input", input)
    #expect(outcome.has(.badInput))
    #expect(outcome.lines.count == 1)
    #expect(outcome.complaint.contains("line 2 of \(input)"), "\(outcome.complaint)")
    #expect(outcome.complaint.contains(problem), "\(outcome.complaint)")
  }

  @Test func `a sequence may fill every position and one more token, which is not fed`() throws {
    let longest = (0..<129).map { Int32($0 % 40) }
    let input = try folder.write("input", Self.line(longest) + Self.line(longest + [1]))
    let outcome = try Forage.run(
      "logprobs", "--model", "\(fixtureFolder)/llama", "--input", input)
    #expect(outcome.has(.badInput))
    #expect(try parse(outcome.output)["logprobs"]?.floats.count == 128)
    #expect(outcome.complaint.contains("line 2"), "\(outcome.complaint)")
  }

  @Test func `a model that is not there, or half there, is named`() throws {
    let input = try folder.write("input", "")
    let missing = try Forage.run("logprobs", "--model", "\(folder.path)/no", "--input", input)
    #expect(missing.has(.noInput))
    #expect(missing.complaint.contains("there is no such folder"))
    let empty = try Forage.run("logprobs", "--model", folder.path, "--input", input)
    #expect(empty.has(.badInput))
    #expect(empty.complaint.contains("config.json"))
    #expect(try Forage.run("logprobs", "--model", folder.path).has(.usage))
  }
}
