import Documents
import Experience
import Safetensors

public struct ModelFolderError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let problem: String
  public init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }
  public var description: String { "\(path): \(problem)" }
}

/// A Hugging Face folder: config.json, model.safetensors (or shards), tokenizer.json.
public struct ModelFolder: Sendable {
  public let path: String

  /// Reads and checks config.json.
  public init(path: String) throws { fatalError() }
  public var configuration: ModelConfiguration { fatalError() }
  /// All weights by the names `transformers` uses, shapes checked against the configuration.
  public func weights() throws -> [NamedTensor] { fatalError() }
  public func tokenizer() throws -> Tokenizer { fatalError() }

  /// Writes config.json, generation_config.json, model.safetensors, tokenizer.json,
  /// tokenizer_config.json into a folder that exists, fsyncing each file.
  public static func write(
    to path: String, configuration: ModelConfiguration, weights: [NamedTensor],
    tokenizer: Tokenizer
  ) throws { fatalError() }
}

extension ModelConfiguration {
  public init(configJSON: [UInt8], source: String) throws(DocumentError) { fatalError() }
  public var configJSON: String { fatalError() }
  /// The name and shape of every weight, in the one order Forage keeps parameters in.
  public var parameterShapes: [(name: String, shape: [Int])] { fatalError() }
}
