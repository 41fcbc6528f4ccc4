// The hours in the middle of a run: replay, learner and actors under the supervisor, and a view of
// them, until the last step and its evaluation are done.

import Documents
import Experience
import Glibc
import Messaging
import Operations
import Wire

final class RunTraining {
  static let tickMilliseconds: UInt32 = 100
  static let viewSeconds = 1.0
  static let plainSeconds = 10.0
  /// How long actors may take for the last evaluation before the run ends without it.
  static let lastEvaluationSeconds = 120.0

  private let run: RunFolder
  private let settings: RunSettings
  private let signals: SignalWatch
  private let supervisor: Supervisor
  private let isInteractive: Bool
  private let looker: StatusLooker
  private var state: RunState
  private var reader: MetricsReader
  private var drawnLines = 0
  private let began = MonotonicClock.now

  init(
    run: RunFolder, settings: RunSettings, _ allowance: ResumeAllowance, cores: Int,
    signals: SignalWatch, isPlain: Bool
  ) throws {
    self.run = run
    self.settings = settings
    self.signals = signals
    isInteractive = Terminal.isInteractive && !isPlain
    let log = try Log("run", file: run.log("run"), standardError: !isInteractive)
    supervisor = try Supervisor(
      try Self.plans(run, settings, allowance, cores: cores), settings: settings.supervisor,
      log: log)
    let endpoints = try Endpoints.connecting(settings.network, run: run)
    looker = try StatusLooker(endpoint: endpoints.replay)
    state = RunState(name: run.name, steps: settings.run.steps)
    reader = MetricsReader(path: run.metrics)
  }

  /// True at the end of the run, false when asked to stop before it.
  func carryOut() throws -> Bool {
    defer { supervisor.stop(isUrgent: { self.signals.count > 1 }) }
    var nextView = Deadline.now
    var nextStatus = Deadline.now
    var lastProgress = Deadline.after(seconds: settings.supervisor.stallSeconds)
    var finishedBy: Deadline?
    while true {
      if signals.isStopping {
        clearView()
        RunCommand.say("stopping: actors, then the learner with a checkpoint, then replay")
        return false
      }
      let before = committedSteps
      if Files.exists(run.metrics) { state.take(try reader.read()) }
      if nextStatus.hasPassed {
        state.status = looker.ask()
        nextStatus = .after(seconds: Self.viewSeconds)
      }
      if committedSteps > before {
        lastProgress = .after(seconds: settings.supervisor.stallSeconds)
      }
      let isTrained = committedSteps >= settings.run.steps
      try supervisor.tick(progress: committedSteps, isFinished: isTrained)
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
          return true
        }
      } else if lastProgress.hasPassed {
        throw stalled()
      }
      usleep(Self.tickMilliseconds * 1000)
    }
  }

  /// The ledger's word where it can be had: a line of metrics may be lost, a commit never is.
  private var committedSteps: Int {
    max(state.step, Int(state.status?.number("step") ?? 0))
  }

  /// Whether replay says that the last version's evaluation is done too.
  private func isEvaluated() -> Bool {
    state.status = looker.ask()
    return state.status?["isFinished"] == .bool(true)
  }

  private func stalled() -> Failure {
    let who = RunView.waiting(state).joined(separator: "\n  ")
    return Failure(
      "train", on: run.path,
      happened: "no step for \(settings.supervisor.stallSeconds) s; who waits for whom:\n  "
        + (who.isEmpty ? "replay does not answer" : who),
      remedy: "look at \(run.logs); raise supervisor.stallSeconds if a step takes that long",
      exitCode: .stalled)
  }

  private func show() {
    let elapsed = MonotonicClock.seconds(since: began)
    guard isInteractive else {
      RunCommand.say(RunView.plainLine(state, elapsedSeconds: elapsed))
      return
    }
    let lines = RunView.lines(state, elapsedSeconds: elapsed, width: Terminal.columns)
    clearView()
    Terminal.write(lines.joined(separator: "\n") + "\n")
    drawnLines = lines.count
  }

  /// Moves the cursor over what was drawn and clears from there.
  private func clearView() {
    if drawnLines > 0 { Terminal.write("\r\u{1B}[\(drawnLines)A\u{1B}[J") }
    drawnLines = 0
  }

  /// Replay first, so that the others find it; actors last, so that they stop first.
  private static func plans(
    _ run: RunFolder, _ settings: RunSettings, _ allowance: ResumeAllowance, cores: Int
  ) throws -> [ChildPlan] {
    let programs = try Programs.folder()
    let replay = try Endpoints.connecting(settings.network, run: run).replay
    let learnerThreads = settings.learner.threads > 0 ? settings.learner.threads : cores
    let actors = settings.actor.count
    let actorThreads =
      settings.actor.threads > 0 ? settings.actor.threads : max(1, cores / max(1, actors))
    var plans = [
      ChildPlan(
        name: "replay", program: "\(programs)/forage-replay",
        arguments: ["--run", run.path] + allowance.replayArguments,
        logPath: run.log("replay"), stopSeconds: 10),
      ChildPlan(
        name: "learner", program: "\(programs)/forage-learner",
        arguments: ["--run", run.path, "--threads", String(learnerThreads)]
          + allowance.learnerArguments,
        logPath: run.log("learner"), stopSeconds: 25),
    ]
    for index in 0..<actors {
      plans.append(
        ChildPlan(
          name: "actor-\(index)", program: "\(programs)/forage-actor",
          arguments: [replay, "--name", "actor-\(index)", "--threads", String(actorThreads)],
          logPath: run.log("actor-\(index)"), stopSeconds: 5))
    }
    return plans
  }
}

/// Where the other programs are: beside this one.
enum Programs {
  static func folder() throws(Failure) -> String {
    Files.folder(of: try Files.realPath("/proc/self/exe"))
  }
}
