// forage report: makes report.html of a run anew, finished or not.

import Documents
import Operations

enum ReportCommand: Command {
  static let usage = Usage(
    "forage report", "Writes a run's report.html: curves, tables, completions; no network needed.",
    positionals: [Usage.Positional("DIR", "the run's folder")],
    example: "forage report runs/arithmetic-001")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let run = try RunFolder.open(arguments.required(0))
    let source = try ReportSource(run)
    try source.write(sentence: nil)
    Terminal.write("\(run.report)\n")
    return .success
  }
}
