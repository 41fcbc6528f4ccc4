// Rows in columns as wide as their widest cell.

struct TextTable {
  enum Side { case left, right }

  private let sides: [Side]
  private var rows: [[String]]

  init(_ columns: [(name: String, side: Side)], _ rows: [[String]] = []) {
    sides = columns.map(\.side)
    self.rows = [columns.map(\.name)] + rows
  }

  mutating func add(_ cells: [String]) {
    precondition(cells.count == sides.count, "\(cells.count) cells for \(sides.count) columns")
    rows.append(cells)
  }

  /// Lines of at most `width` columns; nil cuts none.
  func lines(width: Int? = nil) -> [String] {
    let widths = sides.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { cells in
      var line = ""
      for (column, cell) in cells.enumerated() {
        let pad = String(repeating: " ", count: widths[column] - cell.count)
        line += (column > 0 ? "  " : "") + (sides[column] == .right ? pad + cell : cell + pad)
      }
      while line.hasSuffix(" ") { line.removeLast() }
      return width.map { line.clipped(to: $0) } ?? line
    }
  }
}

extension String {
  /// At most so many columns, with a sign that something is missing.
  func clipped(to width: Int) -> String {
    count > width && width > 1 ? prefix(width - 1) + "…" : self
  }
}
