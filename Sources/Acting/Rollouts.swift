// From tickets to groups: exercise, prompt, completions, verdicts, bytes. The work of a ticket
// follows from the run's seed and the ticket's key alone, so it is the same whoever does it.

import Documents
import Experience
import Operations
import Policy
import Tasks
import Wire

/// What fills tickets; belongs to the compute thread.
package final class Rollouts {
  /// Files an actor needs of a run, by the names the learner gives them.
  package static let fileNames = ["config.json", "tokenizer.json"]
  /// No config.json or tokenizer.json in use comes near.
  package static let maximumFileBytes = 64 << 20
  /// Whether a file the learner serves is one an actor needs: those of the task besides.
  package static func needs(_ name: String) -> Bool {
    fileNames.contains(name) || name.hasPrefix(TaskFileRole.prefix)
  }

  package let settings: RunSettings
  package let configuration: ModelConfiguration
  package private(set) var version: PolicyVersion?
  /// What judges its groups, here or on another thread.
  package let judge: GroupJudge

  private let strand: Strand
  /// When the weights held were ready to sample with; nil once a token has been.
  private var readySince: Int64?
  private let lineage: String
  private let exercises: any Exercises
  private let reader: PromptReader
  private let transformer: CPUTransformer
  private let generator: CPUGenerator
  private let stopTokens: Set<Int32>
  /// What its task and its verifier do.
  package var definitions: [NamedDigest] { Definitions.of(exercises, seed: settings.run.seed) }

  /// Builds everything a run's tickets need but the weights.
  package init(
    name: String, welcome: Welcome, files: [String: [UInt8]], threads: Int,
    strand: Strand = Strand("compute")
  ) throws {
    self.strand = strand
    lineage = welcome.lineage
    let source = "the settings of run \(welcome.run)"
    settings = try RunSettings(welcome.settings, source: source)
    let task = try Fields(settings.task, source: source, path: "task")
    let made = try TaskFactory.make(task, files: TaskFiles(files), programs: ProgramChild.maker)
    configuration = try ModelConfiguration(
      configJSON: try Self.file("config.json", in: files), source: "config.json of the learner")
    let tokenizer = try Tokenizer(
      json: try Self.file("tokenizer.json", in: files), source: "tokenizer.json of the learner")
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw Failure(
        "match tokenizer and model of", on: "run \(welcome.run)",
        happened: "the tokenizer has \(tokenizer.vocabularySize) ids, the model rows for "
          + "\(configuration.vocabularySize)",
        remedy: "start the run from a model folder whose files belong together",
        exitCode: .badInput)
    }
    reader = try PromptReader(made, tokenizer)
    exercises = reader.fitting(
      made, positions: configuration.maximumPositions,
      newTokens: settings.sampling.maximumNewTokens)
    stopTokens = reader.stopTokens(configuration)
    transformer = CPUTransformer(configuration: configuration, threads: threads)
    generator = CPUGenerator(transformer)
    judge = GroupJudge(
      name: name, seed: settings.run.seed, numericClass: transformer.numericClass,
      exercises: exercises, tokenizer: tokenizer, maximumBytes: settings.replay.maximumGroupBytes)
  }

  private static func file(_ name: String, in files: [String: [UInt8]]) throws -> [UInt8] {
    guard let bytes = files[name] else {
      preconditionFailure("\(name) is not among the fetched \(files.keys.sorted())")
    }
    return bytes
  }

  /// Takes a version's weights; what was held before is gone, whether this works or throws.
  package func load(_ fetched: FetchedSnapshot) throws {
    let claimed = fetched.snapshot.version
    version = nil
    func refuse(_ happened: String) -> Failure {
      Failure(
        "load", on: "version \(claimed)", happened: happened,
        remedy:
          "the learner published weights it does not stand by: restart it from its checkpoint",
        exitCode: .badInput)
    }
    guard claimed.lineage == lineage else {
      throw refuse("it is of another lineage than this run's, \(lineage)")
    }
    let began = MonotonicClock.now
    let (written, tensors) = try strand.measure(.decodeWeights, id: claimed.number) {
      try SnapshotCodec.decode(fetched.bytes)
    }
    guard written == claimed else { throw refuse("its bytes say they are version \(written)") }
    try strand.measure(.packWeights, id: claimed.number) { try transformer.load(tensors) }
    let digest = strand.measure(.verifyWeights, id: claimed.number) { transformer.digest() }
    guard digest == claimed.digest else { throw refuse("its tensors have digest \(digest.short)") }
    version = claimed
    readySince = MonotonicClock.now
    strand.span(.swap, id: claimed.number, from: began, amount: fetched.bytes.count)
  }

  /// Samples the tickets in one batch, in order. Nil when `shouldStop` said so.
  package func sample(
    _ tickets: [Ticket], shouldStop: () -> Bool, progress: (Int) -> Void = { _ in }
  ) throws -> [SampledGroup]? {
    guard let version else { preconditionFailure("\(tickets.count) tickets before any weights") }
    try tickets.forEach(checkLevel)
    let started = MonotonicClock.now
    let exercises = tickets.map(exercise)
    var requests: [GenerationRequest] = []
    for (ticket, exercise) in zip(tickets, exercises) {
      requests.append(try request(ticket.key, exercise))
    }
    guard let sampled = sample(requests, shouldStop: shouldStop, progress: progress)
    else { return nil }
    let sampledAt = MonotonicClock.now
    return tickets.indices.map { index in
      SampledGroup(
        key: tickets[index].key, level: tickets[index].level, version: version,
        exercise: exercises[index],
        prompt: requests[index].prompt, temperature: requests[index].temperature,
        completions: sampled[index], ticketNanoseconds: started, sampledNanoseconds: sampledAt)
    }
  }

  /// Samples and judges the tickets in one batch, in order. Nil when `shouldStop` said so.
  package func makeGroups(
    _ tickets: [Ticket], shouldStop: () -> Bool, progress: (Int) -> Void = { _ in }
  ) throws -> [EncodedGroup]? {
    try sample(tickets, shouldStop: shouldStop, progress: progress)?.compactMap {
      try judge.group($0, strand)
    }
  }

  /// Samples, and notes how long prefills and decodes took.
  private func sample(
    _ requests: [GenerationRequest], shouldStop: () -> Bool, progress: (Int) -> Void
  ) -> [[Completion]]? {
    let number = version?.number ?? -1
    let rows = requests.reduce(0) { $0 + $1.prompt.count }
    var since = MonotonicClock.now
    var tokens = 0
    var told = 0
    return generator.generate(
      requests, shouldStop: shouldStop,
      progress: {
        tokens = $0
        progress($0)
      },
      enter: { part in
        let now = MonotonicClock.now
        switch part {
        case .prefill: break
        case .decode:
          strand.span(.prefill, id: number, from: since, to: now, amount: rows)
          if let readySince { strand.span(.firstToken, id: number, from: readySince, to: now) }
          readySince = nil
        case .gather:
          strand.span(.decode, id: number, from: since, to: now, amount: tokens - told)
          told = tokens
        }
        since = now
      })
  }

  // MARK: one ticket

  private func exercise(of ticket: Ticket) -> Exercise {
    let (seed, number) = (settings.run.seed, ticket.key.number)
    guard ticket.key.purpose == .train else {
      return exercises.exercise(seed: seed, split: .validation, index: number)
    }
    return ticket.level.map { exercises.practice(seed: seed, ticket: number, level: $0) }
      ?? exercises.exercise(seed: seed, split: .train, index: number)
  }

  /// Replay counts the levels in the settings that the exercises were made of.
  private func checkLevel(_ ticket: Ticket) throws {
    guard let level = ticket.level, level > 0, level >= exercises.levelCount else { return }
    throw Failure(
      "sample", on: "\(ticket.key)",
      happened: "it is of level \(level), and the task has \(exercises.levelCount)",
      remedy: "both ends must be of one version of Forage", exitCode: .internal)
  }

  private func request(_ key: TicketKey, _ exercise: Exercise) throws -> GenerationRequest {
    let prompt = reader.tokens(exercise)
    let longest = prompt.count + settings.sampling.maximumNewTokens
    guard !prompt.isEmpty, longest <= configuration.maximumPositions else {
      throw Failure(
        "sample", on: "\(key), exercise \(exercise.name)",
        happened: prompt.isEmpty
          ? "its prompt has no tokens"
          : "\(prompt.count) prompt tokens and sampling.maximumNewTokens = "
            + "\(settings.sampling.maximumNewTokens) exceed the model's "
            + "\(configuration.maximumPositions) positions",
        remedy: prompt.isEmpty
          ? "give the task prompts that this tokenizer can read"
          : "lower sampling.maximumNewTokens or take a model with more positions",
        exitCode: .settings)
    }
    // An evaluation's numbers are the same at every version: versions are compared in pairs.
    var request = GenerationRequest(
      prompt: prompt, samples: settings.sampling.groupSize, seed: settings.run.seed, domain: .train,
      ticket: UInt64(key.number), temperature: Float(settings.sampling.temperature),
      maximumNewTokens: settings.sampling.maximumNewTokens, stopTokens: stopTokens)
    if case .evaluate = key.purpose {
      let evaluation = settings.evaluation
      (request.samples, request.domain) = (evaluation.samples, .evaluate)
      request.temperature = Float(evaluation.temperature)
      request.cut = GenerationRequest.Cut(topK: evaluation.topK, topP: evaluation.topP)
    }
    return request
  }
}
