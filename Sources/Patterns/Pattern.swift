/// A compiled regular expression (PCRE2, UTF-8) that runs under limits.
public struct PatternError: Error, Sendable, CustomStringConvertible {
  public let pattern: String
  public let problem: String
  public init(pattern: String, problem: String) {
    self.pattern = pattern
    self.problem = problem
  }
  public var description: String { "pattern \(pattern): \(problem)" }
}

public final class Pattern: @unchecked Sendable {
  public init(_ pattern: String) throws(PatternError) { fatalError() }
  /// Byte ranges of the first match and its capture groups at or after `start`; nil element: a
  /// group that took no part.
  public func firstMatch(in bytes: [UInt8], from start: Int = 0) throws(PatternError)
    -> [Range<Int>?]?
  { fatalError() }
  /// Byte ranges of all matches, in order.
  public func matches(in bytes: [UInt8]) throws(PatternError) -> [Range<Int>] { fatalError() }
}
