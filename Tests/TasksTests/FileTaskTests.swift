// Tasks from JSONL files: what is read, how it is split, and that no split sees another's
// questions.

import Documents
import Experience
import Tasks
import Testing

@Suite struct FileTaskTests {
  private func make(_ yaml: String, _ files: [TaskFileRole: String]) throws -> FileTask {
    let document = try YAML.parse(Array(yaml.utf8), source: "run.yaml")
    var bytes: [String: [UInt8]] = [:]
    for (role, text) in files { bytes[role.name] = Array(text.utf8) }
    let fields = try Fields(document, source: "run.yaml", path: "task")
    let task = try TaskFactory.make(fields, files: TaskFiles(bytes))
    return try #require(task as? FileTask)
  }

  private static func lines(_ range: Range<Int>) -> String {
    range.map { "{\"question\":\"What is \($0)+1?\",\"answer\":\"#### \($0 + 1)\"}\n" }.joined()
  }

  private static let counted =
    "{kind: file, file: a.jsonl, heldOutCount: 20, validationCount: 10, verifier: {kind: gsm8k}}"

  @Test func `splits by count are disjoint, whole, and the same whatever the run's seed`() throws {
    let task = try make(Self.counted, [.train: Self.lines(0..<100)])
    #expect(task.counts.splits == [.heldOut: 20, .validation: 10, .train: 70])
    let prompts = { (seed: UInt64, split: Split, count: Int) in
      (0..<count).map { task.exercise(seed: seed, split: split, index: $0).prompt }
    }
    let heldOut = prompts(1, .heldOut, 20)
    let validation = prompts(1, .validation, 10)
    let train = prompts(1, .train, 70)
    #expect(Set(heldOut + validation + train).count == 100)
    #expect(heldOut == prompts(2, .heldOut, 20) && validation == prompts(2, .validation, 10))
    // A pass sees each question once; the next pass and another seed see them in another order.
    let second = (70..<140).map { task.exercise(seed: 1, split: .train, index: $0).prompt }
    #expect(Set(second) == Set(train) && second != train)
    #expect(Set(prompts(2, .train, 70)) == Set(train) && prompts(2, .train, 70) != train)
    #expect(task.count(in: .train) == nil && task.count(in: .heldOut) == 20)
  }

  @Test func `files of their own make the splits, and what two share is left for the measured one`()
    throws
  {
    let task = try make(
      "{kind: file, file: a, validationFile: b, heldOutFile: c}",
      [
        .train: Self.lines(0..<50) + Self.lines(0..<5), .validation: Self.lines(40..<60),
        .heldOut: Self.lines(55..<70),
      ])
    #expect(task.counts.lines == 90 && task.counts.repeated == 5)
    // 40...49 of train are in validation, 55...59 of validation are held out.
    #expect(task.counts.shared == 15)
    #expect(task.counts.splits == [.heldOut: 15, .validation: 15, .train: 40])
  }

  @Test func `names of fields in use are known, others are named`() throws {
    let messages =
      (0..<8).map { index in
        "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
          + "{\"role\":\"user\",\"content\":\"q\(index)\"}],\"ground_truth\":\(index)}\n"
      }.joined()
    let small = "heldOutCount: 2, validationCount: 2"
    let chat = try make(
      "{kind: file, file: a, \(small), template: '{system} {question}!', verifier: {kind: exact}}",
      [.train: messages])
    let first = chat.exercise(seed: 1, split: .heldOut, index: 0)
    #expect(first.prompt == "Be brief. q\(first.answer)!")
    let named = try make(
      "{kind: file, file: a, \(small), questionField: q, answerField: a, verifier: {kind: exact}}",
      [.train: (0..<8).map { "{\"q\":\"x\($0)\",\"a\":\"y\($0)\",\"more\":1}\n" }.joined()])
    #expect(named.exercise(seed: 1, split: .heldOut, index: 1).prompt.hasPrefix("x"))
  }

  @Test func `examples stand before every prompt and are in no split`() throws {
    let task = try make(
      "{kind: file, file: a, heldOutCount: 2, validationCount: 2, examples: 2, "
        + "template: 'Q: {question} A:', exampleTemplate: 'Q: {question} A: {answer};'}",
      [.train: Self.lines(0..<10)])
    #expect(task.counts.examples == 2 && task.counts.splits[.train] == 4)
    let shown = "Q: What is 0+1? A: #### 1;Q: What is 1+1? A: #### 2;"
    for split in Split.allCases {
      for prompt in task.all(of: split).map(\.prompt) {
        #expect(prompt.hasPrefix(shown + "Q: What is "))
        #expect(!prompt.dropFirst(shown.count).contains("is 0+") && prompt.hasSuffix("A:"))
      }
    }
  }

  @Test func `a question that prompts show with its answer is measured nowhere`() throws {
    let task = try make(
      "{kind: file, file: a, heldOutFile: c, validationCount: 2, examples: 2, "
        + "template: 'Q: {question} A:', exampleTemplate: 'Q: {question} A: {answer};'}",
      [.train: Self.lines(0..<40), .heldOut: Self.lines(1..<4)])
    // Of 1, 2, 3 the first is among the examples 0 and 1; 2 and 3 are left to no other split.
    #expect(task.counts.splits[.heldOut] == 2)
    for prompt in task.all(of: .heldOut).map(\.prompt) {
      #expect(prompt.hasSuffix("Q: What is 2+1? A:") || prompt.hasSuffix("Q: What is 3+1? A:"))
    }
  }

  private static let conversations = (0..<8).map { index in
    #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"x"},"#
      + #"{"role":"assistant","content":"y"},{"role":"user","content":"q\#(index)"}],"#
      + "\"ground_truth\":\(index)}\n"
  }

  private static let few = "kind: file, file: a, heldOutCount: 2, validationCount: 2"

  @Test func `a line that is a chat is asked as it stands, by the model's own template`() throws {
    let task = try make(
      "{\(Self.few), verifier: {kind: exact}}", [.train: Self.conversations.joined()])
    #expect(task.chat == "model")
    let exercise = task.exercise(seed: 1, split: .heldOut, index: 0)
    #expect(exercise.messages.map(\.role) == ["system", "user", "assistant", "user"])
    #expect(exercise.messages.map(\.content) == ["Be brief.", "x", "y", "q\(exercise.answer)"])
    #expect(exercise.prompt == "q\(exercise.answer)")
    // Named it is that one; none asks in text, and so does a template.
    for (more, chat) in [("chat: llama3", "llama3"), ("chat: none", nil), ("chat: model", "model")]
    {
      let named = try make(
        "{\(Self.few), \(more), verifier: {kind: exact}}", [.train: Self.conversations.joined()])
      #expect(named.chat == chat)
      #expect(named.exercise(seed: 1, split: .train, index: 0).messages.isEmpty == (chat == nil))
    }
  }

  @Test func `questions become chats where a template is named, with examples as turns`() throws {
    let task = try make(
      "{\(Self.few), chat: chatml, system: 'Think.', examples: 1, gold: 'so {answer}'}",
      [.train: Self.lines(0..<9)])
    #expect(task.chat == "chatml")
    let exercise = task.exercise(seed: 1, split: .validation, index: 0)
    #expect(
      exercise.messages.dropLast().map { "\($0.role): \($0.content)" } == [
        "system: Think.", "user: What is 0+1?", "assistant: so #### 1",
      ])
    #expect(exercise.messages.last == ChatMessage(role: "user", content: exercise.prompt))
    #expect(exercise.prompt.hasSuffix("+1?"))
    #expect(task.taskDefinition(seed: 1).contains("  system: Think."))
  }

  @Test func `chats that end with one question and begin otherwise are two`() throws {
    let other = Self.conversations.map {
      $0.replacing(#""content":"x""#, with: #""content":"z""#)
    }
    let task = try make(
      "{\(Self.few), verifier: {kind: exact}}",
      [.train: (Self.conversations + other + other.prefix(1)).joined()])
    #expect(task.counts.repeated == 1 && task.counts.splits[.train] == 12)
  }

  @Test(arguments: [
    (#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#, "the assistant's"),
    (#"[{"role":"tool","content":"a"},{"role":"user","content":"b"}]"#, "role tool is none of"),
    (#"[{"role":"user","content":"a"},{"role":"system","content":"b"}]"#, "first or nowhere"),
  ]) func `a line that no completion could follow is named by its number`(
    messages: String, problem: String
  ) {
    let text = Self.conversations.joined() + "{\"messages\":\(messages),\"ground_truth\":1}\n"
    let error = #expect(throws: DocumentError.self) {
      try make("{\(Self.few), chat: model}", [.train: text])
    }
    let words = error?.description ?? ""
    #expect(words.contains(":9:1") && words.contains(problem), "\(words)")
  }

  @Test func `a brace in a question is text`() throws {
    let task = try make(
      "{kind: file, file: a, heldOutCount: 1, validationCount: 1, template: '{question}{x}'}",
      [.train: (0..<4).map { "{\"question\":\"{answer}\($0)\",\"answer\":\"7\"}\n" }.joined()])
    #expect(task.exercise(seed: 1, split: .heldOut, index: 0).prompt.hasPrefix("{answer}"))
    #expect(task.exercise(seed: 1, split: .heldOut, index: 0).prompt.hasSuffix("{x}"))
  }

  @Test func `gold answers are judged, each flaw by its line`() throws {
    let good = try make(Self.counted, [.train: Self.lines(0..<100)])
    #expect(good.goldFlaws().isEmpty)
    let text = Self.lines(0..<60) + "{\"question\":\"q\",\"answer\":\"no number\"}\n"
    let flaws = try make(Self.counted, [.train: text]).goldFlaws()
    #expect(flaws.count == 1 && flaws[0].line == 61)
    #expect(flaws[0].reason.contains("no number"))
    // A format the answers lack is put around them.
    let boxed = "verifier: {kind: boxed}, gold: 'so \\boxed{{answer}}'"
    let wrapped = try make(
      "{kind: file, file: a, heldOutCount: 1, validationCount: 1, \(boxed)}",
      [.train: (0..<9).map { "{\"question\":\"q\($0)\",\"answer\":\"\($0)\"}\n" }.joined()])
    #expect(wrapped.goldFlaws().isEmpty)
  }

  @Test func `prompts that do not fit are left out and counted`() throws {
    let task = try make(Self.counted, [.train: Self.lines(0..<100)])
    // "What is 9+1?" and its newline: ten of the hundred questions have one digit.
    let kept = try #require(task.keeping { $0.prompt.utf8.count <= 13 } as? FileTask)
    #expect(kept.counts.tooLong == 90)
    #expect(Split.allCases.reduce(0) { $0 + (kept.counts.splits[$1] ?? 0) } == 10)
  }

  @Test(arguments: [
    ("{\"question\":\"a\",\"answer\":\"1\"}\n\n{\"question\":\"b\"}\n", "run:3:1", "no answer"),
    ("{\"question\":\"a\",\"answer\":\"1\"}\nnonsense\n", "run:2:1", "not JSON"),
    ("{\"ask\":\"a\",\"answer\":\"1\"}\n", "run:1:1", "task.questionField"),
    ("{\"question\":\" \",\"answer\":\"1\"}\n", "run:1:1", "question is empty"),
    ("{\"question\":\"a\",\"answer\":\"1\",\"answer\":\"2\"}\n", "run:1:1", "duplicate"),
    ("{\"question\":\"a\",\"answer\":null}\n", "run:1:1", ""),
    ("", "task.file", "nothing is left"),
    ("{\"question\":\"a\",\"answer\":\"1\"}\n", "task.file", "nothing is left"),
  ])
  func `a bad line is named by its number`(text: String, place: String, problem: String) {
    let error = #expect(throws: DocumentError.self) {
      try make("{kind: file, file: run}", [.train: text])
    }
    let words = error?.description ?? ""
    #expect(words.contains(place) && words.contains(problem), "\(words)")
  }

  @Test func `a file that is not at hand and a template without a question are refused`() {
    let missing = #expect(throws: DocumentError.self) { try make("{kind: file, file: x}", [:]) }
    #expect(missing?.description.contains("x is not at hand") == true)
    let blind = #expect(throws: DocumentError.self) {
      try make("{kind: file, file: x, template: 'hello'}", [.train: Self.lines(0..<9)])
    }
    #expect(blind?.description.contains("{question}") == true)
  }
}
