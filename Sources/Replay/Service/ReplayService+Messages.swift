// Messages in and out, counted per peer.

import Digests
import Documents
import Experience
import Messaging
import Operations
import Wire

/// What the service counts beside the ledger.
struct ServiceCounters {
  struct Link {
    var bytesReceived = 0
    var bytesSent = 0
    var messages = 0
    var lostReplies = 0
    /// Under keys: the key its hello came under, and that key's name in the list.
    var key: PublicKey?
    var keyName: String?
  }

  /// Of peers that said hello; the others share one.
  var links: [Peer: Link] = [:]
  var strangers = Link()
  var malformed = 0
  /// Every refusal sent, by who asked: a peer by its name, others by where they come from.
  var refused = RefusalTally()
  var oversized = 0
  var commits = 0
  var groups = 0
}

extension ReplayService {
  /// One message of a peer: its identity, then the envelope's frames.
  func handle(_ message: SignedMessage) throws {
    let began = MonotonicClock.now
    let (frames, key) = (message.frames, message.key)
    let peer = Peer(frames[0])
    heard = (peer, message.address)
    count(peer) {
      $0.messages += 1
      $0.bytesReceived += frames.reduce(0) { $0 + $1.count }
    }
    let envelope: Envelope<Request>
    do {
      envelope = try Envelope<Request>(decoding: Array(frames.dropFirst()))
    } catch {
      counters.malformed += 1
      let refusal = Envelope<Reply>(refusing: Array(frames.dropFirst()), error)
      return try send(refusal.body, to: Asker(peer, refusal.id))
    }
    let asker = Asker(peer, envelope.id)
    if let refusal = objection(to: envelope.body, of: peer, under: key) {
      return try send(.refused(refusal), to: asker)
    }
    switch envelope.body {
    case .hello(let hello): try handle(hello, asker, under: key)
    case .tickets(let request): try feed(.tickets(asker, request))
    case .submit(let submission):
      let received = MonotonicClock.now
      try handle(submission, envelope.payload, asker)
      guard submission.key.purpose == .train else { return }
      let bytes = envelope.payload.reduce(0) { $0 + $1.count }
      strand.span(
        .receive, id: submission.key.number, from: began, to: received, amount: bytes)
      strand.span(.validate, id: submission.key.number, from: received, amount: bytes)
    case .heartbeat(let heartbeat): try handle(heartbeat, asker, at: began)
    case .lease(let request): try feed(.lease(asker, request))
    case .commit(let commit): try feed(.commit(asker, commit))
    case .status: try send(.status(statusDocument()), to: asker)
    case .probe(let probe):
      let refusal = probes.take(probe, id: asker.id, payload: envelope.payload, from: peer)
      if let refusal { try send(.refused(refusal), to: asker) }
    case .measure(let request): try handle(request, asker)
    }
  }

  /// The moments, the spans and the finding are the service's; the ledger sees what a peer does.
  private func handle(_ heartbeat: Heartbeat, _ asker: Asker, at received: Int64) throws {
    var heartbeat = heartbeat
    if let batch = heartbeat.spans { keep(batch, of: asker.peer) }
    heartbeat.spans = nil
    if let finding = heartbeat.finding, let record = ledger.peers[asker.peer],
      record.role == .actor
    {
      errands.take(finding, from: record.name)
    }
    heartbeat.finding = nil
    answering = heartbeat.sentMicroseconds.map { ($0, Int(received / 1000)) }
    defer { answering = nil }
    try feed(.heartbeat(asker, heartbeat))
  }

  /// Spans of an actor that does not share the folder: taken where there is room, and no more said.
  private func keep(_ batch: SpanBatch, of peer: Peer) {
    guard let spans, let record = ledger.peers[peer], record.role == .actor else { return }
    let names = batch.names.map { SpanName(text: $0) }
    let threads = batch.threads.map { text in SpanThread.allCases.first { $0.text == text } }
    var records: [SpanRecord] = []
    for row in batch.rows {
      guard row.name < names.count, let name = names[Int(row.name)], row.thread < threads.count
      else { continue }
      records.append(
        SpanRecord(
          name, thread: threads[Int(row.thread)] ?? .other, id: row.id, start: row.start,
          duration: row.duration, amount: Int(clamping: max(0, row.amount))))
    }
    spans.keep(records, of: record.name, clock: batch.clock)
  }

  private func handle(_ hello: Hello, _ asker: Asker, under key: PublicKey?) throws {
    let keyName = authenticator?.entry(of: key)?.name
    if let more = helloLines.take() {
      log.info(
        "\(hello.role.rawValue) \(hello.name) says hello (\(hello.numericClass)"
          + (keyName.map { ", key \($0))" } ?? ")") + more)
    }
    var link = counters.links[asker.peer] ?? .init()
    (link.key, link.keyName) = (key, keyName)
    counters.links[asker.peer] = link
    try feed(.hello(asker, hello))
    if hello.role == .learner { rules.readModel(log: log) }
    // Links of peers the ledger has forgotten, or never took, are not kept for ever.
    if counters.links.count > 2 * Ledger.Limits.maximumPeers {
      counters.links = counters.links.filter { ledger.knows($0.key) }
    }
  }

  private func handle(_ submission: Submission, _ payload: [[UInt8]], _ asker: Asker) throws {
    if let refusal = unreadable(payload, submission.key, asker) {
      return try send(.refused(refusal), to: asker)
    }
    let group: PendingGroup
    do {
      group = try rules.read(payload[0], submission)
    } catch {
      return try feed(.unusable(asker, submission.key, error, bytes: payload[0].count))
    }
    if let own = ledger.numericClass(of: asker.peer), own != group.group.numericClass {
      let refusal = Refusal(
        .numericClass,
        "the group of \(submission.key) was made under \(group.group.numericClass), and its "
          + "actor said hello under \(own)")
      return try feed(.unusable(asker, submission.key, refusal, bytes: payload[0].count))
    }
    try feed(asker, arriving: group)
  }

  /// Why a submission's payload is not even looked at: the sender keeps it, or never sends such
  /// again.
  private func unreadable(
    _ payload: [[UInt8]], _ key: TicketKey, _ asker: Asker
  ) -> Refusal? {
    guard ledger.knows(asker.peer) else {
      return Refusal(.helloFirst, "brings a group without a hello: say hello first")
    }
    guard payload.count == 1 else {
      return Refusal(
        .malformed, "a submission has one payload frame, the group; this one has \(payload.count)")
    }
    let bytes = payload[0].count
    // An evaluation's group rides in no lease.
    let isTrained = key.purpose == .train
    let most =
      isTrained ? settings.admissibleGroupBytes : settings.replay.maximumGroupBytes
    if bytes > most {
      return Refusal(
        .tooLarge,
        "a group of \(bytes) bytes; \(isTrained ? "a batch of them must fit one lease, and " : "")"
          + "replay.maximumGroupBytes is \(settings.replay.maximumGroupBytes): \(most) at most")
    }
    if pendingBytes + bytes > settings.replay.maximumQueuedBytes {
      return busy("\(pendingBytes) bytes wait for the disk")
    }
    if pending.count >= Limits.maximumPendingWrites {
      return busy("\(pending.count) records wait for the disk")
    }
    if isDiskLow { return busy("\(freeBytes) bytes are free on the disk") }
    return nil
  }

  // MARK: Out

  /// After everything else of a turn, so that a group never waits for more than one turn of them.
  func answerProbes() throws {
    for answer in probes.takeTurn() {
      try send(
        .probed(answer.body), to: Asker(answer.asker, answer.id), payload: [answer.payload])
    }
  }

  /// A reply a peer has no room for, or that nobody waits for any more, is lost and counted: every
  /// request is safe to ask again.
  func send(_ reply: Reply, to asker: Asker, payload: [[UInt8]] = []) throws {
    if case .refused(let refusal) = reply { count(refusal, of: asker.peer) }
    let began = MonotonicClock.now
    var reply = reply
    if case .alive(var alive) = reply {
      if let answering {
        alive.sentMicroseconds = answering.sent
        alive.receivedMicroseconds = answering.received
        alive.answeredMicroseconds = Int(MonotonicClock.now / 1000)
      }
      if let record = ledger.peers[asker.peer], record.role == .actor {
        alive.errand = errands.errand(of: record.name, at: MonotonicClock.now)
      }
      reply = .alive(alive)
    }
    let envelope = Envelope(id: asker.id, body: reply, payload: payload)
    let frames = [asker.peer.bytes] + envelope.encoded()
    defer {
      if case .acknowledged(let key) = reply, key.purpose == .train {
        strand.span(.acknowledge, id: key.number, from: began)
      }
    }
    switch try socket.send(frames) {
    case .sent:
      count(asker.peer) { $0.bytesSent += frames.reduce(0) { $0 + $1.count } }
    case .wouldBlock:
      count(asker.peer) { $0.lostReplies += 1 }
    case .unroutable:
      count(asker.peer) { $0.lostReplies += 1 }
      try feed(.gone(asker.peer))
    }
  }

  /// One that no sound peer earns is told of: who sent it may be on a host of somebody else's.
  private func count(_ refusal: Refusal, of peer: Peer) {
    let address = heard?.peer == peer ? heard?.address : nil
    let name = ledger.peers[peer]?.name ?? address ?? "somebody"
    counters.refused.count(refusal.code, of: name)
    guard refusal.code.isFault, let more = refusalLines.take() else { return }
    log.warning("refused \(name): \(refusal.code.rawValue): \(refusal.sentence)\(more)")
  }

  private func count(_ peer: Peer, _ change: (inout ServiceCounters.Link) -> Void) {
    if counters.links[peer] != nil {
      change(&counters.links[peer]!)
    } else {
      change(&counters.strangers)
    }
  }
}
