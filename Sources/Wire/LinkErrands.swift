// What a running actor's links carry. An actor listens nowhere, so nobody can measure it from
// outside: whoever asks gives replay an errand, the actor takes it with the answer to its next
// heartbeat, measures from where it stands, and tells what it found with its heartbeats.
//
// The errand comes with every answer and the finding with every heartbeat for as long as somebody
// asks: a lost message costs a second, and there is nothing to keep, repeat or withdraw.

import Documents
import Experience

/// What to measure: the options of `forage bench link`.
public struct LinkErrand: Equatable, Sendable {
  /// Drawn by chance by who asks; one measurement bears it.
  public var token: String
  public var repeats: Int
  /// Of one figure.
  public var milliseconds: Int
  /// Connections at once.
  public var parallel: Int
  /// Bytes of a message; none are the usual ones.
  public var sizes: [Int]

  public init(token: String, repeats: Int, milliseconds: Int, parallel: Int, sizes: [Int] = []) {
    self.token = token
    self.repeats = repeats
    self.milliseconds = milliseconds
    self.parallel = parallel
    self.sizes = sizes
  }
}

/// How far an actor is with an errand.
public struct LinkFinding: Equatable, Sendable {
  public enum Outcome: Equatable, Sendable {
    case underway
    /// What `forage bench link --json` prints.
    case report(Document)
    /// Why there is none.
    case problem(String)
  }

  /// The errand's.
  public var token: String
  public var outcome: Outcome

  public init(token: String, outcome: Outcome) {
    self.token = token
    self.outcome = outcome
  }
}

/// Asks for the finding of an errand, and gives the errand with the first question.
public struct MeasureRequest: Equatable, Sendable {
  /// Its name.
  public var actor: String
  public var errand: LinkErrand

  public init(actor: String, errand: LinkErrand) {
    self.actor = actor
    self.errand = errand
  }
}

extension LinkErrand {
  var document: Document {
    .object(
      [
        ("token", .string(token)), ("repeats", .integer(repeats)),
        ("milliseconds", .integer(milliseconds)), ("parallel", .integer(parallel)),
      ]
        + optional(
          "sizes",
          sizes.isEmpty
            ? nil : .list(sizes, atMost: WireLimits.maximumErrandSizes, Document.integer)))
  }

  init(reading body: Fields) throws(DocumentError) {
    self.init(
      token: try body.name("token"),
      repeats: try body.integer("repeats", in: 1...WireLimits.maximumErrandRepeats),
      milliseconds: try body.integer(
        "milliseconds", in: 1...WireLimits.maximumErrandMilliseconds),
      parallel: try body.integer("parallel", in: 2...WireLimits.maximumErrandParallel),
      sizes: try body.integers(
        "sizes", default: [], maximumCount: WireLimits.maximumErrandSizes,
        in: 1...WireLimits.maximumErrandBytes))
  }
}

extension LinkFinding.Outcome {
  /// Of a report, as it is written on the wire.
  public var bytes: Int {
    if case .report(let report) = self { JSON.writeBytes(report).count } else { 0 }
  }
}

extension LinkFinding {
  var document: Document {
    switch outcome {
    case .underway: .object([("token", .string(token))])
    case .report(let report): .object([("token", .string(token)), ("report", report)])
    case .problem(let problem):
      .object([("token", .string(token)), ("problem", .sentence(problem))])
    }
  }

  init(reading body: Fields) throws(DocumentError) {
    token = try body.name("token")
    if body.has("problem") {
      outcome = .problem(try body.sentence("problem"))
    } else if body.has("report"), let report = body.document("report") {
      outcome = .report(report)
      // As it would be written again: a number may be longer then.
      let bytes = outcome.bytes
      guard bytes <= WireLimits.maximumFindingBytes else {
        throw body.error("report", "\(bytes) bytes, at most \(WireLimits.maximumFindingBytes)")
      }
    } else {
      outcome = .underway
    }
  }
}

extension MeasureRequest {
  var members: [(String, Document)] {
    [("actor", .string(actor)), ("errand", errand.document)]
  }

  init(reading body: Fields) throws(DocumentError) {
    self.init(
      actor: try body.name("actor"), errand: try LinkErrand(reading: body.section("errand")))
  }
}
