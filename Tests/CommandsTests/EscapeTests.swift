// What pages show of texts that others wrote: a model, a verifier, whoever named a run.

import Commands
import Testing

@Suite struct EscapeTests {
  @Test(arguments: [
    ("\"\u{301}", "&quot;\u{301}"), ("<\u{301}", "&lt;\u{301}"), (">\u{338}", "&gt;\u{338}"),
    ("&\u{338}", "&amp;\u{338}"), ("1 < \"2\" & \u{e9}", "1 &lt; &quot;2&quot; &amp; \u{e9}"),
  ])
  func `a mark upon a character does not hide it`(text: String, escaped: String) {
    // By scalars, as a browser reads: Swift's == takes other spellings of a text for the same.
    #expect(Array(escape(text).unicodeScalars) == Array(escaped.unicodeScalars))
  }
}
