// Puzzles on words of letters: write one backwards, put its letters in order, count a letter in it.
//
//   reversal   "abcd>"     <think>d,c,b,a</think><answer>dcba</answer>
//   sorting    "dbca>"     <think>a,b,c,d</think><answer>abcd</answer>
//   counting   "a:abca>"   <think>a1b1c1a2</think><answer>2</answer>
//
// The number of an exercise is its word (for sorting: its set of letters), so no word stands in two
// splits. Harder is longer, and more letters.

import Documents
import Experience

/// What words are made of.
struct Letters: Sendable {
  static let maximumLength = 12
  let length: Int
  let letters: [Character]

  init(_ fields: Fields, default length: Int) throws(DocumentError) {
    self.length = try fields.integer("length", default: length, in: 2...Self.maximumLength)
    let count = try fields.integer("letters", default: 26, in: 2...26)
    letters = Array("abcdefghijklmnopqrstuvwxyz".prefix(count))
  }

  /// 26^12 stays within an Int.
  var count: Int { (0..<length).reduce(1) { power, _ in power * letters.count } }

  /// Nil for a word of another length or of other letters.
  func number(_ word: some Collection<Character>) -> Int? {
    guard word.count == length else { return nil }
    var number = 0
    for character in word.reversed() {
      guard let index = letters.firstIndex(of: character) else { return nil }
      number = number * letters.count + index
    }
    return number
  }

  func word(_ member: Int) -> [Character] {
    var rest = member
    return (0..<length).map { _ in
      defer { rest /= letters.count }
      return letters[rest % letters.count]
    }
  }
}

/// The answer in the one answer block, letter by letter.
private let blockVerifier = MatchVerifier(isNormalized: false, place: .block)

struct Reversal: Puzzle {
  let letters: Letters
  let style: PromptStyle

  init(_ fields: Fields) throws(DocumentError) {
    letters = try Letters(fields, default: 5)
    style = try fields.choice("style", default: PromptStyle.compact)
  }

  var alphabet: [Character]? { style == .words ? nil : letters.letters + [">", ","] }
  var count: Int { letters.count }
  func judge(_ marks: Marks) -> Judge { marks.judge(blockVerifier) }

  func member(of exercise: Exercise) -> Int? { letters.number(exercise.name) }

  func exercise(_ member: Int, seed: UInt64) -> Exercise {
    let word = letters.word(member)
    let back = word.reversed()
    return Exercise(
      name: String(word),
      prompt: style == .compact
        ? "\(String(word))>"
        : "Write the word \"\(String(word))\" backwards. \(PromptStyle.form)\n",
      answer: String(back),
      demonstration: demonstration(
        think: back.map(String.init).joined(separator: ","), answer: String(back)))
  }
}

struct Sorting: Puzzle {
  let letters: Letters
  let style: PromptStyle

  init(_ fields: Fields) throws(DocumentError) {
    letters = try Letters(fields, default: 4)
    style = try fields.choice("style", default: PromptStyle.compact)
    guard letters.length <= letters.letters.count else {
      throw fields.error(
        "length", "\(letters.length) different letters of \(letters.letters.count)")
    }
  }

  var alphabet: [Character]? { style == .words ? nil : letters.letters + [">", ","] }
  var count: Int { Combination.count(bound: letters.letters.count, size: letters.length) ?? 0 }
  func judge(_ marks: Marks) -> Judge { marks.judge(blockVerifier) }

  func member(of exercise: Exercise) -> Int? {
    let places = exercise.name.compactMap { letters.letters.firstIndex(of: $0) }.sorted()
    guard places.count == letters.length, exercise.name.count == letters.length else { return nil }
    return Combination.number(places)
  }

  func exercise(_ member: Int, seed: UInt64) -> Exercise {
    let sorted = Combination.members(
      member, bound: letters.letters.count, size: letters.length
    ).map { letters.letters[$0] }
    var random = MemberRandom(seed: seed, member: member)
    let word = String(random.shuffled(sorted))
    return Exercise(
      name: word,
      prompt: style == .compact
        ? "\(word)>"
        : "Write the letters of \"\(word)\" in alphabetical order. \(PromptStyle.form)\n",
      answer: String(sorted),
      demonstration: demonstration(
        think: sorted.map(String.init).joined(separator: ","), answer: String(sorted)))
  }
}

struct Counting: Puzzle {
  let letters: Letters
  let style: PromptStyle

  init(_ fields: Fields) throws(DocumentError) {
    letters = try Letters(fields, default: 6)
    style = try fields.choice("style", default: PromptStyle.compact)
  }

  var alphabet: [Character]? {
    style == .words ? nil : letters.letters + Array("0123456789") + [">", ":"]
  }
  var count: Int { letters.count }
  func judge(_ marks: Marks) -> Judge {
    marks.judge(NumericVerifier(place: .block))
  }

  func member(of exercise: Exercise) -> Int? {
    exercise.name.firstIndex(of: ":").flatMap {
      letters.number(exercise.name[$0...].dropFirst())
    }
  }

  func exercise(_ member: Int, seed: UInt64) -> Exercise {
    let word = letters.word(member)
    // A letter of the word: one that is not there would mostly be asked for.
    var random = MemberRandom(seed: seed, member: member)
    let letter = word[random.integer(below: word.count)]
    var seen = 0
    let work = word.map { character in
      seen += character == letter ? 1 : 0
      return "\(character)\(seen)"
    }
    return Exercise(
      name: "\(letter):\(String(word))",
      prompt: style == .compact
        ? "\(letter):\(String(word))>"
        : "How many times does the letter \(letter) stand in \"\(String(word))\"? "
          + "\(PromptStyle.form)\n",
      answer: "\(seen)",
      demonstration: demonstration(think: work.joined(), answer: "\(seen)"))
  }
}

/// Nothing but the format: what stands in the blocks is free.
struct FormatOnly: Puzzle {
  let letters: Letters
  let style: PromptStyle

  init(_ fields: Fields) throws(DocumentError) {
    letters = try Letters(fields, default: 3)
    style = try fields.choice("style", default: PromptStyle.compact)
  }

  var alphabet: [Character]? { style == .words ? nil : letters.letters + [">"] }
  var count: Int { letters.count }
  func judge(_ marks: Marks) -> Judge {
    Judge([Judge.Term(ThinkAnswerVerifier(), weight: marks.format, name: "format")])
  }

  func member(of exercise: Exercise) -> Int? { letters.number(exercise.name) }

  func exercise(_ member: Int, seed: UInt64) -> Exercise {
    let word = String(letters.word(member))
    return Exercise(
      name: word,
      prompt: style == .compact
        ? "\(word)>" : "Say something about \"\(word)\". \(PromptStyle.form)\n",
      answer: "", demonstration: demonstration(think: word, answer: word))
  }
}
