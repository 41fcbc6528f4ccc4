// What replay says to a scraper, once a second: the ledger's counts and the service's own.

import Operations

enum ReplayMeters {
  static let step = Meter("forage_replay_step", .gauge, "The step that is to be committed next.")
  static let tickets = Meter(
    "forage_replay_tickets", .gauge,
    "Tickets by what they are: held by an actor, being stored, "
      + "lapsed, unfilled, or with a group that is ready or leased.", labels: ["state"])
  static let accepted = Meter(
    "forage_replay_groups_accepted_total", .counter, "Groups accepted since the run began.")
  static let dropped = Meter(
    "forage_replay_groups_dropped_total", .counter,
    "Groups dropped after they were accepted, since the run began.", labels: ["reason"])
  static let refused = Meter(
    "forage_replay_groups_refused_total", .counter,
    "Groups dropped before they were accepted, since the run began.", labels: ["reason"])
  static let refusals = Meter(
    "forage_replay_refusals_total", .counter, "Requests answered with a refusal.",
    labels: ["code"])
  static let commits = Meter(
    "forage_replay_commits_total", .counter, "Commits of groups to the disk.")
  static let received = Meter(
    "forage_replay_received_bytes_total", .counter, "Bytes of messages received.")
  static let sent = Meter("forage_replay_sent_bytes_total", .counter, "Bytes of messages sent.")
  static let peers = Meter(
    "forage_replay_peers", .gauge, "Peers that are present.", labels: ["role"])
  static let ledgerBytes = Meter(
    "forage_replay_ledger_bytes", .gauge, "The ledger's file, without its log.")
  static let freeBytes = Meter(
    "forage_replay_free_bytes", .gauge, "Room on the ledger's disk.")
  static let reserveBytes = Meter(
    "forage_replay_reserve_bytes", .gauge, "Room below which groups are refused.")
}

extension ReplayService {
  func tell(_ meters: Meters) {
    let book = ledger.book
    meters.set(ReplayMeters.step, Double(ledger.nextStep))
    let states: [(String, Int)] = [
      ("held", book.count(.held)), ("storing", book.count(.storing)),
      ("lapsed", book.count(.lapsed)), ("unfilled", book.count(.unfilled)),
      ("ready", book.count(.ready)), ("leased", book.count(.leased)),
    ]
    for (state, count) in states {
      meters.set(ReplayMeters.tickets, Double(count), labels: [state])
    }
    meters.set(ReplayMeters.accepted, Double(book.accepted))
    for (reason, total) in book.dropped {
      meters.set(ReplayMeters.dropped, Double(total.groups), labels: [reason.rawValue])
    }
    for (reason, total) in book.refused {
      meters.set(ReplayMeters.refused, Double(total.groups), labels: [reason.rawValue])
    }
    for (code, count) in counters.refused.codes {
      meters.set(ReplayMeters.refusals, Double(count), labels: [code.rawValue])
    }
    meters.set(ReplayMeters.commits, Double(counters.commits))
    let links = counters.links.values
    meters.set(
      ReplayMeters.received,
      Double(links.reduce(counters.strangers.bytesReceived) { $0 + $1.bytesReceived }))
    meters.set(
      ReplayMeters.sent, Double(links.reduce(counters.strangers.bytesSent) { $0 + $1.bytesSent }))
    for (role, count) in ledger.presentPeers {
      meters.set(ReplayMeters.peers, Double(count), labels: [role])
    }
    meters.set(ReplayMeters.ledgerBytes, Double(Files.byteCount(store.path) ?? 0))
    meters.set(ReplayMeters.freeBytes, Double(freeBytes))
    meters.set(ReplayMeters.reserveBytes, Double(reserveBytes))
  }
}
