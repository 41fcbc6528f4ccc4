// What a benchmark found: figures with their spread, as a table and a sentence for people, as a
// document for programs.

import Documents
import Operations

/// One measured quantity, once a repeat.
package struct BenchFigure {
  package var name: String
  package var unit: String
  /// In the order measured; never empty.
  package var samples: [Double]

  package init(_ name: String, _ unit: String, _ samples: [Double]) {
    precondition(!samples.isEmpty, "0 samples of \(name), at least 1")
    self.name = name
    self.unit = unit
    self.samples = samples
  }

  /// The middle sample, or the mean of the two in the middle.
  package var median: Double {
    let sorted = samples.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  package var least: Double { samples.min()! }
  package var greatest: Double { samples.max()! }

  package var text: String { "\(BenchNumber.text(median)) \(unit)" }

  package var document: Document {
    .object([
      ("name", .string(name)), ("unit", .string(unit)), ("median", .number(median)),
      ("min", .number(least)), ("max", .number(greatest)),
      ("samples", .array(samples.map(Document.number))),
    ])
  }
}

package struct BenchReport {
  package var what: String
  /// What was measured on, by name.
  package var settings: [(String, Document)]
  package var figures: [BenchFigure]
  /// The closing sentence.
  package var sentence: String
  /// Lines that tell the figures better than one a line would.
  package var table: [String]?
  /// What it was measured on.
  var machine: Document = .object([
    ("fingerprint", .string(Machine.fingerprint)), ("cores", .integer(Machine.coreCount)),
    ("memory_bytes", .integer(Machine.memoryBytes)),
  ])

  package init(
    what: String, settings: [(String, Document)], figures: [BenchFigure], sentence: String
  ) {
    self.what = what
    self.settings = settings
    self.figures = figures
    self.sentence = sentence
  }

  package var text: String {
    (table ?? lines).joined(separator: "\n") + "\n\n\(sentence)\n"
  }

  /// The figures, one a line.
  var lines: [String] {
    var table = TextTable([
      ("", .left), ("median", .right), ("min", .right), ("max", .right), ("", .left),
    ])
    for figure in figures {
      table.add([
        figure.name, BenchNumber.text(figure.median), BenchNumber.text(figure.least),
        BenchNumber.text(figure.greatest), figure.unit,
      ])
    }
    return table.lines()
  }

  package var document: Document {
    .object([
      ("bench", .string(what)),
      ("machine", machine),
      ("settings", .object(settings)), ("figures", .array(figures.map(\.document))),
      ("table", .array((table ?? lines).map(Document.string))),
      ("sentence", .string(sentence)),
    ])
  }
}

/// Numbers of any size with about three digits that matter.
package enum BenchNumber {
  package static func text(_ number: Double) -> String {
    guard number.isFinite, abs(number) < 1e15 else { return "\(number)" }
    let size = abs(number)
    let decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4
    var scale = 1
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((size * Double(scale)).rounded())
    var text = grouped(scaled / scale)
    if decimals > 0 {
      let digits = String(scaled % scale)
      text += "." + String(repeating: "0", count: decimals - digits.count) + digits
    }
    return (number < 0 && scaled > 0 ? "-" : "") + text
  }

  /// A share as a percentage: 0.183 is "18 %".
  package static func percent(_ share: Double) -> String {
    share >= 0.1 ? "\(Int((share * 100).rounded())) %" : "\(text(share * 100)) %"
  }

  private static func grouped(_ number: Int) -> String {
    var digits = String(number)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return ([digits] + groups).joined(separator: ",")
  }
}

/// Progress on standard error: standard output is the report's.
enum BenchProgress {
  static func say(_ text: String) { Terminal.complain(text) }

  static func repeated(_ index: Int, of count: Int, _ text: String) {
    say("repeat \(index + 1) of \(count): \(text)")
  }
}
