// forage bench link: how long a message takes there and back, and how many bytes a second go which
// way, over bare TCP, ZeroMQ and ZeroMQ under CURVE, side by side: each repeat goes through all of
// them, so that a neighbor's load moves all alike.
//
// A message above 1 MiB goes over ZeroMQ in pieces of 1 MiB, as Forage sends its own.

import Documents
import Messaging
import Operations
import Wire

/// What to measure of a link, as the command line says it.
struct LinkPlan {
  static let usualSizes = [64, 4096, 65_536, 1 << 20, 16 << 20, 64 << 20]
  static let maximumSizes = WireLimits.maximumErrandSizes

  let sizes: [Int]
  /// Of one figure.
  let seconds: Double
  /// Connections at once.
  let parallel: Int

  init(_ arguments: Arguments) throws {
    sizes = try Self.sizes(arguments)
    seconds = try arguments.number("seconds", in: 0.05...60) ?? 0.5
    parallel =
      try arguments.integer(
        "parallel", in: 2...WireLimits.maximumErrandParallel) ?? WireLimits.maximumErrandParallel
  }

  private static func sizes(_ arguments: Arguments) throws(ArgumentError) -> [Int] {
    guard let text = arguments.value("sizes") else { return usualSizes }
    let sizes = arguments.list("sizes").compactMap { Int($0) }
    guard sizes.count == arguments.list("sizes").count, (1...maximumSizes).contains(sizes.count),
      sizes.allSatisfy(LinkLimits.sizes.contains)
    else {
      throw arguments.bad(
        "sizes", text,
        "1 to \(maximumSizes) numbers of bytes from \(LinkLimits.sizes.lowerBound) to "
          + "\(LinkLimits.sizes.upperBound), as 64,65536")
    }
    return Set(sizes).sorted()
  }
}

struct LinkBench {
  /// What a thin link is told by, before larger ones are tried.
  private static let firstSize = 16_384
  /// A round trip may take so many times the seconds of a figure.
  private static let patience = 8.0
  /// Of the closing sentence, where no version is served.
  private static let usualVersionMegabytes = 256

  private let targets: [LinkTarget]
  private let plan: LinkPlan
  private let versionBytes: Int?

  init(_ arguments: Arguments) throws {
    plan = try LinkPlan(arguments)
    versionBytes = try arguments.integer("megabytes", in: 1...65_536).map { $0 * 1_000_000 }
    guard let first = arguments.positional(1) else {
      throw ArgumentError(
        program: arguments.usage.program, fact: .missingPositional("an ADDRESS to measure to"))
    }
    let places = [first] + [arguments.positional(2)].compactMap(\.self)
    targets = try places.flatMap { try LinkTarget.find($0, keys: arguments.value("keys")) }
  }

  private var sizes: [Int] { plan.sizes }
  private var seconds: Double { plan.seconds }

  func run(repeats: Int) throws -> BenchReport {
    var measured: [(target: LinkTarget, rows: [LinkRow])] = []
    for target in targets {
      var rows: [[LinkRow]] = target.transports.map { _ in [] }
      for index in 0..<repeats {
        for (place, transport) in target.transports.enumerated() {
          try measure(transport, into: &rows[place])
          BenchProgress.repeated(index, of: repeats, Self.words(transport, rows[place]))
        }
      }
      measured.append((target, rows.flatMap(\.self)))
    }
    return report(measured)
  }

  private static func words(_ transport: LinkTransport, _ rows: [LinkRow]) -> String {
    let trip = rows.first?.median.last ?? 0
    let most = rows.compactMap { $0.there.last }.max() ?? 0
    return "\(transport.name) answers in \(BenchNumber.text(trip)) ms and carries "
      + "\(BenchNumber.text(most)) MB/s"
  }

  // MARK: Measuring

  /// One repeat of one transport; rows are made by the first.
  private func measure(_ transport: LinkTransport, into rows: inout [LinkRow]) throws {
    if rows.isEmpty {
      rows = sizes.map { LinkRow(transport: transport.name, what: Self.text($0), bytes: $0) }
      rows.append(LinkRow(transport: transport.name, what: "both ways at once", bytes: 0))
      rows.append(LinkRow(transport: transport.name, what: "\(plan.parallel) at once", bytes: 0))
    }
    let lane = try transport.open()
    // The link's own speed says which sizes are too large for it.
    let first = try lane.stream(.there, bytes: Self.firstSize, seconds: seconds)
    var largest = min(Self.firstSize, sizes[0])
    for index in sizes.indices {
      let size = sizes[index]
      let trips =
        2 * Double(size) / first > Self.patience * seconds
        ? nil
        : try PacedProbes.measure(seconds: seconds, patience: Self.patience * seconds) {
          try lane.roundTrip(bytes: size)
        }
      if let trips { rows[index].note(trips) }
      // Eight messages at the least in the time of a figure, or two of them on a thin link.
      guard size <= LinkLimits.maximumPiece, Double(8 * size) / first <= 4 * seconds else {
        continue
      }
      largest = max(largest, size)
      rows[index].there.append(
        try lane.stream(.there, bytes: size, seconds: seconds) / 1e6)
      rows[index].back.append(try lane.stream(.back, bytes: size, seconds: seconds) / 1e6)
    }
    let both = try Self.race(transport, [.there, .back], bytes: largest, seconds: seconds)
    rows[sizes.count].there.append(both[0] / 1e6)
    rows[sizes.count].back.append(both[1] / 1e6)
    for way in LinkWay.allCases {
      let ways = Array(repeating: way, count: plan.parallel)
      let rates = try Self.race(transport, ways, bytes: largest, seconds: seconds)
      rows[sizes.count + 1].add(rates.reduce(0, +) / 1e6, way)
    }
  }

  /// Bytes a second of lanes that stream at once.
  private static func race(
    _ transport: LinkTransport, _ ways: [LinkWay], bytes: Int, seconds: Double
  ) throws -> [Double] {
    let rates = Monitor(Array(repeating: 0.0, count: ways.count))
    _ = try StartingLine.race(ways.count, name: "lane") { index, line in
      let lane = try transport.open()
      try line.wait()
      let rate = try lane.stream(ways[index], bytes: bytes, seconds: seconds)
      rates.withLock { $0[index] = rate }
    }
    return rates.withLock { $0 }
  }

  static func text(_ bytes: Int) -> String {
    bytes >= 1 << 20 && bytes % (1 << 20) == 0
      ? "\(bytes >> 20) MiB"
      : bytes >= 1024 && bytes % 1024 == 0 ? "\(bytes >> 10) KiB" : "\(bytes) B"
  }

  // MARK: Telling

  private func report(_ measured: [(target: LinkTarget, rows: [LinkRow])]) -> BenchReport {
    let isAlone = measured.count == 1
    var figures: [BenchFigure] = []
    var table = TextTable([
      ("", .left), ("", .left), ("p50 ms", .right), ("p99 ms", .right), ("max ms", .right),
      ("there MB/s", .right), ("back MB/s", .right),
    ])
    for (target, rows) in measured {
      if !isAlone { table.add([target.address, target.service, "", "", "", "", ""]) }
      for row in rows where !row.isEmpty {
        table.add(row.cells)
        figures += row.figures(prefix: isAlone ? "" : "\(target.address) ")
      }
    }
    var report = BenchReport(
      what: "link",
      settings: [
        ("addresses", .array(measured.map { .string($0.target.address) })),
        ("services", .array(measured.map { .string($0.target.service) })),
        ("sizes", .array(sizes.map(Document.integer))), ("seconds", .number(seconds)),
        ("parallel", .integer(plan.parallel)),
      ],
      figures: figures,
      sentence: measured.map { sentence($0.target, $0.rows) }.joined(separator: "\n"))
    report.table = table.lines()
    return report
  }

  private func sentence(_ target: LinkTarget, _ rows: [LinkRow]) -> String {
    let bytes = versionBytes ?? target.versionBytes ?? Self.usualVersionMegabytes * 1_000_000
    // What a run would use: its own transport, or ZeroMQ without keys.
    func of(_ name: String) -> LinkSummary? {
      LinkSummary(rows.filter { $0.transport == name })
    }
    let usual = target.transports.count == 1 ? target.transports[0].name : "zeromq"
    guard let summary = of(usual) else { return "The link to \(target.address) is too thin." }
    var text =
      "The link to \(target.address) carries \(BenchNumber.text(summary.there)) MB/s there and "
      + "\(BenchNumber.text(summary.back)) MB/s back and answers in "
      + "\(BenchNumber.text(summary.roundTrip)) ms: a version of "
      + "\(BenchNumber.text(Double(bytes) / 1e6)) MB takes "
      + "\(BenchNumber.text(summary.secondsOf(bytes: bytes))) s to an actor"
    if target.transports.count > 1, let curve = of("curve") {
      text += ", and \(BenchNumber.text(curve.secondsOf(bytes: bytes))) s under keys"
    }
    return text + "."
  }
}

/// One line of the table: its samples, one a repeat.
struct LinkRow {
  let transport: String
  let what: String
  let bytes: Int
  /// Milliseconds.
  var median: [Double] = []
  var p90: [Double] = []
  var p99: [Double] = []
  var greatest: [Double] = []
  /// Of all repeats together.
  var trips = Histogram()
  /// MB/s.
  var there: [Double] = []
  var back: [Double] = []

  init(transport: String, what: String, bytes: Int) {
    (self.transport, self.what, self.bytes) = (transport, what, bytes)
  }

  mutating func note(_ trips: Histogram) {
    self.trips.merge(trips)
    median.append(Double(trips.percentile(0.5)) / 1e6)
    p90.append(Double(trips.percentile(0.9)) / 1e6)
    p99.append(Double(trips.percentile(0.99)) / 1e6)
    greatest.append(Double(trips.greatest) / 1e6)
  }

  mutating func add(_ rate: Double, _ way: LinkWay) {
    if way == .there { there.append(rate) } else { back.append(rate) }
  }

  var isEmpty: Bool { median.isEmpty && there.isEmpty && back.isEmpty }

  func figures(prefix: String) -> [BenchFigure] {
    let parts: [(String, String, [Double])] = [
      ("round trip p50", "ms", median), ("round trip p90", "ms", p90),
      ("round trip p99", "ms", p99), ("round trip max", "ms", greatest),
      (
        "round trip p99.9 of all", "ms",
        trips.count == 0 ? [] : [Double(trips.percentile(0.999)) / 1e6]
      ),
      ("round trips", "", trips.count == 0 ? [] : [Double(trips.count)]),
      ("there", "MB/s", there), ("back", "MB/s", back),
    ]
    return parts.filter { !$0.2.isEmpty }.map {
      BenchFigure("\(prefix)\(transport) \(what) \($0.0)", $0.1, $0.2)
    }
  }

  var cells: [String] { [transport, what] + [median, p99, greatest, there, back].map(Self.cell) }

  /// The median, and half of the way from the least to the greatest as a share of it.
  private static func cell(_ samples: [Double]) -> String {
    guard !samples.isEmpty else { return "-" }
    let figure = BenchFigure("", "", samples)
    guard samples.count > 1, figure.median > 0 else { return BenchNumber.text(figure.median) }
    let spread = (figure.greatest - figure.least) / 2 / figure.median
    return "\(BenchNumber.text(figure.median)) ±\(Int((100 * spread).rounded())) %"
  }
}

/// What a link comes to for one transport.
struct LinkSummary {
  /// Milliseconds of the smallest message.
  let roundTrip: Double
  /// MB/s of the fastest size, one stream.
  let there: Double
  let back: Double

  init?(_ rows: [LinkRow]) {
    let streams = rows.filter { $0.bytes > 0 && !$0.there.isEmpty && !$0.back.isEmpty }
    guard let trip = rows.first(where: { !$0.median.isEmpty }), !streams.isEmpty else {
      return nil
    }
    func median(_ samples: [Double]) -> Double { BenchFigure("", "", samples).median }
    roundTrip = median(trip.median)
    there = streams.map { median($0.there) }.max()!
    back = streams.map { median($0.back) }.max()!
  }

  /// A version's way: where it is, then its pieces, by the slower of the two directions.
  func secondsOf(bytes: Int) -> Double {
    2 * roundTrip / 1e3 + Double(bytes) / 1e6 / min(there, back)
  }
}
