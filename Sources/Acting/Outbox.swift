// Groups on their way to the ledger: a pure list, in order, each kept until replay says that it is
// on disk, or that it will never be wanted. Nothing leaves it silently.

import Digests
import Experience
import Wire

/// A group as it travels.
package struct EncodedGroup: Equatable, Sendable {
  package var key: TicketKey
  package var payload: [UInt8]
  /// Of the payload.
  package var digest: Digest
  /// Tokens of all completions.
  package var tokenCount: Int
  /// When it was ready to go, in nanoseconds of this process's clock; no part of what it is.
  package var madeAt: Int64 = 0

  package static func == (left: Self, right: Self) -> Bool {
    left.key == right.key && left.payload == right.payload && left.digest == right.digest
      && left.tokenCount == right.tokenCount
  }

  package init(key: TicketKey, payload: [UInt8], tokenCount: Int) {
    self.key = key
    self.payload = payload
    self.tokenCount = tokenCount
    digest = Digest(of: payload)
  }
}

package struct Outbox: Sendable {
  /// Groups kept and submissions on their way at once. An actor brings a few tickets' worth at a
  /// time, so these bound memory without being felt; more on a thin link would only age there.
  package static let maximumCount = 1024
  package static let maximumBytes = 64 << 20
  package static let maximumInFlight = 64
  package static let maximumInFlightBytes = 8 << 20
  /// A submission that must have arrived and is neither acknowledged nor refused is sent again
  /// after this long. One that may still be on its way is not: a thin link would carry it twice.
  package static let acknowledgementMilliseconds = 20_000
  /// A payload that did not arrive as its digest says is sent this often in all.
  package static let maximumCorruptions = 5

  private struct Entry {
    var group: EncodedGroup
    /// The request on its way; nil: to be sent.
    var id: Int?
    var sentAt = 0
    var corruptions = 0
  }

  private var entries: [Entry] = []
  private var backoff: Backoff
  /// Nothing is sent before this: replay said that it is full.
  private var busyUntil: Int?

  /// Why replay takes no group now; nil once it took one.
  package private(set) var busyReason: String?
  /// Submissions with smaller ids have arrived, if nothing was lost: something sent after them has
  /// been answered.
  package var arrivedThrough = Int.max
  package private(set) var bytes = 0
  package private(set) var acknowledgedCount = 0
  package private(set) var acknowledgedTokens = 0
  /// Sent again: after a reconnection, after silence, or because replay was busy.
  package private(set) var resentCount = 0
  package private(set) var busyCount = 0
  /// Groups that will never be wanted, by why.
  package private(set) var dropped: [Refusal.Code: Int] = [:]

  package init(name: String) {
    backoff = Backoff(firstMilliseconds: 100, maximumMilliseconds: 5_000, name: name)
  }

  package var count: Int { entries.count }
  package var isEmpty: Bool { entries.isEmpty }
  package var isBusy: Bool { busyUntil != nil }
  package var keys: [TicketKey] { entries.map(\.group.key) }
  /// Whether another group of ordinary size may be added.
  package var hasRoom: Bool { entries.count < Self.maximumCount && bytes < Self.maximumBytes }

  package mutating func add(_ group: EncodedGroup) {
    precondition(hasRoom, "\(entries.count) groups of \(bytes) bytes wait already")
    entries.append(Entry(group: group))
    bytes += group.payload.count
  }

  /// The submissions to send now, numbered from `nextID` on.
  package mutating func takeSubmissions(now: Int, nextID: inout Int) -> [Envelope<Request>] {
    if let until = busyUntil {
      guard now >= until else { return [] }
      busyUntil = nil
    }
    var inFlight = 0
    var inFlightBytes = 0
    for index in entries.indices {
      guard let id = entries[index].id else { continue }
      if id < arrivedThrough, now - entries[index].sentAt >= Self.acknowledgementMilliseconds {
        entries[index].id = nil
        resentCount += 1
      } else {
        inFlight += 1
        inFlightBytes += entries[index].group.payload.count
      }
    }
    var submissions: [Envelope<Request>] = []
    for index in entries.indices where entries[index].id == nil {
      let group = entries[index].group
      // One may always go, however large it is.
      guard
        inFlight == 0
          || inFlight < Self.maximumInFlight
            && inFlightBytes + group.payload.count <= Self.maximumInFlightBytes
      else { break }
      let id = nextID
      nextID += 1
      entries[index].id = id
      entries[index].sentAt = now
      inFlight += 1
      inFlightBytes += group.payload.count
      submissions.append(
        Envelope(
          id: id, body: .submit(Submission(key: group.key, digest: group.digest)),
          payload: [group.payload]))
    }
    return submissions
  }

  /// Replay has it. The key decides, not the id: an answer to an earlier sending counts as well.
  package mutating func acknowledge(_ key: TicketKey) {
    guard let index = entries.firstIndex(where: { $0.group.key == key }) else { return }
    busyReason = nil
    acknowledgedCount += 1
    acknowledgedTokens += entries[index].group.tokenCount
    remove(at: index)
    backoff.reset()
  }

  /// When the group that is on its way was sent; nil where none is.
  package func sentAt(key: TicketKey) -> Int? {
    entries.first { $0.group.key == key && $0.id != nil }?.sentAt
  }

  /// Whether the id is that of a submission on its way.
  package func contains(id: Int) -> Bool { entries.contains { $0.id == id } }

  package func sentAt(id: Int) -> Int? { entries.first { $0.id == id }?.sentAt }

  /// Replay refused the submission: returns the key when its group is dropped, nil when it stays.
  package mutating func refuse(id: Int, _ refusal: Refusal, now: Int) -> TicketKey? {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return nil }
    entries[index].id = nil
    switch refusal.code {
    case .busy:
      busyCount += 1
      busyReason = refusal.sentence
      resentCount += 1
      // Whatever else is on its way will be refused as well: one step of the backoff for all.
      if busyUntil == nil { busyUntil = now + backoff.next() }
      return nil
    case .helloFirst: return nil
    case .corrupt where entries[index].corruptions + 1 < Self.maximumCorruptions:
      entries[index].corruptions += 1
      resentCount += 1
      return nil
    default:
      dropped[refusal.code, default: 0] += 1
      let key = entries[index].group.key
      remove(at: index)
      return key
    }
  }

  /// The connection is a new one: whatever was on its way is sent again.
  package mutating func reconnected() {
    for index in entries.indices where entries[index].id != nil {
      entries[index].id = nil
      resentCount += 1
    }
    busyUntil = nil
  }

  /// When `takeSubmissions` may have something to send without any other event.
  package func nextMoment(now: Int) -> Int? {
    if let busyUntil { return busyUntil }
    return entries.lazy.filter { $0.id.map { $0 < arrivedThrough } ?? false }
      .map { $0.sentAt + Self.acknowledgementMilliseconds }.min()
  }

  private mutating func remove(at index: Int) {
    bytes -= entries[index].group.payload.count
    entries.remove(at: index)
  }
}
