// Lines drawn over themselves, for who looks at a run on a terminal: never wider than the terminal,
// for a line that wraps would be two to go back over, and never longer, for the cursor does not
// leave the screen.

import Operations

package struct LiveScreen {
  private var drawn = 0

  mutating func show(_ lines: [String]) {
    let shown = Self.fitting(lines, columns: Terminal.columns, rows: Terminal.rows)
    clear()
    Terminal.write(shown.joined(separator: "\n") + "\n")
    drawn = shown.count
  }

  /// Moves the cursor over what was drawn and clears from there.
  mutating func clear() {
    if drawn > 0 { Terminal.write("\r\u{1B}[\(drawn)A\u{1B}[J") }
    drawn = 0
  }

  /// A row is left for the cursor; lines without room are counted in the last.
  package static func fitting(_ lines: [String], columns: Int, rows: Int) -> [String] {
    let room = max(2, rows - 1)
    var shown = lines
    if lines.count > room {
      shown = lines.prefix(room - 1) + ["  … \(lines.count - room + 1) lines more"]
    }
    return shown.map { $0.clipped(to: columns) }
  }
}
