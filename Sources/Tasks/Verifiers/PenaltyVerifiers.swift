// Penalties: from 0, nothing to complain of, down to -1. They say nothing of answer or form, so
// they move the reward and never an accuracy.

/// Too long. 0 up to `free` tokens, then falling in a straight line to -1 at `limit` and beyond:
/// the soft punishment of Yu et al., DAPO (arXiv 2503.14476).
public struct LengthPenalty: Verifier {
  public let free: Int
  public let limit: Int

  public init(free: Int, limit: Int) {
    precondition(free < limit, "\(free) free tokens of a limit of \(limit)")
    self.free = free
    self.limit = limit
  }

  public var needsTokenCount: Bool { true }

  public func find(_ submission: Submission) -> Finding {
    let over = min(limit, submission.tokenCount) - free
    let value = over <= 0 ? 0 : -Float(over) / Float(limit - free)
    return Finding(
      parts: [("length", value)],
      reason: over <= 0
        ? "length: \(submission.tokenCount) tokens"
        : "length: \(submission.tokenCount) tokens, \(free) are free")
  }
}

/// Says the same again: minus the share of runs of `size` words that stood before in the text.
public struct RepetitionPenalty: Verifier {
  public let size: Int

  public init(size: Int = 4) {
    precondition(size >= 1, "runs of \(size) words")
    self.size = size
  }

  public func find(_ submission: Submission) -> Finding {
    let words = submission.completion.utf8.split(whereSeparator: QuantityReader.isBlank)
    guard words.count > size else {
      return Finding(parts: [("repetition", 0)], reason: "repetition: none")
    }
    // A word by the number of its first kind, so that a run is compared in `size` steps.
    var numbers: [[UInt8]: Int] = [:]
    let kinds = words.map { word in
      let bytes = Array(word)
      let number = numbers[bytes] ?? numbers.count
      numbers[bytes] = number
      return number
    }
    let count = kinds.count - size + 1
    var seen: Set<ArraySlice<Int>> = []
    for start in 0..<count { seen.insert(kinds[start..<start + size]) }
    let share = Float(count - seen.count) / Float(count)
    return Finding(
      parts: [("repetition", share == 0 ? 0 : -share)],
      reason: "repetition: \(count - seen.count) of \(count) runs of \(size) words")
  }
}
