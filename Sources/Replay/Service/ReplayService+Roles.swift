// Under keys: what the key of a message allows. The role comes from the list of the allowed, bound
// to the key that libzmq authenticated; what a hello says of itself must agree with it.
//
// Sent under the key of  hello as  tickets, submit  heartbeat  lease, commit  status, probe
//   an actor             actor     yes              yes        no             yes
//   a learner            learner   no               yes        yes            yes
//   a looker             looker    no               yes        no             yes
//   nobody any more      no        no               no         no             no
//
// A looker alone may send actors to measure.

import Messaging
import Wire

extension ReplayService {
  /// Why a request must not go on; nil when it may, and always nil without keys.
  func objection(to request: Request, of peer: Peer, under key: PublicKey?) -> Refusal? {
    guard let authenticator else { return nil }
    guard let entry = authenticator.entry(of: key) else {
      // libzmq cannot hang up on one peer: it hears so at its next hello, and ends.
      guard case .hello = request else {
        return Refusal(.helloFirst, "the key of this connection has been withdrawn")
      }
      return turnAway("somebody", "the key of this connection has been withdrawn")
    }
    if case .hello(let hello) = request { return objection(to: hello, of: peer, entry) }
    if let known = counters.links[peer]?.key, known != entry.key {
      return turnAway(entry.name, "this connection said hello under another key")
    }
    let isAllowed: Bool =
      switch request {
      case .hello, .status, .probe, .heartbeat: true
      case .tickets, .submit: entry.role == .actor
      case .lease, .commit: entry.role == .learner
      case .measure: entry.role == .looker
      }
    if isAllowed { return nil }
    return turnAway(
      entry.name,
      "the key of \(entry.name) is \(entry.role.article), which may not ask for \(request.word)")
  }

  private func objection(
    to hello: Hello, of peer: Peer, _ entry: AllowList.Entry
  ) -> Refusal? {
    guard hello.role.rawValue == entry.role.rawValue else {
      return turnAway(
        entry.name,
        "the key of \(entry.name) is \(entry.role.article), and the hello says "
          + "\(hello.role.rawValue)")
    }
    // An actor takes the place of another of its name: under one key that is its own affair.
    for (other, record) in ledger.peers
    where other != peer && record.role == .actor && record.name == hello.name {
      guard hello.role == .actor else { break }
      if let key = counters.links[other]?.key, key != entry.key, ledger.isPresent(record) {
        return turnAway(entry.name, "\(hello.name) is here already, under another key")
      }
    }
    return nil
  }

  private func turnAway(_ who: String, _ sentence: String) -> Refusal {
    strangers.turnAway(.otherRole, at: who, sentence)
    return Refusal(.role, sentence)
  }
}

extension KeyRole {
  fileprivate var article: String { self == .actor ? "an actor's" : "a \(rawValue)'s" }
}

extension Request {
  /// The kind, as on the wire.
  fileprivate var word: String {
    switch self {
    case .hello: "hello"
    case .tickets: "tickets"
    case .submit: "submit"
    case .heartbeat: "heartbeat"
    case .lease: "lease"
    case .commit: "commit"
    case .status: "status"
    case .probe: "probe"
    case .measure: "measure"
    }
  }
}
