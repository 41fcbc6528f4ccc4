import Documents
import Glibc
import Policy
import Testing

/// The vocabulary of the arithmetic task's kind.
private let letters = Tokenizer.characters(
  Array("0123456789+-*=? \nabcé"), words: ["<think>", "</think>", "<answer>", "</answer>"])

@Suite struct `A vocabulary of characters` {
  @Test func `comes back as the text that went in, one token a character and a word`() {
    let text = "12+34=?\n<think>2+4=6 é</think><answer>46</answer>"
    let ids = letters.encode(text)
    #expect(ids.count == 8 + 1 + 7 + 1 + 1 + 2 + 1)
    #expect(letters.decode(ids) == text)
  }

  @Test func `begins with pad, bos, eos, unk, then words, then letters`() {
    #expect(letters.beginToken == 1)
    #expect(letters.stopTokens == [2])
    #expect(letters.encode("<pad><bos><eos><unk><think>0") == [0, 1, 2, 3, 4, 8])
    #expect(letters.vocabularySize == 4 + 4 + 21)
  }

  @Test func `has one unknown token for each character it lacks`() {
    #expect(letters.encode("1z\u{1F600}2") == [9, 3, 3, 10])
    // A letter and its combining accent are two characters of a vocabulary, whatever Swift calls equal.
    #expect(letters.encode("e\u{301}") == [3, 3])
    #expect(letters.encode("\u{e9}") == [28])
  }

  @Test func `leaves special tokens out of a text, but not words`() {
    let ids: [Int32] = [1, 4, 8, 2, 999, -1]
    #expect(letters.decode(ids) == "<think>0")
    #expect(letters.decode(ids, includingSpecial: true) == "<bos><think>0<eos>")
  }

  @Test func `is shown with visible spaces and newlines`() {
    #expect(letters.encode("\n 1<think>").map(letters.display) == ["⏎", "␣", "1", "<think>"])
    #expect(letters.display(2) == "<eos>")
    #expect(letters.display(999) == "#999")
  }

  @Test func `is the tokenizer its own file makes`() throws {
    let again = try Tokenizer(json: letters.json, source: "again")
    let text = "9*9=<answer>81</answer><eos>x"
    #expect(again.encode(text) == letters.encode(text))
    #expect(again.json == letters.json)
    #expect(again.stopTokens == letters.stopTokens && again.beginToken == letters.beginToken)
  }
}
