// The text of one choice as it may be told while it grows: whole characters alone, and nothing that
// may yet turn out to be the beginning of a stop text.

import Policy

package struct ChoiceText {
  private var stream: TextStream
  private let stops: [[UInt8]]
  /// The end of the text so far that a stop may begin with.
  private var held: [UInt8] = []
  /// A stop text came; what follows is not told.
  package private(set) var isStopped = false

  package init(_ tokenizer: Tokenizer, stops: [[UInt8]]) {
    stream = TextStream(tokenizer)
    self.stops = stops
  }

  /// The text that can be told after this token.
  package mutating func take(_ token: Int32) -> String {
    isStopped ? "" : filter(stream.take(token))
  }

  /// The rest, after the last token.
  package mutating func finish() -> String {
    if isStopped { return "" }
    let rest = filter(stream.finish())
    defer { held = [] }
    return isStopped ? rest : rest + String(decoding: held, as: UTF8.self)
  }

  /// The stop that is whole first ends the text, wherever tokens are cut.
  private mutating func filter(_ text: String) -> String {
    guard !stops.isEmpty else { return text }
    for byte in text.utf8 {
      held.append(byte)
      let whole = stops.filter { held.count >= $0.count && held.suffix($0.count) == $0[...] }
      guard let longest = whole.map(\.count).max() else { continue }
      held.removeLast(longest)
      isStopped = true
      defer { held = [] }
      return String(decoding: held, as: UTF8.self)
    }
    let kept = stops.map(Self.overlap(held)).max() ?? 0
    let told = held.prefix(held.count - kept)
    held.removeFirst(told.count)
    return String(decoding: told, as: UTF8.self)
  }

  /// How much of the end of `text` is the beginning of a stop, but not all of it. A stop begins
  /// with a whole character, so the text is never cut within one.
  private static func overlap(_ text: [UInt8]) -> ([UInt8]) -> Int {
    { stop in
      var count = min(text.count, stop.count - 1)
      while count > 0, text.suffix(count) != stop.prefix(count) { count -= 1 }
      return count
    }
  }
}
