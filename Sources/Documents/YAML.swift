// YAML is read through libyaml's events, and only the part of it that a settings file needs:
// mappings, sequences and scalars. Aliases and tags are refused, so a text never grows into a tree
// larger than itself and never names a type; a scalar's type is the reader's to ask for.

import CYAML

/// Reads YAML by libyaml: scalars stay `.plain` (or `.string` when quoted) until a type is asked
/// for.
public enum YAML {
  /// The longest text read: a thousand times a long settings file.
  public static let maximumByteCount = 1 << 20

  /// One document, every node with its line and column; an empty text is null.
  ///
  /// Throws when the text is too long, not YAML or not UTF-8, repeats a key, nests deeper than
  /// `Document.maximumDepth`, or uses anchors, aliases, tags, directives or a second document.
  public static func parse(_ bytes: [UInt8], source: String) throws(DocumentError) -> Document {
    guard bytes.count <= maximumByteCount else {
      throw DocumentError(
        source: source, line: 0, column: 0,
        problem: "YAML of \(bytes.count) bytes, expected at most \(maximumByteCount)")
    }
    return try YAMLReader(bytes, source: source).document()
  }
}

/// One parse. It owns libyaml's parser and a copy of the text that outlives it.
private final class YAMLReader {
  private let source: String
  private let text: UnsafeMutableBufferPointer<UInt8>
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private var event = yaml_event_t()

  init(_ bytes: [UInt8], source: String) {
    self.source = source
    text = .allocate(capacity: max(1, bytes.count))
    _ = text.initialize(from: bytes)
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    precondition(yaml_parser_initialize(parser) == 1, "libyaml found no memory for a parser")
    yaml_parser_set_input_string(parser, text.baseAddress, bytes.count)
    // Without this a byte order mark would choose UTF-16.
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
  }

  deinit {
    yaml_event_delete(&event)
    yaml_parser_delete(parser)
    parser.deallocate()
    text.deallocate()
  }

  func document() throws(DocumentError) -> Document {
    try advance()  // The stream's start.
    try advance()
    guard event.type == YAML_DOCUMENT_START_EVENT else {
      return Document(.null, line: 1, column: 1)
    }
    let start = event.data.document_start
    if start.version_directive != nil || start.tag_directives.start != start.tag_directives.end {
      throw fault("directives (%YAML, %TAG) are not used here; remove the line")
    }
    try advance()
    let document = try node(depth: 0)
    try advance()  // The document's end.
    try advance()
    guard event.type == YAML_STREAM_END_EVENT else {
      throw fault("a second document begins here, expected one a file")
    }
    return document
  }

  /// The node the current event begins; on return the current event is its last.
  private func node(depth: Int) throws(DocumentError) -> Document {
    guard depth <= Document.maximumDepth else {
      throw fault("nested deeper than \(Document.maximumDepth) levels")
    }
    let line = Int(event.start_mark.line) + 1
    let column = Int(event.start_mark.column) + 1
    switch event.type {
    case YAML_SCALAR_EVENT:
      return Document(try scalar(), line: line, column: column)
    case YAML_SEQUENCE_START_EVENT:
      try refuse(anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag)
      return Document(.array(try elements(depth: depth)), line: line, column: column)
    case YAML_MAPPING_START_EVENT:
      try refuse(anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag)
      return Document(.object(try members(depth: depth)), line: line, column: column)
    case YAML_ALIAS_EVENT:
      throw fault("aliases (*name) are not used here; write the value out")
    default:
      throw fault("expected a value")
    }
  }

  private func elements(depth: Int) throws(DocumentError) -> [Document] {
    var elements: [Document] = []
    try advance()
    while event.type != YAML_SEQUENCE_END_EVENT {
      elements.append(try node(depth: depth + 1))
      try advance()
    }
    return elements
  }

  private func members(depth: Int) throws(DocumentError) -> [Document.Member] {
    var members: [Document.Member] = []
    var lineOfKey: [String: Int] = [:]
    try advance()
    while event.type != YAML_MAPPING_END_EVENT {
      let line = Int(event.start_mark.line) + 1
      let column = Int(event.start_mark.column) + 1
      let key = try self.key()
      if let first = lineOfKey.updateValue(line, forKey: key) {
        throw fault("\(quoted(key)) is given twice, first on line \(first); keep one")
      }
      try advance()
      let value = try node(depth: depth + 1)
      members.append(Document.Member(key, value, line: line, column: column))
      try advance()
    }
    return members
  }

  private func key() throws(DocumentError) -> String {
    guard event.type == YAML_SCALAR_EVENT else {
      throw fault("a key is a sequence, mapping or alias, expected text")
    }
    switch try scalar() {
    case .plain(let text), .string(let text): return text
    default: throw fault("expected a key")
    }
  }

  private func scalar() throws(DocumentError) -> Document.Value {
    let scalar = event.data.scalar
    try refuse(anchor: scalar.anchor, tag: scalar.tag)
    let text = String(
      decoding: UnsafeRawBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    return scalar.style == YAML_PLAIN_SCALAR_STYLE ? .plain(text) : .string(text)
  }

  private func refuse(
    anchor: UnsafeMutablePointer<UInt8>?, tag: UnsafeMutablePointer<UInt8>?
  ) throws(DocumentError) {
    if anchor != nil { throw fault("anchors (&name) are not used here; write the value out") }
    if tag != nil { throw fault("tags (!name) are not used here; types follow from the key") }
  }

  private func advance() throws(DocumentError) {
    yaml_event_delete(&event)
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxFault() }
  }

  private func fault(_ problem: String) -> DocumentError {
    DocumentError(
      source: source, line: Int(event.start_mark.line) + 1,
      column: Int(event.start_mark.column) + 1, problem: problem)
  }

  private func syntaxFault() -> DocumentError {
    let said = parser.pointee.problem.map { String(cString: $0) } ?? "out of memory"
    // The reader, which decodes UTF-8, knows an offset; the scanner and parser know a mark.
    guard parser.pointee.error == YAML_READER_ERROR else {
      let mark = parser.pointee.problem_mark
      return DocumentError(
        source: source, line: Int(mark.line) + 1, column: Int(mark.column) + 1,
        problem: "not YAML: \(said)")
    }
    let before = text.prefix(Int(parser.pointee.problem_offset))
    let line = before.reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return DocumentError(
      source: source, line: line, column: before.count - lineStart + 1,
      problem: "not YAML: \(said)")
  }
}
