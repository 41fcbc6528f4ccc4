// How settings come about: the file, then what was typed over it, then the checks of each key, then
// the checks between sections.

import Documents

extension RunSettings {
  /// A settings file is some hundred lines.
  public static let maximumFileBytes = 1 << 20

  /// Reads a YAML file and lays `overrides` ("learner.learningRate=1e-5") over it, the last of a
  /// key winning.
  ///
  /// Throws `Failure` when the file cannot be read and `DocumentError`, with line and column, when
  /// what it says is wrong; `FailureReport.report` words both.
  public static func load(path: String, overrides: [String] = []) throws -> RunSettings {
    let bytes = try Files.read(path, maximumBytes: maximumFileBytes)
    return try RunSettings(
      document: YAML.parse(bytes, source: path), source: path, overrides: overrides)
  }

  /// The same from a document.
  public init(
    document: Document, source: String, overrides: [String] = []
  ) throws(DocumentError) {
    var document = document
    for override in overrides {
      let (path, value) = try Document.override(override)
      document = try document.setting(path: path, to: value)
    }
    try self.init(document, source: source)
  }

  /// All defaults.
  public static func defaults() -> RunSettings {
    do {
      return try RunSettings(.object([]), source: "defaults")
    } catch {
      preconditionFailure("the defaults contradict each other: \(error)")
    }
  }

  /// The settings as a YAML file that reads back the same.
  public var yaml: String { YAML.write(resolved) }
}
