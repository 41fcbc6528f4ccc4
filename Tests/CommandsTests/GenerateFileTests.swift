// A file of completions that is cut anywhere and continued, against one that never was; and what
// must not be continued.

import Commands
import Documents
import Operations
import Testing

@Suite struct GenerateFileTests {
  let folder: TemporaryFolder
  let model: String
  let input: String
  static let prompts = ["1+2=", "33+4=", "9=", "5+5=", "12+30="]

  init() throws {
    folder = try TemporaryFolder()
    model = "\(folder.path)/model"
    try Samples.writeModel(to: model)
    let lines = Self.prompts.map { "{\"prompt\":\"\($0)\",\"answer\":\"7\"}\n" }
    input = try folder.write("input", lines.joined())
  }

  private func generate(_ output: String, _ more: [String] = []) throws -> Outcome {
    try Forage.run(
      [
        "generate", "--model", model, "--input", input, "--output", output, "--samples", "2",
        "--max-new-tokens", "9", "--threads", "1",
      ] + more)
  }

  @Test func `a file cut anywhere is continued to what it would have been`() throws {
    let whole = "\(folder.path)/whole"
    #expect(try generate(whole).has(.success))
    let bytes = try Files.read(whole, maximumBytes: 1 << 20)
    #expect(bytes.split(separator: 0x0A).count == 2 * Self.prompts.count)
    // Nothing, within the first line, after it, within and after a prompt's second, all but the
    // last newline, everything.
    let ends = bytes.indices.filter { bytes[$0] == 0x0A }.map { $0 + 1 }
    let cuts = [0, 5, ends[0], ends[0] + 3, ends[1], ends[4] - 1, ends[9] - 1, ends[9]]
    for cut in cuts {
      let path = "\(folder.path)/cut"
      try Files.writeDurably(path, Array(bytes[..<cut]))
      try Files.writeDurably(
        path + ".made.json", Files.read(whole + ".made.json", maximumBytes: 4096))
      let outcome = try generate(path)
      #expect(outcome.has(.success), "cut at \(cut): \(outcome.complaint)")
      #expect(try Files.read(path, maximumBytes: 1 << 20) == bytes, "cut at \(cut)")
    }
  }

  @Test func `a write that fails ends it, and nothing is written a second time`() throws {
    struct DiskFull: Error {}
    let line = "{\"prompt\":\"1+2=\"}\n"
    // One batch is written before the lines end.
    let many = try folder.write(
      "many", String(repeating: line, count: PromptSampler.promptsAtOnce + 1))
    let sampler = PromptSampler(
      try LoadedModel(path: model, threads: 1), tokenizer: Samples.tokenizer,
      GenerationSettings(samples: 1, temperature: 1, maximumNewTokens: 1, seed: 1))
    let lines = try LineReader(path: many)
    var writes = 0
    #expect(throws: DiskFull.self) {
      try sampler.answer(
        lines,
        write: { _ in
          writes += 1
          throw DiskFull()
        })
    }
    #expect(writes == 1)
  }

  @Test func `its lines are those of standard output, and grade takes them`() throws {
    let output = "\(folder.path)/output"
    #expect(try generate(output).has(.success))
    let shown = try Forage.run(
      "generate", "--model", model, "--input", input, "--samples", "2", "--max-new-tokens", "9")
    var expected: [String] = []
    for line in shown.lines {
      let answer = try parse(line)
      for completion in answer["completions"]?.elements ?? [] {
        let submission = Document.object([
          ("prompt", answer["prompt"] ?? nil), ("completion", completion["text"] ?? nil),
          ("answer", "7"), ("tokens", .integer(completion["tokens"]?.elements.count ?? 0)),
          ("truncated", .bool(completion["finish"] == "length")),
        ])
        expected.append(JSON.write(submission))
      }
    }
    let lines = try Files.readText(output).split(separator: "\n").map(String.init)
    #expect(lines == expected && lines.count == 10)
    let grade = try Forage.run("grade", "--verifier", "numeric", "--input", output)
    #expect(grade.has(.success) && grade.lines.count == 10, "\(grade.complaint)")
  }

  @Test func `a file of other settings, prompts or makers is left as it is`() throws {
    let output = "\(folder.path)/output"
    #expect(try generate(output).has(.success))
    let before = try Files.readText(output)
    let seed = try generate(output, ["--seed", "2"])
    #expect(seed.has(.badInput))
    #expect(seed.complaint.contains("made with other weights or settings"), "\(seed.complaint)")
    let fewer = try folder.write("fewer", "{\"prompt\":\"1+2=\"}\n")
    let less = try generate(output, []).complaint
    #expect(less.contains("5 prompts, 0 of them now"), "\(less)")
    let arguments = [
      "generate", "--model", model, "--output", output, "--samples", "2", "--max-new-tokens", "9",
      "--input",
    ]
    let short = try Forage.run(arguments + [fewer])
    #expect(short.has(.badInput) && short.complaint.contains("more lines than"), "\(short)")
    let other = try folder.write("other", "{\"prompt\":\"1+2=\"}\n{\"prompt\":\"8=\"}\n")
    let wrong = try Forage.run(arguments + [other])
    #expect(wrong.has(.badInput))
    #expect(wrong.complaint.contains("line 3 is not of the prompt in line 2"), "\(wrong.complaint)")
    let stranger = try folder.write("stranger", "somebody's own text\n")
    let kept = try generate(stranger)
    #expect(kept.has(.badInput) && kept.complaint.contains("cannot be read"), "\(kept.complaint)")
    #expect(try Files.readText(stranger) == "somebody's own text\n")
    #expect(try Files.readText(output) == before)
  }
}
