// From exercises to tokens: plain text as ever, chats by the template that is named or recognized.

import Acting
import Documents
import Experience
import Operations
import Policy
import Tasks
import Testing

@Suite struct PromptReaderTests {
  private static let tokenizer = Tokenizer.characters(
    Array("abcdefghijklmnopqrstuvwxyz0123456789+=?.\n "), words: ["<|im_start|>", "<|im_end|>"])

  private func task(_ more: String) throws -> any Exercises {
    let text =
      "{kind: file, file: a, heldOutCount: 2, validationCount: 2, verifier: {kind: exact}\(more)}"
    let lines = (0..<9).map { "{\"question\":\"what is \($0)?\",\"answer\":\"\($0)\"}\n" }
    return try TaskFactory.make(
      Fields(try YAML.parse(Array(text.utf8), source: "a.yaml"), source: "a.yaml", path: "task"),
      files: TaskFiles([TaskFileRole.train.name: Array(lines.joined().utf8)]))
  }

  @Test func `a chat is the template's tokens, and ends where the template ends a turn`() throws {
    let task = try task(", chat: chatml")
    let reader = try PromptReader(task, Self.tokenizer)
    let exercise = task.exercise(seed: 1, split: .train, index: 0)
    let tokens = reader.tokens(exercise)
    #expect(tokens == ChatTemplate.chatml.tokens(exercise.messages, Self.tokenizer))
    #expect(
      Self.tokenizer.decode(tokens)
        == "<|im_start|>user\n\(exercise.prompt)<|im_end|>\n<|im_start|>assistant\n")
    let shape = ModelConfiguration(
      vocabularySize: Self.tokenizer.vocabularySize, hiddenSize: 8, feedForwardSize: 8, layers: 1,
      heads: 1, keyValueHeads: 1, maximumPositions: 64, stopTokens: [1])
    let end = try #require(Self.tokenizer.token(spelled: "<|im_end|>"))
    #expect(reader.turnEnd == end)
    #expect(reader.stopTokens(shape).isSuperset(of: [1, end]))
    // A prompt with its template's tokens must fit, not its text alone.
    let room = tokens.count + 4
    let all = try #require(reader.fitting(task, positions: room, newTokens: 4) as? FileTask)
    #expect(all.counts.tooLong == 0)
    let none = try #require(reader.fitting(task, positions: room - 1, newTokens: 4) as? FileTask)
    #expect(none.counts.tooLong == 9)
  }

  @Test func `plain text is encoded as it stands and adds no stop`() throws {
    let task = try task("")
    let reader = try PromptReader(task, Self.tokenizer)
    let exercise = task.exercise(seed: 1, split: .train, index: 0)
    #expect(reader.template == nil && reader.turnEnd == nil && exercise.messages.isEmpty)
    let begin = Self.tokenizer.beginToken.map { [$0] } ?? []
    #expect(reader.tokens(exercise) == begin + Self.tokenizer.encode(exercise.prompt))
  }

  @Test(arguments: [
    ("chatty", "chatty is no chat template; known are chatml, qwen2, qwen2.5, smollm2, qwen3"),
    ("llama3", "no <|eot_id|>"), ("model", "name a chat template: chatml"),
  ]) func `a template that is not known or not the tokenizer's is refused`(
    name: String, problem: String
  ) throws {
    let task = try task(", chat: \(name)")
    let failure = #expect(throws: Failure.self) { try PromptReader(task, Self.tokenizer) }
    #expect(failure?.exitCode == .settings && "\(failure!)".contains(problem), "\(failure!)")
  }
}
