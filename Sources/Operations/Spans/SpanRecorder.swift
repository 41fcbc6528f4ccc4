// The spans of a process: the rings of its threads, and the file they go to, or the peer.

import Glibc
import Synchronization

public final class SpanRecorder: Sendable {
  /// Where a supervised process writes its spans, set by the supervisor: "BYTES:PATH".
  public static let environmentName = "FORAGE_SPANS"

  private struct State {
    var rings: [SpanRing] = []
    /// Of drops already told.
    var droppedTold = 0
    /// What a peer has not got yet.
    var unsent: [SpanRecord] = []
  }

  /// "learner", "actor-0".
  public let process: String
  private let state = Mutex(State())
  private let file: Mutex<SpanFile?>

  /// `path` nil keeps the spans for `take`.
  public init(_ process: String, path: String? = nil, maximumBytes: Int = 0, log: Log) {
    self.process = process
    file = Mutex(path.map { SpanFile($0, process: process, maximumBytes: maximumBytes, log: log) })
  }

  /// Of a run's own process; nil where the settings want no spans.
  public convenience init?(_ process: String, run: RunFolder, maximumBytes: Int, log: Log) {
    guard maximumBytes > 0 else { return nil }
    self.init(process, path: run.spans(process), maximumBytes: maximumBytes, log: log)
  }

  /// What the supervisor's environment says; nil where it says nothing.
  public static func inherited(_ process: String, log: Log) -> SpanRecorder? {
    guard let text = Environment.value(environmentName) else { return nil }
    let parts = text.split(separator: ":", maxSplits: 1)
    guard parts.count == 2, let bytes = Int(parts[0]), bytes > 0 else { return nil }
    return SpanRecorder(process, path: String(parts[1]), maximumBytes: bytes, log: log)
  }

  /// The ring of a thread, by its strand's name.
  public func ring(strand: String) -> SpanRing {
    let ring = SpanRing(SpanThread(strand: strand))
    state.withLock { $0.rings.append(ring) }
    return ring
  }

  /// Spans there was no room for since the beginning.
  public var dropped: Int { state.withLock { $0.rings.reduce(0) { $0 + $1.dropped } } }

  /// Writes what has come since the last time. Any thread but those under a deadline: the disk
  /// may be slow.
  public func flush() {
    file.withLock { file in
      guard file != nil else { return }
      let records = collect(atMost: .max)
      file?.append(records)
    }
  }

  /// Takes at most so many out, for a peer that keeps them; whole batches are dropped by whoever
  /// does not get rid of them.
  public func take(atMost maximum: Int) -> [SpanRecord] { collect(atMost: maximum) }

  private func collect(atMost maximum: Int) -> [SpanRecord] {
    state.withLock { state in
      var records: [SpanRecord] = []
      for ring in state.rings {
        guard records.count < maximum else { break }
        ring.drain(into: &records, atMost: maximum - records.count)
      }
      let dropped = state.rings.reduce(0) { $0 + $1.dropped }
      if dropped > state.droppedTold {
        records.append(
          SpanRecord(
            .dropped, thread: .other, id: Int64(dropped - state.droppedTold),
            start: MonotonicClock.now, duration: 0))
        state.droppedTold = dropped
      }
      return records
    }
  }
}

extension Strand {
  /// Notes that its thread, or what it has in hand, spent the time since `start` so.
  @inline(__always)
  public func span(
    _ name: SpanName, id: Int = 0, from start: Int64, to end: Int64? = nil, amount: Int = 0
  ) {
    guard let spans else { return }
    spans.record(name, id: id, from: start, to: end ?? MonotonicClock.now, amount: amount)
  }

  /// Runs `body` as a span.
  public func measure<Result, Fault: Error>(
    _ name: SpanName, id: Int = 0, amount: Int = 0, _ body: () throws(Fault) -> Result
  ) throws(Fault) -> Result {
    guard spans != nil else { return try body() }
    let start = MonotonicClock.now
    defer { span(name, id: id, from: start, amount: amount) }
    return try body()
  }
}
