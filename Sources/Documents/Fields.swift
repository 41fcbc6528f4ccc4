// Typed, strict reading of one mapping. A synthesized decoder ignores unknown keys and knows no
// ranges, and a guess at a scalar's type is the classic fault of YAML. Here the line that reads a
// key names it, its type, its default and its range; the reader remembers what was asked for.

/// Typed, strict reading of one mapping: it remembers what was asked for, so unknown keys are
/// found ("did you mean"), and what each key came to, so settings can be written out resolved.
///
/// Not for a mapping whose keys are data (a vocabulary): a key is found by a scan. Take that with
/// `document`.
public final class Fields {
  public let source: String
  /// Dotted path of this mapping within its document, "" at the top.
  public let path: String

  private enum Answer {
    case unread
    case value(Document)
    case section(Fields)
    case sections([Fields])
  }

  private let members: [Document.Member]
  private let line: Int
  private let column: Int
  private var asked: [(key: String, answer: Answer)] = []
  /// Where the next key is looked for first: keys are mostly asked for in the order written.
  private var cursor = 0

  /// `document` nil, or null, is an empty mapping.
  ///
  /// Throws when it is anything but a mapping.
  public init(_ document: Document?, source: String, path: String = "") throws(DocumentError) {
    self.source = source
    self.path = path
    line = document?.line ?? 0
    column = document?.column ?? 0
    guard let document, !document.isNull else {
      members = []
      return
    }
    guard case .object(let members) = document.value else {
      let place = path.isEmpty ? "the document" : path
      throw DocumentError(
        source: source, line: line, column: column,
        problem: "\(place) is a \(document.kind), expected a mapping")
    }
    self.members = members
  }

  /// Whether the key is there with a value other than null. The key counts as known.
  public func has(_ key: String) -> Bool {
    note(key, .unread)
    return find(key).map { !$0.value.isNull } ?? false
  }

  // With a default a missing key takes it; without one a missing key is an error.

  /// An exact integer, decimal in YAML.
  public func integer(_ key: String, default: Int? = nil, in range: ClosedRange<Int>)
    throws(DocumentError) -> Int
  {
    guard let value = try present(key, orDefault: `default` != nil) else {
      return answer(key, `default`!, Document.integer)
    }
    let integer = try integer(value, at: key, in: range)
    return answer(key, integer, Document.integer)
  }

  /// A Double; an integer is taken for one.
  public func number(_ key: String, default: Double? = nil, in range: ClosedRange<Double>)
    throws(DocumentError) -> Double
  {
    guard let value = try present(key, orDefault: `default` != nil) else {
      return answer(key, `default`!, Document.number)
    }
    let number: Double
    switch value.value {
    case .integer(let whole): number = Double(whole)
    case .number(let real): number = real
    case .plain(let text):
      guard let real = PlainScalar.number(text) else { fallthrough }
      number = real
    default: throw wrong(key, value, expected: "a number")
    }
    guard range.contains(number) else {
      throw wrong(key, value, expected: described(range))
    }
    return answer(key, number, Document.number)
  }

  /// `true` or `false`, nothing else.
  public func bool(_ key: String, default: Bool? = nil) throws(DocumentError) -> Bool {
    guard let value = try present(key, orDefault: `default` != nil) else {
      return answer(key, `default`!, Document.bool)
    }
    switch value.value {
    case .bool(let flag): return answer(key, flag, Document.bool)
    case .plain(let text):
      guard let flag = PlainScalar.bool(text) else { fallthrough }
      return answer(key, flag, Document.bool)
    default: throw wrong(key, value, expected: "true or false")
    }
  }

  /// The text as written, of `maximumLength` bytes of UTF-8 at most.
  public func string(_ key: String, default: String? = nil, maximumLength: Int = 4096)
    throws(DocumentError) -> String
  {
    guard let value = try present(key, orDefault: `default` != nil) else {
      return answer(key, `default`!, Document.string)
    }
    let text = try text(value, at: key, maximumLength: maximumLength)
    return answer(key, text, Document.string)
  }

  /// One of the names of an enum.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default: Choice? = nil
  ) throws(DocumentError) -> Choice where Choice.RawValue == String {
    guard let value = try present(key, orDefault: `default` != nil) else {
      _ = answer(key, `default`!.rawValue, Document.string)
      return `default`!
    }
    let text = try text(value, at: key, maximumLength: 4096)
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map { $0.rawValue }
      var expected = "one of \(names.joined(separator: ", "))"
      if let near = Spelling.nearest(to: text, among: names) {
        expected += "; did you mean \(near)?"
      }
      throw wrong(key, value, expected: expected)
    }
    _ = answer(key, text, Document.string)
    return choice
  }

  /// A sequence of integers.
  public func integers(
    _ key: String, default: [Int]? = nil, maximumCount: Int, in range: ClosedRange<Int>
  ) throws(DocumentError) -> [Int] {
    let toDocument = { (integers: [Int]) in Document.array(integers.map(Document.integer)) }
    guard let value = try present(key, orDefault: `default` != nil) else {
      return answer(key, `default`!, toDocument)
    }
    let elements = try elements(value, at: key, maximumCount: maximumCount)
    var integers: [Int] = []
    integers.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      integers.append(try integer(element, at: "\(key)[\(index)]", in: range))
    }
    return answer(key, integers, toDocument)
  }

  /// A sequence of texts, each of `maximumLength` bytes at most.
  public func strings(
    _ key: String, default: [String]? = nil, maximumCount: Int, maximumLength: Int = 4096
  ) throws(DocumentError) -> [String] {
    let toDocument = { (strings: [String]) in Document.array(strings.map(Document.string)) }
    guard let value = try present(key, orDefault: `default` != nil) else {
      return answer(key, `default`!, toDocument)
    }
    let elements = try elements(value, at: key, maximumCount: maximumCount)
    var strings: [String] = []
    strings.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      strings.append(try text(element, at: "\(key)[\(index)]", maximumLength: maximumLength))
    }
    return answer(key, strings, toDocument)
  }

  /// A nested mapping; an absent one is empty.
  public func section(_ key: String) throws(DocumentError) -> Fields {
    let section = try Fields(find(key)?.value, source: source, path: dotted(key))
    note(key, .section(section))
    return section
  }

  /// A sequence of mappings; an absent one is empty.
  public func sections(_ key: String, maximumCount: Int) throws(DocumentError) -> [Fields] {
    var sections: [Fields] = []
    if let value = try present(key, orDefault: true) {
      let elements = try elements(value, at: key, maximumCount: maximumCount)
      sections.reserveCapacity(elements.count)
      for (index, element) in elements.enumerated() {
        let path = "\(dotted(key))[\(index)]"
        guard case .object = element.value else {
          throw DocumentError(
            source: source, line: element.line, column: element.column,
            problem: "\(path) is a \(element.kind), expected a mapping")
        }
        sections.append(try Fields(element, source: source, path: path))
      }
    }
    note(key, .sections(sections))
    return sections
  }

  /// The value as it stands, for a reader of its own; nil when absent.
  public func document(_ key: String) -> Document? {
    guard let value = find(key)?.value else {
      note(key, .unread)
      return nil
    }
    note(key, .value(value))
    return value
  }

  /// An error at a key, for checks between fields ("batch of 64 exceeds ..."); of the whole mapping
  /// where the key is "".
  public func error(_ key: String, _ problem: String) -> DocumentError {
    let value = find(key)?.value
    return DocumentError(
      source: source, line: value?.line ?? line, column: value?.column ?? column,
      problem: "\(dotted(key)): \(problem)")
  }

  /// Refuses keys nobody asked for, here and in every section.
  public func finish() throws(DocumentError) {
    for member in members where !asked.contains(where: { $0.key == member.key }) {
      throw unknown(member)
    }
    for (_, answer) in asked {
      switch answer {
      case .section(let section): try section.finish()
      case .sections(let sections):
        for section in sections { try section.finish() }
      case .unread, .value: break
      }
    }
  }

  /// Every key asked for with the value it came to, defaults included, sections nested.
  public var resolved: Document {
    var members: [(String, Document)] = []
    for (key, answer) in asked {
      switch answer {
      case .unread: break
      case .value(let value): members.append((key, value))
      case .section(let section): members.append((key, section.resolved))
      case .sections(let sections): members.append((key, .array(sections.map(\.resolved))))
      }
    }
    return .object(members)
  }
}

// What the readers above are made of.
extension Fields {
  private func find(_ key: String) -> Document.Member? {
    for step in 0..<members.count {
      let index = cursor + step < members.count ? cursor + step : cursor + step - members.count
      if members[index].key == key {
        cursor = index + 1 == members.count ? 0 : index + 1
        return members[index]
      }
    }
    return nil
  }

  private func note(_ key: String, _ answer: Answer) {
    guard let index = asked.firstIndex(where: { $0.key == key }) else {
      asked.append((key, answer))
      return
    }
    // Asking whether a key is there does not unread it.
    if case .unread = answer { return }
    asked[index].answer = answer
  }

  private func answer<Value>(
    _ key: String, _ value: Value, _ document: (Value) -> Document
  ) -> Value {
    note(key, .value(document(value)))
    return value
  }

  /// The value; nil when it is missing or null and there is a default for it.
  private func present(_ key: String, orDefault: Bool) throws(DocumentError) -> Document? {
    if let value = find(key)?.value, !value.isNull { return value }
    if orDefault { return nil }
    note(key, .unread)
    let value = find(key)?.value
    throw DocumentError(
      source: source, line: value?.line ?? line, column: value?.column ?? column,
      problem: "\(dotted(key)) is \(value == nil ? "missing" : "null"), and it has no default")
  }

  private func integer(
    _ value: Document, at key: String, in range: ClosedRange<Int>
  ) throws(DocumentError) -> Int {
    let integer: Int
    switch value.value {
    case .integer(let whole): integer = whole
    case .plain(let text):
      guard let whole = PlainScalar.integer(text) else { fallthrough }
      integer = whole
    default: throw wrong(key, value, expected: "an integer")
    }
    guard range.contains(integer) else { throw wrong(key, value, expected: described(range)) }
    return integer
  }

  private func text(
    _ value: Document, at key: String, maximumLength: Int
  ) throws(DocumentError) -> String {
    switch value.value {
    case .string(let text), .plain(let text):
      guard text.utf8.count <= maximumLength else {
        throw DocumentError(
          source: source, line: value.line, column: value.column,
          problem: "\(dotted(key)) is \(text.utf8.count) bytes long, "
            + "expected at most \(maximumLength)")
      }
      return text
    default: throw wrong(key, value, expected: "text")
    }
  }

  private func elements(
    _ value: Document, at key: String, maximumCount: Int
  ) throws(DocumentError) -> [Document] {
    guard case .array(let elements) = value.value else {
      throw wrong(key, value, expected: "a sequence")
    }
    guard elements.count <= maximumCount else {
      throw DocumentError(
        source: source, line: value.line, column: value.column,
        problem: "\(dotted(key)) has \(elements.count) elements, expected at most \(maximumCount)")
    }
    return elements
  }

  private func dotted(_ key: String) -> String {
    if key.isEmpty { return path }
    return path.isEmpty ? key : "\(path).\(key)"
  }

  private func wrong(_ key: String, _ value: Document, expected: String) -> DocumentError {
    let found =
      switch value.value {
      case .null: "null"
      case .bool(let flag): flag.description
      case .integer(let number): number.description
      case .number(let number): number.description
      case .string(let text): quoted(text)
      case .plain(let text): shown(text)
      case .array: "a sequence"
      case .object: "a mapping"
      }
    return DocumentError(
      source: source, line: value.line, column: value.column,
      problem: "\(dotted(key)) is \(found), expected \(expected)")
  }

  private func unknown(_ member: Document.Member) -> DocumentError {
    let known = asked.map(\.key)
    var problem = "\(dotted(shown(member.key))) is not a setting"
    if let near = Spelling.nearest(to: member.key, among: known) {
      problem += "; did you mean \(near)?"
    } else if !known.isEmpty {
      problem += "; the settings here are \(known.joined(separator: ", "))"
    }
    return DocumentError(
      source: source, line: member.line, column: member.column, problem: problem)
  }

  private func described(_ range: ClosedRange<Int>) -> String {
    switch (range.lowerBound, range.upperBound) {
    case (.min, .max): "an integer"
    case (let least, .max): "at least \(least)"
    case (.min, let greatest): "at most \(greatest)"
    case (let least, let greatest): "\(least) to \(greatest)"
    }
  }

  private func described(_ range: ClosedRange<Double>) -> String {
    let greatest = Double.greatestFiniteMagnitude
    return switch (range.lowerBound, range.upperBound) {
    case (let low, let high) where low <= -greatest && high >= greatest: "a finite number"
    case (let low, let high) where high >= greatest: "at least \(short(low))"
    case (let low, let high) where low <= -greatest: "at most \(short(high))"
    case (let low, let high): "\(short(low)) to \(short(high))"
    }
  }

  /// 1, not 1.0, where a person reads it.
  private func short(_ number: Double) -> String {
    let text = number.description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
