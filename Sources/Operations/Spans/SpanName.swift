// What a thread can have spent its time on, or a ticket or version be somewhere for: the closed
// list of span names. Docs/SPANS.md has the same list for people; a test compares them.

/// The kind of thing a span's id is a number of.
public enum SpanSubject: String, Sendable, CaseIterable {
  case nothing, ticket, version, step
}

/// How a span lies in time.
public enum SpanTrack: String, Sendable, CaseIterable {
  /// What its thread did: spans of one thread nest.
  case thread
  /// Where a ticket or a version was: such spans may overlap any other.
  case way
  /// No duration of its own: a note to whoever reads the file.
  case note
}

/// The raw value is an index into the list of names at the head of a span file.
public enum SpanName: UInt8, Sendable, CaseIterable {
  // Notes.
  case start, dropped, clock
  // An actor's compute thread.
  case ticketWait, weightsWait, pause, swap, decodeWeights, packWeights, verifyWeights, prefill
  case decode, verify, encode, handOver
  // Where a ticket is while an actor has it, and how long a version waits for its first token.
  case ticket, rollout, sendQueue, inFlight, firstToken
  // An actor's socket thread.
  case submit
  case fetchWeights, chunk
  // The learner, in the order of a step.
  case step, leaseWait, fetch, credit, reference, proximal, pack, forward, slopes, backward
  case optimizer, digest, checkpoint, commitWait, publish, snapshot, encodeWeights, record
  // The learner's weight server.
  case announce, serveChunk
  // Replay.
  case receive, validate, commit, acknowledge, lease, recordStep
  // Where a ticket is while replay has it.
  case groupWait, fsync, queued

  /// As files and reports have it: "lease_wait".
  public var text: String { Self.facts[Int(rawValue)].text }
  public var track: SpanTrack { Self.facts[Int(rawValue)].track }
  public var subject: SpanSubject { Self.facts[Int(rawValue)].subject }
  /// Its thread can do nothing before somebody else has.
  public var isWait: Bool {
    switch self {
    case .ticketWait, .weightsWait, .pause, .handOver, .leaseWait, .commitWait: true
    default: false
    }
  }

  public init?(text: String) {
    guard let name = Self.byText[text] else { return nil }
    self = name
  }

  private static let byText = Dictionary(uniqueKeysWithValues: allCases.map { ($0.text, $0) })

  private static let facts: [(text: String, track: SpanTrack, subject: SpanSubject)] =
    allCases.map { name in (snake("\(name)"), track(of: name), subject(of: name)) }

  private static func track(of name: SpanName) -> SpanTrack {
    switch name {
    case .start, .dropped, .clock: .note
    case .ticket, .rollout, .sendQueue, .inFlight, .firstToken, .fetchWeights, .chunk, .groupWait,
      .fsync, .queued:
      .way
    default: .thread
    }
  }

  private static func subject(of name: SpanName) -> SpanSubject {
    switch name {
    case .verify, .encode, .ticket, .rollout, .sendQueue, .inFlight, .submit, .receive, .validate,
      .acknowledge, .groupWait, .fsync, .queued:
      .ticket
    case .weightsWait, .swap, .decodeWeights, .packWeights, .verifyWeights, .prefill, .decode,
      .firstToken, .fetchWeights, .chunk, .snapshot, .encodeWeights, .announce, .serveChunk:
      .version
    case .step, .leaseWait, .fetch, .credit, .reference, .proximal, .pack, .forward, .slopes,
      .backward, .optimizer, .digest, .checkpoint, .commitWait, .publish, .record, .lease,
      .recordStep:
      .step
    case .start, .dropped, .clock, .ticketWait, .pause, .handOver, .commit: .nothing
    }
  }

  /// `leaseWait` as `lease_wait`.
  private static func snake(_ name: String) -> String {
    var out = ""
    for character in name {
      if character.isUppercase { out += "_" }
      out += character.lowercased()
    }
    return out
  }
}

/// The threads that write spans, by the names of their strands.
public enum SpanThread: UInt8, Sendable, CaseIterable {
  case other, train, weights, serve, compute, sockets, judge

  public var text: String { "\(self)" }

  public init(strand: String) {
    self = Self.allCases.first { $0.text == strand } ?? .other
  }
}
