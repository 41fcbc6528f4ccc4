// The status document: the ledger's account, and what the service counts of its connections.

import Documents
import Messaging
import Operations

extension ReplayService {
  /// How full what can fill up is.
  var gauges: [Watchdog.Gauge] {
    let batches = ledger.configuration.lagMax + 1
    return [
      .init(
        name: "groups ready", value: ledger.book.count(.ready),
        maximum: batches * ledger.configuration.groupsPerStep),
      .init(
        name: "records waiting for the disk", value: pending.count,
        maximum: Limits.maximumPendingWrites),
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
      let key: [(String, Document)] = link.keyName.map { [("key", .string($0))] } ?? []
      return Document.object(members + key + Self.members(of: link))
    }
    return .object(
      ledger.status() + [
        ("peers", .array(peers)), ("peersLeftOut", .integer(ledger.peersLeftOut(peers.count))),
        ("strangers", .object(Self.members(of: counters.strangers))),
        ("turnedAway", turnedAway),
        (
          "service",
          .object([
            ("endpoint", .string(endpoint)),
            ("upMilliseconds", .integer(Int((now - started) / 1_000_000))),
            ("commits", .integer(counters.commits)),
            ("groups", .integer(counters.groups)),
            ("refused", counters.refused.document),
            ("refusedNames", .array(counters.refused.nameDocuments)),
            ("malformed", .integer(counters.malformed)),
            ("oversized", .integer(counters.oversized)),
            ("probes", .integer(probes.answered)),
            ("probeBytes", .integer(probes.bytes)),
            ("probesRefused", .integer(probes.refused)),
            ("queuedBytes", .integer(pendingBytes)),
            ("cachedBytes", .integer(cache.bytes)),
            ("ledgerBytes", .integer(Files.byteCount(store.path) ?? 0)),
            ("logBytes", .integer(store.logBytes)),
            ("freeBytes", .integer(freeBytes)),
            ("reserveBytes", .integer(reserveBytes)),
            ("isDiskLow", .bool(isDiskLow || isDiskFull)),
            ("residentBytes", .integer(Machine.residentBytes)),
          ])
        ),
      ])
  }

  /// Those who never came in, or asked for what their key does not allow, by reason.
  private var turnedAway: Document {
    var members: [(String, Document)] = [
      ("keys", .bool(authenticator != nil)), ("total", .integer(strangers.total)),
    ]
    for reason in Strangers.Reason.allCases {
      members.append((reason.rawValue, .integer(strangers.counts[reason] ?? 0)))
    }
    if let last = strangers.last {
      members.append(("last", .string("\(last.reason.rawValue) from \(last.address)")))
    }
    return .object(members)
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
