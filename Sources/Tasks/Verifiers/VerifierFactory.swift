// From a `verifier` section of settings to the judge it names.

import Documents
import Patterns

/// The verifiers there are.
public enum VerifierKind: String, Sendable, CaseIterable {
  case exact, normalized, numeric, gsm8k, boxed, regex, length, repetition, weighted
  case countdown, instructions, command
  case thinkAnswer = "think-answer"
}

/// Builds the judge that settings name.
public enum VerifierFactory {
  /// Reads a `verifier` section; `kind` is taken where the section names none. `programs` starts
  /// those of `command`; without it that kind is refused.
  public static func judge(
    _ fields: Fields, default kind: VerifierKind? = nil, programs: LineProgramMaker? = nil
  ) throws(DocumentError) -> Judge {
    let named: VerifierKind = try fields.choice("kind", default: kind)
    guard named == .weighted else {
      return Judge([try term(named, fields, programs)])
    }
    let sections = try fields.sections("parts", maximumCount: Judge.maximumTermCount)
    guard !sections.isEmpty else {
      throw fields.error("parts", "a weighted sum of nothing; name verifiers: [{kind: exact}]")
    }
    var terms: [Judge.Term] = []
    for section in sections {
      let kind: VerifierKind = try section.choice("kind")
      guard kind != .weighted else {
        throw section.error("kind", "a weighted sum within one; name its parts here")
      }
      terms.append(try term(kind, section, programs))
    }
    return Judge(terms)
  }

  private static func term(
    _ kind: VerifierKind, _ fields: Fields, _ programs: LineProgramMaker?
  ) throws(DocumentError) -> Judge.Term {
    let weight = Float(try fields.number("weight", default: 1, in: 0...100))
    let name = try fields.string("name", default: "", maximumLength: 32)
    return Judge.Term(
      try verifier(kind, fields, programs), weight: weight, name: name.isEmpty ? nil : name)
  }

  private static func verifier(
    _ kind: VerifierKind, _ fields: Fields, _ programs: LineProgramMaker?
  ) throws(DocumentError) -> any Verifier {
    switch kind {
    case .exact, .normalized:
      return MatchVerifier(
        isNormalized: kind == .normalized,
        place: try fields.choice("place", default: AnswerPlace.whole),
        accepts: try accepts(fields))
    case .numeric:
      return NumericVerifier(
        place: try fields.choice("place", default: AnswerPlace.said),
        relativeTolerance: try fields.number("relativeTolerance", default: 0, in: 0...1),
        absoluteTolerance: try fields.number("absoluteTolerance", default: 0, in: 0...1e300),
        percent: try fields.choice("percent", default: NumericVerifier.Percent.value),
        accepts: try accepts(fields))
    case .gsm8k: return GSM8KVerifier(accepts: try accepts(fields))
    case .boxed: return BoxedVerifier(accepts: try accepts(fields))
    case .countdown:
      return CountdownVerifier(usesAll: try fields.bool("usesAll", default: true))
    case .instructions: return InstructionsVerifier()
    case .thinkAnswer: return ThinkAnswerVerifier()
    case .regex: return try regex(fields)
    case .length:
      let free = try fields.integer("free", in: 0...1_000_000)
      return LengthPenalty(
        free: free, limit: try fields.integer("limit", in: (free + 1)...1_000_001))
    case .repetition:
      return RepetitionPenalty(size: try fields.integer("words", default: 4, in: 1...64))
    case .command:
      let words = try fields.strings("command", maximumCount: LineProgramPlan.maximumWords)
      let plan = LineProgramPlan(
        words: words, seconds: try fields.number("seconds", default: 10, in: 0.01...3600),
        maximumBytes: try fields.integer("maximumBytes", default: 65_536, in: 64...(1 << 20)))
      guard !words.isEmpty else { throw fields.error("command", "is empty; name a program") }
      guard let programs else { throw fields.error("kind", "no program can be started here") }
      return CommandVerifier(programs(plan))
    case .weighted: preconditionFailure("a weighted sum is made of terms")
    }
  }

  private static func regex(_ fields: Fields) throws(DocumentError) -> any Verifier {
    let text = try fields.string("pattern", maximumLength: Pattern.maximumPatternBytes)
    let compares = try fields.bool("comparesGroup", default: false)
    let accepts = try accepts(fields)
    do {
      return try RegexVerifier(text, comparesGroup: compares, accepts: accepts)
    } catch {
      throw fields.error("pattern", error.problem)
    }
  }

  private static func accepts(_ fields: Fields) throws(DocumentError) -> Acceptance {
    try fields.choice("accepts", default: Acceptance.strict)
  }
}
