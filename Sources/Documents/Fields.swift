/// Typed, strict reading of one mapping: it remembers what was asked for, so unknown keys are
/// found ("did you mean"), and what each key came to, so settings can be written out resolved.
public final class Fields {
  public let source: String
  /// Dotted path of this mapping within its document, "" at the top.
  public let path: String

  /// `document` nil is an empty mapping.
  public init(_ document: Document?, source: String, path: String = "") throws(DocumentError) {
    fatalError()
  }

  public func has(_ key: String) -> Bool { fatalError() }
  // With a default a missing key takes it; without one a missing key is an error.
  public func integer(_ key: String, default: Int? = nil, in range: ClosedRange<Int>)
    throws(DocumentError) -> Int
  { fatalError() }
  public func number(_ key: String, default: Double? = nil, in range: ClosedRange<Double>)
    throws(DocumentError) -> Double
  { fatalError() }
  public func bool(_ key: String, default: Bool? = nil) throws(DocumentError) -> Bool { fatalError() }
  public func string(_ key: String, default: String? = nil, maximumLength: Int = 4096)
    throws(DocumentError) -> String
  { fatalError() }
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default: Choice? = nil
  ) throws(DocumentError) -> Choice where Choice.RawValue == String { fatalError() }
  public func integers(_ key: String, maximumCount: Int, in range: ClosedRange<Int>)
    throws(DocumentError) -> [Int]
  { fatalError() }
  public func strings(_ key: String, maximumCount: Int, maximumLength: Int = 4096)
    throws(DocumentError) -> [String]
  { fatalError() }
  /// A nested mapping; an absent one is empty.
  public func section(_ key: String) throws(DocumentError) -> Fields { fatalError() }
  /// A sequence of mappings.
  public func sections(_ key: String, maximumCount: Int) throws(DocumentError) -> [Fields] {
    fatalError()
  }
  /// The value as it stands, for a reader of its own; nil when absent.
  public func document(_ key: String) -> Document? { fatalError() }

  /// An error at a key, for checks between fields ("batch of 64 exceeds ...").
  public func error(_ key: String, _ problem: String) -> DocumentError { fatalError() }

  /// Refuses keys nobody asked for, here and in every section.
  public func finish() throws(DocumentError) { fatalError() }

  /// Every key asked for with the value it came to, defaults included, sections nested.
  public var resolved: Document { fatalError() }
}
