// Grade-school word problems as Cobbe et al. wrote them (arXiv 2110.14168): a worked solution whose
// last line is `#### n`. The right answer may be given as that whole solution or as its number.

/// Strictly: there is a `####` with the right number, and no other number behind a `####`.
/// Leniently: the answer said last in one of the usual ways is right; where none is said, the last
/// number. Units, signs of money and of percent do not count, as in the data.
public struct GSM8KVerifier: Verifier {
  public let accepts: Acceptance

  public init(accepts: Acceptance = .strict) { self.accepts = accepts }

  public func find(_ submission: Submission) -> Finding {
    guard let right = Self.right(in: submission.answer) else {
      return .invalid("the answer \"\(clipped(submission.answer))\" has no number")
    }
    let marked = AnswerPlace.hashes.answers(in: submission.completion)
    let given = marked.map { NumericVerifier.leading($0)?.number }
    let isStrict = !given.isEmpty && given.allSatisfy { $0 == right }
    let lenient = lenient(submission.completion)
    let reason =
      if isStrict {
        "right"
      } else if given.isEmpty {
        lenient == right ? "right, but no line with ####" : "no line with ####"
      } else if given.count > 1 {
        "\(given.count) lines with ####, not all of them right"
      } else if given[0] == nil {
        "#### without a single number: \"\(clipped(marked[0]))\""
      } else {
        "wrong: \(clipped(marked[0]))"
      }
    return .answer(
      strictly: isStrict, leniently: isStrict || lenient == right, accepts: accepts,
      reason: reason)
  }

  /// The number of a gold solution, or of an answer given alone.
  static func right(in answer: String) -> ExactNumber? {
    let marked = AnswerPlace.hashes.answers(in: answer)
    return Quantity(marked.last ?? answer)?.number
  }

  private func lenient(_ completion: String) -> ExactNumber? {
    if let last = AnswerPlace.said.answers(in: completion).last {
      // "The answer is that she sold 72 clips": the number of the rest of the line.
      return (NumericVerifier.leading(last) ?? Quantity.first(in: last) ?? Quantity.last(in: last))?
        .number
    }
    return Quantity.last(in: completion)?.number
  }
}
