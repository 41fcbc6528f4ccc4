// forage inspect: what a run's completions were, from its ledger, read-only: the run may go on
// meanwhile. "Step 40, reward 1, a ratio above 2" is three filters.

import Documents
import Experience
import Operations
import Policy
import Replay

enum InspectCommand: Command {
  static let usage = Usage(
    "forage inspect",
    "Shows a run's completions from its ledger: by step, reward or ratio as a table, or one with "
      + "its tokens, log-probs, reward by part and the verifier's reason.",
    positionals: [Usage.Positional("RUN", "the run's folder")],
    options: [
      .value("step", "N", "trained by this step, or by these: 10-20"),
      .value("ticket", "N", "of this ticket"),
      .value("sample", "S", "of --ticket: this completion, whole"),
      .value("reward", "X", "with this reward"),
      .value("reward-min", "X", "with at least this reward"),
      .value("reward-max", "X", "with at most this reward"),
      .value("ratio-above", "R", "a token of which had a ratio above this when trained"),
      .value("purpose", "NAME", "train, or evaluate"),
      .value("version", "N", "of --purpose evaluate: sampled by this version; the newest's"),
      .value("order", "NAME", "ticket (by default), reward or ratio, the highest first"),
      .value("limit", "N", "at most so many rows; 20 by default"),
      .flag("json", "JSON lines instead of a table, or one JSON object"),
    ],
    example: "forage inspect runs/arithmetic-001 --step 40 --reward 1 --ratio-above 2")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    var question = try InspectQuestion(arguments)
    let run = try RunFolder.open(arguments.required(0))
    let look = try LedgerLook(run)
    try question.complete(from: look.reader, arguments)
    let isJSON = arguments.flag("json")
    if let key = question.key, let sample = question.sample {
      guard let whole = try look.whole(key, sample: sample) else {
        throw Failure(
          "find", on: "sample \(sample) of \(key)", happened: "the ledger has none",
          remedy: "see which there are: forage inspect \(run.path)"
            + (try look.reader.group(key) == nil ? "" : " --ticket \(key.number)"),
          exitCode: .noInput)
      }
      let page = TrajectoryPage(whole, look)
      Terminal.write(isJSON ? JSON.write(page.document) + "\n" : page.text)
      return .success
    }
    if question.isEmpty {
      let overview = try LedgerSummary(look.reader)
      if isJSON {
        Terminal.write(JSON.write(overview.document) + "\n")
        return .success
      }
      Terminal.write(overview.text)
      guard let last = overview.lastStep else { return .success }
      question.filter.steps = last...last
      Terminal.write("\nstep \(last):\n")
    }
    let rows = try look.rows(question.filter, key: question.key, limit: question.limit)
    let table = TrajectoryTable(rows: rows, limit: question.limit, run: run.path)
    try table.write(look, isJSON: isJSON, width: Terminal.isInteractive ? Terminal.columns : nil) {
      Terminal.write($0)
    }
    return .success
  }
}

/// What was asked, checked.
struct InspectQuestion {
  var filter = TrajectoryFilter()
  var key: TicketKey?
  var sample: Int?
  var limit = 20
  /// Of a ticket or a version: beyond what a run reaches, and well within a row's number.
  static let greatestNumber = Int(Int32.max)
  /// Of one evaluation: as many as the ledger's numbers of rows tell apart.
  static let evaluationTickets = RowKey.maximumPrompts
  private var ticket: Int?
  private var version: Int?
  private var asksEvaluation = false
  private(set) var isEmpty: Bool

  init(_ arguments: Arguments) throws {
    ticket = try arguments.integer("ticket", in: 0...Self.greatestNumber)
    sample = try arguments.integer("sample", in: 0...4095)
    version = try arguments.integer("version", in: 0...Self.greatestNumber)
    limit = try arguments.integer("limit", in: 1...LedgerReader.Limits.maximumRows) ?? 20
    filter.steps = try Self.steps(arguments)
    filter.reward = try Self.reward(arguments)
    filter.ratioAbove = try arguments.number("ratio-above", in: 0...1e30)
    if let text = arguments.value("order") {
      guard let order = TrajectoryFilter.Order(rawValue: text) else {
        throw arguments.bad("order", text, "ticket, reward or ratio")
      }
      filter.order = order
    }
    let purpose = arguments.value("purpose")
    switch purpose {
    case nil: break
    case "train": filter.purpose = .train
    case "evaluate": asksEvaluation = true
    case .some(let other): throw arguments.bad("purpose", other, "train or evaluate")
    }
    if let version, !asksEvaluation {
      throw arguments.bad(
        "version", "\(version)", "no version: it needs --purpose evaluate, for training is by step")
    }
    if let ticket, asksEvaluation, ticket >= Self.evaluationTickets {
      throw arguments.bad(
        "ticket", "\(ticket)", "below \(Self.evaluationTickets): no evaluation has more")
    }
    if let sample, ticket == nil {
      throw arguments.bad("sample", "\(sample)", "no sample: it needs --ticket")
    }
    isEmpty =
      ticket == nil && purpose == nil && filter == TrajectoryFilter()
      && arguments.value("limit") == nil
  }

  /// What only the ledger knows: which evaluation is the newest.
  mutating func complete(from reader: LedgerReader, _ arguments: Arguments) throws {
    if asksEvaluation {
      let known = try reader.evaluations().map(\.version)
      guard let version = version ?? known.max() else {
        throw Failure(
          "find an evaluation in", on: arguments.required(0), happened: "none is finished yet",
          remedy: "name one with --version, or wait", exitCode: .noInput)
      }
      self.version = version
      filter.purpose = .evaluate(version: version)
    }
    if let ticket {
      key = TicketKey(
        purpose: asksEvaluation ? .evaluate(version: version ?? 0) : .train, number: ticket)
    }
  }

  private static func steps(_ arguments: Arguments) throws(ArgumentError) -> ClosedRange<Int>? {
    guard let text = arguments.value("step") else { return nil }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    let expected = "a step, or two as 10-20"
    guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
      0 <= first, first <= last
    else { throw arguments.bad("step", text, expected) }
    return first...last
  }

  private static func reward(_ arguments: Arguments) throws(ArgumentError) -> ClosedRange<Double>? {
    let all = -1e30...1e30
    if let exact = try arguments.number("reward", in: all) {
      for other in ["reward-min", "reward-max"] {
        if let text = arguments.value(other) {
          throw arguments.bad(other, text, "either --reward or its bounds")
        }
      }
      // A reward is a sum of Float32 parts: 1.2 is stored as 1.2000000477.
      let slack = 1e-6 * max(1, abs(exact))
      return exact - slack...exact + slack
    }
    let least = try arguments.number("reward-min", in: all)
    let greatest = try arguments.number("reward-max", in: all)
    if least == nil && greatest == nil { return nil }
    let (low, high) = (least ?? all.lowerBound, greatest ?? all.upperBound)
    guard low <= high else {
      throw arguments.bad("reward-min", "\(low)", "at most --reward-max, \(high)")
    }
    let slack = 1e-6
    return low - slack * max(1, abs(low))...high + slack * max(1, abs(high))
  }
}
