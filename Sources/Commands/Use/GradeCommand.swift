// forage grade: what a verifier says of completions, whoever made them. It judges as actors do, so
// a reward can be understood, and another system's output be measured, without a run.

import Acting
import Documents
import Experience
import Operations
import Tasks

enum GradeCommand: Command {
  static let usage = Usage(
    "forage grade",
    "Judges completions by rule: for each line {\"prompt\":...,\"completion\":...,\"answer\":...} "
      + "one line with the reward by part, strict and lenient correctness, and the reason in "
      + "words. What they come to is said on standard error.",
    positionals: [
      Usage.Positional(
        "CONFIG", "a settings file, whose task judges; or --verifier", isRequired: false)
    ],
    options: [
      .value(
        "verifier", "NAME",
        "one of \(VerifierKind.allCases.map(\.rawValue).joined(separator: ", "))"
      ),
      .value(
        "input", "FILE",
        "the lines, which may also say \"tokens\":N and \"truncated\":true; - is standard input"),
    ],
    takesOverrides: true,
    example:
      "forage grade --verifier numeric --verifier.relativeTolerance=0.01 --input answers.jsonl"
  )

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let (judge, needsTokenCount) = try judge(arguments)
    let lines = try LineReader(path: arguments.requiredValue("input"))
    var tally = GradeTally()
    while let line = try lines.next() {
      let fields = try lines.fields(line)
      let submission: Submission
      do throws(DocumentError) {
        submission = try Submission(fields, needsTokenCount: needsTokenCount)
      } catch {
        throw lines.bad(error)
      }
      let verdict = judge(submission)
      tally.add(verdict, isTruncated: submission.isTruncated)
      Terminal.write(JSON.write(verdict.document(isTruncated: submission.isTruncated)) + "\n")
    }
    Terminal.complain(tally.words)
    return .success
  }

  /// By name with its settings typed behind it, or the one of a config's task.
  private static func judge(
    _ arguments: Arguments
  ) throws -> (judge: (Submission) -> Verdict, needsTokenCount: Bool) {
    if let config = arguments.positional(0) {
      guard arguments.value("verifier") == nil else {
        throw ArgumentError(
          program: usage.program, fact: .unexpectedPositional("--verifier, besides CONFIG,"))
      }
      let settings = try RunSettings.load(path: config, overrides: arguments.overrides)
      let task = try TaskFactory.make(
        Fields(settings.task, source: config, path: "task"), files: TaskFileStore.fromSettings,
        programs: ProgramChild.maker)
      return ({ task.judge($0) }, task.needsTokenCount)
    }
    guard let name = arguments.value("verifier") else {
      throw ArgumentError(
        program: usage.program, fact: .missingPositional("--verifier or CONFIG"))
    }
    guard let kind = VerifierKind(rawValue: name) else {
      let known = VerifierKind.allCases.map(\.rawValue)
      let near = Spelling.nearest(to: name, among: known).map { "\($0) (did you mean it?) or " }
      throw arguments.bad(
        "verifier", name, (near ?? "") + "one of \(known.joined(separator: ", "))")
    }
    var document = Document.object([("verifier", .object([]))])
    for override in arguments.overrides {
      let (path, value) = try Document.override(override)
      document = try document.setting(path: path, to: value)
    }
    let fields = try Fields(document, source: "command line")
    let section = try fields.section("verifier")
    let judge = try VerifierFactory.judge(section, default: kind, programs: ProgramChild.maker)
    try fields.finish()
    return ({ judge.judge($0) }, judge.needsTokenCount)
  }
}

/// What the verdicts on a file come to.
struct GradeTally {
  private var count = 0
  private var strict = 0
  private var lenient = 0
  private var completed = 0
  private var invalid = 0
  private var reward = 0.0

  mutating func add(_ verdict: Verdict, isTruncated: Bool) {
    count += 1
    guard verdict.isValid else {
      invalid += 1
      return
    }
    strict += verdict.isStrictlyCorrect ? 1 : 0
    lenient += verdict.isLenientlyCorrect ? 1 : 0
    completed += verdict.isStrictlyCorrect && !isTruncated ? 1 : 0
    reward += Double(verdict.reward)
  }

  var words: String {
    let judged = count - invalid
    let mean = judged > 0 ? RunView.format(reward / Double(judged), 4) : "none"
    return "\(count) completions: \(strict) strictly correct, \(lenient) leniently, \(completed) "
      + "completed-correct, \(invalid) without a verdict; mean reward \(mean)"
  }
}
