// forage bench link RUN --from ACTOR: a running actor measures its links to replay and to the
// weights from where it stands. It listens nowhere, so replay passes the errand on and the finding
// back (`Wire/LinkErrands.swift`); the run goes on meanwhile.

import Documents
import Glibc
import Messaging
import Operations
import Wire

struct ActorLinkBench {
  private static let answerMilliseconds = 2_000
  /// Replay may be started again meanwhile, and its disk may stand still: as long as it waits for
  /// who asks.
  private static let silenceSeconds = 10.0
  private static let pauseMicroseconds: UInt32 = 500_000
  /// An actor hears of an errand with its next heartbeat, once a second.
  private static let beginSeconds = 20.0
  /// Longer than an actor gives its own measurement.
  private static let maximumSeconds = 660.0
  private static let progressSeconds = 10.0

  private let actor: String
  private let plan: LinkPlan
  private let client: DealerClient

  init(_ actor: String, _ arguments: Arguments) throws {
    let program = arguments.usage.program
    for option in ["megabytes", "listen"] where arguments.value(option) != nil {
      throw ArgumentError(
        program: program, fact: .unexpectedPositional("--\(option), which goes without --from,"))
    }
    if let word = arguments.positional(2) {
      throw ArgumentError(program: program, fact: .unexpectedPositional(word))
    }
    guard let place = arguments.positional(1) else {
      throw ArgumentError(program: program, fact: .missingPositional("a RUN or replay's ADDRESS"))
    }
    self.actor = actor
    plan = try LinkPlan(arguments)
    let (endpoint, keys) = try Self.replay(of: place, keys: arguments.value("keys"))
    client = try DealerClient(
      to: endpoint, peer: "replay", in: MessagingContext(), keys: keys)
  }

  private static func replay(
    of place: String, keys path: String?
  ) throws -> (endpoint: String, keys: ClientKeys?) {
    let named = try path.map { try ClientKeys.load($0, as: .looker) }
    if place.contains("://") { return (place, named) }
    let run = try RunFolder.open(place)
    let network = try RunSettings.load(path: run.settings).network
    return (try Endpoints.connecting(network, run: run).replay, try named ?? .looking(network))
  }

  func run(repeats: Int) throws -> BenchReport {
    let errand = LinkErrand(
      token: String(UInt64.random(in: .min ... .max), radix: 16),
      repeats: min(repeats, WireLimits.maximumErrandRepeats),
      milliseconds: Int(plan.seconds * 1000), parallel: plan.parallel, sizes: plan.sizes)
    let request = MeasureRequest(actor: actor, errand: errand)
    let began = MonotonicClock.now
    // When replay last answered, and when it last had something of the actor.
    var (answered, found) = (began, began)
    var nextProgress = 0.0
    for id in 1... {
      let answer = try ask(request, id: id)
      let isSilent = MonotonicClock.seconds(since: answered) > Self.silenceSeconds
      switch answer {
      case .silence(let error): if isSilent { throw error }
      case .refused(let refusal):
        // A replay that was started again waits for the actor to be back.
        if refusal.code != .gone || found == began || isSilent { throw failure(refusal) }
      case .finding(let finding):
        answered = MonotonicClock.now
        if finding != nil { found = answered }
        if let report = try report(of: finding) { return report }
      }
      let seconds = MonotonicClock.seconds(since: began)
      if found > began, seconds >= nextProgress {
        BenchProgress.say("\(actor) measures its links (\(Int(seconds)) s)")
        nextProgress = seconds + Self.progressSeconds
      }
      let idle = MonotonicClock.seconds(since: found)
      if idle > Self.beginSeconds {
        throw failure("it has said nothing of it for \(Int(idle)) s", "look at forage status")
      }
      if seconds > Self.maximumSeconds {
        throw failure("it has not ended after \(Int(seconds)) s", "measure less, see --sizes")
      }
      usleep(Self.pauseMicroseconds)
    }
    preconditionFailure("numbers end")
  }

  /// Nil until there is one.
  private func report(of finding: LinkFinding?) throws -> BenchReport? {
    switch finding?.outcome {
    case nil, .underway: return nil
    case .problem(let sentence):
      throw failure(sentence.plain, "mend that on the actor's host")
    case .report(let document):
      guard let report = BenchReport(reading: document, from: actor) else {
        throw failure("what it found is no report", "run the same release on both sides")
      }
      return report
    }
  }

  private enum Answer {
    case finding(LinkFinding?)
    case refused(Refusal)
    case silence(any Error)
  }

  private func ask(_ request: MeasureRequest, id: Int) throws -> Answer {
    let frames: Frames
    do {
      frames = try client.exchange(
        Envelope(id: id, body: Request.measure(request)).encoded(),
        matching: { (try? Envelope<Reply>(decoding: $0))?.id == id },
        deadlineMilliseconds: Self.answerMilliseconds)
    } catch {
      if case .timedOut = error.reason { return .silence(error) }
      throw error
    }
    switch try Envelope<Reply>(decoding: frames).body {
    case .measured(let finding): return .finding(finding)
    case .refused(let refusal): return .refused(refusal)
    case let other:
      throw failure("replay answered \(other)", "name replay's address", .badInput)
    }
  }

  private func failure(_ refusal: Refusal) -> Failure {
    // It may name actors as they named themselves.
    failure(
      refusal.sentence.plain,
      refusal.code == .busy ? "wait until the other has measured" : "see forage status", .refused)
  }

  private func failure(
    _ happened: String, _ remedy: String, _ exitCode: ExitCode = .unavailable
  ) -> Failure {
    Failure(
      "measure the links of", on: actor, happened: happened, remedy: remedy, exitCode: exitCode)
  }
}

extension BenchReport {
  /// As an actor's own program wrote it; nil for what is no report.
  package init?(reading document: Document, from actor: String) {
    guard document.text("bench") == BenchKind.link.rawValue,
      let sentence = document.text("sentence"), let machine = document["machine"],
      case .object(let settings)? = document["settings"]?.value,
      case .array(let figures)? = document["figures"]?.value,
      case .array(let lines)? = document["table"]?.value
    else { return nil }
    var read: [BenchFigure] = []
    for figure in figures {
      guard let name = figure.text("name"), let unit = figure.text("unit"),
        case .array(let values)? = figure["samples"]?.value
      else { return nil }
      let samples = values.compactMap(\.numberValue)
      guard !samples.isEmpty else { return nil }
      read.append(BenchFigure(name, unit, samples))
    }
    self.init(
      what: BenchKind.link.rawValue,
      settings: [("from", .string(actor))] + settings.map { ($0.key, $0.value) }, figures: read,
      sentence: "Measured by \(actor), from where it stands:\n\(sentence.plain)")
    table = lines.compactMap(\.stringValue?.plain)
    self.machine = machine
  }
}

extension String {
  /// Without what would move a terminal's cursor: another host wrote it.
  fileprivate var plain: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.filter { $0 == "\n" || !(0..<0x20 ~= $0.value || 0x7F..<0xA0 ~= $0.value) }))
  }
}
