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

  /// The dotted keys in which another run's settings differ, in this one's order: what a resume
  /// refuses, by name.
  public func differences(from other: RunSettings) -> [String] {
    let mine = Self.leaves(resolved, path: "")
    let theirs = Dictionary(
      Self.leaves(other.resolved, path: "").map { ($0.path, $0.text) }, uniquingKeysWith: { $1 })
    let changed = mine.filter { theirs[$0.path] != $0.text }.map(\.path)
    let known = Set(mine.map(\.path))
    return changed + theirs.keys.filter { !known.contains($0) }.sorted()
  }

  /// Every value that is no mapping, by dotted path. `plain` scalars compare by their text.
  private static func leaves(
    _ document: Document, path: String
  ) -> [(path: String, text: String)] {
    if case .object(let members) = document.value, !members.isEmpty {
      return members.flatMap { leaves($0.value, path: path.isEmpty ? $0.key : "\(path).\($0.key)") }
    }
    if case .object = document.value { return [] }
    if case .plain(let text) = document.value { return [(path, text)] }
    if case .string(let text) = document.value { return [(path, text)] }
    return [(path, JSON.write(document))]
  }
}
