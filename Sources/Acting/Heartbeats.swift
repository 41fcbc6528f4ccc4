// What an actor's heartbeats carry beside its progress: when each was sent, so that the answer
// tells how far replay's clock is from this one; and, from an actor that does not share the run's
// folder, what it has spent its time on. None of it is ever in the way of a group: spans go when
// nothing else waits, a bounded batch a heartbeat; what finds no room in their rings is dropped.

import Operations
import Wire

struct Heartbeats {
  /// Of one heartbeat: 42 bytes each, so 42 KiB a second at most.
  static let maximumSpans = 1024

  private let strand: Strand
  private let spans: SpanRecorder?
  private var clock = ClockWatch()
  /// Whether the run wants spans, once that is known.
  var wantsSpans = false

  init(_ strand: Strand, _ spans: SpanRecorder?) {
    self.strand = strand
    self.spans = spans
  }

  /// The heartbeat as it goes now; `isIdle` when no message waits before it.
  func stamped(_ heartbeat: Heartbeat, isIdle: Bool) -> Heartbeat {
    var heartbeat = heartbeat
    if let best = clock.best {
      heartbeat.offsetMicroseconds = Int(best.offset / 1000)
      heartbeat.roundTripMicroseconds = Int(best.roundTrip / 1000)
    }
    if isIdle, wantsSpans, let spans, spans.isFar {
      heartbeat.spans = SpanBatch(spans.take(atMost: Self.maximumSpans))
    }
    heartbeat.sentMicroseconds = Int(MonotonicClock.now / 1000)
    return heartbeat
  }

  mutating func answered(_ alive: Alive) {
    let sample = ClockSample(
      sentMicroseconds: alive.sentMicroseconds, receivedMicroseconds: alive.receivedMicroseconds,
      answeredMicroseconds: alive.answeredMicroseconds, returned: MonotonicClock.now)
    guard let sample else { return }
    clock.take(sample)
    strand.span(
      .clock, id: Int(sample.offset), from: sample.at, to: sample.at + sample.roundTrip)
  }
}

extension SpanBatch {
  /// Nil for no spans.
  init?(_ records: [SpanRecord]) {
    guard !records.isEmpty else { return nil }
    self.init(
      clock: MonotonicClock.identity, names: SpanName.allCases.map(\.text),
      threads: SpanThread.allCases.map(\.text),
      rows: records.map {
        Row(
          name: $0.name, thread: $0.thread, id: $0.id, start: $0.start, duration: $0.duration,
          amount: Int64($0.amount))
      })
  }
}
