// What actors, the learner and lookers ask of replay, and what it answers. Bodies only: `Envelope`
// puts one into frames. Docs/WIRE.md is the same list for people who write a peer.

import Documents
import Experience

/// A request to replay, from any peer.
public enum Request: Equatable, Sendable {
  case hello(Hello)
  /// An actor wants work.
  case tickets(TicketRequest)
  /// An actor brings a group; the group itself is the message's one payload frame.
  case submit(Submission)
  /// A peer says it is alive and how far it is.
  case heartbeat(Heartbeat)
  /// The learner wants the batch of a step.
  case lease(LeaseRequest)
  /// The learner has taken a step.
  case commit(StepCommit)
  /// Anyone asks how the run stands.
  case status
  /// Anyone measures the way here; the bytes are the message's one payload frame.
  case probe(Probe)
  /// Whoever looks has an actor measure its own ways.
  case measure(MeasureRequest)
}

/// An answer of replay.
public enum Reply: Equatable, Sendable {
  case welcome(Welcome)
  case tickets([Ticket])
  /// The actor's version is too old for any ticket: fetch this one.
  case fetch(PolicyVersion)
  case wait(Wait)
  /// The group of this ticket is on disk (now, or since before).
  case acknowledged(TicketKey)
  case alive(Alive)
  /// The batch of a step; its groups are the payload frames, in order.
  case lease(BatchLease)
  case committed(Committed)
  case status(Document)
  case probed(Probed)
  /// Nil until the actor has taken the errand.
  case measured(LinkFinding?)
  case refused(Refusal)
}

public enum Role: String, Sendable, CaseIterable {
  case actor, learner, looker
}

public struct Hello: Equatable, Sendable {
  public var role: Role
  /// The peer's name, unique in the run ("actor-0").
  public var name: String
  /// What bit equality depends on: see `Policy.numericClass`.
  public var numericClass: String
  /// Tickets an actor already holds, from before a reconnection.
  public var holding: [TicketKey]
  /// The learner only: where it serves weights and announcements, and what version it has.
  public var weightsAddress: String
  public var announceAddress: String
  public var version: PolicyVersion?
  /// The learner only: digests by name of the files actors fetch ("tokenizer.json", "config.json").
  public var files: [NamedDigest]
  /// The learner only: what its bits depend on, and whether it may go on where that has changed.
  public var fingerprint: Fingerprint
  public var allowsOtherBuild: Bool
  /// The learner only: which process it is, a name drawn by chance when it starts. By it one that
  /// was cut off is known when it is back on a new connection.
  public var instance: String

  public init(
    role: Role, name: String, numericClass: String, holding: [TicketKey] = [],
    weightsAddress: String = "", announceAddress: String = "", version: PolicyVersion? = nil,
    files: [NamedDigest] = [], fingerprint: Fingerprint = .init(), allowsOtherBuild: Bool = false,
    instance: String = ""
  ) {
    self.role = role
    self.name = name
    self.numericClass = numericClass
    self.holding = holding
    self.weightsAddress = weightsAddress
    self.announceAddress = announceAddress
    self.version = version
    self.files = files
    self.fingerprint = fingerprint
    self.allowsOtherBuild = allowsOtherBuild
    self.instance = instance
  }
}

/// The settings that count from a step on.
public struct SettingsSpan: Equatable, Sendable {
  public var step: Int
  /// Resolved.
  public var settings: Document

  public init(step: Int, settings: Document) {
    self.step = step
    self.settings = settings
  }
}

public struct NamedDigest: Equatable, Sendable {
  public var name: String
  public var digest: Digest

  public init(name: String, digest: Digest) {
    self.name = name
    self.digest = digest
  }
}

public struct Welcome: Equatable, Sendable {
  /// The run's name and lineage.
  public var run: String
  public var lineage: String
  /// The resolved settings of the run.
  public var settings: Document
  public var files: [NamedDigest]
  /// Where the learner serves weights; "" until it has said hello.
  public var weightsAddress: String
  public var announceAddress: String
  /// The newest published version; nil until the learner has said hello.
  public var version: PolicyVersion?
  /// The learner only: its epoch, and the last committed step, nil before the first.
  public var epoch: Int
  public var lastCommit: StepCommit?
  /// The learner only: the settings each step is taken with, when a resume has changed them.
  public var settingsSpans: [SettingsSpan]

  public init(
    run: String, lineage: String, settings: Document, files: [NamedDigest], weightsAddress: String,
    announceAddress: String, version: PolicyVersion?, epoch: Int, lastCommit: StepCommit?,
    settingsSpans: [SettingsSpan] = []
  ) {
    self.run = run
    self.lineage = lineage
    self.settings = settings
    self.files = files
    self.weightsAddress = weightsAddress
    self.announceAddress = announceAddress
    self.version = version
    self.epoch = epoch
    self.lastCommit = lastCommit
    self.settingsSpans = settingsSpans
  }
}

public struct TicketRequest: Equatable, Sendable {
  /// The version the actor holds; nil before its first fetch.
  public var version: PolicyVersion?
  public var count: Int

  public init(version: PolicyVersion?, count: Int) {
    self.version = version
    self.count = count
  }
}

public struct Submission: Equatable, Sendable {
  public var key: TicketKey
  /// Of the payload frame, checked before it is parsed.
  public var digest: Digest

  public init(key: TicketKey, digest: Digest) {
    self.key = key
    self.digest = digest
  }
}

public struct Heartbeat: Equatable, Sendable {
  public var holding: [TicketKey]
  public var version: PolicyVersion?
  /// What the peer is doing ("generating", "fetching version 12", "waiting for replay").
  public var state: String
  /// Since when, in milliseconds before now.
  public var stateMilliseconds: Int
  public var tokensSampled: Int
  public var groupsSubmitted: Int
  public var idleMilliseconds: Int
  /// When it was sent, by the peer's monotonic clock: the answer then tells replay's moments.
  public var sentMicroseconds: Int?
  /// What the answers before told: how far replay's clock is ahead, and of how long a round trip.
  public var offsetMicroseconds: Int?
  public var roundTripMicroseconds: Int?
  /// What a peer without the run's folder has spent its time on since the last one.
  public var spans: SpanBatch?
  /// Of the errand it was given, for as long as it is given it.
  public var finding: LinkFinding?

  public init(
    holding: [TicketKey], version: PolicyVersion?, state: String, stateMilliseconds: Int,
    tokensSampled: Int, groupsSubmitted: Int, idleMilliseconds: Int
  ) {
    self.holding = holding
    self.version = version
    self.state = state
    self.stateMilliseconds = stateMilliseconds
    self.tokensSampled = tokensSampled
    self.groupsSubmitted = groupsSubmitted
    self.idleMilliseconds = idleMilliseconds
  }
}

/// The answer to a heartbeat.
public struct Alive: Equatable, Sendable {
  public var version: PolicyVersion?
  /// The run is over: the actor may end.
  public var isFinished: Bool
  /// The heartbeat's own moment again, and two of replay's clock: when it came and when this went.
  public var sentMicroseconds: Int?
  public var receivedMicroseconds: Int?
  public var answeredMicroseconds: Int?
  /// What somebody wants this actor to measure.
  public var errand: LinkErrand?

  public init(version: PolicyVersion?, isFinished: Bool) {
    self.version = version
    self.isFinished = isFinished
  }
}

public struct Wait: Equatable, Sendable {
  public var milliseconds: Int
  /// Whom the asker waits for, in words ("the learner to commit step 12").
  public var reason: String
  /// The run is over.
  public var isFinished: Bool

  public init(milliseconds: Int, reason: String, isFinished: Bool = false) {
    self.milliseconds = milliseconds
    self.reason = reason
    self.isFinished = isFinished
  }
}

public struct LeaseRequest: Equatable, Sendable {
  public var step: Int
  public var epoch: Int

  public init(step: Int, epoch: Int) {
    self.step = step
    self.epoch = epoch
  }
}

public struct BatchLease: Equatable, Sendable {
  public var step: Int
  public var epoch: Int
  /// The batch: tickets whose groups are trained for the first time, in order, then those of
  /// committed steps that are trained once more; one payload frame each.
  public var tickets: [Int]
  public var reused: [Int]
  /// Evaluations finished since the last lease.
  public var evaluations: [EvaluationSummary]
  /// Versions evaluation still needs: the weight server keeps them.
  public var pinnedVersions: [Int]
  /// Groups dropped since the run began, and tokens sampled in them, by reason.
  public var dropped: [DropCount]
  /// Groups ready beyond this batch, and the share of the time since the last lease that each
  /// actor was idle.
  public var readyGroups: Int
  /// Groups of committed steps that this lease could choose from.
  public var reusableGroups: Int
  /// How long the batch's groups lay at replay, from arrival to this lease; 0 for a repeated lease.
  public var waitMeanMilliseconds: Int
  public var waitMaxMilliseconds: Int
  public var actors: [ActorShare]

  public init(
    step: Int, epoch: Int, tickets: [Int], reused: [Int] = [],
    evaluations: [EvaluationSummary] = [], pinnedVersions: [Int] = [], dropped: [DropCount] = [],
    readyGroups: Int = 0, reusableGroups: Int = 0, waitMeanMilliseconds: Int = 0,
    waitMaxMilliseconds: Int = 0, actors: [ActorShare] = []
  ) {
    self.step = step
    self.epoch = epoch
    self.tickets = tickets
    self.reused = reused
    self.evaluations = evaluations
    self.pinnedVersions = pinnedVersions
    self.dropped = dropped
    self.readyGroups = readyGroups
    self.reusableGroups = reusableGroups
    self.waitMeanMilliseconds = waitMeanMilliseconds
    self.waitMaxMilliseconds = waitMaxMilliseconds
    self.actors = actors
  }

  /// All of the batch, in the order of training and of the payload frames.
  public var batch: [Int] { tickets + reused }
}

public struct DropCount: Equatable, Sendable {
  public var reason: String
  public var groups: Int
  public var tokens: Int

  public init(reason: String, groups: Int, tokens: Int) {
    self.reason = reason
    self.groups = groups
    self.tokens = tokens
  }
}

/// What an actor has done since the run began, by its own heartbeats.
public struct ActorShare: Equatable, Sendable {
  public var name: String
  public var tokensSampled: Int
  public var idleMilliseconds: Int
  public var bytesReceived: Int

  public init(name: String, tokensSampled: Int, idleMilliseconds: Int, bytesReceived: Int) {
    self.name = name
    self.tokensSampled = tokensSampled
    self.idleMilliseconds = idleMilliseconds
    self.bytesReceived = bytesReceived
  }
}

public struct EvaluationSummary: Equatable, Sendable {
  public var version: Int
  public var prompts: Int
  public var samples: Int
  /// Means over all samples.
  public var reward: Double
  public var strict: Double
  /// Half the width of its 95 % interval, over prompts.
  public var strictInterval: Double
  public var lenient: Double
  /// Strictly right and not truncated.
  public var completed: Double
  /// Samples whose verifier gave no verdict; they count as wrong above.
  public var invalid: Int
  /// Share of prompts with at least one strictly correct sample.
  public var passAtK: Double
  public var meanLength: Double

  public init(
    version: Int, prompts: Int, samples: Int, reward: Double, strict: Double,
    strictInterval: Double = 1, lenient: Double, completed: Double, invalid: Int,
    passAtK: Double, meanLength: Double
  ) {
    self.version = version
    self.prompts = prompts
    self.samples = samples
    self.reward = reward
    self.strict = strict
    self.strictInterval = strictInterval
    self.lenient = lenient
    self.completed = completed
    self.invalid = invalid
    self.passAtK = passAtK
    self.meanLength = meanLength
  }

  /// Half the width of the 95 % interval of `passAtK`: each prompt passed or did not.
  public var passAtKInterval: Double {
    let passed = passAtK * Double(prompts)
    return MeanInterval.halfWidth(count: prompts, sum: passed, squares: passed)
  }
}

public enum StepOutcome: String, Sendable, CaseIterable {
  case trained
  /// No group had a slope: the weights are as they were.
  case empty
  /// Something was not finite: the weights are as they were.
  case skipped
}

public struct StepCommit: Equatable, Sendable {
  public var step: Int
  public var epoch: Int
  public var outcome: StepOutcome
  /// As leased, in order.
  public var tickets: [Int]
  public var reused: [Int]
  /// The version the step made: number step + 1.
  public var version: PolicyVersion
  /// Over weights and optimizer state: the chain that resume and verify check.
  public var stateDigest: Digest
  /// The checkpoint folder's name when one was due and is durable, else nil.
  public var checkpoint: String?
  /// How the pool of exercises stands after the step; nil without a curriculum.
  public var curriculum: CurriculumState?
  /// One a trajectory trained, in the order of training.
  public var trajectories: [TrainedTrajectory]

  public init(
    step: Int, epoch: Int, outcome: StepOutcome, tickets: [Int], reused: [Int] = [],
    version: PolicyVersion, stateDigest: Digest, checkpoint: String?,
    curriculum: CurriculumState? = nil, trajectories: [TrainedTrajectory]
  ) {
    self.step = step
    self.epoch = epoch
    self.outcome = outcome
    self.tickets = tickets
    self.reused = reused
    self.version = version
    self.stateDigest = stateDigest
    self.checkpoint = checkpoint
    self.curriculum = curriculum
    self.trajectories = trajectories
  }

  /// All that the step trained, in the order of training.
  public var batch: [Int] { tickets + reused }
}

/// What training saw of one trajectory.
public struct TrainedTrajectory: Equatable, Sendable {
  public var ticket: Int
  public var sample: Int
  /// False when its group had no spread or the completion was masked.
  public var isTrained: Bool
  public var advantage: Float
  public var ratioLeast: Float
  public var ratioMean: Float
  public var ratioGreatest: Float
  public var kl: Float
  public var clippedShare: Float
  public var entropy: Float

  public init(
    ticket: Int, sample: Int, isTrained: Bool, advantage: Float, ratioLeast: Float,
    ratioMean: Float, ratioGreatest: Float, kl: Float, clippedShare: Float, entropy: Float
  ) {
    self.ticket = ticket
    self.sample = sample
    self.isTrained = isTrained
    self.advantage = advantage
    self.ratioLeast = ratioLeast
    self.ratioMean = ratioMean
    self.ratioGreatest = ratioGreatest
    self.kl = kl
    self.clippedShare = clippedShare
    self.entropy = entropy
  }
}

public struct Committed: Equatable, Sendable {
  public var step: Int
  /// The run has all its steps.
  public var isFinished: Bool

  public init(step: Int, isFinished: Bool) {
    self.step = step
    self.isFinished = isFinished
  }
}

/// Why something was refused: a code a program can act on, and a sentence for a person.
public struct Refusal: Equatable, Sendable, Error {
  public enum Code: String, Sendable, CaseIterable {
    /// The frames or the body are not what the protocol says.
    case malformed
    case protocolVersion = "protocol-version"
    case helloFirst = "hello-first"
    case role
    case anotherRun = "another-run"
    case numericClass = "numeric-class"
    /// A group whose version is too old for its ticket.
    case stale
    /// A group whose content breaks a rule (lengths, ids, values that are not finite).
    case invalid
    /// A payload that is not what its digest says.
    case corrupt
    case unknownTicket = "unknown-ticket"
    /// A lease or commit of a learner that another has replaced.
    case fenced
    /// A step that is not the next, or a batch that is not the leased one.
    case order
    case tooLarge = "too-large"
    /// Replay's queue or its disk is full: hold what you have and ask again.
    case busy
    /// A blob nobody serves (any more): the sentence names the newest version.
    case gone
  }

  public var code: Code
  public var sentence: String

  public init(_ code: Code, _ sentence: String) {
    self.code = code
    self.sentence = sentence
  }
}
