import Experience
import Tasks
import Testing

/// A completion with what the verifier must say of it.
struct JudgedCase: Sendable {
  var text: String
  var correct: Float
  var format: Float
  var strict: Bool
  var lenient: Bool
  var reason: String

  init(
    _ text: String, correct: Float, format: Float, strict: Bool, lenient: Bool, _ reason: String
  ) {
    self.text = text
    self.correct = correct
    self.format = format
    self.strict = strict
    self.lenient = lenient
    self.reason = reason
  }
}

@Suite struct VerifierTests {
  private let task = Arithmetic()
  private let exercise = Exercise(name: "47+85", prompt: "47+85=", answer: "132")

  static let cases: [JudgedCase] = [
    .init(
      "<think>x</think><answer>132</answer>", correct: 1, format: 0.2, strict: true, lenient: true,
      "right: 132"),
    .init(
      " <think></think>\n<answer> 132 </answer>\n", correct: 1, format: 0.2, strict: true,
      lenient: true, "right: 132"),
    .init(
      "<think>x</think><answer>0132</answer>", correct: 1, format: 0.2, strict: true,
      lenient: true, "right: 132"),
    .init(
      "<think>x</think><answer>133</answer>", correct: 0, format: 0.2, strict: false,
      lenient: false, "wrong: 133 is not 132"),
    .init(
      "<think>x</think><answer>-132</answer>", correct: 0, format: 0.2, strict: false,
      lenient: false, "wrong: -132 is not 132"),
    .init(
      "<think>x</think><answer></answer>", correct: 0, format: 0.2, strict: false, lenient: false,
      "the answer block holds no integer"),
    .init(
      "<think>x</think><answer>=132</answer>", correct: 0, format: 0.2, strict: false,
      lenient: true, "the answer block holds no integer"),
    .init(
      "<think>x</think><answer>132.0</answer>", correct: 0, format: 0.2, strict: false,
      lenient: false, "the answer block holds no integer"),
    .init(
      "<answer>132</answer>", correct: 1, format: 0, strict: false, lenient: true,
      "right: 132; format: <answer> where <think> was due"),
    .init(
      "<think>x</think><answer>132</answer>5", correct: 1, format: 0, strict: false, lenient: true,
      "right: 132; format: text after the answer block"),
    .init(
      "5<think>x</think><answer>132</answer>", correct: 1, format: 0, strict: false, lenient: true,
      "right: 132; format: text before the think block"),
    .init(
      "<think>x</think>5<answer>132</answer>", correct: 1, format: 0, strict: false, lenient: true,
      "right: 132; format: text between the blocks"),
    .init(
      "<think>x</think><answer>132</answer></answer>", correct: 1, format: 0, strict: false,
      lenient: true, "right: 132; format: </answer> after the answer block"),
    .init(
      "<think>x</think><answer>131</answer><answer>132</answer>", correct: 0, format: 0,
      strict: false, lenient: true,
      "2 answer blocks; format: <answer> after the answer block"),
    .init(
      "<think>x</think><answer>132</answer><answer>131</answer>", correct: 0, format: 0,
      strict: false, lenient: false,
      "2 answer blocks; format: <answer> after the answer block"),
    .init(
      "<think>x</think><think>y</think><answer>132</answer>", correct: 1, format: 0, strict: false,
      lenient: true, "right: 132; format: <think> where <answer> was due"),
    .init(
      "<think>x<answer>132</answer>", correct: 1, format: 0, strict: false, lenient: true,
      "right: 132; format: <answer> where </think> was due"),
    .init(
      "<think>x</think><answer>132", correct: 0, format: 0, strict: false, lenient: true,
      "no answer block; format: the answer block has no end"),
    .init(
      "<think>7+5=132", correct: 0, format: 0, strict: false, lenient: true,
      "no answer block; format: the think block has no end"),
    .init(
      "<think>x</think>", correct: 0, format: 0, strict: false, lenient: false, "no answer block"),
    .init(
      "", correct: 0, format: 0, strict: false, lenient: false,
      "no answer block; format: no think block"),
    .init(
      "132", correct: 0, format: 0, strict: false, lenient: true,
      "no answer block; format: text before the think block"),
    // A combining mark glued to the tag's last character makes one character of the two.
    .init(
      "<think>x</think><answer>\u{301}132</answer>", correct: 0, format: 0.2, strict: false,
      lenient: true, "the answer block holds no integer"),
    // Digits of another script are not the digits asked for.
    .init(
      "<think>x</think><answer>\u{661}\u{663}\u{662}</answer>", correct: 0, format: 0.2,
      strict: false, lenient: false, "the answer block holds no integer"),
  ]

  @Test(arguments: cases)
  func `each way to write it is judged so, with this reason`(sample: JudgedCase) {
    let verdict = task.judge(
      exercise, completion: sample.text, tokenCount: 9, isTruncated: false)
    #expect(
      verdict.parts == [
        RewardPart(position: 8, part: "correct", value: sample.correct),
        RewardPart(position: 8, part: "format", value: sample.format),
      ])
    #expect(verdict.isStrictlyCorrect == sample.strict)
    #expect(verdict.isLenientlyCorrect == sample.lenient)
    #expect(verdict.reason == sample.reason)
  }

  @Test func `a completion the length limit cut has no format, however whole it looks`() {
    let verdict = task.judge(
      exercise, completion: "<think>x</think><answer>132</answer>", tokenCount: 24,
      isTruncated: true)
    #expect(verdict.parts.map(\.value) == [1, 0])
    #expect(!verdict.isStrictlyCorrect && verdict.isLenientlyCorrect)
    #expect(verdict.reason == "right: 132; format: the length limit cut it before its end")
  }

  @Test func `a text beyond the bound is not read`() {
    let text = String(repeating: "<", count: ThinkAnswerFormat.maximumByteCount + 1)
    let format = ThinkAnswerFormat(text, isTruncated: false)
    #expect(!format.isExact && format.answers.isEmpty)
  }

  @Test func `a number of 64 digits is read and one of 65 is none`() {
    #expect(NumericAnswer(String(repeating: "9", count: 64)) != nil)
    #expect(NumericAnswer(String(repeating: "9", count: 65)) == nil)
  }

  @Test func `numbers are read as written`() {
    #expect(NumericAnswer("-0")?.description == "0")
    #expect(NumericAnswer("007")?.description == "7")
    #expect(NumericAnswer("-") == nil && NumericAnswer("+7") == nil && NumericAnswer("1 2") == nil)
    #expect(NumericAnswer.last(in: "12-7")?.description == "7")
    #expect(NumericAnswer.last(in: "it is -7.")?.description == "-7")
    #expect(NumericAnswer.last(in: "none") == nil)
  }

  /// Random texts over tags, pieces of tags, digits and bytes: no crash, and every verdict within
  /// the marks there are, strict only where both parts are full.
  @Test func `whatever is written, the verdict stays within its marks`() {
    let pieces =
      ThinkAnswerFormat.tags + ["<think>4</think>", "<answer>132</answer>", "<answer>13</answer>"]
      + ["<", ">", "/", "<answer", "132", "13", "-", "2", " ", "\n", "\u{301}", "\0", "é", "=", ""]
    var kinds: Set<[Float]> = []
    for round in 0..<20_000 {
      let draw = { (below: Int, at: Int) in
        AddressedRandom.integer(
          below: below, seed: 11, domain: .shuffle, UInt64(round), UInt64(at))
      }
      let text = (0..<draw(9, 0)).map { pieces[draw(pieces.count, $0 + 1)] }.joined()
      let verdict = task.judge(
        exercise, completion: text, tokenCount: draw(12, 99), isTruncated: draw(4, 98) == 0)
      let marks = verdict.parts.map(\.value)
      kinds.insert(marks)
      let isSound =
        (marks[0] == 0 || marks[0] == 1) && (marks[1] == 0 || marks[1] == 0.2)
        && verdict.isStrictlyCorrect == (marks == [1, 0.2])
        && (marks[0] == 0 || verdict.isLenientlyCorrect) && !verdict.reason.isEmpty
        && verdict.parts.allSatisfy { $0.position >= 0 && $0.position < 12 }
      if !isSound { Issue.record("\(text.debugDescription): \(verdict)") }
    }
    // The texts are not all hopeless: every pair of marks occurs.
    #expect(kinds == [[0, 0], [0, 0.2], [1, 0], [1, 0.2]])
  }
}
