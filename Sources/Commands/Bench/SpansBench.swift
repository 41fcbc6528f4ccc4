// forage bench spans: what noting where the time goes costs, held against a run whose spans were
// kept: nanoseconds a span, from the thread that notes it to the file, times spans a step, over
// the step's time.

import Documents
import Operations

struct SpansBench {
  /// A repeat: noted as fast as a thread can, then written; a ring holds more.
  private static let spansPerRepeat = 20_000

  private let spans: RunSpans?
  private let folder: String?

  init(_ arguments: Arguments) throws {
    folder = arguments.positional(1)
    spans = try folder.map { RunSpans(try RunFolder.open($0), tailBytes: 8 << 20) }
    if let spans, let folder, RunBound(spans) == nil {
      throw Failure(
        "hold against", on: folder, happened: "there are no spans of its steps",
        remedy: "name a run of two steps or more, with trace.maximumBytes above 0",
        exitCode: .noInput)
    }
  }

  func run(repeats: Int) throws -> BenchReport {
    var noted: [Double] = []
    var written: [Double] = []
    for index in 0..<repeats {
      let folder = try BenchFolder(in: Files.isFolder("/tmp") ? "/tmp" : ".")
      let log = Log.standardError("bench", level: .error)
      let recorder = SpanRecorder(
        "bench", path: "\(folder.path)/bench.spans", maximumBytes: 64 << 20, log: log)
      let strand = Strand("train", spans: recorder.ring(strand: "train"))
      let count = Double(Self.spansPerRepeat)
      let begun = MonotonicClock.now
      for id in 0..<Self.spansPerRepeat { strand.measure(.forward, id: id) {} }
      let middle = MonotonicClock.now
      recorder.flush()
      noted.append(Double(middle - begun) / count)
      written.append(Double(MonotonicClock.now - middle) / count)
      BenchProgress.repeated(
        index, of: repeats,
        "\(BenchNumber.text(noted.last!)) ns to note a span, "
          + "\(BenchNumber.text(written.last!)) ns to write it")
    }
    return report(noted, written)
  }

  private func report(_ noted: [Double], _ written: [Double]) -> BenchReport {
    var figures = [
      BenchFigure("noting a span, two looks at the clock included", "ns", noted),
      BenchFigure("taking it out and writing it, by another thread", "ns", written),
    ]
    var sentence = "A span costs its thread \(figures[0].text)"
    if let spans, let learner = spans.learner {
      let cost = figures[0].median
      let steps = learner.spans.filter { $0.name == .step }
      var counts: [Double] = []
      var shares: [Double] = []
      for step in steps.dropFirst() {
        let inside = learner.spans.count {
          $0.thread == .train && $0.start >= step.start && $0.end <= step.end
        }
        counts.append(Double(inside))
        shares.append(Double(inside) * cost / Double(max(1, step.duration)) * 100)
      }
      let busiest = spans.processes.map { Self.share($0, cost: cost + figures[1].median) * 100 }
      figures += [
        BenchFigure("spans of the learner's thread a step", "", counts),
        BenchFigure("their share of the step", "%", shares),
        BenchFigure("all spans of a process, written too, of its time", "%", busiest),
      ]
      sentence +=
        ": \(BenchNumber.text(figures[3].median)) % of a step of this run, and "
        + "\(BenchNumber.text(figures[4].greatest)) % of the time of its busiest process"
    }
    return BenchReport(
      what: "spans", settings: [("run", .string(folder ?? ""))], figures: figures,
      sentence: sentence + ".")
  }

  /// Of the time from a process's first span to its last.
  private static func share(_ process: RunSpans.Process, cost: Double) -> Double {
    guard let first = process.spans.first, let last = process.spans.map(\.end).max(),
      last > first.start
    else { return 0 }
    return Double(process.spans.count) * cost / Double(last - first.start)
  }
}
