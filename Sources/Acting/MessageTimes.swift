// When an actor's socket thread sent what, so that the answers tell how long it took: spans of
// groups and of pieces of weights on their way. It forgets rather than grow.

import Experience
import Operations
import Wire

struct MessageTimes {
  /// More than an outbox holds or a fetcher asks for; beyond it all are forgotten.
  private static let maximumCount = 4096

  private let strand: Strand
  /// Of groups not sent yet, when they were made; of those sent, when.
  private var made: [Int: Int64] = [:]
  private var sent: [Int: Int64] = [:]
  /// Pieces asked for, by the number of the request.
  private var asked: [Int: Int64] = [:]
  private var fetchSince: Int64 = 0

  init(_ strand: Strand) { self.strand = strand }

  // MARK: groups

  mutating func take(_ group: EncodedGroup) {
    guard strand.spans != nil, group.key.purpose == .train else { return }
    if made.count >= Self.maximumCount { made = [:] }
    made[group.key.number] = group.madeAt
  }

  /// The envelope is a group's that is with the socket from now on; `began` is when it was given.
  mutating func submitted(_ key: TicketKey, bytes: Int, from began: Int64) {
    guard strand.spans != nil, key.purpose == .train else { return }
    let now = MonotonicClock.now
    if let since = made.removeValue(forKey: key.number) {
      strand.span(.sendQueue, id: key.number, from: since, to: began, amount: bytes)
    }
    strand.span(.submit, id: key.number, from: began, to: now, amount: bytes)
    if sent.count >= Self.maximumCount { sent = [:] }
    sent[key.number] = now
  }

  mutating func acknowledged(_ key: TicketKey) {
    guard key.purpose == .train, let since = sent.removeValue(forKey: key.number) else { return }
    strand.span(.inFlight, id: key.number, from: since)
  }

  // MARK: weights

  mutating func begin() { fetchSince = MonotonicClock.now }

  mutating func ask(_ envelope: Envelope<BlobRequest>) {
    guard strand.spans != nil, case .chunk = envelope.body else { return }
    if asked.count >= Self.maximumCount { asked = [:] }
    asked[envelope.id] = MonotonicClock.now
  }

  /// An answer of the weight server, while it is `version` that is being fetched.
  mutating func receive(_ envelope: Envelope<BlobReply>, version: Int?) {
    guard let since = asked.removeValue(forKey: envelope.id), let version,
      case .chunk = envelope.body
    else { return }
    let bytes = envelope.payload.reduce(0) { $0 + $1.count }
    strand.span(.chunk, id: version, from: since, amount: bytes)
  }

  mutating func fetched(_ outcome: Fetcher.Outcome) {
    asked = [:]
    guard case .snapshot(let snapshot, let bytes) = outcome else { return }
    strand.span(
      .fetchWeights, id: snapshot.version.number, from: fetchSince, amount: bytes.count)
  }
}
