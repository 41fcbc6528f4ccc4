// The lines that `forage grade` reads and writes, and that a person's own verifier is spoken to in:
//
//   in:   {"prompt": "...", "completion": "...", "answer": "...", "tokens": 12, "truncated": false}
//   out:  {"reward": 1.2, "parts": {"correct": 1.0, "format": 0.2}, "strict": true,
//          "lenient": true, "completed_correct": true, "valid": true, "reason": "right: 72"}
//
// `completion` alone is required going in. `completed_correct` is strict, and not truncated.

import Documents
import Experience

extension Submission {
  /// Of one text in a line.
  public static let maximumTextBytes = 4 << 20

  /// Reads a line; refuses keys it does not know.
  public init(_ fields: Fields, needsTokenCount: Bool = false) throws(DocumentError) {
    let most = Self.maximumTextBytes
    self.init(
      prompt: try fields.string("prompt", default: "", maximumLength: most),
      completion: try fields.string("completion", maximumLength: most),
      answer: try fields.string("answer", default: "", maximumLength: most),
      tokenCount: try fields.integer(
        "tokens", default: needsTokenCount ? nil : 0, in: 0...Int(Int32.max)),
      isTruncated: try fields.bool("truncated", default: false))
    try fields.finish()
  }

  public var document: Document {
    .object([
      ("prompt", .string(prompt)), ("completion", .string(completion)),
      ("answer", .string(answer)), ("tokens", .integer(tokenCount)),
      ("truncated", .bool(isTruncated)),
    ])
  }
}

extension Verdict {
  /// As a line; `isTruncated` is the completion's.
  public func document(isTruncated: Bool) -> Document {
    var sums: [(String, Double)] = []
    for part in parts {
      let value = Double("\(part.value)") ?? 0
      if let index = sums.firstIndex(where: { $0.0 == part.part }) {
        sums[index].1 += value
      } else {
        sums.append((part.part, value))
      }
    }
    return .object([
      // A verdict that never came about has no reward: 0 would be one.
      ("reward", isValid ? .number(Double("\(reward)") ?? 0) : nil),
      ("parts", .object(isValid ? sums.map { ($0.0, .number($0.1)) } : [])),
      ("strict", .bool(isStrictlyCorrect)), ("lenient", .bool(isLenientlyCorrect)),
      ("completed_correct", .bool(isStrictlyCorrect && !isTruncated)),
      ("valid", .bool(isValid)), ("reason", .string(reason)),
    ])
  }
}
