// Settings are trees laid over one another: defaults, then a file, then what was typed.

extension Document {
  /// This document with another laid over it: mappings merge key by key, anything else replaces.
  ///
  /// Keys keep this document's order, new ones follow. A section left empty (null) changes nothing.
  public func merging(_ override: Document) -> Document {
    guard case .object(var members) = value else { return override }
    if override.isNull { return self }
    guard case .object(let others) = override.value else { return override }
    for other in others {
      if let index = members.firstIndex(where: { $0.key == other.key }) {
        members[index] = Member(
          other.key, members[index].value.merging(other.value), line: other.line,
          column: other.column)
      } else {
        members.append(other)
      }
    }
    return Document(.object(members), line: override.line, column: override.column)
  }

  /// Sets the value at a dotted path (`learner.learningRate`), making the mappings on the way.
  ///
  /// Throws when a part of the path is empty, or stands for something that is not a mapping.
  public func setting(path: String, to new: Document) throws(DocumentError) -> Document {
    let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard !parts.contains(""), parts.count <= Self.maximumDepth else {
      throw DocumentError(
        source: "--\(path)", line: 0, column: 0,
        problem: "expected names joined by dots, like learner.learningRate")
    }
    return try setting(parts[...], to: new, path: path)
  }

  private func setting(
    _ parts: ArraySlice<String>, to new: Document, path: String
  ) throws(DocumentError) -> Document {
    guard let key = parts.first else { return new }
    var members: [Member] = []
    if case .object(let present) = value {
      members = present
    } else if !isNull {
      throw DocumentError(
        source: "--\(path)", line: 0, column: 0,
        problem: "\(quoted(key)) cannot be set inside a \(kind), expected a mapping there")
    }
    let rest = parts.dropFirst()
    if let index = members.firstIndex(where: { $0.key == key }) {
      let inner = try members[index].value.setting(rest, to: new, path: path)
      members[index] = Member(key, inner)
    } else {
      members.append(Member(key, try Document(.null).setting(rest, to: new, path: path)))
    }
    return Document(.object(members), line: line, column: column)
  }

  /// Reads `learner.learningRate=1e-5`: the dotted path, and its value as YAML (`[1, 2]` and
  /// `{a: 1}` too).
  ///
  /// Throws when there is no "=", no path, or the value is not YAML.
  public static func override(
    _ text: String
  ) throws(DocumentError) -> (path: String, value: Document) {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw DocumentError(
        source: "--\(text)", line: 0, column: 0,
        problem: "expected a setting and its value, like --learner.learningRate=1e-5")
    }
    let path = String(text[..<equals])
    let value = try YAML.parse(Array(text[text.index(after: equals)...].utf8), source: "--\(path)")
    // A place within one word of the command line helps nobody.
    return (path, value.withoutPlaces)
  }

  private var withoutPlaces: Document {
    switch value {
    case .array(let elements): Document(.array(elements.map(\.withoutPlaces)))
    case .object(let members):
      Document(.object(members.map { Member($0.key, $0.value.withoutPlaces) }))
    default: Document(value)
    }
  }

  /// Written as nothing: null, `~`, or a key with no value.
  var isNull: Bool {
    switch value {
    case .null: true
    case .plain(let text): PlainScalar.isNull(text)
    default: false
    }
  }

  /// What kind of thing this is, for error messages.
  var kind: String {
    switch value {
    case .null: "null"
    case .bool: "boolean"
    case .integer, .number: "number"
    case .string, .plain: isNull ? "null" : "text"
    case .array: "sequence"
    case .object: "mapping"
    }
  }
}
