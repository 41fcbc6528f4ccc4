// forage bench WHAT: one role alone on made data, or one link, beside what the machine gives at
// most.
//
// Machines are shared and noisy, so every figure is a median over repeats with its spread, the
// limits are measured between the repeats, and a share compares what ran side by side.

import Documents
import Operations

enum BenchCommand: Command {
  static let usage = Usage(
    "forage bench",
    "Measures one part alone: WHAT is generate (tokens sampled), step (a learner's step), ledger "
      + "(groups on the disk), weights (a version on its way to actors), disk (commits and files "
      + "made safe), link (round trips and bytes a second to another host), loop (what bounds a "
      + "run of these settings, and what more actors or another link would bring) or spans (what "
      + "noting all this costs a run).",
    positionals: [
      .init("WHAT", "generate, step, ledger, weights, disk, link, loop or spans"),
      .init(
        "DIR|ADDRESS|CONFIG",
        "ledger, disk: the folder whose disk is measured, . by default; spans: a run's; link: "
          + "tcp://HOST:PORT of replay, of the weights or of the far end, or the folder of a run "
          + "of this host; loop: a settings file", isRequired: false),
      .init("ADDRESS", "link: another one, measured after the first", isRequired: false),
    ],
    options: BenchKind.options + [
      .value("repeats", "N", "measurements a figure is the median of; 5 by default, link: 3"),
      .flag("json", "one document with every sample and the machine, instead of the table"),
    ],
    takesOverrides: true,
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
    if kind != .loop, let override = arguments.overrides.first {
      throw ArgumentError(
        program: usage.program, fact: .unexpectedPositional("--\(override), a setting of loop,"))
    }
    if kind == .link, let address = arguments.value("listen") {
      return try listen(address, arguments)
    }
    let repeats = try arguments.integer("repeats", in: 1...1000) ?? (kind == .link ? 3 : 5)
    let report =
      switch kind {
      case .generate: try GenerateBench(arguments).run(repeats: repeats)
      case .step: try StepBench(arguments).run(repeats: repeats)
      case .ledger: try LedgerBench(arguments).run(repeats: repeats)
      case .weights: try WeightsBench(arguments).run(repeats: repeats)
      case .disk: try DiskBench(arguments).run(repeats: repeats)
      case .spans: try SpansBench(arguments).run(repeats: repeats)
      case .link: try link(arguments, repeats: repeats)
      case .loop: try LoopBench(arguments).run(repeats: repeats)
      }
    Terminal.write(
      arguments.flag("json") ? JSON.write(report.document, pretty: true) + "\n" : report.text)
    return .success
  }

  /// From here, or from where a running actor stands.
  private static func link(_ arguments: Arguments, repeats: Int) throws -> BenchReport {
    // What an actor was sent for ends with the actor.
    try ParentPipe.inherited()?.endOrphaned()
    guard let actor = arguments.value("from") else {
      return try LinkBench(arguments).run(repeats: repeats)
    }
    return try ActorLinkBench(actor, arguments).run(repeats: repeats)
  }

  /// The far end of a link, until a signal.
  private static func listen(_ text: String, _ arguments: Arguments) throws -> ExitCode {
    if let place = arguments.positional(1) {
      throw ArgumentError(program: usage.program, fact: .unexpectedPositional(place))
    }
    guard let address = LinkAddress(text) else {
      throw arguments.bad("listen", text, "tcp://HOST:PORT, 0.0.0.0 for every network of this host")
    }
    let signals = try SignalWatch()
    let end = try LinkEnd(address, keys: arguments.value("keys"))
    Terminal.write(end.sentence + "\n")
    try end.run(signals)
    return .success
  }
}

/// What is measured, and which options it takes.
enum BenchKind: String, CaseIterable {
  case generate, step, ledger, weights, disk, link, loop, spans

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
      [.weights, .disk, .link],
      .value("megabytes", "N", "weights, link: of a version; disk: of a file; 256 of 10^6 bytes")
    ),
    (
      [.link],
      .value("listen", "ADDRESS", "link: be the far end, at tcp://HOST:PORT and two ports more")
    ),
    (
      [.link],
      .value(
        "from", "ACTOR", "link: have this actor of the run measure its links to replay and weights")
    ),
    (
      [.link],
      .value("keys", "FILE", "link: the key to measure under; with --listen a folder of keys")
    ),
    (
      [.link],
      .value("sizes", "LIST", "link: bytes of a message, 64 to 67108864; 64,4096,... by default")
    ),
    ([.link], .value("seconds", "S", "link: of one figure; 0.5 by default")),
    ([.link], .value("parallel", "N", "link: connections at once, 2 to 4; 4 by default")),
    (
      [.loop],
      .value("link", "RATE", "loop: from learner to actors, as 100Mbit or 12MB; none by default")
    ),
    ([.loop], .value("round-trip", "MS", "loop: of that link, in milliseconds; 0 by default")),
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
    let places = self == .link ? 2 : [.ledger, .disk, .spans, .loop].contains(self) ? 1 : 0
    for index in 1...2 where index > places {
      guard let word = arguments.positional(index) else { continue }
      throw ArgumentError(program: arguments.usage.program, fact: .unexpectedPositional(word))
    }
  }
}
