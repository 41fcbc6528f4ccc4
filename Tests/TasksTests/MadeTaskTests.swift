// What every made task keeps: splits that never meet, demonstrations with full marks, exercises
// that are functions of their address; and what the verifiers of countdown and instructions refuse.

import Documents
import Experience
import Tasks
import Testing

/// A task from its settings.
func task(_ yaml: String) throws -> any Exercises {
  let document = try YAML.parse(Array(yaml.utf8), source: "run.yaml")
  return try TaskFactory.make(Fields(document, source: "run.yaml", path: "task"))
}

@Suite struct MadeTaskTests {
  static let small = [
    "{kind: reversal, length: 3, letters: 5}", "{kind: sorting, length: 3, letters: 10}",
    "{kind: counting, length: 4, letters: 4}", "{kind: format-only, length: 2, letters: 12}",
    "{kind: countdown, numbers: 3, largestNumber: 9}",
    "{kind: countdown, numbers: 2, largestNumber: 20, style: words}",
    "{kind: instructions, largestWordCount: 6}", "{kind: reversal, length: 3, style: words}",
  ]
  static let large = [
    "{kind: reversal, length: 12}", "{kind: sorting, length: 12}", "{kind: counting, length: 12}",
    "{kind: countdown, numbers: 6, largestNumber: 100, largestTarget: 10000}",
    "{kind: instructions, rules: [json]}",
  ]

  /// What must not stand in two splits: the prompt, or for countdown its numbers in any order.
  private func identity(_ exercise: Exercise, _ kind: String) -> String {
    if kind.contains("countdown") {
      return exercise.answer.split(separator: " ").dropFirst(2).sorted().joined(separator: " ")
    }
    if kind.contains("sorting") { return exercise.answer }
    return exercise.prompt
  }

  @Test(arguments: small)
  func `no exercise stands in two splits, and none twice in a counted one`(kind: String) throws {
    let task = try task(kind)
    var seen: [Split: Set<String>] = [:]
    for split in [Split.validation, .heldOut] {
      let count = try #require(task.count(in: split))
      for index in 0..<count {
        seen[split, default: []].insert(
          identity(task.exercise(seed: 3, split: split, index: index), kind))
      }
      #expect(seen[split]?.count == count)
    }
    #expect(task.count(in: .train) == nil)
    for index in 0..<5000 {
      seen[.train, default: []].insert(
        identity(task.exercise(seed: 3, split: .train, index: index), kind))
    }
    #expect(seen[.train]!.count > 20)
    #expect(seen[.train]!.isDisjoint(with: seen[.validation]!))
    #expect(seen[.train]!.isDisjoint(with: seen[.heldOut]!))
    #expect(seen[.validation]!.isDisjoint(with: seen[.heldOut]!))
  }

  @Test(arguments: small + large)
  func `every demonstration gets full marks and stays in the alphabet`(kind: String) throws {
    let task = try task(kind)
    let full = Set(
      (0..<400).map { index in
        let exercise = task.exercise(seed: 1, split: .train, index: index)
        let demonstration = exercise.demonstration!
        let verdict = task.judge(
          exercise, completion: demonstration, tokenCount: 9, isTruncated: false)
        if !verdict.isStrictlyCorrect || !verdict.isLenientlyCorrect {
          Issue.record("\(exercise.prompt): \(demonstration): \(verdict.reason)")
        }
        if let alphabet = task.alphabet {
          let text = task.tags.reduce(exercise.prompt + demonstration) {
            $0.replacing($1, with: "")
          }
          if !text.allSatisfy(alphabet.contains) { Issue.record("\(text) leaves the alphabet") }
        }
        return verdict.reward
      })
    // One and the same reward, and the greatest there is.
    #expect(full.count == 1 && full.first! > 0)
  }

  @Test(arguments: small + large)
  func `the answer of another exercise does not score`(kind: String) throws {
    let task = try task(kind)
    // Format alone is the same for all.
    guard !kind.contains("format-only") else { return }
    var right = 0
    for index in 0..<300 {
      let exercise = task.exercise(seed: 1, split: .train, index: index)
      let other = task.exercise(seed: 1, split: .train, index: index + 1)
      guard other.answer != exercise.answer else { continue }
      let verdict = task.judge(
        exercise, completion: other.demonstration!, tokenCount: 9, isTruncated: false)
      right += verdict.isStrictlyCorrect ? 1 : 0
    }
    #expect(right == 0)
  }

  @Test(arguments: small + large)
  func `an exercise is a function of its address, and the seed moves training alone`(
    kind: String
  ) throws {
    let (one, other) = (try task(kind), try task(kind))
    for split in Split.allCases {
      for index in (0..<min(40, one.count(in: split) ?? 40)).reversed() {
        #expect(
          one.exercise(seed: 5, split: split, index: index)
            == other.exercise(seed: 5, split: split, index: index))
      }
    }
    let prompts = { (seed: UInt64, split: Split) in
      (0..<12).map { one.exercise(seed: seed, split: split, index: $0).prompt }
    }
    #expect(prompts(1, .train) != prompts(2, .train))
    #expect(prompts(1, .heldOut) == prompts(2, .heldOut))
  }

  @Test(arguments: [
    ("kind: coutdown", "did you mean countdown?"),
    ("{kind: countdown, numbers: 5, largestNumber: 4}", "5 different numbers"),
    ("{kind: countdown, largestNumber: 50}", "largestTarget"),
    ("{kind: sorting, length: 5, letters: 4}", "5 different letters of 4"),
    ("{kind: sorting, length: 4, letters: 4}", "fewer than the 4"),
    ("{kind: reversal, length: 13}", "2 to 12"),
    ("{kind: instructions, rules: []}", "is empty"),
    ("{kind: instructions, rules: [rhyme]}", "rhyme is none of"),
  ])
  func `settings that make no task are refused`(yaml: String, part: String) {
    let error = #expect(throws: DocumentError.self) { try task(yaml) }
    #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
  }

  static let countdown: [AnswerCase] = [
    .init("kind: countdown", "<answer>(3+4)*6</answer>", "42 from 3 4 6", true, true),
    .init("kind: countdown", "<answer> 6 \u{D7} (4 + 3) </answer>", "42 from 3 4 6", true, true),
    .init("kind: countdown", "<answer>8/(3-8/3)</answer>", "24 from 3 3 8 8", true, true),
    .init("kind: countdown", "so (3+4)*6 is it\n(3+4)*6 = 42", "42 from 3 4 6", false, true),
    .init("kind: countdown", "The answer is (3+4)*6", "42 from 3 4 6", false, true),
    .init("kind: countdown", "<answer>42</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>(3+4)*6=42</answer>", "42 from 3 4 6", false, true),
    .init("kind: countdown", "<answer>3+4*6</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>6*7</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>6*4+6*3</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>36+6</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>3 6+6</answer>", "42 from 36 6", false, false),
    .init("kind: countdown", "<answer>-3+45</answer>", "42 from 3 45", false, false),
    .init("kind: countdown", "<answer>7/2*2</answer>", "6 from 7 2 2", false, false),
    .init("kind: countdown", "<answer>7+0/(3-3)</answer>", "7 from 7 0 3 3", false, false),
    .init("kind: countdown", "<answer>3**4</answer>", "81 from 3 4", false, false),
    .init("kind: countdown", "<answer>0x2A</answer>", "42 from 42", false, false),
    .init("kind: countdown", "<answer>((3+4)*6</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>(3+4)*6 or 9</answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>exit(0)</answer>", "0 from 0", false, false),
    .init(
      "kind: countdown", "<answer>(3+4)*6</answer><answer>1</answer>", "42 from 3 4 6", false,
      false),
    .init("kind: countdown", "<answer></answer>", "42 from 3 4 6", false, false),
    .init("kind: countdown", "<answer>6*6</answer>", "36 from 6 6 2", false, false),
    .init("{kind: countdown, usesAll: false}", "<answer>6*6</answer>", "36 from 6 6 2", true, true),
    .init(
      "kind: countdown",
      "<answer>" + Array(repeating: "999999999", count: 3).joined(separator: "*") + "</answer>",
      "1 from 999999999 999999999 999999999", false, false),
    .init(
      "kind: countdown", "<answer>" + String(repeating: "(", count: 900) + "</answer>",
      "1 from 1 2", false, false),
  ]

  static let instructions: [AnswerCase] = [
    .init(
      "kind: instructions", "river and stone", "{\"begins\":\"river\",\"words\":3}", true, true),
    .init("kind: instructions", "River, and stone.", "{\"begins\":\"river\"}", false, true),
    .init("kind: instructions", " river", "{\"begins\":\"river\"}", false, true),
    .init("kind: instructions", "riverside walk", "{\"begins\":\"river\"}", false, false),
    .init("kind: instructions", "the river", "{\"begins\":\"river\"}", false, false),
    .init("kind: instructions", "a stone", "{\"ends\":\"stone\"}", true, true),
    .init("kind: instructions", "a stone.", "{\"ends\":\"stone\"}", false, true),
    .init("kind: instructions", "a cornerstone", "{\"ends\":\"stone\"}", false, false),
    .init("kind: instructions", "one two  three\n", "{\"words\":3}", true, true),
    .init("kind: instructions", "one two", "{\"words\":3}", false, false),
    .init("kind: instructions", "", "{\"words\":3}", false, false),
    .init("kind: instructions", "{\"a\":1,\"b\":[]}", "{\"keys\":[\"b\",\"a\"]}", true, true),
    .init(
      "kind: instructions", "```json\n{\"a\":1}\n```", "{\"keys\":[\"a\"]}", false, true),
    .init("kind: instructions", "{\"a\":1,\"c\":2}", "{\"keys\":[\"a\"]}", false, false),
    .init("kind: instructions", "{\"a\":1,\"a\":2}", "{\"keys\":[\"a\"]}", false, false),
    .init("kind: instructions", "{'a':1}", "{\"keys\":[\"a\"]}", false, false),
    .init("kind: instructions", "[\"a\"]", "{\"keys\":[\"a\"]}", false, false),
    .init("kind: instructions", "{\"a\":1", "{\"keys\":[\"a\"]}", false, false),
    .init(
      "kind: instructions",
      String(repeating: "{\"a\":", count: 200) + "1"
        + String(repeating: "}", count: 200), "{\"keys\":[\"a\"]}", false, false),
  ]

  @Test(arguments: countdown + instructions)
  func `each way to answer is judged so`(row: AnswerCase) throws {
    let verdict = try judge(row.verifier).judge(
      Submission(completion: row.completion, answer: row.answer, tokenCount: 9))
    #expect(verdict.isValid)
    #expect(verdict.isStrictlyCorrect == row.strict, "\(verdict.reason)")
    #expect(verdict.isLenientlyCorrect == row.lenient, "\(verdict.reason)")
    #expect(verdict.reward == (row.strict ? 1 : 0))
  }

  @Test func `an answer that asks for nothing that can be checked is no verdict`() throws {
    for (kind, answer) in [
      ("countdown", "42"), ("countdown", "x from 3 4"), ("instructions", "{}"),
      ("instructions", "{\"rhymes\":\"river\"}"),
    ] {
      let verdict = try judge("kind: \(kind)").judge(Submission(completion: "x", answer: answer))
      #expect(!verdict.isValid, "\(answer)")
    }
  }
}
