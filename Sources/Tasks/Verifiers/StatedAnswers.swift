// Where a completion says its answer. A place gives all answers said there, in order: a verifier
// that wants one answer sees when there are several, so that many guesses are not worth more than
// one.

import Documents

/// Where a verifier looks for the answer.
public enum AnswerPlace: String, Sendable, CaseIterable {
  /// The whole completion.
  case whole
  /// The last line that is not blank.
  case line
  /// What is within `<answer>...</answer>`.
  case block
  /// What is within `\boxed{...}`.
  case boxed
  /// What follows `####` on its line.
  case hashes
  /// What follows one of the usual phrases: `####`, "the answer is", "Answer:", `\boxed{...}`,
  /// `<answer>`.
  case said

  /// Everything said there.
  public func answers(in text: String) -> [String] {
    switch self {
    case .whole: [text]
    case .line: StatedAnswers.lines(of: text).last.map { [$0] } ?? []
    case .block: ThinkAnswerFormat(text, isTruncated: false).answers
    case .boxed: StatedAnswers.boxed(in: text)
    case .hashes: StatedAnswers.hashes(in: text)
    case .said: StatedAnswers.said(in: text)
    }
  }

  /// What is missing where nothing is said, in words.
  var absence: String {
    switch self {
    case .whole, .line: "an empty completion"
    case .block: "no answer block"
    case .boxed: "no \\boxed{...}"
    case .hashes: "no line with ####"
    case .said: "no answer is stated"
    }
  }
}

enum StatedAnswers {
  /// Answers of one completion; further ones are not read.
  static let maximumCount = 64
  /// Of one answer; a longer line is prose.
  static let maximumAnswerBytes = 4096

  static func lines(of text: String) -> [String] {
    text.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D })
      .filter { !$0.allSatisfy(QuantityReader.isBlank) }
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// What follows `####`, to the end of its line.
  static func hashes(in text: String) -> [String] {
    following("####", in: Array(text.utf8)).map(\.text)
  }

  /// What stands within each `\boxed{...}`, braces matched; one without end is not said.
  static func boxed(in text: String) -> [String] { boxes(in: Array(text.utf8)).map(\.text) }

  /// Everything said in one of the usual ways, in the order it stands.
  static func said(in text: String) -> [String] {
    let bytes = Array(text.utf8)
    let lower = bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    var found = following("####", in: bytes) + boxes(in: bytes)
    for phrase in phrases {
      for place in following(phrase, in: lower) {
        let end = place.start + place.text.utf8.count
        let original = String(decoding: bytes[place.start..<end], as: UTF8.self)
        found.append((place.start, original))
      }
    }
    let sorted = found.sorted { $0.start < $1.start }.prefix(maximumCount).map(\.text)
    return sorted + ThinkAnswerFormat(text, isTruncated: false).answers
  }

  /// In lower case; what follows one is the answer, behind signs such as a colon.
  private static let phrases = [
    "answer is", "answer:", "answer**:", "answer =", "answer to the question is",
    "answer would be", "final result is", "answer equals",
  ]

  private typealias Place = (start: Int, text: String)

  private static func following(_ mark: String, in bytes: [UInt8]) -> [Place] {
    let mark = Array(mark.utf8)
    var found: [Place] = []
    var at = 0
    while at + mark.count <= bytes.count, found.count < maximumCount {
      guard bytes[at] == mark[0], bytes[at...].starts(with: mark) else {
        at += 1
        continue
      }
      at += mark.count
      let line = bytes[at...].prefix { $0 != 0x0A && $0 != 0x0D }.prefix(maximumAnswerBytes)
      found.append((at, String(decoding: line, as: UTF8.self)))
    }
    return found
  }

  private static func boxes(in bytes: [UInt8]) -> [Place] {
    var found: [Place] = []
    for mark in ["\\boxed", "\\fbox"] {
      let mark = Array(mark.utf8)
      var at = 0
      while at + mark.count < bytes.count, found.count < maximumCount {
        guard bytes[at] == mark[0], bytes[at...].starts(with: mark) else {
          at += 1
          continue
        }
        at += mark.count
        while at < bytes.count, bytes[at] == 0x20 { at += 1 }
        guard let end = closing(from: at, in: bytes) else { continue }
        found.append((at + 1, String(decoding: bytes[(at + 1)..<end], as: UTF8.self)))
        // What is boxed within a box is part of it.
        at = end + 1
      }
    }
    return found.sorted { $0.start < $1.start }
  }

  /// The brace that closes the one at a place.
  private static func closing(from start: Int, in bytes: [UInt8]) -> Int? {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "{") else { return nil }
    var depth = 0
    for index in start..<min(bytes.count, start + maximumAnswerBytes) {
      // An escaped brace is a character of a set.
      if index > start, bytes[index - 1] == UInt8(ascii: "\\") { continue }
      if bytes[index] == UInt8(ascii: "{") { depth += 1 }
      if bytes[index] == UInt8(ascii: "}") {
        depth -= 1
        if depth == 0 { return index }
      }
    }
    return nil
  }
}
