// Text to token ids and back, as a Hugging Face tokenizer.json says: added tokens are cut out of
// the text first, what lies between them is normalized, split into pieces, and each piece merged by
// byte-pair encoding (Sennrich et al., arXiv 1508.07909). The library `tokenizers` is the model:
// the same file gives the same ids. What the file asks for and this cannot do is refused when it is
// read.

import Documents
import Experience

/// Text to token ids and back, as a Hugging Face tokenizer.json says.
///
/// Truncation and padding a file may carry are not applied: lengths are the caller's.
public struct Tokenizer: Sendable {
  /// The file as it was read or made: what a checkpoint carries on, byte for byte.
  public let json: [UInt8]
  /// What else stood in its folder and is carried on with it; empty for a vocabulary made here.
  public internal(set) var companions = FolderCompanions()
  private let file: TokenizerFile
  private let encoders = TextEncoders()

  /// Reads a tokenizer.json; throws when it is malformed, hostile, or of a kind not supported.
  public init(json: [UInt8], source: String) throws(DocumentError) {
    file = try TokenizerFile(json: json, source: source)
    self.json = json
  }

  /// Reads tokenizer.json of a folder, and the small files beside it.
  public init(folder: String) throws {
    let path = FolderFile(folder, "tokenizer.json")
    try self.init(
      json: path.read(maximumByteCount: TokenizerLimit.fileBytes), source: path.path)
    companions = try FolderCompanions(folder: folder)
  }

  /// One more than the greatest id: the rows an embedding needs at least.
  public var vocabularySize: Int { file.vocabulary.size }

  /// Ids of the special tokens whose name says that a text ends (`<eos>`, `</s>`, ...).
  ///
  /// A model folder knows better: see `ModelConfiguration.stopTokens`.
  public var stopTokens: Set<Int32> { file.stopTokens }

  /// The token put before a prompt; nil where the file puts none there.
  public var beginToken: Int32? { file.beginToken }

  /// The id of a token by its exact spelling in the file; nil for none.
  public func token(spelled spelling: String) -> Int32? {
    file.vocabulary.id(of: Array(spelling.utf8))
  }

  /// A token's spelling in the file, as `token(spelled:)` takes it; nil for an id without one.
  public func spelling(of token: Int32) -> String? {
    guard file.vocabulary.contains(token) else { return nil }
    return String(decoding: file.vocabulary.spelling(of: token), as: UTF8.self)
  }

  /// Ids of the text alone, no special tokens added; special tokens spelled in it are found.
  ///
  /// Every text has ids: what the vocabulary lacks becomes its unknown token, or nothing where it
  /// has none. A stretch on which the file's pattern exceeds its limits is left in one piece.
  public func encode(_ text: String) -> [Int32] { encode(Array(text.utf8), guarded: []) }

  /// Ids of UTF-8 in which no special token is found in the `guarded` stretches, which are in
  /// order: there its spelling is text like any other.
  func encode(_ text: [UInt8], guarded: [Range<Int>]) -> [Int32] {
    encoders.withOne { encoder in
      var ids: [Int32] = []
      ids.reserveCapacity(text.count / 3 + 1)
      encoder.encode(text, guarded: guarded, by: file, into: &ids)
      return ids
    }
  }

  /// The text of these ids; special tokens are left out unless asked for.
  ///
  /// Ids without a token are left out; bytes that are not UTF-8 come as replacement characters.
  public func decode(_ tokens: [Int32], includingSpecial: Bool = false) -> String {
    var spellings: [ArraySlice<UInt8>] = []
    for token in tokens where file.vocabulary.contains(token) {
      if !includingSpecial, file.specialTokens.contains(token) { continue }
      spellings.append(file.vocabulary.spelling(of: token))
    }
    return String(decoding: file.decoder.text(of: spellings), as: UTF8.self)
  }

  /// What a completion says, for whoever judges or shows it: without the token that ended it, which
  /// a vocabulary need not count among its special ones.
  public func text(of completion: Completion) -> String {
    decode(completion.finish == .stop ? completion.tokens.dropLast() : completion.tokens)
  }

  /// The bytes one token stands for, wherever it stands: not UTF-8 where it holds a part of a
  /// character, and empty for an id without a token.
  public func bytes(of token: Int32) -> [UInt8] {
    guard file.vocabulary.contains(token) else { return [] }
    return file.decoder.bytes(of: file.vocabulary.spelling(of: token))
  }

  /// Whether `decode` looks at the token at all: it leaves special ones out, and ids without one.
  func isText(_ token: Int32) -> Bool {
    file.vocabulary.contains(token) && !file.specialTokens.contains(token)
  }

  /// Whether a token after this one may change the text of those before: a run of spelled bytes is
  /// text, or none, as a whole.
  func isOpen(after token: Int32) -> Bool {
    guard file.vocabulary.contains(token) else { return false }
    return file.decoder.steps?.contains(.byteFallback) == true
      && ByteFallback.byte(spelledBy: Array(file.vocabulary.spelling(of: token))) != nil
  }

  /// One token as people are shown it: newline ⏎, tab ⇥, space ␣, other control bytes and broken
  /// UTF-8 as `\x1b`; an id without a token as `#123`.
  public func display(_ token: Int32) -> String {
    guard file.vocabulary.contains(token) else { return "#\(token)" }
    return VisibleText.of(file.decoder.bytes(of: file.vocabulary.spelling(of: token)))
  }
}

/// Text made visible, a token at a time.
private enum VisibleText {
  static func of(_ bytes: [UInt8]) -> String {
    var text = ""
    var rest = bytes[...]
    while let byte = rest.first {
      guard let (scalar, width) = UTF8Text.scalar(rest) else {
        text += escape(byte)
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst(width)
      text += visible(scalar)
    }
    return text
  }

  private static func visible(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "⏎"
    case "\t": "⇥"
    case " ": "␣"
    case _ where scalar.properties.generalCategory == .control:
      String(scalar).utf8.map(escape).joined()
    default: String(scalar)
    }
  }

  private static func escape(_ byte: UInt8) -> String {
    "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}

/// UTF-8 a scalar at a time.
enum UTF8Text {
  /// The first scalar and its width in bytes; nil where the bytes are not UTF-8.
  static func scalar(_ bytes: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, width: Int)? {
    guard let lead = bytes.first else { return nil }
    let width = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    guard width <= bytes.count else { return nil }
    if width == 1 { return (Unicode.Scalar(lead), 1) }
    guard let text = String(validating: bytes.prefix(width), as: UTF8.self) else { return nil }
    guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else { return nil }
    return (scalar, width)
  }

  /// The scalar that begins at a place of valid UTF-8, and its width.
  @inline(__always) static func scalar(
    in bytes: UnsafeBufferPointer<UInt8>, at place: Int
  ) -> (scalar: Unicode.Scalar, width: Int) {
    let lead = bytes[place]
    if lead < 0x80 { return (Unicode.Scalar(lead), 1) }
    let width = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    var value = UInt32(lead) & (0xff >> UInt32(width + 1))
    for offset in 1..<width { value = value << 6 | UInt32(bytes[place + offset] & 0x3f) }
    guard let scalar = Unicode.Scalar(value) else {
      preconditionFailure("\(value) at byte \(place) is no character")
    }
    return (scalar, width)
  }
}
