// How long things took, one by one: each thread notes what it did in a ring of its own, and another
// thread carries the notes away.
//
// The obvious way, a lock and an array that grows, would make the compute thread wait for the one
// that writes files. Here a thread alone writes its ring and one other alone empties it, so a note
// is 32 bytes and two atomic operations. What finds no room is dropped and counted: a trace may be
// incomplete, a run may not wait for its trace.

import Synchronization

/// One thing that took time, 32 bytes, as span files have it.
public struct SpanRecord: Equatable, Sendable, BitwiseCopyable {
  /// Raw values of a `SpanName` and of a `SpanThread`.
  public var name: UInt8
  public var thread: UInt8
  var unused: UInt16 = 0
  /// Bytes, tokens or groups, as the name says; at most 2^32 - 1.
  public var amount: UInt32
  /// The number of what the name is about: a ticket, a version, a step.
  public var id: Int64
  /// Nanoseconds of its process's `MonotonicClock`.
  public var start: Int64
  public var duration: Int64

  public init(
    _ name: SpanName, thread: SpanThread, id: Int64 = 0, start: Int64, duration: Int64,
    amount: Int = 0
  ) {
    self.init(
      rawName: name.rawValue, rawThread: thread.rawValue, id: id, start: start, duration: duration,
      amount: UInt32(clamping: amount))
  }

  public init(
    rawName: UInt8, rawThread: UInt8, id: Int64, start: Int64, duration: Int64, amount: UInt32
  ) {
    name = rawName
    thread = rawThread
    self.amount = amount
    self.id = id
    self.start = start
    self.duration = duration
  }

  public var end: Int64 { start + duration }
}

/// The spans of one thread on their way out.
public final class SpanRing: @unchecked Sendable {
  /// Emptied once a second: a busy replay makes five spans a group, some thousand groups a second.
  public static let capacity = 1 << 15

  public let thread: SpanThread
  private let records: UnsafeMutablePointer<SpanRecord>
  /// Records ever written and ever taken; their difference is what lies in the ring.
  private let written = Atomic<Int>(0)
  private let taken = Atomic<Int>(0)
  private let lost = Atomic<Int>(0)

  public init(_ thread: SpanThread) {
    self.thread = thread
    records = .allocate(capacity: Self.capacity)
  }

  deinit { records.deallocate() }

  /// For want of room, since the beginning. Any thread.
  public var dropped: Int { lost.load(ordering: .relaxed) }

  /// Notes a span. Only ever called by one thread.
  public func record(
    _ name: SpanName, id: Int = 0, from start: Int64, to end: Int64, amount: Int = 0
  ) {
    let index = written.load(ordering: .relaxed)
    guard index - taken.load(ordering: .acquiring) < Self.capacity else {
      lost.wrappingAdd(1, ordering: .relaxed)
      return
    }
    (records + index & (Self.capacity - 1)).initialize(
      to: SpanRecord(
        name, thread: thread, id: Int64(id), start: start, duration: max(0, end - start),
        amount: amount))
    written.store(index + 1, ordering: .releasing)
  }

  /// Takes at most `maximum` out, oldest first. Only ever called by one thread at a time.
  public func drain(into target: inout [SpanRecord], atMost maximum: Int = .max) {
    let first = taken.load(ordering: .relaxed)
    let count = min(maximum, written.load(ordering: .acquiring) - first)
    for index in first..<first + count {
      target.append(records[index & (Self.capacity - 1)])
    }
    taken.store(first + count, ordering: .releasing)
  }
}
