// Tasks that are made rather than read: a puzzle numbers all its exercises from 0, and
// `MadeExercises` splits that space and draws from it. What two exercises must not share across
// splits stands in the number: a set of numbers rather than its order, for one.

import Documents
import Experience

/// A numbered space of exercises with its verifier.
protocol Puzzle: Sendable {
  /// The characters of its prompts and demonstrations; nil for free text.
  var alphabet: [Character]? { get }
  /// What its demonstrations mark their parts with; a vocabulary of characters has each as one
  /// token.
  var tags: [String] { get }
  /// How many exercises there are, `SplitSpace.minimumCount` at least.
  var count: Int { get }
  /// The judge of its answers, alone in one `<answer>` block, and of its format.
  func judge(_ marks: Marks) -> Judge
  /// A number below `count` as an exercise; `seed` is the task's.
  func exercise(_ member: Int, seed: UInt64) -> Exercise
  /// The number of an exercise that a puzzle of this kind made; nil where it is none of these.
  func member(of exercise: Exercise) -> Int?
}

extension Puzzle {
  var tags: [String] { alphabet == nil ? [] : ThinkAnswerFormat.tags }
}

/// What a made task pays, and how it speaks.
struct Marks: Sendable {
  var correct: Float
  var format: Float

  init(_ fields: Fields) throws(DocumentError) {
    correct = Float(try fields.number("correctReward", default: 1, in: 0...100))
    format = Float(try fields.number("formatReward", default: 0.2, in: 0...100))
  }

  /// A verifier of the answer block beside the format's.
  func judge(_ verifier: any Verifier) -> Judge {
    Judge([
      Judge.Term(verifier, weight: correct, name: "correct"),
      Judge.Term(ThinkAnswerVerifier(), weight: format, name: "format"),
    ])
  }
}

/// How a prompt is put.
enum PromptStyle: String, Sendable, CaseIterable {
  /// In as few characters as say it, for a character-level vocabulary.
  case compact
  /// In words, for a model that reads.
  case words

  /// What a prompt in words asks of every reply.
  static let form =
    "Think between <think> and </think>, then give the answer alone between <answer> and </answer>."
}

/// The exercises of a puzzle.
struct MadeExercises<P: Puzzle>: LevelExercises {
  let puzzle: P
  private let judge: Judge
  private let space: SplitSpace
  private let seed: UInt64

  init(_ puzzle: P, _ fields: Fields) throws(DocumentError) {
    self.puzzle = puzzle
    judge = puzzle.judge(try Marks(fields))
    seed = UInt64(try fields.integer("seed", default: 1, in: 0...Int.max))
    let heldOutShare = try fields.number("heldOutShare", default: 0.2, in: 0...0.45)
    let validationShare = try fields.number("validationShare", default: 0.05, in: 0...0.45)
    guard puzzle.count >= SplitSpace.minimumCount else {
      throw fields.error(
        "kind",
        "these settings make \(puzzle.count) exercises, fewer than the "
          + "\(SplitSpace.minimumCount) that three splits need; make them harder")
    }
    space = SplitSpace(
      count: puzzle.count, seed: seed, heldOutShare: heldOutShare,
      validationShare: validationShare)
  }

  var alphabet: [Character]? { puzzle.alphabet }
  var tags: [String] { puzzle.tags }
  var needsTokenCount: Bool { judge.needsTokenCount }

  func count(in split: Split) -> Int? { split == .train ? nil : space.size(of: split) }

  /// The run's seed moves only what is drawn for training.
  func exercise(seed: UInt64, split: Split, index: Int) -> Exercise {
    precondition(index >= 0, "exercise \(index) of the \(split.rawValue) split")
    guard split == .train else {
      return puzzle.exercise(space.member(of: split, at: index), seed: self.seed)
    }
    let key = AddressedRandom.bits(seed: self.seed, domain: .shuffle, seed)
    let position = AddressedRandom.integer(
      below: space.size(of: .train), seed: key, domain: .train, UInt64(index))
    return puzzle.exercise(space.member(of: .train, at: position), seed: self.seed)
  }

  func split(of exercise: Exercise) -> Split? {
    puzzle.member(of: exercise).map(space.split)
  }

  func judge(
    _ exercise: Exercise, completion: String, tokenCount: Int, isTruncated: Bool
  ) -> Verdict {
    judge.judge(
      Submission(
        prompt: exercise.prompt, completion: completion, answer: exercise.answer,
        tokenCount: tokenCount, isTruncated: isTruncated))
  }
}

/// Random choices that belong to one member of a puzzle's space.
struct MemberRandom {
  let seed: UInt64
  let member: Int
  private var drawn: UInt64 = 0

  init(seed: UInt64, member: Int) {
    self.seed = seed
    self.member = member
  }

  mutating func integer(below bound: Int) -> Int {
    defer { drawn += 1 }
    return AddressedRandom.integer(
      below: bound, seed: seed, domain: .shuffle, UInt64(member), drawn, 0x6D61_6465)
  }

  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var elements = elements
    for index in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(index, integer(below: index + 1))
    }
    return elements
  }
}

/// Sets of `size` numbers below `bound`, numbered (the combinatorial number system).
enum Combination {
  /// How many there are; nil beyond an Int.
  static func count(bound: Int, size: Int) -> Int? {
    guard size <= bound else { return 0 }
    var count = 1
    for index in 0..<size {
      let (product, overflows) = count.multipliedReportingOverflow(by: bound - index)
      guard !overflows else { return nil }
      count = product / (index + 1)
    }
    return count
  }

  /// The number of a set given in rising order, of members from 0; nil where one stands twice.
  static func number(_ members: [Int]) -> Int? {
    var number = 0
    for (index, member) in members.enumerated() {
      guard index == 0 || members[index - 1] < member,
        let below = count(bound: member, size: index + 1)
      else { return nil }
      number += below
    }
    return number
  }

  /// The set at a number, in rising order.
  static func members(_ number: Int, bound: Int, size: Int) -> [Int] {
    var members: [Int] = []
    var rest = number
    var below = bound
    for size in stride(from: size, to: 0, by: -1) {
      // The greatest member m with C(m, size) <= rest.
      var candidate = below - 1
      while let count = count(bound: candidate, size: size), count > rest { candidate -= 1 }
      members.append(candidate)
      rest -= count(bound: candidate, size: size) ?? 0
      below = candidate
    }
    return members.reversed()
  }
}

/// A demonstration in the format.
func demonstration(think: String, answer: String) -> String {
  ThinkAnswerFormat.thinkOpen + think + ThinkAnswerFormat.thinkClose
    + ThinkAnswerFormat.answerOpen + answer + ThinkAnswerFormat.answerClose
}
