// What every metric means, read from the one place that says it: Docs/METRICS.md, which the program
// carries within (the link beside this file, embedded by Package.swift). A row of a table of that
// page is a metric; the words at the head of a column say what the cell is.

/// A metric as the page tells of it.
package struct MetricMeaning: Equatable {
  /// As in `metrics.jsonl`; `*` stands for a name that differs, as a part of the reward.
  package let key: String
  /// The heading the row stands under.
  package let section: String
  /// What the columns say, headings first, without the empty ones.
  package let parts: [Part]

  package struct Part: Equatable {
    package let heading: String
    package let text: String

    package init(heading: String, text: String) {
      self.heading = heading
      self.text = text
    }
  }
}

package struct MetricTable {
  package let metrics: [MetricMeaning]

  /// Of the page this program was built with.
  package static let built = MetricTable(
    page: String(decoding: PackageResources.METRICS_md, as: UTF8.self))

  package init(page: String) {
    var metrics: [MetricMeaning] = []
    var section = ""
    var headings: [String] = []
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("#") {
        section = String(line.drop { $0 == "#" || $0 == " " })
      } else if let cells = Self.cells(line) {
        if cells[0] == "key" {
          headings = cells
        } else if let key = Self.key(cells[0]) {
          let parts = zip(headings, cells).dropFirst().compactMap { heading, text in
            text.isEmpty ? nil : MetricMeaning.Part(heading: heading, text: text)
          }
          metrics.append(MetricMeaning(key: key, section: section, parts: parts))
        }
      }
    }
    self.metrics = metrics
  }

  /// The metrics of a key: one, or several where two records have a key of that name. A key that is
  /// written out goes before one with a `*` that fits.
  package func meanings(of key: String) -> [MetricMeaning] {
    let exact = metrics.filter { $0.key == key }
    return exact.isEmpty ? metrics.filter { Self.fits(key, $0.key) } : exact
  }

  /// Whether a key is one of those that a pattern with one `*` stands for.
  private static func fits(_ key: String, _ pattern: String) -> Bool {
    guard let star = pattern.firstIndex(of: "*") else { return false }
    let (head, tail) = (pattern[..<star], pattern[pattern.index(after: star)...])
    return key.count > head.count + tail.count && key.hasPrefix(head) && key.hasSuffix(tail)
  }

  /// The cells of a table's row; nil for any other line, and for the rule below the head.
  private static func cells(_ line: Substring) -> [String]? {
    guard line.hasPrefix("| "), line.hasSuffix("|") else { return nil }
    return line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
      .map(trimmed)
  }

  private static func key(_ cell: String) -> String? {
    guard cell.count > 2, cell.hasPrefix("`"), cell.hasSuffix("`") else { return nil }
    return String(cell.dropFirst().dropLast())
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0 == " " }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
