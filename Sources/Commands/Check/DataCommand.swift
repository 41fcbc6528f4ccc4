// forage data check: what a file of problems holds, before a night is spent on it.

import Acting
import Documents
import Experience
import Operations
import Policy
import Tasks
import Wire

enum DataCommand: Command {
  static let usage = Usage(
    "forage data",
    "Checks a file of problems before a run: reads it as a run would and prints its counts, what "
      + "the splits share, the lengths of its prompts, and whether the verifier gives every gold "
      + "answer full marks.",
    positionals: [
      Usage.Positional("check", "the one thing that is done with data"),
      Usage.Positional("FILE", "JSON lines, or a settings file (.yaml), of made tasks too"),
    ],
    options: [
      .value(
        "tokenizer", "DIR",
        "a folder with a tokenizer.json: lengths are in its tokens; of settings, model.path"),
      .value(
        "limit", "N",
        "prompts longer than this many tokens (else bytes) are counted; of settings, what "
          + "sampling.maximumNewTokens leaves of the model's positions"),
    ],
    takesOverrides: true,
    example: "forage data check train.jsonl --task.verifier.kind=gsm8k --tokenizer models/base")

  /// Of a made task, which has no end.
  private static let sampledPrompts = 512
  /// Flaws told one by one.
  private static let toldFlaws = 10

  static func run(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.required(0) == "check" else {
      throw ArgumentError(
        program: usage.program, fact: .unexpectedPositional(arguments.required(0)))
    }
    let path = arguments.required(1)
    let settings = try settings(path, arguments)
    var limit = try arguments.integer("limit", in: 1...1_000_000_000)
    var tokenizer = try arguments.value("tokenizer").map { try Tokenizer(folder: $0) }
    if tokenizer == nil, let run = settings.run, !run.model.path.isEmpty {
      let model = try ModelFolder(path: run.model.path)
      tokenizer = try model.tokenizer()
      let room = model.configuration.maximumPositions - run.sampling.maximumNewTokens
      if limit == nil, room > 0 { limit = room }
    }
    let made = try TaskFactory.make(
      Fields(settings.task, source: path, path: "task"), files: TaskFileStore.fromSettings,
      programs: ProgramChild.maker)
    guard let task = made as? FileTask else { return checkMade(made, tokenizer) }
    let reader = try tokenizer.map { try PromptReader(task, $0) }
    let flaws = task.goldFlaws()
    Terminal.write(counts(task) + lengths(task, reader, limit: limit))
    let total = Split.allCases.reduce(0) { $0 + (task.counts.splits[$1] ?? 0) }
    Terminal.write("gold answers     \(total - flaws.count) of \(total) get full marks\n")
    for flaw in flaws.prefix(toldFlaws) {
      Terminal.write("  line \(flaw.line) (\(flaw.split.rawValue)): \(flaw.reason)\n")
    }
    return flaws.isEmpty ? .success : .badInput
  }

  /// The task's settings, and the run's where a file of settings is named.
  private static func settings(
    _ path: String, _ arguments: Arguments
  ) throws -> (task: Document, run: RunSettings?) {
    if path.hasSuffix(".yaml") || path.hasSuffix(".yml") {
      let run = try RunSettings.load(path: path, overrides: arguments.overrides)
      _ = try CurriculumRules.read(task: run.task, source: path)
      return (run.task, run)
    }
    var document = Document.object([
      ("task", .object([("kind", "file"), ("file", .string(path))]))
    ])
    for override in arguments.overrides {
      let (key, value) = try Document.override(override)
      document = try document.setting(path: key, to: value)
    }
    let fields = try Fields(document, source: "command line")
    let task = fields.document("task") ?? .object([])
    try fields.finish()
    return (task, nil)
  }

  /// A sample of each level of a made task, a line each.
  private static func checkMade(_ task: any Exercises, _ tokenizer: Tokenizer?) -> ExitCode {
    let levels = (task as? Curriculum)?.levels ?? [task]
    var isSound = true
    for (level, exercises) in levels.enumerated() {
      let shown = exercises.exercise(seed: 1, split: .train, index: 0)
      let flaw = exercises.firstFlaw(seed: 1)
      isSound = isSound && flaw == nil
      let lengths = (0..<sampledPrompts).map {
        let prompt = exercises.exercise(seed: 1, split: .train, index: $0).prompt
        return tokenizer?.encode(prompt).count ?? prompt.utf8.count
      }
      Terminal.write(
        "level \(level)          validation \(exercises.count(in: .validation) ?? 0), held-out "
          + "\(exercises.count(in: .heldOut) ?? 0); prompts of up to \(lengths.max() ?? 0) "
          + "\(tokenizer == nil ? "bytes" : "tokens"); as \"\(shown.prompt.trimmingNewline)\"; "
          + (flaw.map { "the demonstration of \($0.exercise) fails: \($0.reason)" }
            ?? "demonstrations get full marks") + "\n")
    }
    return isSound ? .success : .badInput
  }

  private static func counts(_ task: FileTask) -> String {
    let counts = task.counts
    func count(_ split: Split) -> Int { counts.splits[split] ?? 0 }
    return """
      lines            \(counts.lines)
      splits           train \(count(.train)), validation \(count(.validation)), held-out \
      \(count(.heldOut)); \(counts.examples) examples
      repeated         \(counts.repeated) questions stand twice in a file; one of each is kept
      in two splits    \(counts.shared); left out of the one that is trained on sooner

      """
  }

  private static func bytes(_ exercise: Exercise) -> Int {
    exercise.messages.isEmpty
      ? exercise.prompt.utf8.count
      : exercise.messages.reduce(0) { $0 + $1.content.utf8.count }
  }

  private static func lengths(_ task: FileTask, _ reader: PromptReader?, limit: Int?) -> String {
    var lengths: [Int] = []
    for split in Split.allCases {
      for exercise in task.all(of: split) {
        lengths.append(reader?.tokens(exercise).count ?? bytes(exercise))
      }
    }
    lengths.sort()
    let shares = [0, 50, 90, 99, 100]
    let percentiles = shares.map { share in
      let name = share == 0 ? "least" : share == 100 ? "most" : "\(share) %"
      return "\(name) \(lengths[(lengths.count - 1) * share / 100])"
    }
    let unit = reader == nil ? "bytes" : "tokens"
    var text = "prompt \(unit)    \(percentiles.joined(separator: ", "))\n"
    if let limit {
      let over = lengths.count { $0 > limit }
      text += "over the limit   \(over) prompts have more than \(limit) \(unit) and are dropped\n"
    }
    return text
  }
}

extension String {
  fileprivate var trimmingNewline: String { String(split(separator: "\n").first ?? "") }
}
