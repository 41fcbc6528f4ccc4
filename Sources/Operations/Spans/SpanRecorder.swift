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
    /// Of processes without the run's folder, by their names: what waits for the file.
    var far: [String: Far] = [:]
    /// By name, once somebody wants them.
    var durations: [SpanName: Histogram]?
  }

  private struct Far {
    var clock: String
    var records: [SpanRecord] = []
    var lost = 0
  }

  /// The files: this process's own, and those of far ones beside it.
  private struct Sinks {
    var own: SpanFile?
    var far: [String: (clock: String, file: SpanFile)] = [:]
  }

  /// Far processes with a file, and what of one may wait for it: some ten batches.
  public static let maximumFarProcesses = 256
  public static let maximumFarRecords = 1 << 15

  /// "learner", "actor-0".
  public let process: String
  private let state = Mutex(State())
  private let sinks: Mutex<Sinks>
  private let folder: String?
  private let maximumBytes: Int
  private let log: Log

  /// `path` nil keeps the spans for `take`.
  public init(_ process: String, path: String? = nil, maximumBytes: Int = 0, log: Log) {
    self.process = process
    self.maximumBytes = maximumBytes
    self.log = log
    folder = path.map(Files.folder(of:))
    sinks = Mutex(
      Sinks(
        own: path.map { SpanFile($0, process: process, maximumBytes: maximumBytes, log: log) }))
  }

  /// Of a run's own process; nil where the settings want no spans.
  public convenience init?(_ process: String, run: RunFolder, maximumBytes: Int, log: Log) {
    guard maximumBytes > 0 else { return nil }
    self.init(process, path: run.spans(process), maximumBytes: maximumBytes, log: log)
  }

  /// What the supervisor's environment says, nil for none; without a supervisor one whose spans are
  /// taken by whoever sends them.
  public static func inherited(_ process: String, log: Log) -> SpanRecorder? {
    guard let text = Environment.value(environmentName) else {
      return SpanRecorder(process, log: log)
    }
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

  /// No file: the spans wait for `take`.
  public var isFar: Bool { folder == nil }

  /// From here on spans are counted by their lengths as they are carried away.
  public func countDurations() {
    state.withLock { $0.durations = $0.durations ?? [:] }
  }

  /// How long spans were since `countDurations`, by name.
  public var durations: [SpanName: Histogram] { state.withLock { $0.durations ?? [:] } }

  /// Writes what has come since the last time. Any thread but those under a deadline: the disk
  /// may be slow.
  public func flush() {
    guard let folder else { return }
    sinks.withLock { sinks in
      let records = collect(atMost: .max)
      sinks.own?.append(records)
      for (process, batch) in collectFar() {
        if sinks.far[process]?.clock != batch.clock {
          let path = "\(folder)/far-\(Self.plain(process)).spans"
          sinks.far[process] = (
            batch.clock,
            SpanFile(
              path, process: process, maximumBytes: maximumBytes, clock: batch.clock, log: log)
          )
        }
        sinks.far[process]!.file.append(batch.records)
      }
    }
  }

  /// Takes in the spans of a process that does not share the folder, for the next `flush`; false,
  /// and they are dropped, where too many wait already.
  @discardableResult
  public func keep(_ records: [SpanRecord], of process: String, clock: String) -> Bool {
    state.withLock { state in
      guard state.far[process] != nil || state.far.count < Self.maximumFarProcesses else {
        return false
      }
      if state.far[process]?.clock != clock { state.far[process] = Far(clock: clock) }
      guard state.far[process]!.records.count + records.count <= Self.maximumFarRecords else {
        state.far[process]!.lost += records.count
        return false
      }
      state.far[process]!.records += records
      return true
    }
  }

  private func collectFar() -> [(process: String, batch: Far)] {
    state.withLock { state in
      var batches: [(process: String, batch: Far)] = []
      for (process, var batch) in state.far where !batch.records.isEmpty || batch.lost > 0 {
        state.far[process] = Far(clock: batch.clock)
        if batch.lost > 0 { batch.records.append(.drop(batch.lost)) }
        batches.append((process, batch))
      }
      return batches
    }
  }

  /// A name of whatever letters as a file's: no two letters of a folder's way are left in it.
  static func plain(_ name: String) -> String {
    String(
      name.unicodeScalars.prefix(64).map { scalar in
        let isPlain =
          scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        return isPlain || scalar == "-" || scalar == "_" ? Character(scalar) : "_"
      })
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
      if state.durations != nil {
        for record in records {
          guard let name = SpanName(rawValue: record.name), name.track != .note else { continue }
          state.durations?[name, default: Histogram()].record(record.duration)
        }
      }
      let dropped = state.rings.reduce(0) { $0 + $1.dropped }
      if dropped > state.droppedTold {
        records.append(.drop(dropped - state.droppedTold))
        state.droppedTold = dropped
      }
      return records
    }
  }
}

extension SpanRecord {
  /// So many found no room before this one.
  static func drop(_ count: Int) -> SpanRecord {
    SpanRecord(
      .dropped, thread: .other, id: Int64(count), start: MonotonicClock.now, duration: 0)
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
