// Countdown: reach a target from given numbers with + - * / and parentheses, each number once. The
// game of the French and British television shows; as a task for reinforcement: Pan et al.,
// TinyZero.
//
//   "3 4 6=42>"   <think>3+4=7,7*6=42</think><answer>(3+4)*6</answer>
//
// An exercise is numbered by its set of numbers, so that no set stands in two splits in another
// order or with another target. Its target is what some expression over all of them comes to, so
// every exercise can be solved, and the demonstration is that expression.

import Documents
import Experience

struct Countdown: Puzzle {
  /// Expressions tried for a target within bounds; the sum, tried last, is always within.
  static let maximumTries = 64

  let numbers: Int
  let largest: Int
  let largestTarget: Int
  let style: PromptStyle

  init(_ fields: Fields) throws(DocumentError) {
    numbers = try fields.integer("numbers", default: 3, in: 2...6)
    largest = try fields.integer("largestNumber", default: 20, in: 4...100)
    largestTarget = try fields.integer("largestTarget", default: 100, in: 8...10_000)
    style = try fields.choice("style", default: PromptStyle.compact)
    guard numbers <= largest else {
      throw fields.error("numbers", "\(numbers) different numbers of 1 to \(largest)")
    }
    guard largestTarget >= numbers * largest else {
      throw fields.error(
        "largestTarget", "\(largestTarget) is below \(numbers) x \(largest), what a sum may come to"
      )
    }
  }

  var alphabet: [Character]? { style == .words ? nil : Array("0123456789 =>+-*/(),") }
  var count: Int { Combination.count(bound: largest, size: numbers) ?? 0 }
  func judge(_ marks: Marks) -> Judge { marks.judge(CountdownVerifier()) }

  func exercise(_ member: Int, seed: UInt64) -> Exercise {
    let set = Combination.members(member, bound: largest, size: numbers).map { $0 + 1 }
    var random = MemberRandom(seed: seed, member: member)
    let shown = random.shuffled(set)
    let made = solution(shown, &random)
    let list = shown.map(String.init)
    let asked = "\(list.joined(separator: " "))=\(made.value)"
    return Exercise(
      name: asked,
      prompt: style == .compact
        ? "\(asked)>"
        : "Make \(made.value) from the numbers \(list.joined(separator: ", ")) with + - * / and "
          + "parentheses, using each of them once. \(PromptStyle.form)\n",
      answer: "\(made.value) from \(list.joined(separator: " "))",
      demonstration: demonstration(
        think: made.work.joined(separator: ","), answer: made.text))
  }

  func member(of exercise: Exercise) -> Int? {
    guard let (_, given) = CountdownVerifier.read(exercise.answer), given.count == numbers,
      given.allSatisfy((1...largest).contains)
    else { return nil }
    return Combination.number(given.sorted().map { $0 - 1 })
  }

  private typealias Solution = (value: Int, text: String, work: [String])

  /// Two of the numbers at a time become one, until one is left.
  private func solution(_ numbers: [Int], _ random: inout MemberRandom) -> Solution {
    for attempt in 0..<Self.maximumTries {
      let isLast = attempt == Self.maximumTries - 1
      var terms = numbers.map { (value: $0, text: "\($0)", isAtom: true) }
      var work: [String] = []
      while terms.count > 1 {
        let left = terms.remove(at: random.integer(below: terms.count))
        let right = terms.remove(at: random.integer(below: terms.count))
        let sign = isLast ? 0 : random.integer(below: 4)
        let value: Int
        switch sign {
        case 1 where left.value > right.value: value = left.value - right.value
        case 2: value = left.value * right.value
        case 3 where left.value % right.value == 0: value = left.value / right.value
        default: value = left.value + right.value
        }
        // A choice that does not come out whole and positive is a sum instead.
        let isSum = value == left.value + right.value && !(sign == 2)
        let name = isSum ? "+" : ["+", "-", "*", "/"][sign]
        work.append("\(left.value)\(name)\(right.value)=\(value)")
        let one = left.isAtom ? left.text : "(\(left.text))"
        let other = right.isAtom ? right.text : "(\(right.text))"
        terms.append((value, "\(one)\(name)\(other)", false))
      }
      if terms[0].value <= largestTarget { return (terms[0].value, terms[0].text, work) }
    }
    preconditionFailure("a sum of \(numbers) exceeds \(largestTarget), which init refuses")
  }
}

/// Whether an expression over the given numbers comes to the target. The answer reads
/// "42 from 3 4 6".
public struct CountdownVerifier: Verifier {
  /// Whether every number must be used; none may be used twice either way.
  public let usesAll: Bool

  public init(usesAll: Bool = true) { self.usesAll = usesAll }

  public func find(_ submission: Submission) -> Finding {
    guard let (target, numbers) = Self.read(submission.answer) else {
      return .invalid(
        "the answer \"\(clipped(submission.answer))\" is not of the form \"42 from 3 4 6\"")
    }
    let blocks = AnswerPlace.block.answers(in: submission.completion)
    let problem: String? =
      switch blocks.count {
      case 0: AnswerPlace.block.absence
      case 1: flaw(blocks[0], target, numbers)
      default: "\(blocks.count) answer blocks"
      }
    let said = AnswerPlace.said.answers(in: submission.completion).last
    let line = AnswerPlace.line.answers(in: submission.completion).last
    let isLenient =
      problem == nil
      || [said, line].contains { $0.map { flaw(Self.left($0), target, numbers) == nil } ?? false }
    return .answer(
      strictly: problem == nil, leniently: isLenient, accepts: .strict,
      reason: problem ?? "right: \(clipped(blocks[0]))")
  }

  /// "(3+4)*6 = 42" up to its sign of equality.
  private static func left(_ text: String) -> String {
    String(decoding: text.utf8.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
  }

  static func read(_ answer: String) -> (Int, [Int])? {
    let words = answer.split(separator: " ")
    guard words.count >= 3, words[1] == "from", let target = Int(words[0]) else { return nil }
    let numbers = words.dropFirst(2).map { Int($0) }
    guard numbers.count <= CountdownExpression.maximumNumbers else { return nil }
    let known = numbers.compactMap { $0 }
    return known.count == numbers.count ? (target, known) : nil
  }

  /// What is wrong with an expression; nil where nothing is.
  private func flaw(_ text: String, _ target: Int, _ numbers: [Int]) -> String? {
    var expression = CountdownExpression(text)
    guard let value = expression.evaluate() else {
      return "no expression: \(expression.problem) in \"\(clipped(text))\""
    }
    var left = numbers
    for used in expression.numbers {
      guard let index = left.firstIndex(of: used) else {
        return numbers.contains(used)
          ? "\(used) is used too often" : "\(used) is not among the numbers"
      }
      left.remove(at: index)
    }
    guard left.isEmpty || !usesAll else {
      return "\(left.map(String.init).joined(separator: ", ")) left over"
    }
    guard value.above == target, value.below == 1 else {
      return "wrong: it comes to \(value.above)"
        + (value.below == 1 ? "" : "/\(value.below)") + ", not \(target)"
    }
    return nil
  }
}

/// Reads and computes sums, differences, products and quotients of whole numbers, exactly. A parser
/// of its own: nothing else that a text could say has a meaning here.
struct CountdownExpression {
  static let maximumByteCount = 1024
  static let maximumDepth = 32
  static let maximumNumbers = 64

  private(set) var numbers: [Int] = []
  private(set) var problem = ""
  private let bytes: [UInt8]
  private var at = 0

  init(_ text: String) {
    // The signs of print for the signs of keyboards.
    var plain: [UInt8] = []
    for scalar in text.unicodeScalars.prefix(Self.maximumByteCount + 1) {
      switch scalar.value {
      case 0x20, 0x09...0x0D: break
      case 0xD7, 0xB7: plain.append(UInt8(ascii: "*"))
      case 0xF7: plain.append(UInt8(ascii: "/"))
      case 0x2212: plain.append(UInt8(ascii: "-"))
      default: plain += String(scalar).utf8
      }
    }
    bytes = plain
    // Blanks are dropped above, and "1 2" must not become 12.
    if Self.hasSplitNumber(text) { problem = "two numbers side by side" }
  }

  private static func hasSplitNumber(_ text: String) -> Bool {
    var wasDigit = false
    var isApart = false
    for byte in text.utf8 {
      if QuantityReader.isBlank(byte) {
        isApart = wasDigit
      } else {
        let isDigit = QuantityReader.isDigit(byte)
        if isDigit, isApart { return true }
        (wasDigit, isApart) = (isDigit, false)
      }
    }
    return false
  }

  /// A quotient in lowest terms; nil with a `problem` where there is no value.
  mutating func evaluate() -> (above: Int, below: Int)? {
    guard problem.isEmpty else { return nil }
    guard bytes.count <= Self.maximumByteCount else {
      problem = "more than \(Self.maximumByteCount) bytes"
      return nil
    }
    guard let value = sum(depth: 0) else { return nil }
    guard at == bytes.count else {
      problem = "more behind it"
      return nil
    }
    return (value.above, value.below)
  }

  private struct Value {
    var above: Int
    var below: Int
  }

  private mutating func sum(depth: Int) -> Value? {
    guard var left = product(depth: depth) else { return nil }
    while at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") {
      let isSum = bytes[at] == UInt8(ascii: "+")
      at += 1
      guard let right = product(depth: depth),
        let (a, b, below) = common(left, right),
        let value = reduced(
          isSum ? a.addingReportingOverflow(b) : a.subtractingReportingOverflow(b),
          (below, false))
      else { return failed("a number too large") }
      left = value
    }
    return left
  }

  private mutating func product(depth: Int) -> Value? {
    guard var left = atom(depth: depth) else { return nil }
    while at < bytes.count, bytes[at] == UInt8(ascii: "*") || bytes[at] == UInt8(ascii: "/") {
      let isProduct = bytes[at] == UInt8(ascii: "*")
      at += 1
      guard let right = atom(depth: depth) else { return nil }
      guard isProduct || right.above != 0 else { return failed("a division by zero") }
      let (x, y) = isProduct ? (right.above, right.below) : (right.below, right.above)
      guard
        let value = reduced(
          left.above.multipliedReportingOverflow(by: x),
          left.below.multipliedReportingOverflow(by: y))
      else { return failed("a number too large") }
      left = value
    }
    return left
  }

  private mutating func atom(depth: Int) -> Value? {
    guard at < bytes.count else { return failed("an end too early") }
    if bytes[at] == UInt8(ascii: "(") {
      guard depth < Self.maximumDepth else { return failed("parentheses too deep") }
      at += 1
      guard let value = sum(depth: depth + 1) else { return nil }
      guard at < bytes.count, bytes[at] == UInt8(ascii: ")") else {
        return failed("a parenthesis without end")
      }
      at += 1
      return value
    }
    let digits = bytes[at...].prefix { QuantityReader.isDigit($0) }
    guard !digits.isEmpty else { return failed("no number where one was due") }
    // Nine digits stay within an Int, whatever is done with two of them.
    guard digits.count <= 9, numbers.count < Self.maximumNumbers else {
      return failed("a number too large")
    }
    at += digits.count
    let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    numbers.append(value)
    return Value(above: value, below: 1)
  }

  private func common(_ left: Value, _ right: Value) -> (Int, Int, Int)? {
    let (a, overA) = left.above.multipliedReportingOverflow(by: right.below)
    let (b, overB) = right.above.multipliedReportingOverflow(by: left.below)
    let (below, overC) = left.below.multipliedReportingOverflow(by: right.below)
    return overA || overB || overC ? nil : (a, b, below)
  }

  private func reduced(
    _ above: (partialValue: Int, overflow: Bool), _ below: (partialValue: Int, overflow: Bool)
  ) -> Value? {
    guard !above.overflow, !below.overflow, above.partialValue != .min, below.partialValue != .min
    else { return nil }
    var (a, b) = (abs(above.partialValue), abs(below.partialValue))
    while b != 0 { (a, b) = (b, a % b) }
    let sign = below.partialValue < 0 ? -1 : 1
    return Value(above: sign * above.partialValue / a, below: sign * below.partialValue / a)
  }

  /// The first problem stands.
  private mutating func failed(_ what: String) -> Value? {
    if problem.isEmpty { problem = what }
    return nil
  }
}
