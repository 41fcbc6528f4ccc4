// The small files beside tokenizer.json: how chats are written, which tokens are special, how the
// model was meant to be sampled. Training changes none of them, so a folder that Forage writes from
// a model it read keeps them byte for byte, and other programs find the model they know.

import Documents

/// Files of a model folder that are carried on as they are.
public struct FolderCompanions: Equatable, Sendable {
  static let tokenizerConfig = "tokenizer_config.json"
  static let generationConfig = "generation_config.json"
  static let chatTemplate = "chat_template.jinja"
  private static let names = [
    tokenizerConfig, generationConfig, chatTemplate, "special_tokens_map.json",
    "added_tokens.json",
  ]
  /// The longest published are a tenth of this.
  private static let maximumFileBytes = 1 << 20

  /// By name; a file the folder has not is not here.
  public private(set) var files: [String: [UInt8]] = [:]

  /// None: a model made here.
  public init() {}

  init(folder: String) throws(ModelFolderError) {
    for name in Self.names {
      let file = FolderFile(folder, name)
      guard file.exists else { continue }
      files[name] = try file.read(maximumByteCount: Self.maximumFileBytes)
    }
  }

  /// generation_config.json with these stop tokens in place of its own, where they differ.
  func generationConfig(
    stoppingAt configuration: ModelConfiguration
  ) throws(DocumentError) -> [UInt8]? {
    guard let bytes = files[Self.generationConfig] else { return nil }
    let document = try JSON.parse(bytes, source: Self.generationConfig)
    let own = try ModelConfiguration.stopTokens(
      Fields(document, source: Self.generationConfig))
    if own.isEmpty || own == configuration.stopTokens { return bytes }
    guard case .object(let members) = document.value else { return bytes }
    var changed: [(String, Document)] = []
    for member in members where member.key != "eos_token_id" {
      changed.append((member.key, member.value))
    }
    changed.append(("eos_token_id", configuration.stopTokenDocument))
    return Array((JSON.write(.object(changed), pretty: true) + "\n").utf8)
  }
}
