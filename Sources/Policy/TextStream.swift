// Tokens to text while they come. A token may hold a part of a character, and what a token stands
// for may depend on the one before it, so a piece is told once nothing after it can change it; all
// pieces together are what `Tokenizer.decode` says of all tokens together.

/// Text of one sequence of tokens, a piece at a time.
public struct TextStream: Sendable {
  private let tokenizer: Tokenizer
  /// Tokens told last, for the context of the next ones.
  private var told: [Int32] = []
  private var held: [Int32] = []

  public init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

  /// The text that this token completes; "" while a character is not whole.
  public mutating func take(_ token: Int32) -> String {
    guard tokenizer.isText(token) else { return "" }
    held.append(token)
    return tokenizer.isOpen(after: token) ? "" : tell(atEnd: false)
  }

  /// The rest: an unfinished character comes as a replacement character.
  public mutating func finish() -> String { tell(atEnd: true) }

  private mutating func tell(atEnd: Bool) -> String {
    let before = Array(tokenizer.decode(told).utf8)
    let after = Array(tokenizer.decode(told + held).utf8)
    if after == before {
      // No text yet, but a place in it: where a file drops the first space, it was the first.
      told += held
      held = []
      return ""
    }
    guard after.starts(with: before) else { return "" }
    let isOpen = after.suffix(Self.replacement.count).elementsEqual(Self.replacement)
    if isOpen, !atEnd { return "" }
    (told, held) = (held, [])
    return String(decoding: after[before.count...], as: UTF8.self)
  }

  /// U+FFFD, with which `decode` tells of a character that is not whole.
  private static let replacement = Array("\u{fffd}".utf8)
}
