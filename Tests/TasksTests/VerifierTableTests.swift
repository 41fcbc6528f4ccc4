// What each verifier says of each way to write an answer, and above all what must not score.

import Documents
import Experience
import Glibc
import Tasks
import Testing

/// A judge from its settings.
func judge(_ yaml: String) throws -> Judge {
  let document = try YAML.parse(Array(yaml.utf8), source: "run.yaml")
  let fields = try Fields(document, source: "run.yaml", path: "verifier")
  let judge = try VerifierFactory.judge(fields)
  try fields.finish()
  return judge
}

/// One row: what is said, the right answer, and whether it is strictly and leniently that.
struct AnswerCase: Sendable, CustomTestStringConvertible {
  var verifier: String
  var completion: String
  var answer: String
  var strict: Bool
  var lenient: Bool

  init(_ verifier: String, _ completion: String, _ answer: String, _ strict: Bool, _ lenient: Bool)
  {
    self.verifier = verifier
    self.completion = completion
    self.answer = answer
    self.strict = strict
    self.lenient = lenient
  }

  var testDescription: String { "\(verifier): \(completion.debugDescription) for \(answer)" }
}

@Suite struct VerifierTableTests {
  static let exact: [AnswerCase] = [
    .init("kind: exact", "Paris", "Paris", true, true),
    .init("kind: exact", " Paris\n", "Paris", true, true),
    .init("kind: exact", "paris", "Paris", false, true),
    .init("kind: exact", "Paris.", "Paris", false, true),
    .init("kind: exact", "The answer is Paris.", "Paris", false, true),
    .init("kind: exact", "Paris or London", "Paris", false, false),
    .init("kind: exact", "Paris London", "Paris", false, false),
    .init("kind: exact", "Not Paris", "Paris", false, false),
    .init("kind: exact", "", "Paris", false, false),
    // One character and a letter with its mark look alike and are other bytes.
    .init("kind: exact", "caf\u{65}\u{301}", "caf\u{E9}", false, true),
    .init("{kind: exact, place: block}", "<answer>b</answer>", "b", true, true),
    .init("{kind: exact, place: block}", "<answer>a</answer><answer>b</answer>", "b", false, true),
    .init("{kind: exact, place: block}", "b", "b", false, true),
    .init("kind: normalized", "  NEW   york. ", "New York", true, true),
    .init("kind: normalized", "\"New York\"", "new york", true, true),
    .init("kind: normalized", "New York City", "New York", false, false),
    .init("{kind: normalized, place: line}", "Paris?\nno:\nLondon", "london", true, true),
    .init("{kind: normalized, place: line}", "London\nParis", "london", false, false),
  ]

  static let numeric: [AnswerCase] = [
    .init("kind: numeric", "The answer is 1,234.", "1234", true, true),
    .init("kind: numeric", "Answer: 1234.0", "1,234", true, true),
    .init("{kind: numeric, place: whole}", "1234.00", "1234", true, true),
    .init("{kind: numeric, place: whole}", "+1.234e3", "1234", true, true),
    .init("{kind: numeric, place: whole}", "1.234 x 10^3", "1234", true, true),
    .init("{kind: numeric, place: whole}", "1.234 \u{D7} 10^{3}", "1234", true, true),
    .init("{kind: numeric, place: whole}", "\u{2212}3/4", "-0.75", true, true),
    .init("{kind: numeric, place: whole}", "1 3/4", "1.75", true, true),
    .init("{kind: numeric, place: whole}", "75%", "0.75", true, true),
    .init("{kind: numeric, place: whole}", "75%", "75", false, false),
    .init("{kind: numeric, place: whole, percent: unit}", "75%", "75", true, true),
    .init("{kind: numeric, place: whole}", "$12.50", "12.5 dollars", true, true),
    .init("{kind: numeric, place: whole}", "12 km", "12", true, true),
    .init("{kind: numeric, place: whole}", "12", "12 km", false, true),
    .init("{kind: numeric, place: whole}", "12 miles", "12 km", false, false),
    .init("{kind: numeric, place: whole}", "12 apples", "12 apple", true, true),
    .init("{kind: numeric, place: whole}", "3,14", "314", false, false),
    .init("{kind: numeric, place: whole}", "1,23,456", "123456", false, false),
    .init("{kind: numeric, place: whole}", "1234,567", "1234567", false, false),
    .init("{kind: numeric, place: whole}", "12 or 13", "12", false, false),
    .init("{kind: numeric, place: whole}", "12 13", "12", false, false),
    .init("{kind: numeric, place: whole}", "12, 13", "12", false, false),
    .init("{kind: numeric, place: whole}", "11-13", "12", false, false),
    .init("{kind: numeric, place: whole}", "10+2", "12", false, false),
    .init("{kind: numeric, place: whole}", "6*2", "12", false, false),
    .init("{kind: numeric, place: whole}", "not 12", "12", false, true),
    .init("{kind: numeric, place: whole}", "-12", "12", false, false),
    .init("{kind: numeric, place: whole}", "12/0", "12", false, false),
    .init("{kind: numeric, place: whole}", "24/2/1", "12", false, false),
    .init("{kind: numeric, place: whole}", "0x0C", "12", false, false),
    .init("{kind: numeric, place: whole}", "nan", "12", false, false),
    .init("{kind: numeric, place: whole}", "inf", "12", false, false),
    .init("{kind: numeric, place: whole}", "1e9999", "12", false, false),
    .init("{kind: numeric, place: whole}", "\u{661}\u{662}", "12", false, false),
    .init("{kind: numeric, place: whole}", "0.3333333333333333", "1/3", false, false),
    .init("{kind: numeric, relativeTolerance: 0.001}", "Answer: 0.3333", "1/3", true, true),
    .init("{kind: numeric, relativeTolerance: 0.001}", "Answer: 0.332", "1/3", false, false),
    .init("{kind: numeric, absoluteTolerance: 0.5}", "Answer: 12.5", "12", true, true),
    .init("{kind: numeric, absoluteTolerance: 0.5}", "Answer: 12.51", "12", false, false),
    .init("kind: numeric", "The answer is 12. The answer is 13.", "12", false, false),
    .init("kind: numeric", "The answer is 13. The answer is 12.", "12", false, true),
    .init("kind: numeric", "Answer: 13\nAnswer: 12", "12", false, true),
    .init("kind: numeric", "The answer is 12, or 13.", "12", false, false),
    .init("kind: numeric", "I get 12", "12", false, true),
    .init("kind: numeric", "12 is what I get from 13", "12", false, false),
  ]

  static let gsm8k: [AnswerCase] = [
    .init("kind: gsm8k", "48/2 = 24\n#### 72", "x\n#### 72", true, true),
    .init("kind: gsm8k", "#### $1,072.00", "#### 1072", true, true),
    .init("kind: gsm8k", "####72 clips.", "72", true, true),
    .init("kind: gsm8k", "#### 50%", "50", true, true),
    .init("kind: gsm8k", "#### 72\n#### 72", "72", true, true),
    .init("kind: gsm8k", "The answer is 72.", "72", false, true),
    .init("kind: gsm8k", "So \\boxed{72}.", "72", false, true),
    .init("kind: gsm8k", "The answer is that she sold 72 clips.", "72", false, true),
    .init("kind: gsm8k", "**Answer:** 72", "72", false, true),
    .init("kind: gsm8k", "She sold 72", "72", false, true),
    .init("kind: gsm8k", "#### 71", "72", false, false),
    .init("kind: gsm8k", "#### -72", "72", false, false),
    .init("kind: gsm8k", "#### 72.5", "72", false, false),
    .init("kind: gsm8k", "#### 7 2", "72", false, false),
    .init("kind: gsm8k", "#### 71\n#### 72", "72", false, true),
    .init("kind: gsm8k", "#### 72\n#### 71", "72", false, false),
    .init("kind: gsm8k", "#### 70 or 71 or 72", "72", false, false),
    .init("kind: gsm8k", "#### 36+36", "72", false, false),
    .init("kind: gsm8k", "72\n####", "72", false, false),
    .init("kind: gsm8k", "### 72", "72", false, true),
    .init("kind: gsm8k", "72 is not it, 71 is", "72", false, false),
    .init("kind: gsm8k", "", "72", false, false),
  ]

  static let boxed: [AnswerCase] = [
    .init("kind: boxed", "so \\boxed{\\frac{3}{4}}.", "\\frac34", true, true),
    .init("kind: boxed", "\\boxed{\\dfrac{3}{4}}", "0.75", true, true),
    .init("kind: boxed", "\\boxed{\\text{(B)}}", "(B)", true, true),
    .init("kind: boxed", "\\boxed{x = 5}", "5", true, true),
    .init("kind: boxed", "\\boxed{1{,}000}", "1000", true, true),
    .init("kind: boxed", "\\boxed{ \\left( 1, 2 \\right) }", "(1,2)", true, true),
    .init("kind: boxed", "\\boxed{2\\sqrt{3}}", "2 \\sqrt3", true, true),
    .init("kind: boxed", "\\boxed{90^\\circ}", "90^{\\circ}", true, true),
    .init("kind: boxed", "x\\boxed{5}", "thus \\boxed{5}", true, true),
    .init("kind: boxed", "The answer is 5.", "5", false, true),
    .init("kind: boxed", "\\boxed{12 \\text{ km}}", "12", true, true),
    .init("kind: boxed", "\\boxed{12}", "12 \\text{ square feet}", true, true),
    .init("kind: boxed", "\\boxed{12\\mathrm{cm}}", "12 \\text{ cm}", true, true),
    .init("kind: boxed", "\\boxed{50}", "50\\%", true, true),
    .init("kind: boxed", "\\boxed{12 \\text{ km}}", "12 \\text{ m}", false, false),
    .init("kind: boxed", "\\boxed{12 \\text{ or 13}}", "12", false, false),
    .init("kind: boxed", "\\boxed{2 \\text{ or } 3}", "2", false, false),
    .init("kind: boxed", "\\boxed{36}", "36\\pi", false, false),
    .init("kind: boxed", "\\boxed{3}", "\\frac{3\\pi}{4}", false, false),
    .init("kind: boxed", "\\boxed{2}", "2x^2", false, false),
    .init("kind: boxed", "\\boxed{5y}", "5", false, false),
    .init("kind: boxed", "The answer is 5 apples, of 7.", "5", false, true),
    .init("kind: boxed", "\\boxed{\\frac{5}{2}}", "2\\frac{1}{2}", true, true),
    .init("kind: boxed", "\\boxed{2 \\frac{1}{2}}", "2.5", true, true),
    .init("kind: boxed", "\\boxed{10.5}", "2\\frac{1}{2}", false, false),
    .init("kind: boxed", "\\boxed{1.75}", "1 3/4", true, true),
    .init("kind: boxed", "\\boxed{3.25}", "1 3/4", false, false),
    .init("kind: boxed", "\\boxed{1 2}", "12", false, false),
    .init("kind: boxed", "\\boxed{12 000}", "12000", true, true),
    .init("kind: boxed", "\\boxed{\\frac{3}{4\\pi}}", "\\frac{3}{4}\\pi", false, false),
    .init("kind: boxed", "\\boxed{\\frac{1}{2x}}", "\\frac{1}{2}x", false, false),
    .init("kind: boxed", "\\boxed{\\frac{-1}{2}}", "-\\frac{1}{2}", true, true),
    .init("kind: boxed", "\\boxed{\\frac{3\\pi}{4}}", "3\\pi/4", true, true),
    .init(
      "kind: boxed", "\\boxed{\\frac{-1+\\sqrt5}{2}}", "-\\frac{1+\\sqrt5}{2}", false, false),
    .init("kind: boxed", "\\boxed{(-1+\\sqrt5)/2}", "\\frac{-1+\\sqrt5}{2}", true, true),
    .init(
      "kind: boxed", "\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}",
      "\\begin{pmatrix}1\\\\2\\end{pmatrix}", true, true),
    .init(
      "kind: boxed", "\\boxed{\\begin{pmatrix}12\\end{pmatrix}}",
      "\\begin{pmatrix}1\\\\2\\end{pmatrix}", false, false),
    .init("kind: boxed", "\\boxed{\\log_2 3}", "\\log_{2}3", true, true),
    .init("kind: boxed", "\\boxed{\\frac{1}{\\alpha}}", "1/\\alpha", true, true),
    .init("kind: boxed", "The answer is 5.", "5 apples", false, true),
    .init("kind: boxed", "\\boxed{x-\\frac{-1}{2}}", "x--\\frac12", false, false),
    .init("kind: boxed", "\\boxed{5", "5", false, false),
    .init("kind: boxed", "\\boxed{}5", "5", false, false),
    .init("kind: boxed", "\\boxed{4} \\boxed{5}", "5", false, true),
    .init("kind: boxed", "\\boxed{5} \\boxed{4}", "5", false, false),
    .init("kind: boxed", "\\boxed{4, 5}", "5", false, false),
    .init("kind: boxed", "\\boxed{2+3}", "5", false, false),
    .init("kind: boxed", "\\boxed{\\frac{4}{3}}", "\\frac{3}{4}", false, false),
    .init("kind: boxed", "\\boxed{x^{12}}", "x^12", false, false),
    .init("kind: boxed", "\\boxed{(2,1)}", "(1,2)", false, false),
    .init("kind: boxed", "\\boxed{\\frac{1+2}{3}}", "1+\\frac{2}{3}", false, false),
    .init("kind: boxed", String(repeating: "\\boxed{", count: 5000) + "5", "5", false, false),
  ]

  static let forms: [AnswerCase] = [
    .init("kind: think-answer", "<think>a</think><answer>b</answer>", "", true, true),
    .init("kind: think-answer", "<think>a</think>", "", false, false),
    .init("{kind: regex, pattern: '^yes$'}", "yes", "", true, true),
    .init("{kind: regex, pattern: '^yes$'}", "yes, or no", "", false, false),
    .init(
      "{kind: regex, pattern: 'is (\\w+)', comparesGroup: true}", "it is Blue", "blue", true, true),
    .init(
      "{kind: regex, pattern: 'is (\\w+)', comparesGroup: true}", "it is red", "blue", false, false),
    .init("{kind: regex, pattern: '(x)?y', comparesGroup: true}", "y", "x", false, false),
    // Exponential: given up under the limit, and no match.
    .init(
      "{kind: regex, pattern: '^(a+)+$'}", String(repeating: "a", count: 40) + "b", "", false,
      false),
    .init(
      "{kind: weighted, parts: [{kind: numeric, place: block}, {kind: think-answer, weight: 0.2}]}",
      "<think>a</think><answer>7</answer>", "7", true, true),
    .init(
      "{kind: weighted, parts: [{kind: numeric, place: block}, {kind: think-answer, weight: 0.2}]}",
      "<answer>7</answer>", "7", false, true),
    .init(
      "{kind: weighted, parts: [{kind: numeric, place: block}, {kind: think-answer, weight: 0.2}]}",
      "<think>a</think><answer>8</answer>", "7", false, false),
  ]

  @Test(arguments: exact + numeric + gsm8k + boxed + forms)
  func `each way to say it is judged so`(row: AnswerCase) throws {
    let verdict = try judge(row.verifier).judge(
      Submission(completion: row.completion, answer: row.answer, tokenCount: 9))
    #expect(verdict.isValid)
    #expect(verdict.isStrictlyCorrect == row.strict, "\(verdict.reason)")
    #expect(verdict.isLenientlyCorrect == row.lenient, "\(verdict.reason)")
    #expect(!verdict.reason.isEmpty)
    #expect(verdict.parts.allSatisfy { $0.position == 8 })
    // The reward follows strict correctness unless the settings say otherwise.
    if !row.verifier.contains("weighted") { #expect(verdict.reward == (row.strict ? 1 : 0)) }
  }

  @Test func `the reward follows lenient correctness where the settings say so`() throws {
    let lenient = try judge("{kind: gsm8k, accepts: lenient}")
    let verdict = lenient.judge(Submission(completion: "The answer is 72.", answer: "72"))
    #expect(verdict.reward == 1 && !verdict.isStrictlyCorrect && verdict.isLenientlyCorrect)
  }

  @Test func `a sum has a part for each of its verifiers, by weight and by name`() throws {
    let sum = try judge(
      """
      kind: weighted
      parts:
        - {kind: numeric, place: block, weight: 2, name: number}
        - {kind: think-answer, weight: 0.5}
        - {kind: length, free: 4, limit: 8, weight: 4}
        - {kind: repetition, words: 1}
      """)
    #expect(sum.needsTokenCount)
    let verdict = sum.judge(
      Submission(
        completion: "<think>a a a b</think><answer>7</answer>", answer: "7", tokenCount: 6))
    // Six tokens are half way from 4 to 8; of four words "a" says one again: "<think>a" is another.
    #expect(
      verdict.parts == [
        RewardPart(position: 5, part: "number", value: 2),
        RewardPart(position: 5, part: "format", value: 0.5),
        RewardPart(position: 5, part: "length", value: -2),
        RewardPart(position: 5, part: "repetition", value: -0.25),
      ])
    #expect(verdict.reward == 0.25 && verdict.isStrictlyCorrect)
  }

  @Test(arguments: [(0, Float(0)), (10, 0), (15, -0.5), (20, -1), (1000, -1)])
  func `a completion is free up to a length and costs in a straight line to the limit`(
    tokens: Int, value: Float
  ) {
    let finding = LengthPenalty(free: 10, limit: 20).find(
      Submission(completion: "x", answer: "", tokenCount: tokens))
    #expect(finding.parts.map(\.value) == [value])
    #expect(finding.isRight == nil && finding.isAsAsked == nil)
  }

  @Test func `saying one thing for ever costs nearly all, saying new things nothing`() {
    let penalty = RepetitionPenalty(size: 4)
    func value(_ text: String) -> Float {
      penalty.find(Submission(completion: text, answer: "")).parts[0].value
    }
    let loop = Array(repeating: "no", count: 1000).joined(separator: " ")
    // 997 runs of four, all one.
    #expect(value(loop) == -Float(996) / 997)
    #expect(value((0..<1000).map(String.init).joined(separator: " ")) == 0)
    #expect(value("no no no no") == 0)
  }

  @Test func `an answer that is no number is no verdict, rather than a wrong completion`() throws {
    for kind in ["numeric", "gsm8k"] {
      let verdict = try judge("kind: \(kind)").judge(Submission(completion: "7", answer: "seven"))
      #expect(!verdict.isValid)
      #expect(verdict.reason.contains("seven"))
    }
  }

  @Test(arguments: [
    ("kind: exakt", "did you mean exact?"),
    ("{kind: exact, weigth: 1}", "did you mean weight?"),
    ("{kind: regex, pattern: '('}", "missing closing parenthesis"),
    ("{kind: regex, pattern: 'a', comparesGroup: true}", "no group"),
    ("{kind: length, free: 8, limit: 8}", "verifier.limit is 8"),
    ("{kind: weighted, parts: []}", "of nothing"),
    ("{kind: weighted, parts: [{kind: weighted}]}", "within one"),
  ])
  func `a verifier that cannot be is refused with its line`(yaml: String, part: String) {
    let error = #expect(throws: DocumentError.self) { try judge(yaml) }
    #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
  }

  @Test func `a completion of a megabyte is judged, a longer one is not read`() throws {
    let verifiers = try ["exact", "normalized", "numeric", "gsm8k", "boxed", "think-answer"].map {
      try judge("kind: \($0)")
    }
    for piece in ["#", "9", "\\boxed{", "1,234", "answer is ", "<answer>", " a", "\u{301}", "1/"] {
      let count = Judge.maximumByteCount / piece.utf8.count
      let text = String(repeating: piece, count: count)
      for judge in verifiers {
        #expect(!judge.judge(Submission(completion: text, answer: "72")).isStrictlyCorrect)
      }
    }
    let long = String(repeating: "7", count: Judge.maximumByteCount) + "\n#### 72"
    let verdict = verifiers[3].judge(Submission(completion: long, answer: "72"))
    #expect(!verdict.isLenientlyCorrect && verdict.reason.contains("more than"))
  }

  /// Random texts over pieces that verifiers look for: no crash, and strict implies lenient.
  @Test func `whatever is written, what is strictly right is leniently right`() throws {
    let verifiers = try ["exact", "normalized", "numeric", "gsm8k", "boxed"].map {
      try judge("kind: \($0)")
    }
    let pieces = [
      "72", "71", "#### ", "\\boxed{", "}", "answer is ", "\n", " ", ".", ",", "-", "$", "%", "/",
      "e3", "\\frac", "{", "<answer>", "</answer>", "\u{301}", "or ", "x 10^", "\\", "Answer: ",
    ]
    var strict = 0
    for round in 0..<20_000 {
      let draw = { (below: Int, at: Int) in
        AddressedRandom.integer(
          below: below, seed: 12, domain: .shuffle, UInt64(round), UInt64(at))
      }
      let text = (0..<draw(7, 0)).map { pieces[draw(pieces.count, $0 + 1)] }.joined()
      for judge in verifiers {
        let verdict = judge.judge(Submission(completion: text, answer: "72"))
        strict += verdict.isStrictlyCorrect ? 1 : 0
        if verdict.isStrictlyCorrect && !verdict.isLenientlyCorrect {
          Issue.record("\(text.debugDescription): \(verdict.reason)")
        }
      }
    }
    #expect(strict > 100)
  }
}
