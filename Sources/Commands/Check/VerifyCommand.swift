// forage verify: trains a run again from its first model and its ledger alone, and holds the digest
// of every step against the one recorded; before that, everything the folder keeps against its own
// digests. Reads only.

import Experience
import Learning
import Operations
import Replay
import Wire

enum VerifyCommand: Command {
  static let usage = Usage(
    "forage verify",
    "Trains a run again from its first model on the recorded batches and compares every step's "
      + "digest; checks the ledger's rows, both laws and the checkpoints.",
    positionals: [Usage.Positional("RUN", "the run's folder; the run may go on meanwhile")],
    options: [
      .value("steps", "A..B", "only the steps from A up to B, where A is a kept checkpoint"),
      .flag("records-only", "check what is stored, and train nothing again"),
      BuildCheck.flag, .threads,
    ],
    example: "forage verify runs/arithmetic-001 --steps 100..200")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let run = try RunFolder.open(arguments.required(0))
    let repetition = try Repetition(run, threads: arguments.threads())
    var verification = Verification(repetition, say: { Terminal.write($0 + "\n") })
    let steps = try verification.steps(asked: range(arguments))
    try BuildCheck.check(
      repetition.record, steps: arguments.flag("records-only") ? nil : steps,
      isAllowed: arguments.flag("allow-other-build") || arguments.flag("records-only"),
      on: run.path, say: verification.say)
    try verification.checkLedger()
    try verification.checkCheckpoints()
    if !arguments.flag("records-only") {
      let signals = try SignalWatch()
      guard try verification.repeatSteps(steps, shouldStop: { signals.isStopping }) else {
        Terminal.write("stopped before the end: nothing is verified\n")
        return .interrupted
      }
    }
    Terminal.write(verification.sentence + "\n")
    return verification.differences == 0 ? .success : .differs
  }

  private static func range(_ arguments: Arguments) throws(ArgumentError) -> Range<Int>? {
    guard let text = arguments.value("steps") else { return nil }
    let ends = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
    guard ends.count == 3, let first = ends[0], let last = ends[2], 0 <= first, first < last else {
      throw arguments.bad("steps", text, "two steps as 100..200, the first below the second")
    }
    return first..<last
  }
}

/// One run under verification.
struct Verification {
  static let progressSeconds = 5.0
  /// Differences told one by one; beyond them the count tells.
  static let maximumLines = 20

  let repetition: Repetition
  let say: (String) -> Void
  private(set) var differences = 0
  private var stepsRepeated = 0
  private var rowCount = 0
  private var checkpointCount = 0

  init(_ repetition: Repetition, say: @escaping (String) -> Void) {
    self.repetition = repetition
    self.say = say
  }

  private mutating func object(_ sentence: String) {
    differences += 1
    if differences <= Self.maximumLines { say("DIFFERS: " + sentence) }
  }

  /// The steps to repeat: those asked for, up to the last commit.
  func steps(asked: Range<Int>?) throws -> Range<Int> {
    let committed = try repetition.reader.committedSteps()
    guard let asked else { return 0..<committed }
    guard asked.upperBound <= committed else {
      throw Failure(
        "verify", on: "steps \(asked.lowerBound)..\(asked.upperBound)",
        happened: "the run has \(committed) steps", remedy: "ask for fewer", exitCode: .usage)
    }
    return asked
  }

  // MARK: What is stored

  mutating func checkLedger() throws {
    let (rows, problems) = try repetition.reader.verify()
    rowCount = rows
    for problem in problems { object("ledger: \(problem)") }
    say("ledger: \(rows) rows with their blobs, \(problems.count) of them damaged")
    let audit: LedgerAudit
    do {
      audit = try repetition.reader.audit()
    } catch {
      guard error.isDamage else { throw error }
      return object("ledger: its sums cannot be taken: \(error)")
    }
    say("  " + audit.ticketLaw)
    say("  " + audit.groupLaw)
    for problem in audit.problems { object("ledger: \(problem)") }
  }

  mutating func checkCheckpoints() throws {
    let checkpoints = repetition.checkpoints
    let names = try checkpoints.names()
    for name in names {
      do {
        let state = try checkpoints.readState(name)
        // A live run writes a checkpoint before its step is committed.
        let isAhead = state.version.number > (try repetition.reader.committedSteps())
        if try isAhead || repetition.isRecorded(state) {
          checkpointCount += 1
        } else {
          object("checkpoint \(name): the ledger has another version \(state.version.number)")
        }
      } catch {
        // A run that goes on may have rotated it out since.
        if Files.exists(checkpoints.path(name)) { object("checkpoint \(name): \(error)") }
      }
    }
    if !names.contains(Checkpoints.name(step: 0)) { object("the first model is gone") }
    if checkpoints.latest() == nil { object("checkpoints/latest names no checkpoint") }
    say("checkpoints: \(checkpointCount) whole of \(names.count)")
  }

  // MARK: Training again

  /// False when asked to stop. After a step that differs it goes on from the next kept checkpoint.
  mutating func repeatSteps(_ steps: Range<Int>, shouldStop: () -> Bool) throws -> Bool {
    guard !steps.isEmpty else { return true }
    var start: LoadedCheckpoint? = try first(steps.lowerBound)
    let timeline = try repetition.timeline()
    while let loaded = start {
      start = nil
      let taker = try StepTaker.start(
        at: loaded, timeline: timeline, threads: repetition.threads,
        checkpoints: repetition.checkpoints)
      say("training again from \(loaded.name), step \(taker.version.number) of \(steps.upperBound)")
      let before = differences
      var next = Deadline.after(seconds: Self.progressSeconds)
      let began = MonotonicClock.now
      let isDone = try repetition.repeatSteps(
        taker, to: steps.upperBound, shouldStop: shouldStop
      ) { commit, taken in
        guard compare(commit, taken) else { return false }
        stepsRepeated += 1
        if next.hasPassed {
          let rate = Double(stepsRepeated) / MonotonicClock.seconds(since: began)
          say("  step \(taken.step) is equal, \(RunView.format(rate, 1)) steps a second")
          next = .after(seconds: Self.progressSeconds)
        }
        return true
      }
      if isDone { return true }
      if differences == before { return false }
      start = try following(taker.version.number, within: steps)
    }
    return true
  }

  /// Reports a step that differs.
  private mutating func compare(_ commit: StepCommit, _ taken: TakenStep) -> Bool {
    guard
      commit.stateDigest != taken.chain || commit.version != taken.version
        || commit.curriculum != taken.curriculum
    else { return true }
    func words(_ pool: CurriculumState?) -> String {
      pool.map { "level \($0.level), \($0.correct) of \($0.count) right" } ?? "none"
    }
    let what =
      commit.curriculum != taken.curriculum
      ? "the curriculum is at \(words(taken.curriculum)), recorded \(words(commit.curriculum))"
      : commit.version.digest != taken.version.digest
        ? "version \(commit.version.number) is \(taken.version.digest.short), recorded "
          + commit.version.digest.short
        : "weights are equal, and the chain is \(taken.chain.short), recorded "
          + "\(commit.stateDigest.short): moments, outcome (\(taken.result.outcome.rawValue), "
          + "recorded \(commit.outcome.rawValue)) or the count of updates"
    object("step \(commit.step): \(what)")
    return false
  }

  private func first(_ step: Int) throws -> LoadedCheckpoint {
    let loaded = try repetition.nearest(atMost: step)
    guard loaded.state.version.number == step else {
      throw Failure(
        "begin", on: "step \(step)", happened: "no whole checkpoint of it is kept",
        remedy: "begin at one of "
          + (try repetition.checkpoints.names().reversed().joined(separator: ", ")),
        exitCode: .noInput)
    }
    return loaded
  }

  /// The first kept checkpoint after a step that differs.
  private func following(
    _ step: Int, within steps: Range<Int>
  ) throws -> LoadedCheckpoint? {
    for name in try repetition.checkpoints.names().reversed() {
      guard let loaded = try? repetition.checkpoints.load(name),
        loaded.state.version.number > step, loaded.state.version.number < steps.upperBound,
        try repetition.isRecorded(loaded.state)
      else { continue }
      return loaded
    }
    return nil
  }

  var sentence: String {
    let seen =
      "\(stepsRepeated) steps trained again, \(rowCount) rows and \(checkpointCount) checkpoints "
      + "checked"
    return differences == 0
      ? "verified: \(seen), every digest is the one recorded"
      : "not verified: \(differences) differences; \(seen)"
  }
}
