// The paths of a token tree: which rows a row attends to, and which segments share rows.

extension Segment {
  /// Positions from the root through the last own row.
  var pathCount: Int { startPosition + rows.count }

  /// The stretches of rows of the whole path, in order of position.
  var path: [Range<Int>] { ancestors + [rows] }
}

/// Checks that the segments share no own row and name no row at or beyond `rowCount`.
func checkSegments(_ segments: [Segment], rowCount: Int) {
  var end = 0
  for segment in segments.sorted(by: { $0.rows.lowerBound < $1.rows.lowerBound }) {
    precondition(
      segment.rows.lowerBound >= end,
      "row \(segment.rows.lowerBound) belongs to two segments; the one before ends at \(end)")
    end = segment.rows.upperBound
    for range in segment.path {
      precondition(
        range.lowerBound >= 0 && range.upperBound <= rowCount,
        "a segment reaches row \(range.upperBound) of \(rowCount)")
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
