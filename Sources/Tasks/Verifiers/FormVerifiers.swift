// Verifiers of form alone: they say nothing of the answer.

import Patterns

/// The format `<think>...</think><answer>...</answer>`: one mark where nothing departs from it.
public struct ThinkAnswerVerifier: Verifier {
  public init() {}

  public func find(_ submission: Submission) -> Finding {
    .format(
      flaw: ThinkAnswerFormat(submission.completion, isTruncated: submission.isTruncated).flaw)
  }
}

/// A regular expression, under the limits of room Patterns: either the completion matches it, or
/// what its first group captures is compared with the answer.
public struct RegexVerifier: Verifier {
  /// A quadratic search of this much takes seconds; a longer completion does not match.
  public static let maximumSubjectBytes = 64 << 10

  public let pattern: Pattern
  /// Whether the first group is compared with the answer, normalized; else a match is a form.
  public let comparesGroup: Bool
  public let accepts: Acceptance

  /// Throws when the pattern is none, or `comparesGroup` and it has no group.
  public init(
    _ pattern: String, comparesGroup: Bool, accepts: Acceptance = .strict
  ) throws(PatternError) {
    self.pattern = try Pattern(pattern, maximumSubjectBytes: Self.maximumSubjectBytes)
    self.comparesGroup = comparesGroup
    self.accepts = accepts
    guard !comparesGroup || self.pattern.groupCount > 0 else {
      throw PatternError(
        pattern: pattern, problem: "it has no group (...) to be compared with the answer")
    }
  }

  public func find(_ submission: Submission) -> Finding {
    let bytes = Array(submission.completion.utf8)
    do {
      guard let groups = try pattern.firstMatch(in: bytes) else { return missed("no match") }
      guard comparesGroup else { return .format(flaw: nil, asAsked: "matches") }
      guard let range = groups[1] else { return missed("its first group took no part") }
      let said = String(decoding: bytes[range], as: UTF8.self)
      let wanted = MatchVerifier.normalized(submission.answer)
      let isRight = MatchVerifier.normalized(said) == wanted
      return .answer(
        strictly: isRight, leniently: isRight, accepts: accepts,
        reason: isRight
          ? "right: \(clipped(said))" : "wrong: \"\(clipped(said))\" is not \"\(clipped(wanted))\"")
    } catch {
      return missed("given up: \(error.problem)")
    }
  }

  private func missed(_ problem: String) -> Finding {
    comparesGroup
      ? .answer(strictly: false, leniently: false, accepts: accepts, reason: problem)
      : .format(flaw: problem)
  }
}
