import Documents

/// Text to token ids and back, as a Hugging Face tokenizer.json says.
public struct Tokenizer: Sendable {
  /// The file as it was read or made: what a checkpoint carries on, byte for byte.
  public let json: [UInt8]

  public init(json: [UInt8], source: String) throws(DocumentError) { fatalError() }
  /// A vocabulary of single characters, with `<pad>`, `<bos>` and `<eos>` before them.
  public static func characters(_ alphabet: [Character]) -> Tokenizer { fatalError() }

  public var vocabularySize: Int { fatalError() }
  public var stopTokens: Set<Int32> { fatalError() }
  /// The token put before a prompt; nil where the vocabulary has none.
  public var beginToken: Int32? { fatalError() }
  /// Ids of the text alone, no special tokens added.
  public func encode(_ text: String) -> [Int32] { fatalError() }
  /// The text of these ids; special tokens are left out unless asked for.
  public func decode(_ tokens: [Int32], includingSpecial: Bool = false) -> String { fatalError() }
  /// One token as people are shown it.
  public func display(_ token: Int32) -> String { fatalError() }
}
