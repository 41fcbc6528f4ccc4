// forage bench WHAT: one role alone on made data, beside what the machine gives at most.
//
// Machines are shared and noisy, so every figure is a median over repeats with its spread, the
// limits are measured between the repeats, and a share compares what ran side by side.

import Documents
import Operations

enum BenchCommand: Command {
  static let usage = Usage(
    "forage bench",
    "Measures one role alone on made data: WHAT is generate (tokens sampled), step (a learner's "
      + "step), ledger (groups on the disk), weights (a version on its way to actors), disk "
      + "(commits and files made safe), or spans (what noting all this costs a run).",
    positionals: [
      .init("WHAT", "generate, step, ledger, weights, disk or spans"),
      .init(
        "DIR", "ledger, disk: the folder whose disk is measured, . by default; spans: a run's",
        isRequired: false),
    ],
    options: BenchKind.options + [
      .value("repeats", "N", "measurements a figure is the median of; 5 by default"),
      .flag("json", "one document with every sample and the machine, instead of the table"),
    ],
    example: "forage bench generate --batch 256 --prompt 12 --new 12")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let name = arguments.required(0)
    guard let kind = BenchKind(rawValue: name) else {
      let known = BenchKind.allCases.map(\.rawValue)
      let near = Spelling.nearest(to: name, among: known)
      throw ArgumentError(
        program: usage.program,
        fact: .badValue(
          "WHAT", text: name,
          expected: known.joined(separator: ", ")
            + (near.map { "; did you mean \($0)?" } ?? "")))
    }
    try kind.refuseOthersOptions(arguments)
    let repeats = try arguments.integer("repeats", in: 1...1000) ?? 5
    let report =
      switch kind {
      case .generate: try GenerateBench(arguments).run(repeats: repeats)
      case .step: try StepBench(arguments).run(repeats: repeats)
      case .ledger: try LedgerBench(arguments).run(repeats: repeats)
      case .weights: try WeightsBench(arguments).run(repeats: repeats)
      case .disk: try DiskBench(arguments).run(repeats: repeats)
      case .spans: try SpansBench(arguments).run(repeats: repeats)
      }
    Terminal.write(
      arguments.flag("json") ? JSON.write(report.document, pretty: true) + "\n" : report.text)
    return .success
  }
}

/// What is measured, and which options it takes.
enum BenchKind: String, CaseIterable {
  case generate, step, ledger, weights, disk, spans

  /// Each with those who take it.
  private static let table: [(kinds: [BenchKind], option: Usage.Option)] = [
    (
      [.generate, .step],
      .value("model", "DIR", "a Hugging Face folder; a model of the shape below is made without it")
    ),
    ([.generate, .step], .value("hidden", "N", "the shape: 128 by default")),
    ([.generate, .step], .value("layers", "N", "4 by default")),
    ([.generate, .step], .value("heads", "N", "4 by default")),
    ([.generate, .step], .value("kv-heads", "N", "as many as heads by default")),
    ([.generate, .step], .value("ffn", "N", "384 by default")),
    ([.generate, .step], .value("vocabulary", "N", "64 by default")),
    ([.generate], .value("batch", "N", "generate: prompts sampled together; 256 by default")),
    ([.generate, .step], .value("prompt", "P", "tokens of a prompt; 12 by default")),
    ([.generate, .step], .value("new", "T", "tokens of a completion; 12 by default")),
    (
      [.step, .ledger],
      .value("groups", "N", "step: groups of the step, 32; ledger: groups a repeat, 8192")
    ),
    ([.step], .value("completions", "G", "step: completions of a group; 8 by default")),
    ([.step], .value("microbatch", "N", "step: tokens of one pass; 8192 by default")),
    ([.generate, .step], .threads),
    ([.ledger, .weights], .value("actors", "N", "ledger: 8 by default; weights: 2")),
    (
      [.ledger, .disk],
      .value("bytes", "N", "ledger: about so many a group; disk: of a row; 4096 by default")
    ),
    (
      [.weights, .disk],
      .value("megabytes", "N", "weights: of a version; disk: of a file; 256 of 10^6 bytes")
    ),
    ([.weights], .value("transport", "NAME", "weights: tcp (the default) or ipc")),
  ]

  static var options: [Usage.Option] { table.map(\.option) }

  /// An option of another benchmark would be a wish that is silently not granted.
  func refuseOthersOptions(_ arguments: Arguments) throws(ArgumentError) {
    for (kinds, option) in Self.table
    where !kinds.contains(self) && arguments.value(option.name) != nil {
      throw ArgumentError(
        program: arguments.usage.program,
        fact: .unexpectedPositional(
          "--\(option.name), an option of \(kinds.map(\.rawValue).joined(separator: " and ")),"))
    }
    if ![.ledger, .disk, .spans].contains(self), let folder = arguments.positional(1) {
      throw ArgumentError(program: arguments.usage.program, fact: .unexpectedPositional(folder))
    }
  }
}
