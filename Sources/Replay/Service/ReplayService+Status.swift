// The status document: the ledger's account, and what the service counts of its connections.

import Documents
import Operations

extension ReplayService {
  /// How full what can fill up is.
  var gauges: [Watchdog.Gauge] {
    [
      .init(
        name: "bytes of groups going to disk", value: pendingBytes,
        maximum: settings.replay.maximumQueuedBytes),
      .init(
        name: "bytes of groups cached", value: cache.bytes, maximum: cache.maximumBytes),
      .init(
        name: "bytes of the log", value: store.logBytes, maximum: LedgerStore.Limits.maximumLogBytes
      ),
    ]
  }

  func statusDocument() -> Document {
    let now = MonotonicClock.now
    let peers = ledger.peerStatus().map { peer, members in
      let link = counters.links[peer] ?? .init()
      return Document.object(members + Self.members(of: link))
    }
    return .object(
      ledger.status() + [
        ("peers", .array(peers)),
        ("strangers", .object(Self.members(of: counters.strangers))),
        (
          "service",
          .object([
            ("endpoint", .string(endpoint)),
            ("upMilliseconds", .integer(Int((now - started) / 1_000_000))),
            ("commits", .integer(counters.commits)),
            ("groups", .integer(counters.groups)),
            ("malformed", .integer(counters.malformed)),
            ("oversized", .integer(counters.oversized)),
            ("queuedBytes", .integer(pendingBytes)),
            ("cachedBytes", .integer(cache.bytes)),
            ("ledgerBytes", .integer(Files.byteCount(store.path) ?? 0)),
            ("logBytes", .integer(store.logBytes)),
            ("freeBytes", .integer(freeBytes)),
            ("reserveBytes", .integer(reserveBytes)),
            ("isDiskLow", .bool(isDiskLow)),
            ("residentBytes", .integer(Machine.residentBytes)),
          ])
        ),
      ])
  }

  private static func members(of link: ServiceCounters.Link) -> [(String, Document)] {
    [
      ("bytesReceived", .integer(link.bytesReceived)),
      ("bytesSent", .integer(link.bytesSent)),
      ("messages", .integer(link.messages)),
      ("lostReplies", .integer(link.lostReplies)),
    ]
  }
}
