// What judges a completion by rule. A verifier looks for one thing; a `Judge` adds the things it
// found, each with its weight, into a verdict. Nothing here evaluates text as code, and every loop
// over it is bounded by `maximumByteCount`.

import Experience

/// A completion handed in, with what is needed to judge it.
public struct Submission: Equatable, Sendable {
  public var prompt: String
  public var completion: String
  /// The right answer, in the form the verifier reads.
  public var answer: String
  /// Of the completion, the stop token included.
  public var tokenCount: Int
  public var isTruncated: Bool

  public init(
    prompt: String = "", completion: String, answer: String, tokenCount: Int = 0,
    isTruncated: Bool = false
  ) {
    self.prompt = prompt
    self.completion = completion
    self.answer = answer
    self.tokenCount = tokenCount
    self.isTruncated = isTruncated
  }
}

/// What one verifier found.
public struct Finding: Equatable, Sendable {
  /// Reward by part, before weights.
  public var parts: [(name: String, value: Float)]
  /// In words.
  public var reason: String
  /// The answer is right where and how it was asked for; nil: nothing is said about answers.
  public var isRight: Bool?
  /// The answer is right wherever it stands; nil: nothing is said about answers.
  public var isLenientlyRight: Bool?
  /// The form is as asked; nil: nothing is said about form.
  public var isAsAsked: Bool?
  /// No judgment came about: what the parts say means nothing.
  public var isInvalid = false

  public init(
    parts: [(name: String, value: Float)], reason: String, isRight: Bool? = nil,
    isLenientlyRight: Bool? = nil, isAsAsked: Bool? = nil
  ) {
    self.parts = parts
    self.reason = reason
    self.isRight = isRight
    self.isLenientlyRight = isLenientlyRight
    self.isAsAsked = isAsAsked
  }

  /// Of an answer: one mark where it is right, strictly or, when `accepts` says so, leniently.
  static func answer(
    strictly: Bool, leniently: Bool, accepts: Acceptance, reason: String
  ) -> Finding {
    let isPaid = accepts == .strict ? strictly : leniently
    return Finding(
      parts: [("correct", isPaid ? 1 : 0)], reason: reason, isRight: strictly,
      isLenientlyRight: leniently)
  }

  /// Of a form: one mark where nothing departs from it.
  static func format(flaw: String?, asAsked: String = "as asked") -> Finding {
    Finding(
      parts: [("format", flaw == nil ? 1 : 0)], reason: "format: \(flaw ?? asAsked)",
      isAsAsked: flaw == nil)
  }

  /// Of a judge that gave none.
  static func invalid(_ problem: String) -> Finding {
    var finding = Finding(parts: [], reason: "invalid verdict: \(problem)")
    finding.isInvalid = true
    return finding
  }

  public static func == (left: Finding, right: Finding) -> Bool {
    left.parts.elementsEqual(right.parts) { $0.name == $1.name && $0.value == $1.value }
      && left.reason == right.reason && left.isRight == right.isRight
      && left.isLenientlyRight == right.isLenientlyRight && left.isAsAsked == right.isAsAsked
      && left.isInvalid == right.isInvalid
  }
}

/// Which correctness the reward follows; both are reported always.
public enum Acceptance: String, Sendable, CaseIterable {
  case strict, lenient
}

/// Looks for one thing in a completion.
public protocol Verifier: Sendable {
  /// Whether it reads `tokenCount`, which text alone does not tell.
  var needsTokenCount: Bool { get }
  /// How long it may take at most, where a clock and not a count of steps bounds it; else 0.
  var seconds: Double { get }
  func find(_ submission: Submission) -> Finding
}

extension Verifier {
  public var needsTokenCount: Bool { false }
  public var seconds: Double { 0 }
}

/// A weighted sum of verifiers.
public struct Judge: Sendable {
  /// A longer completion is not read. No completion of 131,072 tokens, the most that settings
  /// allow, comes near it unless its tokens are long ones.
  public static let maximumByteCount = ThinkAnswerFormat.maximumByteCount
  /// Terms of one sum: more than anybody would tell apart in a reward.
  public static let maximumTermCount = 16

  public struct Term: Sendable {
    public var verifier: any Verifier
    public var weight: Float
    /// Names its part of the reward in place of the verifier's own name; nil leaves that.
    public var name: String?

    public init(_ verifier: any Verifier, weight: Float = 1, name: String? = nil) {
      self.verifier = verifier
      self.weight = weight
      self.name = name
    }
  }

  public let terms: [Term]

  public init(_ terms: [Term]) {
    precondition(
      (1...Self.maximumTermCount).contains(terms.count),
      "a sum of \(terms.count) verifiers, of 1...\(Self.maximumTermCount)")
    self.terms = terms
  }

  public init(_ verifier: any Verifier) { self.init([Term(verifier)]) }

  public var needsTokenCount: Bool { terms.contains { $0.verifier.needsTokenCount } }

  /// How long a verdict may take at most; 0 where no term is bounded by a clock.
  public var seconds: Double { terms.reduce(0) { $0 + $1.verifier.seconds } }

  /// Strictly correct: every term that speaks of the answer or of the form is content. Leniently:
  /// every term that speaks of the answer finds it somewhere; where none does, form decides.
  public func judge(_ submission: Submission) -> Verdict {
    guard submission.completion.utf8.count <= Self.maximumByteCount else {
      let count = submission.completion.utf8.count
      return Verdict(
        parts: [], reason: "\(count) bytes, more than the \(Self.maximumByteCount) that are read",
        isStrictlyCorrect: false, isLenientlyCorrect: false)
    }
    let findings = terms.map { $0.verifier.find(submission) }
    if let problem = findings.first(where: \.isInvalid) { return .invalid(problem.reason) }
    var parts: [RewardPart] = []
    for (term, finding) in zip(terms, findings) {
      for part in finding.parts {
        parts.append(
          RewardPart(
            position: max(0, submission.tokenCount - 1), part: term.name ?? part.name,
            value: term.weight * part.value))
      }
    }
    let answers = findings.compactMap(\.isRight)
    let forms = findings.compactMap(\.isAsAsked)
    let lenient = findings.compactMap(\.isLenientlyRight)
    let says = !answers.isEmpty || !forms.isEmpty
    return Verdict(
      parts: parts, reason: findings.map(\.reason).joined(separator: "; "),
      isStrictlyCorrect: says && answers.allSatisfy { $0 } && forms.allSatisfy { $0 },
      isLenientlyCorrect: says && (lenient.isEmpty ? forms : lenient).allSatisfy { $0 })
  }
}

/// Outside text fit for a reason: cut when long, without control characters.
func clipped(_ text: String) -> String {
  let limit = 40
  var shown = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    shown.unicodeScalars.append(isControl ? " " : scalar)
  }
  return text.unicodeScalars.count > limit ? shown + "..." : shown
}
