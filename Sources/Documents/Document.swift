// One tree for JSON and YAML: what was written, and where.

/// A value read from JSON or YAML, or built to be written.
public struct Document: Sendable {
  public enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    /// A plain YAML scalar: it becomes a bool, a number or a string when somebody asks for one.
    case plain(String)
    case array([Document])
    case object([Member])
  }

  public struct Member: Sendable, Equatable {
    public let key: String
    public let value: Document
    /// Where the key stood, 1-based; 0 when built, or read from JSON.
    public let line: Int
    public let column: Int

    public init(_ key: String, _ value: Document, line: Int = 0, column: Int = 0) {
      self.key = key
      self.value = value
      self.line = line
      self.column = column
    }

    public static func == (left: Self, right: Self) -> Bool {
      left.key == right.key && left.value == right.value
    }
  }

  public let value: Value
  /// 1-based; 0 for a document that was built, or read from JSON (Jansson tells the place of a
  /// fault only).
  public let line: Int
  public let column: Int

  public init(_ value: Value, line: Int = 0, column: Int = 0) {
    self.value = value
    self.line = line
    self.column = column
  }

  /// The deepest nesting that is read, either language: deeper than any file of ours, and shallow
  /// enough that recursion over a tree needs little stack.
  public static let maximumDepth = 64

  /// The member's value; nil when this is not an object or has no such key.
  public subscript(key: String) -> Document? {
    guard case .object(let members) = value else { return nil }
    return members.first { $0.key == key }?.value
  }
}

/// Two documents are equal when their values are, wherever they stood.
extension Document: Equatable {
  public static func == (left: Self, right: Self) -> Bool { left.value == right.value }
}

extension Document: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByNilLiteral
{
  public init(stringLiteral text: String) { self.init(.string(text)) }
  public init(integerLiteral number: Int) { self.init(.integer(number)) }
  public init(floatLiteral number: Double) { self.init(.number(number)) }
  public init(booleanLiteral flag: Bool) { self.init(.bool(flag)) }
  public init(arrayLiteral elements: Document...) { self.init(.array(elements)) }
  public init(nilLiteral: ()) { self.init(.null) }
}

extension Document {
  public static func string(_ text: String) -> Document { Document(.string(text)) }
  public static func integer(_ number: Int) -> Document { Document(.integer(number)) }
  public static func number(_ number: Double) -> Document { Document(.number(number)) }
  public static func bool(_ flag: Bool) -> Document { Document(.bool(flag)) }
  public static func array(_ elements: [Document]) -> Document { Document(.array(elements)) }
  public static func object(_ members: [(String, Document)]) -> Document {
    Document(.object(members.map { Member($0.0, $0.1) }))
  }
}

/// What is wrong with a text or with a value in it.
public struct DocumentError: Error, Sendable, CustomStringConvertible {
  /// The file or the peer it came from.
  public let source: String
  public let line: Int
  public let column: Int
  /// A sentence: what was found, what was expected, what to do.
  public let problem: String

  public init(source: String, line: Int, column: Int, problem: String) {
    self.source = source
    self.line = line
    self.column = column
    self.problem = problem
  }

  public var description: String {
    line > 0 ? "\(source):\(line):\(column): \(problem)" : "\(source): \(problem)"
  }
}
