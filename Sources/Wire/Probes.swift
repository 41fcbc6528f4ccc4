// A question about the way itself: so many bytes there, so many back, and nothing else happens.
// Replay and the weight server answer it under the keys of the run, so the links of a live run are
// measured without stopping it (`forage bench link`).
//
// What a probe must never do is stand in the way of a group. So a service reads it like any
// message, notes on a desk of bounded length what it owes, and answers a few of these once all that
// had come has been dealt with. Of a probe's bytes nothing is kept but their number.

import Documents
import Experience

/// Its bytes are the payload frame, `WireLimits.maximumProbeBytes` at most.
public struct Probe: Equatable, Sendable {
  /// Wanted in the answer's payload frame.
  public var answerBytes: Int

  public init(answerBytes: Int) { self.answerBytes = answerBytes }
}

/// The answer to a probe; its payload frame is what was wanted.
public struct Probed: Equatable, Sendable {
  /// Who answers: "replay", "weights", "bench".
  public var service: String
  public var receivedBytes: Int

  public init(service: String, receivedBytes: Int) {
    self.service = service
    self.receivedBytes = receivedBytes
  }
}

/// What a service owes to those who probe it. Belongs to the thread of its socket.
public struct ProbeDesk<Asker> {
  private struct Debt {
    var asker: Asker
    var id: Int
    var probe: Probe
    var receivedBytes: Int
  }

  /// An answer that is due: its envelope's parts.
  public struct Answer {
    public var asker: Asker
    public var id: Int
    public var body: Probed
    public var payload: [UInt8]
  }

  /// Two probers with four connections of 32 requests each.
  public static var maximumWaiting: Int { 256 }
  /// Answered between two looks at everything else: below 2 ms of copying.
  public static var answersPerTurn: Int { 32 }
  public static var bytesPerTurn: Int { 4 << 20 }

  private let service: String
  /// Bytes that no link's compression makes smaller.
  private let material: [UInt8]
  private var waiting: [Debt] = []
  private var next = 0
  /// Since the start.
  public private(set) var answered = 0
  public private(set) var bytes = 0
  public private(set) var refused = 0

  public init(service: String) {
    self.service = service
    material = Self.noise(WireLimits.maximumProbeBytes)
  }

  public var isEmpty: Bool { next == waiting.count }

  /// Notes what is owed; a refusal when too much is already.
  public mutating func take(
    _ probe: Probe, id: Int, payload: [[UInt8]], from asker: Asker
  ) -> Refusal? {
    guard waiting.count - next < Self.maximumWaiting else {
      refused += 1
      return Refusal(
        .busy, "\(Self.maximumWaiting) probes wait for an answer: ask again in a second")
    }
    let received = payload.reduce(0) { $0 + $1.count }
    waiting.append(Debt(asker: asker, id: id, probe: probe, receivedBytes: received))
    bytes += received
    return nil
  }

  /// The answers of one turn, in the order asked.
  public mutating func takeTurn() -> [Answer] {
    var answers: [Answer] = []
    var bytes = 0
    while next < waiting.count, answers.count < Self.answersPerTurn, bytes < Self.bytesPerTurn {
      let debt = waiting[next]
      next += 1
      bytes += debt.probe.answerBytes
      answers.append(
        Answer(
          asker: debt.asker, id: debt.id,
          body: Probed(service: service, receivedBytes: debt.receivedBytes),
          payload: Array(material.prefix(debt.probe.answerBytes))))
    }
    // Also while more is owed: a desk that is never empty must not remember for ever.
    if next == waiting.count || next >= Self.maximumWaiting {
      waiting.removeFirst(next)
      next = 0
    }
    answered += answers.count
    self.bytes += bytes
    return answers
  }

  /// A linear congruence's upper bytes (Knuth and Lewis's numbers).
  private static func noise(_ count: Int) -> [UInt8] {
    var state: UInt32 = 1
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(truncatingIfNeeded: state >> 24)
    }
  }
}

extension Probe {
  var members: [(String, Document)] { [("answerBytes", .integer(answerBytes))] }

  init(reading body: Fields) throws(DocumentError) {
    self.init(answerBytes: try body.integer("answerBytes", in: 0...WireLimits.maximumProbeBytes))
  }

  /// The bytes that came with it, or with its answer.
  static func check(_ frames: [[UInt8]]) throws(Refusal) {
    guard let bytes = frames.first?.count, bytes > WireLimits.maximumProbeBytes else { return }
    throw Refusal(
      .tooLarge, "a probe of \(bytes) bytes, at most \(WireLimits.maximumProbeBytes)")
  }
}

extension Probed {
  var members: [(String, Document)] {
    [("service", .string(service)), ("receivedBytes", .integer(receivedBytes))]
  }

  init(reading body: Fields) throws(DocumentError) {
    self.init(
      service: try body.name("service"),
      receivedBytes: try body.integer("receivedBytes", in: 0...WireLimits.maximumProbeBytes))
  }
}
