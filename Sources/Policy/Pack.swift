// A pack is a token tree with questions: a group's prompt stands once, its completions branch off
// it, and the prompt's last row predicts each completion's first token.

import Experience
import Tensors

/// Rows for one forward pass, and the log-probs asked of it.
public struct Pack: Equatable, Sendable {
  /// `[rows]`
  public private(set) var tokens: [Int32] = []
  /// `[rows]`, true positions: what RoPE sees.
  public private(set) var positions: [Int32] = []
  public private(set) var segments: [Segment] = []
  /// Rows whose logits are wanted, each once, ascending.
  public private(set) var scoredRows: [Int32] = []
  /// In order of the completions' tokens; `row` indexes `scoredRows`.
  public private(set) var queries: [HeadQuery] = []
  /// One a scored row.
  public private(set) var inverseTemperatures: [Float] = []
  /// For each completion added, its range of `queries`, in order.
  public private(set) var completions: [Range<Int>] = []

  public init() {}

  public var rowCount: Int { tokens.count }

  /// Rows a group takes: its prompt once, and every completion but its last token.
  public static func rowCount(prompt: [Int32], completions: [[Int32]]) -> Int {
    prompt.count + completions.reduce(0) { $0 + max(0, $1.count - 1) }
  }

  /// Adds a prompt and its completions, every completion token a query.
  ///
  /// The last token of a completion is asked for, never fed: no row follows it.
  public mutating func add(prompt: [Int32], completions new: [[Int32]], temperature: Float) {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    let inverse: Float = temperature > 0 ? 1 / temperature : 1
    let promptRows = append(prompt, ancestors: [], startPosition: 0)
    let promptScored = scoredRows.count
    scoredRows.append(Int32(promptRows.upperBound - 1))
    inverseTemperatures.append(inverse)
    for tokens in new {
      let first = queries.count
      if let token = tokens.first { queries.append(HeadQuery(row: promptScored, target: token)) }
      let fed = Array(tokens.dropLast())
      if !fed.isEmpty {
        let rows = append(fed, ancestors: [promptRows], startPosition: prompt.count)
        for (offset, row) in rows.enumerated() {
          queries.append(HeadQuery(row: scoredRows.count, target: tokens[offset + 1]))
          scoredRows.append(Int32(row))
          inverseTemperatures.append(inverse)
        }
      }
      completions.append(first..<queries.count)
    }
  }

  private mutating func append(
    _ new: [Int32], ancestors: [Range<Int>], startPosition: Int
  ) -> Range<Int> {
    let rows = tokens.count..<tokens.count + new.count
    tokens += new
    positions += (0..<new.count).map { Int32(startPosition + $0) }
    segments.append(Segment(ancestors: ancestors, rows: rows))
    return rows
  }
}
