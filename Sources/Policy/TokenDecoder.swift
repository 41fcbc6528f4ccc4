// From tokens back to text, as the file's decoder says. Byte-level vocabularies spell every byte
// with a printable character; those in the manner of SentencePiece mark spaces (▁) and spell bytes
// that make no character of theirs as `<0x0A>`.

/// The decoder of a tokenizer.json.
struct TokenDecoder: Sendable {
  enum Step: Equatable, Sendable {
    case byteLevel
    case replace([UInt8], with: [UInt8])
    /// Runs of `<0x0A>` become their bytes, or as many replacement characters where these are not
    /// UTF-8.
    case byteFallback
    /// All tokens become one.
    case fuse
    /// Up to so many of a character at a token's ends.
    case strip([UInt8], start: Int, stop: Int)
    /// The mark becomes a space; in the first token it vanishes where `dropsFirst`.
    case metaspace(mark: [UInt8], dropsFirst: Bool)
  }

  /// nil: there is no decoder, and spellings come with a space between them.
  let steps: [Step]?

  private var isByteLevel: Bool { steps == [.byteLevel] }

  /// The text of these spellings, not necessarily UTF-8.
  func text(of spellings: [ArraySlice<UInt8>]) -> [UInt8] {
    guard let steps else { return Array(spellings.joined(separator: [UInt8(ascii: " ")])) }
    if isByteLevel {
      var bytes: [UInt8] = []
      for spelling in spellings { Self.appendBytes(of: spelling, to: &bytes) }
      return bytes
    }
    var tokens = spellings.map(Array.init)
    for step in steps { tokens = Self.apply(step, tokens) }
    return Array(tokens.joined())
  }

  /// What one token stands for, wherever it stands.
  func bytes(of spelling: ArraySlice<UInt8>) -> [UInt8] {
    var bytes = Array(spelling)
    for step in steps ?? [] {
      switch step {
      case .byteLevel:
        bytes = []
        Self.appendBytes(of: spelling, to: &bytes)
      case .replace(let old, let new):
        bytes = ByteText.replacing(old, with: new, in: bytes[...])
      case .metaspace(let mark, _):
        bytes = ByteText.replacing(mark, with: [UInt8(ascii: " ")], in: bytes[...])
      case .byteFallback: if let byte = ByteFallback.byte(spelledBy: bytes) { bytes = [byte] }
      case .fuse, .strip: continue
      }
    }
    return bytes
  }
}

extension TokenDecoder {
  private static func apply(_ step: Step, _ tokens: [[UInt8]]) -> [[UInt8]] {
    switch step {
    case .byteLevel:
      var bytes: [UInt8] = []
      for token in tokens { appendBytes(of: token[...], to: &bytes) }
      return [bytes]
    case .replace(let old, let new):
      return tokens.map { ByteText.replacing(old, with: new, in: $0[...]) }
    case .byteFallback: return ByteFallback.joiningBytes(tokens)
    case .fuse: return [Array(tokens.joined())]
    case .strip(let content, let start, let stop):
      return tokens.map { strip($0, content, start: start, stop: stop) }
    case .metaspace(let mark, let dropsFirst):
      return tokens.enumerated().map { index, token in
        ByteText.replacing(
          mark, with: index == 0 && dropsFirst ? [] : [UInt8(ascii: " ")], in: token[...])
      }
    }
  }

  /// A spelling some of whose characters are no byte's stands for itself: an added token.
  private static func appendBytes(of spelling: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    if !ByteAlphabet.append(bytesSpelledBy: spelling, to: &bytes) { bytes += spelling }
  }

  private static func strip(
    _ token: [UInt8], _ content: [UInt8], start: Int, stop: Int
  ) -> [UInt8] {
    var rest = token[...]
    for _ in 0..<start where rest.starts(with: content) { rest = rest.dropFirst(content.count) }
    for _ in 0..<stop where rest.suffix(content.count) == content[...] {
      rest = rest.dropLast(content.count)
    }
    return Array(rest)
  }
}

/// Bytes spelled `<0x0A>`.
enum ByteFallback {
  static func spelling(of byte: UInt8) -> [UInt8] {
    let digits = String(byte, radix: 16, uppercase: true)
    return Array("<0x\(digits.count == 1 ? "0" : "")\(digits)>".utf8)
  }

  static func byte(spelledBy token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">")
    else { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }

  static func joiningBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func flush() {
      if run.isEmpty { return }
      if String(validating: run, as: UTF8.self) != nil {
        result.append(run)
      } else {
        for _ in run { result.append(Array("\u{fffd}".utf8)) }
      }
      run = []
    }
    for token in tokens {
      if let byte = byte(spelledBy: token) {
        run.append(byte)
      } else {
        flush()
        result.append(token)
      }
    }
    flush()
    return result
  }
}
