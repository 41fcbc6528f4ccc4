// Stop texts against the whole text, cut into tokens in every way.

import Commands
import Policy
import Testing

@Suite struct ChoiceTextTests {
  let tokenizer = Tokenizer.characters(Array("ab+"), words: ["aab", "bba", "+a"])

  /// What is told of these tokens, piece by piece.
  private func told(_ tokens: [Int32], stops: [String]) -> (pieces: [String], isStopped: Bool) {
    var text = ChoiceText(tokenizer, stops: stops.map { Array($0.utf8) })
    var pieces: [String] = []
    for token in tokens where !text.isStopped { pieces.append(text.take(token)) }
    if !text.isStopped { pieces.append(text.finish()) }
    return (pieces, text.isStopped)
  }

  /// The text before the stop that is whole first; the longest of several.
  private func expected(_ text: String, _ stops: [String]) -> (text: String, isStopped: Bool) {
    let bytes = Array(text.utf8)
    for end in 0...bytes.count {
      let whole = stops.filter { bytes[..<end].reversed().starts(with: $0.utf8.reversed()) }
      if let longest = whole.map(\.utf8.count).max() {
        return (String(decoding: bytes[..<(end - longest)], as: UTF8.self), true)
      }
    }
    return (text, false)
  }

  @Test(arguments: [
    ["ab"], ["aab"], ["bab", "ab"], ["abab", "ba"], ["+"], ["a+a", "ab+"], ["bbbb"], [],
  ])
  func `the text ends before the stop that is whole first, and nothing of it leaks`(
    _ stops: [String]
  ) throws {
    let ids = ["a", "b", "+", "aab", "bba", "+a"].compactMap { tokenizer.token(spelled: $0) }
    try #require(ids.count == 6)
    var stopped = 0
    // All sequences of five tokens.
    for number in 0..<7776 {
      var rest = number
      let tokens = (0..<5).map { _ -> Int32 in
        defer { rest /= 6 }
        return ids[rest % 6]
      }
      let whole = expected(tokenizer.decode(tokens), stops)
      let told = told(tokens, stops: stops)
      #expect(told.pieces.joined() == whole.text && told.isStopped == whole.isStopped)
      stopped += whole.isStopped ? 1 : 0
    }
    #expect(stops.isEmpty ? stopped == 0 : (1..<7776).contains(stopped))
  }

  @Test func `without a stop in sight nothing is held back`() {
    let tokens = tokenizer.encode("ab+ab+")
    #expect(told(tokens, stops: ["x"]).pieces.dropLast().allSatisfy { !$0.isEmpty })
  }
}
