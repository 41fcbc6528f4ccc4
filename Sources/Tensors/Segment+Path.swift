// The paths of a token tree: which rows a row attends to, and which segments share rows.

/// Every segment's path as rows laid end to end: plain numbers, since counting references to
/// arrays inside the loops of short sequences costs as much as their attention.
struct SegmentPaths {
  struct Path {
    /// Where the path's rows begin in `rows`.
    var offset: Int
    /// The true position of the first own row.
    var startPosition: Int
    /// The first own row, and how many.
    var firstRow: Int
    var rowCount: Int
    /// Positions from the root through the last own row.
    var count: Int { startPosition + rowCount }
    /// The same, rounded up to whole panels.
    var paddedCount: Int { (count + panelWidth - 1) / panelWidth * panelWidth }
  }

  private(set) var paths: [Path] = []
  private(set) var rows: [Int] = []
  /// One beyond the last row of any segment.
  private(set) var rowCount = 0

  /// Calls `body` with the paths and all their rows.
  func withPaths(_ body: (UnsafeBufferPointer<Path>, UnsafePointer<Int>) -> Void) {
    guard rows.count > 0 else { return }
    paths.withUnsafeBufferPointer { paths in
      rows.withUnsafeBufferPointer { body(paths, $0.baseAddress!) }
    }
  }

  /// The segments must share no own row and name none at or beyond `limit`.
  init(_ segments: [Segment], limit: Int) {
    for segment in segments {
      let path = Path(
        offset: rows.count, startPosition: segment.startPosition,
        firstRow: segment.rows.lowerBound, rowCount: segment.rows.count)
      for range in segment.ancestors + [segment.rows] {
        precondition(
          range.lowerBound >= 0 && range.upperBound <= limit,
          "a segment reaches row \(range.upperBound) of \(limit)")
        rows.append(contentsOf: range)
      }
      paths.append(path)
      rowCount = max(rowCount, segment.rows.upperBound)
    }
    var end = 0
    for own in segments.map(\.rows).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      precondition(
        own.lowerBound >= end,
        "row \(own.lowerBound) belongs to two segments; the one before ends at \(end)")
      end = own.upperBound
    }
  }
}

/// Groups segments that share rows, each group in order: what two groups write is disjoint.
func connectedSegments(_ segments: [Segment]) -> [[Int]] {
  var owner = [Int](repeating: -1, count: segments.map(\.rows.upperBound).max() ?? 0)
  for (index, segment) in segments.enumerated() {
    for row in segment.rows { owner[row] = index }
  }
  var root = Array(segments.indices)
  func find(_ index: Int) -> Int {
    var index = index
    while root[index] != index {
      root[index] = root[root[index]]
      index = root[index]
    }
    return index
  }
  for (index, segment) in segments.enumerated() {
    for range in segment.ancestors {
      for row in range where row < owner.count && owner[row] >= 0 {
        let (a, b) = (find(index), find(owner[row]))
        root[max(a, b)] = min(a, b)
      }
    }
  }
  var groups: [[Int]] = []
  var place = [Int](repeating: -1, count: segments.count)
  for index in segments.indices {
    let top = find(index)
    if place[top] < 0 {
      place[top] = groups.count
      groups.append([])
    }
    groups[place[top]].append(index)
  }
  return groups
}
