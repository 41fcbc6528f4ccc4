// One loop of a process, as its watchdog sees it: what it does or whom it waits for, since when,
// and by when it will look again.
//
// The obvious watchdog asks whether a thread has done anything lately, and ends processes that only
// wait for a slow peer. So a strand says which of three it is at: work, which turns often; a wait
// for a peer, cut into slices with a deadline each, after which it turns; or a call into the kernel
// for a resource (a disk, a terminal), which nothing here can cut short. Only a strand that could
// turn and does not is hung; one that waits is late at most.

import Synchronization

/// A thread's own account of itself. Written by its thread, read by the watchdog.
public final class Strand: Sendable {
  public enum Activity: String, Sendable {
    case work
    /// Waits for another process or thread.
    case peer
    /// Is in a call that ends when a resource lets it.
    case resource
  }

  /// What a strand said last.
  public struct Facts: Sendable {
    public var activity = Activity.work
    /// What it does, or for whom it waits: "the learner to commit step 5".
    public var text = "starting"
    /// Since when, in nanoseconds of `MonotonicClock`: the same wait in many turns is one wait.
    public var since: Int64
    /// When it turned last.
    public var turned: Int64
    /// By when a wait ends its slice and turns; `turned` while it works.
    public var due: Int64
    public var turns = 0

    public init(at now: Int64) {
      since = now
      turned = now
      due = now
    }
  }

  public let name: String
  private let facts: Mutex<Facts>
  private let events: EventRing?
  private let hang: HangPoint?
  /// Where its thread notes what took time; nil where nobody keeps that.
  public let spans: SpanRing?

  /// Without `events` nothing is remembered of its changes.
  public init(_ name: String, events: EventRing? = nil, spans: SpanRing? = nil) {
    self.name = name
    self.events = events
    self.spans = spans
    facts = Mutex(Facts(at: MonotonicClock.now))
    hang = HangPoint(of: name)
  }

  /// It works on `text` from here on.
  public func work(_ text: String) { change(.work, text, until: nil) }

  /// It waits for a peer, named first in `whom`, and turns again by the deadline.
  public func wait(for whom: String, until deadline: Deadline) {
    change(.peer, whom, until: deadline)
  }

  /// It makes a call that lasts as long as the resource takes.
  public func use(_ resource: String) { change(.resource, resource, until: nil) }

  /// It goes on: to be called at least once in a slice of work or wait.
  public func turn() {
    facts.withLock {
      $0.turned = MonotonicClock.now
      $0.due = $0.turned
      $0.turns += 1
    }
    hang?.pass()
  }

  /// As `turn`, in the middle of a wait whose next slice ends by the deadline.
  public func turn(until deadline: Deadline) {
    turn()
    facts.withLock { $0.due = max($0.turned, deadline.moment) }
  }

  private func change(_ activity: Activity, _ text: String, until deadline: Deadline?) {
    let now = MonotonicClock.now
    let isNew = facts.withLock { facts -> Bool in
      let isNew = facts.text != text || facts.activity != activity
      if isNew { facts.since = now }
      facts.activity = activity
      facts.text = text
      facts.turned = now
      facts.due = max(now, deadline?.moment ?? now)
      facts.turns += 1
      return isNew
    }
    if isNew {
      events?.note("\(name): \(activity == .work ? "" : "waits for ")\(text)")
    }
    hang?.pass()
  }

  /// What it said last; nil when its lock could not be had, which its own thread holds for
  /// nanoseconds only.
  public var reading: Facts? {
    for _ in 0..<1000 {
      if let facts = facts.withLockIfAvailable({ $0 }) { return facts }
    }
    return nil
  }
}

/// The last things a process did, a bounded ring: what its watchdog prints.
public final class EventRing: Sendable {
  /// A few seconds of a busy process, or hours of an idle one.
  public static let maximumCount = 64
  /// Longer ones are cut.
  public static let maximumBytes = 256

  private struct Ring {
    var events: [(at: Int64, text: String)] = []
    var next = 0
  }

  private let ring = Mutex(Ring())

  public init() {}

  public func note(_ text: String) {
    let cut =
      text.utf8.count <= Self.maximumBytes
      ? text : String(decoding: text.utf8.prefix(Self.maximumBytes), as: UTF8.self)
    let now = MonotonicClock.now
    ring.withLock {
      if $0.events.count < Self.maximumCount {
        $0.events.append((now, cut))
      } else {
        $0.events[$0.next] = (now, cut)
        $0.next = ($0.next + 1) % Self.maximumCount
      }
    }
  }

  /// Oldest first; empty when the lock cannot be had.
  public var last: [(at: Int64, text: String)] {
    for _ in 0..<1000 {
      if let ring = ring.withLockIfAvailable({ $0 }) {
        return Array(ring.events[ring.next...] + ring.events[..<ring.next])
      }
    }
    return []
  }
}
