// Regular expressions from files that somebody downloaded, on text that a model wrote: neither is
// trusted, so a match runs under limits and ends with an error rather than never. PCRE2 because it
// has the look-ahead that pre-tokenizers use, machine code (JIT), and limits.
//
// PCRE2 checks a whole subject for UTF-8 at each call. A scan over all matches would be quadratic
// by that alone, so it checks once, at its first call, and says so at the others; no call ever
// skips a check on bytes that were not checked.
//
// PCRE2 counts steps anew at each place where a match could start, and does not count the loop of a
// single character at all. So no limit of its own bounds the time of a search but by n steps at n
// starts: exponential and cubic backtracking are given up, a quadratic scan of a long text is not,
// and what bounds that is the length of the text.

import CPCRE2
import Synchronization

/// A compiled regular expression (PCRE2, UTF-8, Unicode classes) that runs under limits.
///
/// May be used by several threads at once.
public final class Pattern: @unchecked Sendable {
  /// The longest pattern: the pre-tokenizers in use are shorter than 400 bytes.
  public static let maximumPatternBytes = 16 << 10
  /// The longest text searched unless the caller names another bound: about 300 pages.
  public static let maximumSubjectBytes = 1 << 20
  /// Steps from one start of a short text; `stepLimit` has the rule.
  static let greatestStepLimit = 5_000_000
  /// Steps of a whole search, shared by its starts: 0.4 s as machine code, 3 s interpreted.
  static let stepBudget = 200_000_000
  /// Nested backtracking points of the interpreter, used where machine code is not to be had.
  static let depthLimit: UInt32 = 250_000
  /// Memory of the interpreter for those, KiB.
  static let heapLimitKibibytes: UInt32 = 32 << 10
  /// Memory of machine code for its backtracking: what it starts with, and what it may grow to.
  static let stackBytes = (least: 32 << 10, most: 4 << 20)
  /// Scratch kept for the next calls; more threads than this at once make their own.
  static let maximumIdleScratch = 16

  /// What was compiled.
  public let source: String
  /// Capture groups, the whole match not counted.
  public let groupCount: Int
  /// Whether matches run as machine code; they are the same either way, but for when a limit ends
  /// one.
  public let isMachineCode: Bool

  // Compiled code does not change once it is made; PCRE2 lets any number of threads use it.
  private let code: OpaquePointer
  private let maximumSubjectBytes: Int
  private let idle = Mutex<[Scratch]>([])

  /// Throws when the pattern is too long or PCRE2 does not accept it, with the place.
  ///
  /// `maximumSubjectBytes` is the longest text it may be run on. With a pattern nobody vouches for,
  /// name no more than is needed: a search takes up to a few times n * n steps of 2 ns.
  public init(
    _ pattern: String, maximumSubjectBytes: Int = maximumSubjectBytes
  ) throws(PatternError) {
    var text = pattern
    let length = text.utf8.count
    guard length <= Self.maximumPatternBytes else {
      throw PatternError(
        pattern: String(pattern.prefix(60)) + "...",
        problem: "\(length) bytes long, expected at most \(Self.maximumPatternBytes)")
    }
    // \C would match half a character and leave ranges that are no text.
    let options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C
    var fault: Int32 = 0
    var place = 0
    let compiled = text.withUTF8 { utf8 in
      pcre2_compile_8(
        utf8.baseAddress ?? Self.nothing, utf8.count, options, &fault, &place, nil)
    }
    guard let compiled else {
      throw PatternError(
        pattern: pattern, problem: "\(Self.message(fault)) at byte \(place)")
    }
    code = compiled
    self.maximumSubjectBytes = maximumSubjectBytes
    source = pattern
    // Refused where the system forbids writable code; the interpreter serves then.
    isMachineCode = pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE) == 0
    var groupCount: UInt32 = 0
    pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &groupCount)
    self.groupCount = Int(groupCount)
  }

  deinit { pcre2_code_free_8(code) }

  /// Byte ranges of the first match and its capture groups at or after `start`; nil element: a
  /// group that took no part.
  ///
  /// Looks behind `start` where the pattern does. For all matches of a text `matches` is cheaper
  /// than a loop over this. Throws when the text is too long or not UTF-8, `start` is inside a
  /// character, or a limit is reached.
  public func firstMatch(in bytes: [UInt8], from start: Int = 0) throws(PatternError)
    -> [Range<Int>?]?
  {
    precondition(
      start >= 0 && start <= bytes.count, "a search from \(start) in \(bytes.count) bytes")
    try checkLength(bytes.count)
    let scratch = takeScratch(byteCount: bytes.count)
    defer { giveBack(scratch) }
    return try bytes.span.withUnsafeBufferPointer { subject throws(PatternError) in
      let count = try match(subject, from: start, options: 0, scratch)
      return count.map { scratch.ranges(matchedCount: $0, groupCount: groupCount) }
    }
  }

  /// Byte ranges of all matches, in order.
  ///
  /// They do not overlap; where an empty one stands, a longer one at the same place may follow it,
  /// as in Perl.
  /// Throws when the text is too long or not UTF-8, or a limit is reached.
  public func matches(in bytes: [UInt8]) throws(PatternError) -> [Range<Int>] {
    try checkLength(bytes.count)
    let scratch = takeScratch(byteCount: bytes.count)
    defer { giveBack(scratch) }
    var found: [Range<Int>] = []
    try bytes.span.withUnsafeBufferPointer { subject throws(PatternError) in
      try forEachMatch(subject, scratch) { found.append($0) }
    }
    return found
  }

  /// `matches` without an array: `body` is called with each as it is found, and has been called
  /// with some when this throws.
  public func forEachMatch(
    in bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void
  ) throws(PatternError) {
    try checkLength(bytes.count)
    let scratch = takeScratch(byteCount: bytes.count)
    defer { giveBack(scratch) }
    try forEachMatch(bytes, scratch, body)
  }

  private func forEachMatch(
    _ subject: UnsafeBufferPointer<UInt8>, _ scratch: Scratch, _ body: (Range<Int>) -> Void
  ) throws(PatternError) {
    var start = 0
    var isChecked: UInt32 = 0
    var afterMatch: UInt32 = 0
    while start <= subject.count {
      let count = try match(subject, from: start, options: isChecked | afterMatch, scratch)
      // The first call begins at 0 and has checked the text to its end.
      isChecked = PCRE2_NO_UTF_CHECK
      guard count != nil else { break }
      let range = scratch.bounds.start..<scratch.bounds.end
      body(range)
      start = range.upperBound
      // The same empty match would be found for ever.
      afterMatch = range.isEmpty ? PCRE2_NOTEMPTY_ATSTART : 0
    }
  }

  /// How many of the first groups were set, the whole match one of them; nil: there is no match.
  private func match(
    _ subject: UnsafeBufferPointer<UInt8>, from start: Int, options: UInt32, _ scratch: Scratch
  ) throws(PatternError) -> Int? {
    let result = pcre2_match_8(
      code, subject.baseAddress ?? Self.nothing, subject.count, start, options, scratch.data,
      scratch.context)
    if result == PCRE2_ERROR_NOMATCH { return nil }
    guard result > 0 else { throw failure(result, scratch) }
    // Not to be had by \K alone since 10.38, but a range that runs backwards would trap and an end
    // before the start would never let a scan finish.
    let (first, end) = scratch.bounds
    guard first <= end, end >= start else {
      throw PatternError(pattern: source, problem: "\\K moved a match from \(first) back to \(end)")
    }
    return Int(result)
  }

  private func failure(_ result: Int32, _ scratch: Scratch) -> PatternError {
    let problem =
      switch result {
      case PCRE2_ERROR_MATCHLIMIT:
        "gave up after \(scratch.stepLimit) steps; simplify nested repeats such as (a+)+"
      case PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT, PCRE2_ERROR_JIT_STACKLIMIT:
        "gave up for want of memory (\(Self.message(result))); simplify repeats of groups"
      // UTF-8 errors are the numbers between these two; PCRE2 leaves the place in the match.
      case PCRE2_ERROR_UTF8_ERR21...PCRE2_ERROR_UTF8_ERR1:
        "the text is not UTF-8 at byte \(pcre2_get_startchar_8(scratch.data)): "
          + Self.message(result)
      default: Self.message(result)
      }
    return PatternError(pattern: source, problem: problem)
  }

  private func checkLength(_ count: Int) throws(PatternError) {
    guard count <= maximumSubjectBytes else {
      throw PatternError(
        pattern: source,
        problem: "a text of \(count) bytes, expected at most \(maximumSubjectBytes)")
    }
  }

  /// A few for each character, so that a lazy search to the end of any text is not given up; more
  /// where the text is short.
  static func stepLimit(byteCount: Int) -> Int {
    max(4 * byteCount, min(greatestStepLimit, stepBudget / (byteCount + 1)))
  }

  private func takeScratch(byteCount: Int) -> Scratch {
    let scratch = idle.withLock { $0.popLast() } ?? Scratch(for: code)
    scratch.stepLimit = Self.stepLimit(byteCount: byteCount)
    pcre2_set_match_limit_8(scratch.context, UInt32(clamping: scratch.stepLimit))
    return scratch
  }

  private func giveBack(_ scratch: Scratch) {
    idle.withLock { idle in
      if idle.count < Self.maximumIdleScratch { idle.append(scratch) }
    }
  }

  private static func message(_ number: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(number, &text, text.count)
    return length > 0
      ? String(decoding: text.prefix(Int(length)), as: UTF8.self) : "PCRE2 error \(number)"
  }

  /// An address for an empty text, which may have none of its own.
  private nonisolated(unsafe) static let nothing = {
    let byte = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    byte.pointee = 0
    return UnsafePointer(byte)
  }()
}

/// What one match call writes to; used by one thread at a time.
private final class Scratch: @unchecked Sendable {
  let data: OpaquePointer
  let context: OpaquePointer
  private let stack: OpaquePointer?
  /// Of the search it is lent to.
  var stepLimit = 0

  init(for code: OpaquePointer) {
    guard let data = pcre2_match_data_create_from_pattern_8(code, nil),
      let context = pcre2_match_context_create_8(nil)
    else { fatalError("PCRE2 found no memory for a match") }
    self.data = data
    self.context = context
    pcre2_set_depth_limit_8(context, Pattern.depthLimit)
    pcre2_set_heap_limit_8(context, Pattern.heapLimitKibibytes)
    // Without one, machine code has 32 KiB of the thread's own stack.
    stack = pcre2_jit_stack_create_8(Pattern.stackBytes.least, Pattern.stackBytes.most, nil)
    if let stack { pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack)) }
  }

  deinit {
    pcre2_match_data_free_8(data)
    pcre2_match_context_free_8(context)
    if let stack { pcre2_jit_stack_free_8(stack) }
  }

  /// Of the whole match, as PCRE2 tells them.
  var bounds: (start: Int, end: Int) {
    let places = pcre2_get_ovector_pointer_8(data)!
    return (Int(bitPattern: UInt(places[0])), Int(bitPattern: UInt(places[1])))
  }

  func ranges(matchedCount: Int, groupCount: Int) -> [Range<Int>?] {
    let places = pcre2_get_ovector_pointer_8(data)!
    return (0...groupCount).map { group in
      let start = places[2 * group]
      return group < matchedCount && start != Int(bitPattern: UInt.max)
        ? start..<places[2 * group + 1] : nil
    }
  }
}

/// A pattern that does not compile, or a match that was given up.
public struct PatternError: Error, Sendable, CustomStringConvertible {
  public let pattern: String
  public let problem: String

  public init(pattern: String, problem: String) {
    self.pattern = pattern
    self.problem = problem
  }

  public var description: String { "pattern \(pattern): \(problem)" }
}
