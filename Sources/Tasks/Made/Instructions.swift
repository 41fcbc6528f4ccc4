// Replies under instructions that can be checked: begin with a word, end with a word, exactly n
// words, valid JSON with given keys (the kind of Zhou et al., IFEval, arXiv 2311.07911).
//
// The answer of an exercise is what is asked, as JSON:
//
//   {"begins": "river"}   {"ends": "stone"}   {"words": 7}   {"keys": ["name", "color"]}
//
// or several of the first three together.

import Documents
import Experience

/// What a reply must be like.
struct ReplyRules: Equatable, Sendable {
  static let maximumKeys = 16

  var begins: String?
  var ends: String?
  var words: Int?
  var keys: [String] = []

  /// Reads an answer; nil when it is none, or asks for nothing.
  init?(_ answer: String) {
    guard let document = try? JSON.parse(Array(answer.utf8), source: "answer"),
      let fields = try? Fields(document, source: "answer"),
      let begins = try? fields.string("begins", default: ""),
      let ends = try? fields.string("ends", default: ""),
      let words = try? fields.integer("words", default: 0, in: 0...100_000),
      let keys = try? fields.strings("keys", default: [], maximumCount: Self.maximumKeys),
      (try? fields.finish()) != nil
    else { return nil }
    self.begins = begins.isEmpty ? nil : begins
    self.ends = ends.isEmpty ? nil : ends
    self.words = words == 0 ? nil : words
    self.keys = keys
    if begins.isEmpty, ends.isEmpty, words == 0, keys.isEmpty { return nil }
  }

  init(begins: String? = nil, ends: String? = nil, words: Int? = nil, keys: [String] = []) {
    self.begins = begins
    self.ends = ends
    self.words = words
    self.keys = keys
  }

  var answer: String {
    var members: [(String, Document)] = []
    if let begins { members.append(("begins", .string(begins))) }
    if let ends { members.append(("ends", .string(ends))) }
    if let words { members.append(("words", .integer(words))) }
    if !keys.isEmpty { members.append(("keys", .array(keys.map(Document.string)))) }
    return JSON.write(.object(members))
  }

  var prompt: String {
    var asked: [String] = []
    if let begins { asked.append("begins with the word \"\(begins)\"") }
    if let ends { asked.append("ends with the word \"\(ends)\"") }
    if let words { asked.append("has exactly \(words) words") }
    if !keys.isEmpty {
      let list = keys.map { "\"\($0)\"" }.joined(separator: ", ")
      asked.append("is one JSON object with exactly the keys \(list), and nothing else")
    }
    return "Write a reply that \(asked.joined(separator: ", and ")).\n"
  }

  /// A reply that does as asked.
  var demonstration: String {
    if !keys.isEmpty { return JSON.write(.object(keys.map { ($0, .string("yes")) })) }
    let fixed = (begins == nil ? 0 : 1) + (ends == nil ? 0 : 1)
    let middle = [String](repeating: "and", count: max(0, (words ?? fixed + 1) - fixed))
    return ((begins.map { [$0] } ?? []) + middle + (ends.map { [$0] } ?? []))
      .joined(separator: " ")
  }
}

/// Checks a reply against its rules; one mark where all are kept.
public struct InstructionsVerifier: Verifier {
  public init() {}

  public func find(_ submission: Submission) -> Finding {
    guard let rules = ReplyRules(submission.answer) else {
      return .invalid(
        "the answer \"\(clipped(submission.answer))\" asks for nothing that can be checked")
    }
    let strict = flaws(Array(submission.completion.utf8)[...], rules, isLenient: false)
    let lenient = flaws(Array(submission.completion.utf8)[...], rules, isLenient: true)
    return Finding(
      parts: [("correct", strict.isEmpty ? 1 : 0)],
      reason: strict.isEmpty ? "right: all that was asked" : strict.joined(separator: ", "),
      isRight: strict.isEmpty, isLenientlyRight: strict.isEmpty || lenient.isEmpty)
  }

  /// Strictly the reply as it stands; leniently without case, blanks and signs around it, and JSON
  /// within a fence.
  private func flaws(_ reply: ArraySlice<UInt8>, _ rules: ReplyRules, isLenient: Bool) -> [String] {
    var flaws: [String] = []
    let text = String(decoding: reply, as: UTF8.self)
    let words = reply.split(whereSeparator: QuantityReader.isBlank)
    func form(_ word: ArraySlice<UInt8>?) -> [UInt8] {
      guard let word else { return [] }
      let core = isLenient ? bare(word) : word
      return isLenient
        ? Array(String(decoding: core, as: UTF8.self).lowercased().utf8) : Array(core)
    }
    func wanted(_ word: String) -> [UInt8] {
      Array((isLenient ? word.lowercased() : word).utf8)
    }
    let isTrimmed = isLenient || reply.first.map { !QuantityReader.isBlank($0) } ?? true
    if let begins = rules.begins, form(words.first) != wanted(begins) || !isTrimmed {
      flaws.append("does not begin with \"\(begins)\"")
    }
    if let ends = rules.ends, form(words.last) != wanted(ends) {
      flaws.append("does not end with \"\(ends)\"")
    }
    if let count = rules.words, words.count != count {
      flaws.append("\(words.count) words, not \(count)")
    }
    if !rules.keys.isEmpty, let flaw = jsonFlaw(text, rules.keys, isLenient: isLenient) {
      flaws.append(flaw)
    }
    return flaws
  }

  private func bare(_ word: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let isSign: (UInt8) -> Bool = { $0 < 0x80 && !QuantityReader.isLetter($0) }
    var word = word.drop(while: isSign)
    while let last = word.last, isSign(last) { word.removeLast() }
    return word
  }

  private func jsonFlaw(_ text: String, _ keys: [String], isLenient: Bool) -> String? {
    var bytes = Array(text.utf8)[...]
    if isLenient, let open = bytes.firstIndex(of: UInt8(ascii: "{")),
      let close = bytes.lastIndex(of: UInt8(ascii: "}")), open < close
    {
      bytes = bytes[open...close]
    }
    guard let document = try? JSON.parse(Array(bytes), source: "reply"),
      case .object(let members) = document.value
    else { return "not one JSON object" }
    let given = Set(members.map(\.key))
    if given == Set(keys) { return nil }
    let missing = keys.filter { !given.contains($0) }
    return missing.isEmpty
      ? "more keys than asked for" : "no key \"\(missing.joined(separator: "\", \""))\""
  }
}

struct Instructions: Puzzle {
  /// What may be asked, alone or (but for JSON) with others.
  enum Rule: String, CaseIterable, Sendable {
    case begin, end, words, json
  }

  private static let nouns = [
    "river", "stone", "cloud", "garden", "window", "bridge", "forest", "winter", "candle",
    "morning", "letter", "harbor", "mountain", "silver", "thunder", "village", "island", "mirror",
    "pencil", "basket", "market", "station", "feather", "kitchen", "journey", "shadow", "meadow",
    "ladder", "music", "paper", "summer", "water",
  ]
  private static let keys = [
    "name", "color", "size", "place", "year", "title", "author", "price", "city", "kind",
    "weight", "reason",
  ]

  let rules: [Rule]
  let largestWordCount: Int

  init(_ fields: Fields) throws(DocumentError) {
    let names = try fields.strings(
      "rules", default: Rule.allCases.map(\.rawValue), maximumCount: Rule.allCases.count)
    var rules: [Rule] = []
    for name in names {
      guard let rule = Rule(rawValue: name), !rules.contains(rule) else {
        let known = Rule.allCases.map(\.rawValue).joined(separator: ", ")
        throw fields.error("rules", "\(name) is none of \(known), or stands there twice")
      }
      rules.append(rule)
    }
    guard !rules.isEmpty else { throw fields.error("rules", "is empty; name one, such as begin") }
    self.rules = rules
    largestWordCount = try fields.integer("largestWordCount", default: 20, in: 3...1000)
  }

  /// A reply is free text, of which a vocabulary of characters has the printable part of ASCII.
  var alphabet: [Character]? {
    (UInt8(ascii: " ")...UInt8(ascii: "~")).map { Character(UnicodeScalar($0)) } + ["\n"]
  }
  var tags: [String] { [] }

  private static let keySets = Combination.count(bound: keys.count, size: 3) ?? 0
  /// Three at least: the first word, the last, and one between.
  private var lengths: Int { largestWordCount - 2 }

  /// Each rule has its own stretch of numbers: no two of them ask the same.
  private func count(of rule: Rule) -> Int {
    rule == .json ? Self.keySets : Self.nouns.count * lengths
  }

  var count: Int { rules.reduce(0) { $0 + count(of: $1) } }

  func judge(_ marks: Marks) -> Judge {
    Judge([Judge.Term(InstructionsVerifier(), weight: marks.correct, name: "correct")])
  }

  func member(of exercise: Exercise) -> Int? {
    guard let asked = ReplyRules(exercise.answer) else { return nil }
    let rule: Rule =
      !asked.keys.isEmpty ? .json : asked.begins == nil ? .end : asked.ends == nil ? .begin : .words
    guard let index = rules.firstIndex(of: rule) else { return nil }
    let before = rules[..<index].reduce(0) { $0 + count(of: $1) }
    if rule == .json {
      let places = asked.keys.compactMap { Self.keys.firstIndex(of: $0) }.sorted()
      return places.count == asked.keys.count
        ? Combination.number(places).map { before + $0 } : nil
    }
    guard let words = asked.words, (3...largestWordCount).contains(words),
      let noun = (asked.begins ?? asked.ends).flatMap({ Self.nouns.firstIndex(of: $0) })
    else { return nil }
    return before + (words - 3) * Self.nouns.count + noun
  }

  func exercise(_ member: Int, seed: UInt64) -> Exercise {
    var place = member
    var rule = rules[0]
    for candidate in rules {
      rule = candidate
      if place < count(of: candidate) { break }
      place -= count(of: candidate)
    }
    var random = MemberRandom(seed: seed, member: member)
    let noun = Self.nouns[place % Self.nouns.count]
    let length = 3 + place / Self.nouns.count
    let asked: ReplyRules
    switch rule {
    case .begin: asked = ReplyRules(begins: noun, words: length)
    case .end: asked = ReplyRules(ends: noun, words: length)
    case .words:
      let last = Self.nouns[random.integer(below: Self.nouns.count)]
      asked = ReplyRules(begins: noun, ends: last, words: length)
    case .json:
      let set = Combination.members(place, bound: Self.keys.count, size: 3)
      asked = ReplyRules(keys: random.shuffled(set.map { Self.keys[$0] }))
    }
    return Exercise(
      name: asked.answer, prompt: asked.prompt, answer: asked.answer,
      demonstration: asked.demonstration)
  }
}
