// The hours in the middle of a run: replay, learner and actors under the supervisor, and a view of
// them, until the last step and its evaluation are done.

import Documents
import Experience
import Glibc
import Messaging
import Operations
import Wire

/// How training ended.
enum TrainingEnd {
  /// With its last step.
  case finished
  /// With the hours it was given, at a step boundary.
  case timeOver
  /// Asked to stop.
  case stopped
}

final class RunTraining {
  static let tickMilliseconds: UInt32 = 100
  /// A turn takes a tick and what it waits for replay; one of so long was no turn.
  private static let frozenSeconds = 10.0
  static let viewSeconds = 1.0
  static let plainSeconds = 10.0
  /// Lines of the run's own log that a stall quotes.
  static let quotedEvents = 12
  /// How long actors may take for the last evaluation before the run ends without it.
  static let lastEvaluationSeconds = 120.0

  /// From a signal to the end of the run are 25 s. Actors keep nothing that is not theirs to lose;
  /// the learner may write a checkpoint, replay tells far actors and folds its log.
  static let actorStopSeconds = 2.5
  static let learnerStopSeconds = 16.0
  static let replayStopSeconds = 5.0

  private let run: RunFolder
  private let settings: RunSettings
  private let signals: SignalWatch
  private let supervisor: Supervisor
  private let isInteractive: Bool
  private let looker: StatusLooker
  private let strand: Strand
  private let meters: Meters
  private let log: Log
  private var state: RunState
  private var reader: MetricsReader
  private let bell: AlarmBell
  private var screen = LiveScreen()
  private let began = MonotonicClock.now

  init(
    run: RunFolder, settings: RunSettings, _ allowance: ResumeAllowance, cores: Int,
    signals: SignalWatch, isPlain: Bool, strand: Strand, meters: Meters, end: Deadline
  ) throws {
    self.meters = meters
    self.strand = strand
    self.run = run
    self.settings = settings
    self.signals = signals
    isInteractive = Terminal.isInteractive && !isPlain
    log = try Log("run", file: run.log("run"), standardError: !isInteractive)
    // Of processes of an earlier session.
    for account in run.processAccounts where account.name != "run" {
      try Files.remove(run.account(account.name))
    }
    supervisor = try Supervisor(
      try Self.plans(run, settings, allowance, cores: cores, end: end),
      settings: settings.supervisor, log: log)
    let endpoints = try Endpoints.connecting(settings.network, run: run)
    looker = try StatusLooker(endpoint: endpoints.replay, keys: try .looking(settings.network))
    state = RunState(name: run.name, steps: settings.run.steps)
    reader = MetricsReader(path: run.metrics)
    bell = try AlarmBell(run, settings, log: log)
  }

  func carryOut() throws -> TrainingEnd {
    defer { supervisor.stop(strand: strand, isUrgent: { self.signals.count > 1 }) }
    var nextView = Deadline.now
    var nextStatus = Deadline.now
    var lastProgress = Deadline.after(seconds: settings.supervisor.stallSeconds)
    var finishedBy: Deadline?
    var turnedAt = MonotonicClock.now
    while true {
      // A run that was frozen whole, as a container may be, has had no time for a step.
      if MonotonicClock.seconds(since: turnedAt) > Self.frozenSeconds {
        lastProgress = .after(seconds: settings.supervisor.stallSeconds)
      }
      turnedAt = MonotonicClock.now
      strand.work("watching over the processes")
      if signals.isStopping {
        screen.clear()
        RunCommand.say("stopping: actors, then the learner with a checkpoint, then replay")
        return .stopped
      }
      let before = (committed: committedSteps, heard: state.stepsHeard)
      let isTrainedBefore = committedSteps >= settings.run.steps
      try hear()
      if nextStatus.hasPassed {
        state.status = ask()
        state.accounts = run.processAccounts
        state.isReplaySilent = state.status == nil
        // Actors of a run that is trained may go.
        if !isTrainedBefore { bell.look(state.status, step: committedSteps) }
        nextStatus = .after(seconds: Self.viewSeconds)
      }
      // A step taken again is no progress of the run, and no stall either.
      if committedSteps > before.committed || state.stepsHeard > before.heard {
        lastProgress = .after(seconds: settings.supervisor.stallSeconds)
      }
      let isTrained = committedSteps >= settings.run.steps
      try supervisor.tick(progress: committedSteps, isFinished: isTrained)
      state.alarms = bell.standing
      meters.tell(state, supervisor)
      if supervisor.isTimeOver {
        try hear()
        show()
        return .timeOver
      }
      if nextView.hasPassed {
        show()
        nextView = .after(seconds: isInteractive ? Self.viewSeconds : Self.plainSeconds)
      }
      if isTrained {
        let limit = finishedBy ?? .after(seconds: Self.lastEvaluationSeconds)
        finishedBy = limit
        if limit.hasPassed {
          RunCommand.say(
            "the last evaluation was not finished within \(Self.lastEvaluationSeconds) s and is "
              + "left out")
        }
        if limit.hasPassed || isEvaluated() {
          show()
          return .finished
        }
      } else if lastProgress.hasPassed {
        guard let outside = state.graph.outsideWait else { throw stalled() }
        // Nobody here could proceed, so nobody is ended: it is said, and waited for.
        say("no step for \(settings.supervisor.stallSeconds) s: \(outside)")
        lastProgress = .after(seconds: settings.supervisor.stallSeconds)
      }
      usleep(Self.tickMilliseconds * 1000)
    }
  }

  /// Reads what the learner has recorded since.
  private func hear() throws {
    guard Files.exists(run.metrics) else { return }
    let records = try reader.read()
    state.take(records)
    bell.take(records)
  }

  /// The ledger's word where it can be had: a line of metrics may be lost, a commit never is.
  private var committedSteps: Int {
    max(state.step, Int(state.status?.number("step") ?? 0))
  }

  private func ask() -> Document? {
    strand.wait(
      for: "replay to say how it stands",
      until: .after(seconds: Double(StatusLooker.answerMilliseconds) / 1000))
    defer { strand.work("watching over the processes") }
    return looker.ask()
  }

  /// Whether replay says that the last version's evaluation is done too.
  private func isEvaluated() -> Bool {
    state.status = ask()
    return state.status?["isFinished"] == .bool(true)
  }

  private func stalled() -> Failure {
    let who = state.graph.lines.joined(separator: "\n  ")
    let now = MonotonicClock.now
    let events = log.events.last.suffix(Self.quotedEvents).map { event in
      "\(RunView.format(Double(now - event.at) / 1e9, 1)) s before: \(event.text)"
    }.joined(separator: "\n  ")
    return Failure(
      "train", on: run.path,
      happened: "no step for \(settings.supervisor.stallSeconds) s; who waits for whom:\n  "
        + (who.isEmpty ? "replay does not answer" : who) + "\nthe last events here:\n  " + events,
      remedy: "look at \(run.logs); raise supervisor.stallSeconds if a step takes that long",
      exitCode: .stalled)
  }

  private func say(_ line: String) {
    screen.clear()
    log.warning(line)
    if isInteractive { RunCommand.say(line) }
  }

  private func show() {
    // A terminal that was stopped takes nothing until it goes on.
    strand.use("the terminal to take output")
    defer { strand.work("watching over the processes") }
    let elapsed = MonotonicClock.seconds(since: began)
    guard isInteractive else {
      RunCommand.say(RunView.plainLine(state, elapsedSeconds: elapsed))
      return
    }
    // What `forage status --watch` shows.
    let report = StatusReport(
      state: state, hasMetrics: true, folder: nil, sessionSeconds: elapsed)
    screen.show(report.lines(width: Terminal.columns))
  }

  /// Replay first, so that the others find it; actors last, so that they stop first.
  private static func plans(
    _ run: RunFolder, _ settings: RunSettings, _ allowance: ResumeAllowance, cores: Int,
    end: Deadline
  ) throws -> [ChildPlan] {
    let programs = try Programs.folder()
    let replay = try Endpoints.connecting(settings.network, run: run).replay
    let learnerThreads = settings.learner.threads > 0 ? settings.learner.threads : cores
    let actors = settings.replay.mode == .offline ? 0 : settings.actor.count
    let actorThreads =
      settings.actor.threads > 0 ? settings.actor.threads : max(1, cores / max(1, actors))
    let until = end == .never ? [] : ["--until", String(end.moment)]
    var plans = [
      ChildPlan(
        name: "replay", program: "\(programs)/forage-replay",
        arguments: ["--run", run.path] + allowance.replayArguments,
        logPath: run.log("replay"), stopSeconds: replayStopSeconds),
      ChildPlan(
        name: "learner", program: "\(programs)/forage-learner",
        arguments: ["--run", run.path, "--threads", String(learnerThreads)]
          + allowance.learnerArguments + until,
        logPath: run.log("learner"), stopSeconds: learnerStopSeconds),
    ]
    let keys = settings.network.keys
    // A path: the secret itself is on no command line, where everybody could read it.
    let keyed = keys.isEmpty ? [] : ["--keys", KeyFolder(keys).secretPath("actor")]
    for index in 0..<actors {
      plans.append(
        ChildPlan(
          name: "actor-\(index)", program: "\(programs)/forage-actor",
          arguments: [replay, "--name", "actor-\(index)", "--threads", String(actorThreads)]
            + keyed + RunPages.actorArguments(settings.metrics, index),
          logPath: run.log("actor-\(index)"), stopSeconds: actorStopSeconds,
          environment: [
            ProcessAccount.environmentName: run.account("actor-\(index)"),
            SpanRecorder.environmentName:
              "\(settings.trace.maximumBytes):\(run.spans("actor-\(index)"))",
          ]))
    }
    for index in plans.indices { plans[index].holdsStopSignals = true }
    return plans
  }
}

/// Where the other programs are: beside this one.
enum Programs {
  static func folder() throws(Failure) -> String {
    Files.folder(of: try Files.realPath("/proc/self/exe"))
  }
}
