// forage regenerate: samples a recorded group again, from the version that sampled it, by the
// actor's own code, and holds every token and the bits of every log-prob against the record. A
// version whose checkpoint is gone is first made again by training from the nearest one kept.

import Acting
import Digests
import Experience
import Learning
import Operations
import Policy
import Replay
import Wire

enum RegenerateCommand: Command {
  static let usage = Usage(
    "forage regenerate",
    "Samples a recorded group again from the version that sampled it and shows that it is the "
      + "same, token by token.",
    positionals: [Usage.Positional("RUN", "the run's folder; the run may go on meanwhile")],
    options: [
      .value("ticket", "N", "the group of this ticket"),
      .value("sample", "S", "of --ticket: this completion alone"),
      .value("evaluation", "V", "--ticket is one of the evaluation of version V"),
      BuildCheck.flag, .threads,
    ],
    example: "forage regenerate runs/arithmetic-001 --ticket 1307")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let run = try RunFolder.open(arguments.required(0))
    guard let ticket = try arguments.integer("ticket", in: 0...Int(Int32.max)) else {
      throw ArgumentError(program: usage.program, fact: .missingPositional("--ticket N"))
    }
    let key = TicketKey(
      purpose: try arguments.integer("evaluation", in: 0...Int(Int32.max)).map {
        .evaluate(version: $0)
      } ?? .train, number: ticket)
    if case .evaluate = key.purpose, ticket >= InspectQuestion.evaluationTickets {
      throw arguments.bad(
        "ticket", "\(ticket)",
        "below \(InspectQuestion.evaluationTickets): no evaluation has more")
    }
    let sample = try arguments.integer("sample", in: 0...4095)
    let repetition = try Repetition(run, threads: arguments.threads())
    guard let recorded = try repetition.reader.group(key),
      sample.map({ recorded.trajectories.indices.contains($0) }) ?? true
    else {
      throw Failure(
        "find", on: (sample.map { "sample \($0) of " } ?? "") + "\(key)",
        happened: "the ledger has none", remedy: "see which there are: forage inspect \(run.path)",
        exitCode: .noInput)
    }
    func say(_ line: String) { Terminal.write(line + "\n") }
    let number = recorded.version.number
    try BuildCheck.check(
      repetition.record, steps: number..<(number + 1),
      isAllowed: arguments.flag("allow-other-build"), on: run.path, say: say)
    let signals = try SignalWatch()
    let regeneration = Regeneration(
      repetition, recorded, say: say, shouldStop: { signals.isStopping })
    guard let again = try regeneration.sampleAgain() else {
      say("stopped before the end: nothing is compared")
      return .interrupted
    }
    let comparison = GroupComparison(recorded, again, sample: sample)
    for line in comparison.lines { say(line) }
    return comparison.differences.isEmpty ? .success : .differs
  }
}

/// One group on its way to being sampled again.
struct Regeneration {
  private let repetition: Repetition
  private let recorded: TrajectoryGroup
  private let say: (String) -> Void
  private let shouldStop: () -> Bool

  init(
    _ repetition: Repetition, _ recorded: TrajectoryGroup, say: @escaping (String) -> Void,
    shouldStop: @escaping () -> Bool
  ) {
    self.repetition = repetition
    self.recorded = recorded
    self.say = say
    self.shouldStop = shouldStop
  }

  /// Nil when asked to stop.
  func sampleAgain() throws -> TrajectoryGroup? {
    let number = recorded.version.number
    guard try repetition.reader.digest(ofVersion: number) == recorded.version.digest else {
      throw Failure(
        "regenerate", on: "\(recorded.key)",
        happened: "it was sampled by version \(number) with digest "
          + "\(recorded.version.digest.short), which is not the ledger's",
        remedy: "the group is not of this run", exitCode: .differs)
    }
    let loaded = try repetition.nearest(atMost: number)
    guard let weights = try weights(from: loaded) else { return nil }
    say("sampling \(recorded.key) again with version \(number)")
    var files = [
      "config.json": Array(loaded.model.configuration.configJSON.utf8),
      "tokenizer.json": loaded.tokenizer.json,
    ]
    try RunDefinitions.checkFiles(repetition.run)
    for file in try repetition.run.taskFiles() { files[file.name] = file.bytes }
    let rollouts = try Rollouts(
      name: recorded.actor, welcome: try welcome(number),
      files: files, threads: repetition.threads)
    let bytes = SnapshotCodec.encode(weights, version: recorded.version)
    try rollouts.load(
      FetchedSnapshot(
        snapshot: Snapshot(
          version: recorded.version, blob: Digest(of: bytes), byteCount: bytes.count,
          encoding: SnapshotEncoding.f32.rawValue), bytes: bytes))
    let made = try rollouts.makeGroups(
      [Ticket(key: recorded.key, minimumVersion: number, level: recorded.level)],
      shouldStop: shouldStop)
    return try made.map { try TrajectoryGroup(decoding: $0[0].payload, limits: nil) }
  }

  /// Of the recorded version: a checkpoint's, or trained again from it.
  private func weights(from loaded: LoadedCheckpoint) throws -> WeightTensors? {
    let number = recorded.version.number
    let steps = number - loaded.state.version.number
    guard steps > 0 else {
      say("version \(number) is checkpoint \(loaded.name)")
      return try loaded.model.weights()
    }
    say("training version \(number) again from \(loaded.name): \(steps) steps")
    let taker = try StepTaker.start(
      at: loaded, timeline: try repetition.timeline(), threads: repetition.threads,
      checkpoints: repetition.checkpoints)
    let isDone = try repetition.repeatSteps(taker, to: number, shouldStop: shouldStop) {
      commit, taken in
      guard commit.version == taken.version, commit.stateDigest == taken.chain else {
        throw Failure(
          "train version \(number) again from", on: loaded.name,
          happened: "step \(commit.step) came out as \(taken.version.digest.short), recorded "
            + commit.version.digest.short,
          remedy: "see how far the run can be repeated: forage verify \(repetition.run.path)",
          exitCode: .differs)
      }
      return true
    }
    return isDone ? taker.trainer.policy.copyWeights() : nil
  }

  /// What an actor of that time was told.
  private func welcome(_ number: Int) throws -> Welcome {
    let settings =
      try repetition.record.settings(at: number)
      ?? RunSettings.load(path: repetition.run.settings)
    return Welcome(
      run: settings.run.name, lineage: repetition.reader.lineage, settings: settings.resolved,
      files: [], weightsAddress: "", announceAddress: "", version: recorded.version, epoch: 0,
      lastCommit: nil)
  }
}

/// Two groups of one ticket, completion by completion.
package struct GroupComparison {
  /// Completions that differ told one by one.
  static let maximumLines = 16

  package private(set) var differences: [String] = []
  private var completions = 0
  private var tokens = 0

  /// `sample` nil compares all.
  package init(_ recorded: TrajectoryGroup, _ again: TrajectoryGroup, sample: Int? = nil) {
    if recorded.exercise != again.exercise || recorded.prompt != again.prompt {
      differences.append("the prompt: recorded \(recorded.exercise), now \(again.exercise)")
    }
    let count = recorded.trajectories.count
    if again.trajectories.count != count {
      differences.append("recorded \(count) completions, now \(again.trajectories.count)")
    }
    for index in 0..<min(count, again.trajectories.count) where sample ?? index == index {
      completions += 1
      tokens += recorded.trajectories[index].completion.tokens.count
      if let fact = Self.difference(recorded.trajectories[index], again.trajectories[index]) {
        differences.append("sample \(index): \(fact)")
      }
    }
  }

  private static func difference(_ old: Trajectory, _ new: Trajectory) -> String? {
    let (was, now) = (old.completion, new.completion)
    for (position, pair) in zip(was.tokens, now.tokens).enumerated() where pair.0 != pair.1 {
      return "token \(position) was \(pair.0) and is \(pair.1)"
    }
    if was.tokens.count != now.tokens.count {
      return "it had \(was.tokens.count) tokens and has \(now.tokens.count)"
    }
    let bits = zip(was.behaviorLogProbs, now.behaviorLogProbs)
    for (position, pair) in bits.enumerated() where pair.0.bitPattern != pair.1.bitPattern {
      return "the log-prob of token \(position) was \(pair.0) and is \(pair.1)"
    }
    if was.finish != now.finish { return "it ended by \(was.finish) and ends by \(now.finish)" }
    if old.verdict != new.verdict {
      return "its reward was \(old.verdict.reward) (\(old.verdict.reason)) and is "
        + "\(new.verdict.reward) (\(new.verdict.reason))"
    }
    return nil
  }

  var lines: [String] {
    let compared = "\(completions) completions, \(tokens) tokens"
    if differences.isEmpty {
      return ["same, token by token, log-prob by log-prob to the last bit: \(compared)"]
    }
    return differences.prefix(Self.maximumLines).map { "DIFFERS: " + $0 }
      + ["not the same: \(differences.count) differences in \(compared)"]
  }
}
