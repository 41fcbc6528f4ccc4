// What a process says to a scraper: counters that only grow, gauges that are as they are, and
// distributions of durations, written out in Prometheus' text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// A meter is declared once, with its help, by whoever moves it; nothing is shown before it moved,
// but for what is set at the start.

import Synchronization

/// One family of numbers.
public struct Meter: Sendable, Hashable {
  public enum Kind: String, Sendable { case counter, gauge, histogram }

  /// `forage_...`; counters end in `_total`, durations in `_seconds`.
  public let name: String
  public let kind: Kind
  /// One sentence.
  public let help: String
  /// Names of its labels.
  public let labels: [String]

  public init(_ name: String, _ kind: Kind, _ help: String, labels: [String] = []) {
    let isWord = name.utf8.allSatisfy {
      0x61...0x7A ~= $0 || 0x30...0x39 ~= $0 || $0 == UInt8(ascii: "_")
    }
    precondition(name.hasPrefix("forage_") && isWord, "a meter named \(name)")
    precondition(
      (kind == .counter) == name.hasSuffix("_total"), "\(name) is a \(kind.rawValue)")
    precondition(kind != .histogram || name.hasSuffix("_seconds"), "\(name) holds durations")
    self.name = name
    self.kind = kind
    self.help = help
    self.labels = labels
  }
}

/// The numbers of a process. Any thread; nothing blocks.
public final class Meters: Sendable {
  /// Label values of a meter: a server's endpoints and statuses, a process's strands.
  static let maximumSeries = 256
  /// Upper ends of the buckets a scraper sees, in seconds.
  static let bounds = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    10, 25, 50, 100, 250, 500, 1000,
  ]

  private enum Value {
    case number(Double)
    case durations(Histogram)
  }

  private let state = Mutex<[Meter: [[String]: Value]]>([:])

  public init() {}

  /// A counter grows, or a gauge moves.
  public func add(_ meter: Meter, _ amount: Double = 1, labels: [String] = []) {
    change(meter, labels) { value in
      guard case .number(let old)? = value else {
        value = .number(amount)
        return
      }
      value = .number(old + amount)
    }
  }

  /// A gauge is; or a counter that is counted elsewhere is told.
  public func set(_ meter: Meter, _ number: Double, labels: [String] = []) {
    change(meter, labels) { $0 = .number(number) }
  }

  /// A duration was.
  public func observe(_ meter: Meter, nanoseconds: Int64, labels: [String] = []) {
    precondition(meter.kind == .histogram, "\(meter.name) is a \(meter.kind.rawValue)")
    change(meter, labels) { value in
      var histogram = Histogram()
      if case .durations(let old)? = value { histogram = old }
      // The old one goes first, or the buckets are copied.
      value = nil
      histogram.record(nanoseconds)
      value = .durations(histogram)
    }
  }

  private func change(_ meter: Meter, _ labels: [String], _ body: (inout Value?) -> Void) {
    precondition(labels.count == meter.labels.count, "\(meter.name) with labels \(labels)")
    state.withLock { state in
      let series = state[meter]?.count ?? 0
      // One more kind of caller than anybody thought of must not fill the memory.
      guard series < Self.maximumSeries || state[meter]?[labels] != nil else { return }
      body(&state[meter, default: [:]][labels])
    }
  }

  /// All of them, and what the strands and spans of a process say; a newline last.
  public func text(
    _ account: ProcessAccount? = nil, durations: [SpanName: Histogram] = [:]
  ) -> String {
    var page = Exposition()
    let values = state.withLock { $0 }
    for (meter, series) in values.sorted(by: { $0.key.name < $1.key.name }) {
      page.head(meter)
      for (labels, value) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
        switch value {
        case .number(let number): page.line(meter, labels, number)
        case .durations(let histogram): page.lines(meter, labels, histogram)
        }
      }
    }
    page.add(durations)
    if let account { page.add(account) }
    return page.text
  }
}

/// The text as it is written.
struct Exposition {
  private(set) var text = ""

  static let strandSeconds = Meter(
    "forage_strand_seconds", .gauge,
    "Seconds a thread's loop has been at what it does (activity work, peer or resource).",
    labels: ["strand", "activity"])
  static let strandTurnSeconds = Meter(
    "forage_strand_turn_seconds", .gauge, "Seconds since a thread's loop went round.",
    labels: ["strand"])
  static let spanSeconds = Meter(
    "forage_span_seconds", .histogram, "How long things took, by the names of Docs/SPANS.md.",
    labels: ["span"])
  static let residentBytes = Meter(
    "forage_process_resident_bytes", .gauge, "Memory the process has in RAM.")
  static let queueLevel = Meter(
    "forage_queue_level", .gauge, "Elements or bytes in a queue.", labels: ["queue"])
  static let queueLimit = Meter(
    "forage_queue_limit", .gauge, "The most a queue holds.", labels: ["queue"])

  mutating func head(_ meter: Meter) {
    text += "# HELP \(meter.name) \(Self.escaped(meter.help))\n"
    text += "# TYPE \(meter.name) \(meter.kind.rawValue)\n"
  }

  mutating func line(_ meter: Meter, _ values: [String], _ number: Double) {
    text += meter.name + labels(meter.labels, values) + " \(Self.written(number))\n"
  }

  mutating func lines(_ meter: Meter, _ values: [String], _ histogram: Histogram) {
    let names = meter.labels + ["le"]
    for bound in Meters.bounds {
      let count = histogram.count(atMost: Int64(bound * 1e9))
      text += "\(meter.name)_bucket" + labels(names, values + [Self.written(bound)]) + " \(count)\n"
    }
    text += "\(meter.name)_bucket" + labels(names, values + ["+Inf"]) + " \(histogram.count)\n"
    let same = labels(meter.labels, values)
    text += "\(meter.name)_sum\(same) \(Self.written(histogram.sum / 1e9))\n"
    text += "\(meter.name)_count\(same) \(histogram.count)\n"
  }

  mutating func add(_ durations: [SpanName: Histogram]) {
    guard !durations.isEmpty else { return }
    head(Self.spanSeconds)
    for (name, histogram) in durations.sorted(by: { $0.key.text < $1.key.text }) {
      lines(Self.spanSeconds, [name.text], histogram)
    }
  }

  mutating func add(_ account: ProcessAccount) {
    head(Self.residentBytes)
    line(Self.residentBytes, [], Double(Machine.residentBytes))
    if !account.strands.isEmpty {
      head(Self.strandSeconds)
      for strand in account.strands {
        line(
          Self.strandSeconds, [strand.strand, strand.activity.rawValue],
          Double(strand.milliseconds) / 1000)
      }
      head(Self.strandTurnSeconds)
      for strand in account.strands {
        line(
          Self.strandTurnSeconds, [strand.strand], Double(strand.sinceTurnMilliseconds) / 1000)
      }
    }
    guard !account.gauges.isEmpty else { return }
    head(Self.queueLevel)
    for gauge in account.gauges { line(Self.queueLevel, [gauge.name], Double(gauge.value)) }
    head(Self.queueLimit)
    for gauge in account.gauges { line(Self.queueLimit, [gauge.name], Double(gauge.maximum)) }
  }

  private func labels(_ names: [String], _ values: [String]) -> String {
    guard !names.isEmpty else { return "" }
    let pairs = zip(names, values).map { name, value in
      "\(name)=\"\(Self.escaped(value, quotes: true))\""
    }
    return "{" + pairs.joined(separator: ",") + "}"
  }

  /// Backslashes and newlines, as both help and label values want them. By scalars: a mark upon a
  /// quote, or a return before a newline, makes another character of it.
  private static func escaped(_ text: String, quotes: Bool = false) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out.append(contentsOf: "\\\\".unicodeScalars)
      case "\n": out.append(contentsOf: "\\n".unicodeScalars)
      case "\"" where quotes: out.append(contentsOf: "\\\"".unicodeScalars)
      default: out.append(scalar)
      }
    }
    return String(out)
  }

  private static func written(_ number: Double) -> String {
    if number.isNaN { return "NaN" }
    if number.isInfinite { return number > 0 ? "+Inf" : "-Inf" }
    return number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
  }
}
