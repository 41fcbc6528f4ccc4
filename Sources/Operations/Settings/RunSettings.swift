// The settings every role of a run shares. A section is one struct that reads itself from `Fields`:
// the line that reads a key is the one place that names it, its default and its range.
//
// Two sections belong to rooms that may not be seen from here and are carried as documents: `task`
// (read by Tasks) and `objective` (read by Learning).

import Documents

/// A run's settings, resolved: every key has a value in range.
public struct RunSettings: Sendable {
  public var run: RunSection
  public var task: Document
  public var model: ModelSection
  public var warmStart: WarmStartSection
  public var sampling: SamplingSection
  public var objective: Document
  public var learner: LearnerSection
  public var replay: ReplaySection
  public var actor: ActorSection
  public var evaluation: EvaluationSection
  public var network: NetworkSection
  public var supervisor: SupervisorSection
  public var trace: TraceSection
  public var preflight: PreflightSection
  public var alarms: AlarmsSection
  public var metrics: MetricsSection

  /// Reads the whole document; `source` names the file in errors.
  public init(_ document: Document, source: String) throws(DocumentError) {
    let fields = try Fields(document, source: source)
    let sections = try SettingsFields(fields)
    run = try RunSection(sections.run)
    task = sections.task
    model = try ModelSection(sections.model)
    warmStart = try WarmStartSection(sections.warmStart)
    sampling = try SamplingSection(sections.sampling)
    objective = sections.objective
    learner = try LearnerSection(sections.learner)
    replay = try ReplaySection(sections.replay)
    actor = try ActorSection(sections.actor)
    evaluation = try EvaluationSection(sections.evaluation, sampling: sampling)
    network = try NetworkSection(sections.network)
    supervisor = try SupervisorSection(sections.supervisor)
    trace = try TraceSection(sections.trace)
    preflight = try PreflightSection(sections.preflight)
    alarms = try AlarmsSection(sections.alarms)
    metrics = try MetricsSection(sections.metrics)
    let format = try fields.integer("format", default: Self.format, in: 0...Int.max)
    guard format == Self.format else {
      throw fields.error(
        "format",
        "is \(format); this program reads \(Self.format)"
          + (format > Self.format ? ": use a newer one" : ""))
    }
    try fields.finish()
    resolved = fields.resolved
    try check(sections)
  }

  /// Of the file: a section or key whose meaning changes makes another.
  public static let format = 1

  /// Every key with the value it came to; `task` and `objective` as they were given.
  public let resolved: Document
}

public struct RunSection: Sendable {
  /// The run's folder is `runs/<name>-NNN`.
  public var name: String
  public var seed: UInt64
  /// Optimizer steps in all.
  public var steps: Int
  /// Processor threads the whole run may use; 0 means all there are.
  public var threads: Int

  init(_ fields: Fields) throws(DocumentError) {
    name = try fields.string("name", default: "run", maximumLength: 64)
    // It becomes a folder's name.
    let isPlain = name.utf8.allSatisfy {
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
        || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
        || $0 == UInt8(ascii: "_")
    }
    guard isPlain, !name.isEmpty else {
      throw fields.error("name", "expected letters, digits, - and _, because it names a folder")
    }
    seed = UInt64(try fields.integer("seed", default: 1, in: 0...Int.max))
    steps = try fields.integer("steps", default: 300, in: 1...10_000_000)
    threads = try fields.integer("threads", default: 0, in: 0...1024)
  }
}

/// A model folder to start from, or the shape of one to make.
public struct ModelSection: Sendable {
  /// What the weights that are sampled and trained with are rounded to, and travel as.
  public enum Precision: String, CaseIterable, Sendable {
    case f32
    case bf16
  }

  /// A Hugging Face folder; "" makes a new model of the shape below.
  public var path: String
  public var precision: Precision
  public var hiddenSize: Int
  public var layers: Int
  public var heads: Int
  public var keyValueHeads: Int
  public var feedForwardSize: Int
  public var maximumPositions: Int

  init(_ fields: Fields) throws(DocumentError) {
    path = try fields.string("path", default: "")
    precision = try fields.choice("precision", default: .f32)
    hiddenSize = try fields.integer("hiddenSize", default: 128, in: 8...65_536)
    layers = try fields.integer("layers", default: 4, in: 1...1024)
    heads = try fields.integer("heads", default: 4, in: 1...1024)
    keyValueHeads = try fields.integer("keyValueHeads", default: 4, in: 1...1024)
    feedForwardSize = try fields.integer("feedForwardSize", default: 384, in: 8...262_144)
    maximumPositions = try fields.integer("maximumPositions", default: 512, in: 8...1_048_576)
  }
}

/// Supervised learning on demonstrations, until sampled accuracy enters a band.
public struct WarmStartSection: Sendable {
  /// 0 skips the warm start.
  public var maximumSteps: Int
  public var batch: Int
  public var learningRate: Double
  public var warmUpSteps: Int
  public var evaluateEvery: Int
  public var evaluationPrompts: Int
  public var stopAtLeast: Double
  public var stopAtMost: Double

  init(_ fields: Fields) throws(DocumentError) {
    maximumSteps = try fields.integer("maximumSteps", default: 2000, in: 0...10_000_000)
    batch = try fields.integer("batch", default: 64, in: 1...65_536)
    learningRate = try fields.number("learningRate", default: 1e-3, in: 0...1)
    warmUpSteps = try fields.integer("warmUpSteps", default: 20, in: 0...10_000_000)
    evaluateEvery = try fields.integer("evaluateEvery", default: 20, in: 1...10_000_000)
    evaluationPrompts = try fields.integer("evaluationPrompts", default: 256, in: 1...1_000_000)
    stopAtLeast = try fields.number("stopAtLeast", default: 0.25, in: 0...1)
    stopAtMost = try fields.number("stopAtMost", default: 0.4, in: 0...1)
    if stopAtLeast >= stopAtMost {
      throw fields.error("stopAtLeast", "must be below stopAtMost")
    }
  }
}

public struct SamplingSection: Sendable {
  public var temperature: Double
  public var maximumNewTokens: Int
  /// Completions of one ticket: G.
  public var groupSize: Int

  init(_ fields: Fields) throws(DocumentError) {
    temperature = try fields.number("temperature", default: 1, in: 0.01...100)
    maximumNewTokens = try fields.integer("maximumNewTokens", default: 32, in: 1...131_072)
    groupSize = try fields.integer("groupSize", default: 8, in: 1...4096)
  }
}

public struct LearnerSection: Sendable {
  /// Groups a step: B.
  public var groupsPerStep: Int
  /// How many steps older than the learner a sampled version may be; 0 is synchronous.
  public var lagMax: Int
  public var learningRate: Double
  /// Reached at the last step, linearly from `learningRate` after the warm-up.
  public var finalLearningRate: Double
  public var warmUpSteps: Int
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  public var weightDecay: Double
  /// Gradients with a larger Euclidean norm are scaled down to it; 0 never does.
  public var clipNorm: Double
  /// Tokens one forward and backward hold at a time.
  public var microbatchTokens: Int
  /// Steps between checkpoints.
  public var checkpointEvery: Int
  /// Minutes after which a step writes one besides; 0 never does. A clock decides it, so nothing
  /// that a digest covers may depend on it.
  public var checkpointMinutes: Double
  /// Newest checkpoints kept, besides the first model; at least 2.
  public var keepCheckpoints: Int
  /// A control experiment: rewards change places within each group, so nothing can be learned.
  public var shufflesRewards: Bool
  /// 0 takes the supervisor's share.
  public var threads: Int

  init(_ fields: Fields) throws(DocumentError) {
    groupsPerStep = try fields.integer("groupsPerStep", default: 32, in: 1...65_536)
    lagMax = try fields.integer("lagMax", default: 1, in: 0...1024)
    learningRate = try fields.number("learningRate", default: 1e-4, in: 0...1)
    finalLearningRate = try fields.number("finalLearningRate", default: 3e-5, in: 0...1)
    warmUpSteps = try fields.integer("warmUpSteps", default: 20, in: 0...10_000_000)
    beta1 = try fields.number("beta1", default: 0.9, in: 0...0.999999)
    beta2 = try fields.number("beta2", default: 0.999, in: 0...0.9999999)
    epsilon = try fields.number("epsilon", default: 1e-8, in: 1e-16...1)
    weightDecay = try fields.number("weightDecay", default: 0, in: 0...10)
    clipNorm = try fields.number("clipNorm", default: 1, in: 0...1e9)
    microbatchTokens = try fields.integer("microbatchTokens", default: 8192, in: 16...16_777_216)
    checkpointEvery = try fields.integer("checkpointEvery", default: 50, in: 1...10_000_000)
    checkpointMinutes = try fields.number("checkpointMinutes", default: 0, in: 0...10_080)
    keepCheckpoints = try fields.integer("keepCheckpoints", default: 3, in: 2...10_000)
    shufflesRewards = try fields.bool("shufflesRewards", default: false)
    threads = try fields.integer("threads", default: 0, in: 0...1024)
  }
}

/// Where a batch's groups come from.
public enum ReplayMode: String, Sendable, CaseIterable {
  /// Each group is trained on once.
  case buffer
  /// Besides fresh groups a batch carries some of committed steps once more.
  case replay
  /// Groups come from another run's ledger; nobody samples.
  case offline
}

/// Which groups are taken where there is a choice.
public enum ReplaySelection: String, Sendable, CaseIterable {
  /// All alike.
  case uniform
  /// Those of the newest policy first.
  case newest
  /// By the spread of their rewards.
  case prioritized
  /// As the source recorded them.
  case recorded
}

public struct ReplaySection: Sendable {
  public var mode: ReplayMode
  /// Groups of committed steps a batch carries beside its fresh ones, in mode `replay`.
  public var reusedGroups: Int
  public var selection: ReplaySelection
  /// How often one group may be trained on in all; offline, how often the source is gone through.
  public var maximumUses: Int
  /// How many steps older than the learner a reused group's version may be.
  public var reuseLagMax: Int
  /// The run folder, or the ledger, that an offline run learns from.
  public var source: String
  /// A ticket whose holder is silent this long is reissued.
  public var ticketLeaseSeconds: Double
  /// Groups one FULL commit may hold, and how long the first may wait for company.
  public var commitGroups: Int
  public var commitWaitMilliseconds: Double
  /// The largest group message accepted.
  public var maximumGroupBytes: Int
  /// Bytes of groups held in memory before BUSY.
  public var maximumQueuedBytes: Int
  /// Free disk bytes below which groups are refused with BUSY; 0 derives it from the model's size.
  public var diskReserveBytes: Int

  init(_ fields: Fields) throws(DocumentError) {
    mode = try fields.choice("mode", default: ReplayMode.buffer)
    reusedGroups = try fields.integer("reusedGroups", default: 0, in: 0...65_535)
    selection = try fields.choice("selection", default: ReplaySelection.uniform)
    maximumUses = try fields.integer("maximumUses", default: 4, in: 1...1_000_000)
    reuseLagMax = try fields.integer("reuseLagMax", default: 8, in: 1...65_536)
    source = try fields.string("source", default: "")
    ticketLeaseSeconds = try fields.number("ticketLeaseSeconds", default: 30, in: 0.1...86_400)
    commitGroups = try fields.integer("commitGroups", default: 256, in: 1...100_000)
    commitWaitMilliseconds = try fields.number("commitWaitMilliseconds", default: 2, in: 0...1000)
    maximumGroupBytes = try fields.integer(
      "maximumGroupBytes", default: 64 << 20, in: 1024...(1 << 30))
    maximumQueuedBytes = try fields.integer(
      "maximumQueuedBytes", default: 256 << 20, in: 1024...(1 << 36))
    diskReserveBytes = try fields.integer("diskReserveBytes", default: 0, in: 0...(1 << 50))
  }
}

public struct ActorSection: Sendable {
  /// Actors the supervisor starts on this host.
  public var count: Int
  /// Tickets an actor samples together.
  public var ticketsPerRequest: Int
  /// 0 takes the supervisor's share.
  public var threads: Int

  init(_ fields: Fields) throws(DocumentError) {
    count = try fields.integer("count", default: 2, in: 0...4096)
    ticketsPerRequest = try fields.integer("ticketsPerRequest", default: 16, in: 1...4096)
    threads = try fields.integer("threads", default: 0, in: 0...1024)
  }
}

public struct EvaluationSection: Sendable {
  /// Steps between evaluations on the validation split while training; 0 never.
  public var every: Int
  public var prompts: Int
  public var samples: Int
  /// The evaluation before and after, on the held-out split.
  public var finalPrompts: Int
  public var finalSamples: Int
  /// Of every sample above; 0 is greedy. By default the one that training samples at.
  public var temperature: Double
  /// Draw from the fewest most probable tokens that reach this share; 1 from all.
  public var topP: Double
  /// Draw from so many most probable tokens; 0 from all.
  public var topK: Int

  init(_ fields: Fields, sampling: SamplingSection) throws(DocumentError) {
    every = try fields.integer("every", default: 25, in: 0...10_000_000)
    prompts = try fields.integer("prompts", default: 64, in: 1...1_000_000)
    samples = try fields.integer("samples", default: 2, in: 1...4096)
    finalPrompts = try fields.integer("finalPrompts", default: 512, in: 1...1_000_000)
    finalSamples = try fields.integer("finalSamples", default: 4, in: 1...4096)
    temperature = try fields.number("temperature", default: sampling.temperature, in: 0...100)
    topP = try fields.number("topP", default: 1, in: 0.001...1)
    topK = try fields.integer("topK", default: 0, in: 0...1_000_000)
  }
}

public struct NetworkSection: Sendable {
  /// "" serves this host alone, over ipc; else the address of an interface, over tcp.
  public var listen: String
  public var replayPort: Int
  public var weightsPort: Int
  public var announcePort: Int
  /// A folder that `forage keys` made: every socket then wants keys. "" for none.
  public var keys: String
  /// Without keys, a bind beyond loopback is refused unless this names the risk.
  public var allowUnauthenticated: Bool

  init(_ fields: Fields) throws(DocumentError) {
    listen = try fields.string("listen", default: "", maximumLength: 255)
    replayPort = try fields.integer("replayPort", default: 45_910, in: 1...65_535)
    weightsPort = try fields.integer("weightsPort", default: 45_911, in: 1...65_535)
    announcePort = try fields.integer("announcePort", default: 45_912, in: 1...65_535)
    keys = try fields.string("keys", default: "", maximumLength: 1024)
    allowUnauthenticated = try fields.bool("allowUnauthenticated", default: false)
  }
}

public struct SupervisorSection: Sendable {
  /// Deaths of one process without a step between them before the run gives up.
  public var maximumDeaths: Int
  public var firstBackoffSeconds: Double
  public var maximumBackoffSeconds: Double
  /// Without a step for this long the run says who waits for whom and ends.
  public var stallSeconds: Double
  /// A thread that could go on and does not for this long ends its process; 0 is a third of
  /// `stallSeconds`, so that there is time to start it again.
  public var hangSeconds: Double

  /// `hangSeconds` as it came to.
  public var patienceSeconds: Double { hangSeconds > 0 ? hangSeconds : stallSeconds / 3 }

  init(_ fields: Fields) throws(DocumentError) {
    maximumDeaths = try fields.integer("maximumDeaths", default: 5, in: 1...1000)
    firstBackoffSeconds = try fields.number("firstBackoffSeconds", default: 0.5, in: 0.01...3600)
    maximumBackoffSeconds = try fields.number("maximumBackoffSeconds", default: 30, in: 0.01...3600)
    stallSeconds = try fields.number("stallSeconds", default: 300, in: 1...86_400)
    hangSeconds = try fields.number("hangSeconds", default: 0, in: 0...86_400)
  }
}

/// What is kept of what each process spent its time on.
public struct TraceSection: Sendable {
  /// Of each process's span file, both halves; 0 keeps none.
  public var maximumBytes: Int

  init(_ fields: Fields) throws(DocumentError) {
    maximumBytes = try fields.integer("maximumBytes", default: 64 << 20, in: 0...(1 << 30))
    if maximumBytes > 0, maximumBytes < 1 << 16 {
      throw fields.error("maximumBytes", "expected 0, for no spans, or at least \(1 << 16)")
    }
  }
}
