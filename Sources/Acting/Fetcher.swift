// The asking side of the weight server: a pure state machine, replies and time in, requests out.
//
// One goal at a time: a file by its digest, or a version, which is located first and then fetched
// by the digest of its encoded bytes. A window of requests is kept on its way; silence asks again
// for what is missing and keeps what has arrived. How long silence may last follows the link: the
// longest gap seen so far, times four, and never under five seconds.

import Experience
import Wire

package struct Fetcher: Sendable {
  /// Pieces on their way at once: 8 MiB hide a round trip of 80 ms at 100 MB/s.
  package static let credit = 16
  package static let leastSilenceMilliseconds = 5_000
  package static let mostSilenceMilliseconds = 120_000
  /// Before asking again after a refusal.
  package static let pauseMilliseconds = 500
  /// Before asking again for a version that is committed and not published yet, and for how long.
  package static let unpublishedMilliseconds = 5
  package static let longestUnpublishedMilliseconds = 10_000
  /// A blob whose bytes are not what its digest says is fetched this often, then it is a failure.
  package static let maximumCorruptions = 3

  package enum Goal: Equatable, Sendable {
    case file(NamedDigest)
    /// nil: the newest. When the version is gone the newest takes its place, unless `isExact`.
    case version(Int?, isExact: Bool)
  }

  package enum Outcome: Equatable, Sendable {
    case file(name: String, bytes: [UInt8])
    case snapshot(Snapshot, bytes: [UInt8])
    /// The exact version asked for is no longer served.
    case gone(version: Int, sentence: String)
    /// What the server offers can not be used.
    case failed(String)
  }

  private enum Phase {
    case idle
    /// Waits for the answer to a locate.
    case locating(Int?)
    /// Pieces of `assembly` are on their way.
    case assembling
    /// Asks (again) when the time comes.
    case pausing(until: Int)
  }

  /// The most bytes a snapshot may have, known once the model's shape is.
  package var maximumSnapshotBytes: Int
  package let maximumFileBytes: Int
  package private(set) var goal: Goal?
  /// When the server was last heard, or was first asked for this goal.
  package private(set) var lastHeardMilliseconds = 0
  package private(set) var bytesReceived = 0
  /// Pieces and answers that fitted nothing, and rounds of asking again after silence.
  package private(set) var unexpectedReplies = 0
  package private(set) var resumptions = 0

  private var phase = Phase.idle
  // Beside the phase, not in it: taken out of an enum it would be copied with every piece.
  private var assembly: BlobAssembly?
  private var snapshot: Snapshot?
  private var nextID = 1
  /// Ids of this goal's requests still open: only their refusals count.
  private var openIDs: Set<Int> = []
  private var requests: [Envelope<BlobRequest>] = []
  private var outcome: Outcome?
  private var corruptions = 0
  private var longestGap = 0
  private var lastAsked = 0
  private var silentRounds = 0
  /// When the goal was set, and the version it named where the newest was to do instead.
  private var begun = 0
  private var wanted: Int?

  package init(maximumFileBytes: Int, maximumSnapshotBytes: Int = 0) {
    self.maximumFileBytes = maximumFileBytes
    self.maximumSnapshotBytes = maximumSnapshotBytes
  }

  /// The version whose bytes are on their way.
  package var version: Int? { snapshot?.version.number }

  package var isIdle: Bool { goal == nil && outcome == nil }

  /// How long its owner may sleep before `advance`.
  package var sleepMilliseconds: Int {
    if case .pausing = phase, wanted != nil { Self.unpublishedMilliseconds } else { 100 }
  }

  /// What it is doing, for a heartbeat.
  package var state: String {
    if let snapshot, let assembly {
      return "fetching version \(snapshot.version.number), "
        + "\(assembly.arrivedBytes) of \(snapshot.byteCount) bytes"
    }
    return switch goal {
    case nil: "idle"
    case .file(let file): "fetching \(file.name)"
    case .version(let number?, _): "locating version \(number)"
    case .version(nil, _): "locating the newest version"
    }
  }

  package mutating func begin(_ goal: Goal, now: Int) {
    precondition(isIdle, "a fetch of \(goal) begun during one of \(String(describing: self.goal))")
    self.goal = goal
    (begun, wanted) = (now, nil)
    corruptions = 0
    silentRounds = 0
    lastHeardMilliseconds = now
    ask(now: now)
  }

  /// The requests to send now.
  package mutating func takeRequests() -> [Envelope<BlobRequest>] {
    defer { requests = [] }
    return requests
  }

  /// How the goal came out; the fetcher is then idle.
  package mutating func takeOutcome() -> Outcome? {
    defer { outcome = nil }
    return outcome
  }

  /// The connection is a new one: nothing asked on the old one will be answered.
  package mutating func reconnected(now: Int) {
    requests = []
    askAgain(now: now)
  }

  /// Asks again where an answer is overdue.
  package mutating func advance(now: Int) {
    switch phase {
    case .idle: return
    case .pausing(let until): if now >= until { ask(now: now) }
    case .locating, .assembling:
      let patience = min(
        Self.mostSilenceMilliseconds,
        max(Self.leastSilenceMilliseconds, 4 * longestGap) << min(silentRounds, 5))
      guard now - max(lastHeardMilliseconds, lastAsked) >= patience else { return }
      silentRounds += 1
      resumptions += 1
      askAgain(now: now)
    }
  }

  package mutating func receive(_ envelope: Envelope<BlobReply>, now: Int) {
    let wasOpen = openIDs.remove(envelope.id) != nil
    longestGap = max(longestGap, min(now - max(lastHeardMilliseconds, lastAsked), 30_000))
    lastHeardMilliseconds = now
    silentRounds = 0
    switch envelope.body {
    case .located(let snapshot): if wasOpen { located(snapshot, now: now) }
    case .chunk(let digest, let offset, let total):
      take(digest: digest, offset: offset, total: total, envelope.payload, now: now)
    case .probed: break
    case .refused(let refusal): if wasOpen { refused(refusal, now: now) }
    }
  }

  // MARK: steps

  private mutating func send(_ request: BlobRequest, now: Int) {
    requests.append(Envelope(id: nextID, body: request))
    openIDs.insert(nextID)
    nextID += 1
    lastAsked = now
  }

  /// Starts on the goal from its beginning.
  private mutating func ask(now: Int) {
    openIDs = []
    snapshot = nil
    assembly = nil
    switch goal {
    case nil: phase = .idle
    case .file(let file):
      assembly = BlobAssembly(
        digest: file.digest, byteCount: nil, maximumBytes: maximumFileBytes)
      phase = .assembling
      askForPieces(now: now)
    case .version(let number, _):
      phase = .locating(number)
      send(.locate(version: number), now: now)
    }
  }

  private mutating func askAgain(now: Int) {
    openIDs = []
    switch phase {
    case .idle, .pausing: break
    case .locating(let number): send(.locate(version: number), now: now)
    case .assembling:
      assembly?.forgetRequests()
      askForPieces(now: now)
    }
  }

  private mutating func askForPieces(now: Int) {
    for request in assembly?.nextRequests(credit: Self.credit) ?? [] { send(request, now: now) }
  }

  private mutating func finish(_ result: Outcome) {
    outcome = result
    goal = nil
    phase = .idle
    snapshot = nil
    assembly = nil
    openIDs = []
  }

  private mutating func located(_ found: Snapshot, now: Int) {
    guard case .locating(let number) = phase else { return }
    if let number, found.version.number != number {
      return finish(
        .failed("asked for version \(number) the weight server located \(found.version)"))
    }
    // Replay names a version once its step is committed, before it is published: what is served
    // until then is older, most often the one held, and its bytes would keep a thin link busy just
    // when the next one comes.
    if number == nil, let wanted, found.version.number < wanted,
      now - begun < Self.longestUnpublishedMilliseconds
    {
      goal = .version(wanted, isExact: false)
      openIDs = []
      phase = .pausing(until: now + Self.unpublishedMilliseconds)
      return
    }
    guard found.byteCount > 0, found.byteCount <= maximumSnapshotBytes else {
      return finish(
        .failed(
          "version \(found.version) is said to have \(found.byteCount) bytes; "
            + "config.json allows at most \(maximumSnapshotBytes)"))
    }
    snapshot = found
    assembly = BlobAssembly(
      digest: found.blob, byteCount: found.byteCount, maximumBytes: maximumSnapshotBytes)
    phase = .assembling
    askForPieces(now: now)
  }

  private mutating func take(
    digest: Digest, offset: Int, total: Int, _ payload: [[UInt8]], now: Int
  ) {
    guard case .assembling = phase, assembly?.digest == digest, payload.count == 1,
      assembly?.accept(offset: offset, total: total, payload[0]) == true
    else {
      // Most often a piece of an earlier goal, or one asked for twice.
      unexpectedReplies += 1
      return refuseLarge(digest: digest, total: total)
    }
    bytesReceived += payload[0].count
    guard assembly?.isComplete == true else { return askForPieces(now: now) }
    guard let bytes = assembly?.finish() else {
      corruptions += 1
      guard corruptions < Self.maximumCorruptions else {
        return finish(
          .failed(
            "\(total) bytes fetched \(corruptions) times are not those of digest \(digest.short)"))
      }
      return askForPieces(now: now)
    }
    switch (goal, snapshot) {
    case (.file(let file), _): finish(.file(name: file.name, bytes: bytes))
    case (_, let snapshot?): finish(.snapshot(snapshot, bytes: bytes))
    default: preconditionFailure("a version is assembled without its snapshot")
    }
  }

  /// A file larger than allowed would be asked for for ever.
  private mutating func refuseLarge(digest: Digest, total: Int) {
    guard let assembly, assembly.digest == digest, total > assembly.maximumBytes,
      case .file(let file)? = goal
    else { return }
    finish(.failed("\(file.name) has \(total) bytes; at most \(assembly.maximumBytes) are taken"))
  }

  private mutating func refused(_ refusal: Refusal, now: Int) {
    switch (goal, refusal.code) {
    case (.version(let number?, true), .gone):
      finish(.gone(version: number, sentence: refusal.sentence))
    case (.version(let number?, false), .gone):
      wanted = number
      goal = .version(nil, isExact: false)
      ask(now: now)
    case (.file(let file), .malformed), (.file(let file), .tooLarge):
      finish(.failed("\(file.name) was refused: \(refusal.sentence)"))
    default:
      // The newest vanished between locate and chunk, or the server is starting: ask anew.
      openIDs = []
      phase = .pausing(until: now + Self.pauseMilliseconds)
    }
  }
}
