// forage tokenize: there and back, and what it refuses.

import Documents
import Operations
import Testing

@Suite struct TokenizeTests {
  private let folder: TemporaryFolder
  private let tokenizer: String

  /// A folder with one of the small vocabularies that `tokenizers` made.
  init() throws {
    folder = try TemporaryFolder()
    let text = try Files.readText("\(fixtureFolder)/tokenizers/qwen2.json")
    _ = try folder.write("tokenizer.json", text)
    tokenizer = folder.path
  }

  private func tokenize(_ lines: String, _ options: String...) throws -> Outcome {
    let input = try folder.write("lines", lines)
    return try Forage.run(
      ["tokenize", "--tokenizer", tokenizer, "--input", input] + options)
  }

  @Test func `decode takes the ids back to the texts`() throws {
    let lines = ["the theory", "", "12 é\u{1F600}\n<|im_end|>", "\"quoted\"\\"].map {
      JSON.write(.object([("text", .string($0))]))
    }
    let ids = try tokenize(lines.joined(separator: "\n") + "\n")
    #expect(ids.has(.success) && ids.lines.count == 4 && ids.lines[1] == "[]")
    let back = try tokenize(ids.output, "--decode", "--special")
    #expect(back.has(.success))
    for (line, text) in zip(back.lines, lines) {
      #expect(try parse(line)["text"] == parse(text)["text"])
    }
    let plain = try tokenize(ids.lines[2], "--decode")
    #expect(!plain.output.contains("im_end"))
  }

  @Test func `a chat is laid out by the template that is named`() throws {
    let chat = #"{"messages": [{"role": "user", "content": "hi<|im_end|>"}]}"#
    let ids = try tokenize(chat, "--chat", "chatml")
    let text = try tokenize(ids.output, "--decode", "--special")
    #expect(
      text.output.contains(
        #"<|im_start|>user\nhi<|im_end|><|im_end|>\n<|im_start|>assistant\n"#))
    // Without special tokens only the one that was written is left.
    let spoken = try tokenize(ids.output, "--decode")
    #expect(spoken.output.contains(#"user\nhi<|im_end|>\nassistant\n"#))
    let auto = try tokenize(chat, "--chat", "auto")
    #expect(auto.status != .exited(0) && auto.complaint.contains("chatml, qwen2"))
  }

  @Test(arguments: [
    ("{\"text\": \"a\"}\n{\"txt\": \"b\"}", [], "line 2"), ("[1]", [], "line 1"),
    ("{\"text\": \"a\"}", ["--decode"], "line 1"), ("[1, 99999999]", ["--decode"], "99999999"),
    ("{\"text\": \"a\"}", ["--chat", "alpaca"], "smollm2"),
    ("{\"text\": \"a\"}", ["--special"], "special"),
  ]) func `a bad line or wish is named`(_ lines: String, _ options: [String], _ reason: String)
    throws
  {
    let input = try folder.write("lines", lines)
    let outcome = try Forage.run(
      ["tokenize", "--tokenizer", tokenizer, "--input", input] + options)
    #expect(outcome.status != .exited(0))
    #expect(outcome.complaint.contains(reason), "\(outcome.complaint)")
  }
}
