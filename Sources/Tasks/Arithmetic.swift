// Arithmetic with a number of digits, answered as `<think>work</think><answer>number</answer>`.
//
// The reward has two parts: `correct` for the right number alone in the one answer block, `format`
// for the exact format. Exercises are numbered by their unordered pair of operands, so that 47+85
// and 85+47 can never stand in two splits; the operation does not enter either.
//
// Two digits, one operation: 4095 pairs, of which 819 are held out. The prompt is 6 tokens, the
// longest demonstration 22 and its stop token:
// "<think>7+5=12,4+8+1=13</think><answer>132</answer>".

import Documents
import Experience

/// The arithmetic task.
public struct Arithmetic: LevelExercises {
  public let operations: [ArithmeticOperation]
  /// Of each operand; the first is never 0, unless there is only one.
  public let digits: Int
  /// What the exact format is worth, and the right number.
  public let formatReward: Float
  public let correctReward: Float
  private let least: Int
  private let bound: Int
  private let seed: UInt64
  private let pairs: SplitSpace

  /// Products of two such numbers stay below 10^18, within an Int.
  public static let maximumDigits = 9

  public init(
    operations: [ArithmeticOperation] = [.add], digits: Int = 2, formatReward: Float = 0.2,
    correctReward: Float = 1, seed: UInt64 = 1, heldOutShare: Double = 0.2,
    validationShare: Double = 0.05
  ) {
    precondition(!operations.isEmpty, "arithmetic with 0 operations")
    precondition(
      (1...Self.maximumDigits).contains(digits), "\(digits) digits of 1...\(Self.maximumDigits)")
    self.operations = operations
    self.digits = digits
    self.formatReward = formatReward
    self.correctReward = correctReward
    self.seed = seed
    bound = (0..<digits).reduce(1) { power, _ in power * 10 }
    least = digits == 1 ? 0 : bound / 10
    let numbers = bound - least
    pairs = SplitSpace(
      count: numbers * (numbers + 1) / 2, seed: seed, heldOutShare: heldOutShare,
      validationShare: validationShare)
  }

  public init(_ fields: Fields) throws(DocumentError) {
    let names = try fields.strings(
      "operations", default: ["add"], maximumCount: ArithmeticOperation.allCases.count)
    var operations: [ArithmeticOperation] = []
    for name in names {
      guard let operation = ArithmeticOperation(rawValue: name) else {
        let known = ArithmeticOperation.allCases.map(\.rawValue)
        let hint = Spelling.nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
        throw fields.error(
          "operations", "\(name) is none of \(known.joined(separator: ", "))\(hint)")
      }
      guard !operations.contains(operation) else {
        throw fields.error("operations", "names \(name) twice; name each once")
      }
      operations.append(operation)
    }
    guard !operations.isEmpty else {
      throw fields.error("operations", "is empty; name at least one, such as add")
    }
    self.init(
      operations: operations,
      digits: try fields.integer("digits", default: 2, in: 1...Self.maximumDigits),
      formatReward: Float(try fields.number("formatReward", default: 0.2, in: 0...100)),
      correctReward: Float(try fields.number("correctReward", default: 1, in: 0...100)),
      seed: UInt64(try fields.integer("seed", default: 1, in: 0...Int.max)),
      heldOutShare: try fields.number("heldOutShare", default: 0.2, in: 0...0.45),
      validationShare: try fields.number("validationShare", default: 0.05, in: 0...0.45))
  }

  public var alphabet: [Character]? {
    // A product is worked out with sums.
    let signs = ArithmeticOperation.allCases.filter { operation in
      operations.contains(operation) || (operation == .add && operations.contains(.multiply))
    }.map(\.sign)
    return Array("0123456789") + signs + ["=", ","]
  }

  public var tags: [String] { ThinkAnswerFormat.tags }

  /// Validation and held-out have each pair once for each operation; train is drawn without end.
  public func count(in split: Split) -> Int? {
    split == .train ? nil : pairs.size(of: split) * operations.count
  }

  /// The run's seed moves only what is drawn for training: every run is measured on the same
  /// exercises.
  public func exercise(seed: UInt64, split: Split, index: Int) -> Exercise {
    precondition(index >= 0, "exercise \(index) of the \(split.rawValue) split")
    guard split == .train else { return counted(split, index: index) }
    // A key of the task's own: the run's seed at a ticket's number also begins the addresses of the
    // tokens sampled for it, and the exercise must not hang together with them.
    let key = AddressedRandom.bits(seed: self.seed, domain: .shuffle, seed)
    let address = UInt64(index)
    let position = AddressedRandom.integer(
      below: pairs.size(of: .train), seed: key, domain: .train, address)
    let operation = AddressedRandom.integer(
      below: operations.count, seed: key, domain: .train, address, 1)
    let order = AddressedRandom.bits(seed: key, domain: .train, address, 2)
    return exercise(
      pair: pairs.member(of: .train, at: position), operation: operations[operation],
      isSwapped: order & 1 == 1)
  }

  private func counted(_ split: Split, index: Int) -> Exercise {
    let size = pairs.size(of: split)
    precondition(
      index < size * operations.count,
      "exercise \(index) of the \(split.rawValue) split, which has \(size * operations.count)")
    // The first `size` indices hold every pair once, each with an operation drawn for it; the next
    // hold the pairs again, each with its next operation.
    let position = index % size
    let domain: RandomDomain = split == .heldOut ? .heldOut : .validation
    let key = AddressedRandom.bits(seed: seed, domain: domain, 0)
    let first = AddressedRandom.integer(
      below: operations.count, seed: key, domain: domain, UInt64(position), 1)
    let order = AddressedRandom.bits(seed: key, domain: domain, UInt64(position), 2)
    return exercise(
      pair: pairs.member(of: split, at: position),
      operation: operations[(first + index / size) % operations.count],
      isSwapped: order & 1 == 1)
  }

  private func exercise(
    pair: Int, operation: ArithmeticOperation, isSwapped: Bool
  ) -> Exercise {
    let (smaller, larger) = operands(ofPair: pair)
    let isLargerFirst = isSwapped || !operation.commutes
    let left = isLargerFirst ? larger : smaller
    let right = isLargerFirst ? smaller : larger
    let name = "\(left)\(operation.sign)\(right)"
    let answer = "\(operation.result(left, right))"
    return Exercise(
      name: name, prompt: name + "=", answer: answer,
      demonstration: ThinkAnswerFormat.thinkOpen + operation.work(left, right)
        + ThinkAnswerFormat.thinkClose + ThinkAnswerFormat.answerOpen + answer
        + ThinkAnswerFormat.answerClose)
  }

  /// Which split two operands belong to, in either order.
  public func split(ofOperands left: Int, _ right: Int) -> Split {
    let (smaller, larger) = (min(left, right) - least, max(left, right) - least)
    return pairs.split(of: larger * (larger + 1) / 2 + smaller)
  }

  /// Nil for operands of another number of digits.
  func split(of exercise: Exercise) -> Split? {
    let operands = exercise.name.split { !$0.isNumber }.compactMap { Int($0) }
    guard operands.count == 2, operands.allSatisfy({ $0 >= least && $0 < bound })
    else { return nil }
    return split(ofOperands: operands[0], operands[1])
  }

  /// Pairs are numbered along the triangle: 0 is (0, 0), 1 is (0, 1), 2 is (1, 1), 3 is (0, 2).
  private func operands(ofPair pair: Int) -> (smaller: Int, larger: Int) {
    var larger = Int((Double(8 * pair + 1).squareRoot() - 1) / 2)
    // The root of a large number may be off by one either way.
    while larger * (larger + 1) / 2 > pair { larger -= 1 }
    while (larger + 1) * (larger + 2) / 2 <= pair { larger += 1 }
    return (least + pair - larger * (larger + 1) / 2, least + larger)
  }
}

// The verifier.
extension Arithmetic {
  public func judge(
    _ exercise: Exercise, completion: String, tokenCount: Int, isTruncated: Bool
  ) -> Verdict {
    let format = ThinkAnswerFormat(completion, isTruncated: isTruncated)
    let given = format.answers.last.flatMap { NumericAnswer($0) }
    let right = NumericAnswer(exercise.answer)
    // Two answer blocks would be two guesses for the price of one.
    let isCorrect = format.answers.count == 1 && given != nil && given == right
    let lenient = given ?? NumericAnswer.last(in: completion)
    let position = max(0, tokenCount - 1)
    return Verdict(
      parts: [
        RewardPart(
          position: position, part: "correct", value: isCorrect ? correctReward : 0),
        RewardPart(position: position, part: "format", value: format.isExact ? formatReward : 0),
      ],
      reason: reason(format, given: given, isCorrect: isCorrect, answer: exercise.answer),
      isStrictlyCorrect: isCorrect && format.isExact,
      isLenientlyCorrect: lenient != nil && lenient == right)
  }

  private func reason(
    _ format: ThinkAnswerFormat, given: NumericAnswer?, isCorrect: Bool, answer: String
  ) -> String {
    let verdict =
      if isCorrect {
        "right: \(answer)"
      } else if format.answers.isEmpty {
        "no answer block"
      } else if format.answers.count > 1 {
        "\(format.answers.count) answer blocks"
      } else if let given {
        "wrong: \(given) is not \(answer)"
      } else {
        "the answer block holds no integer"
      }
    guard let flaw = format.flaw, flaw != verdict else { return verdict }
    return "\(verdict); format: \(flaw)"
  }
}
