// Keeps a run's processes alive: starts them, starts a dead one again after a pause that doubles,
// and gives up, loudly, when one dies too often without a step in between.
//
// Children hold the reading end of a pipe whose writing end is ours alone: however this process
// ends, kill -9 included, they see its end of file, checkpoint and exit. So there are no orphans.

import Glibc
import Operations

/// One process of a run, and how to start it.
package struct ChildPlan {
  /// "replay", "learner", "actor-0".
  package var name: String
  package var program: String
  package var arguments: [String]
  /// Its standard output and error are appended here.
  package var logPath: String
  /// How long it may take to stop by itself: a learner writes a checkpoint first.
  package var stopSeconds: Double
  package var environment: [String: String?]
  /// A program of ours, which watches for stop signals first of all (`ChildProcess`).
  package var holdsStopSignals = false

  package init(
    name: String, program: String, arguments: [String], logPath: String, stopSeconds: Double,
    environment: [String: String?] = [:]
  ) {
    self.environment = environment
    self.name = name
    self.program = program
    self.arguments = arguments
    self.logPath = logPath
    self.stopSeconds = stopSeconds
  }
}

package final class Supervisor {
  private struct Ward {
    var plan: ChildPlan
    var child: ChildProcess?
    /// When a dead one may start again.
    var restart = Deadline.now
    var backoffSeconds: Double
    /// Since the run last made progress.
    var deaths = 0
    /// An end that was expected: an actor after the last step.
    var isDone = false
  }

  /// Lines of a child's log that a failure quotes.
  static let quotedLines = 6

  private var wards: [Ward]
  private let settings: SupervisorSection
  private let lifeline: Lifeline
  private let log: Log
  private var progress = Int.min
  /// Deaths in all, for the run's last word.
  package private(set) var totalDeaths = 0
  /// A process ended because the hours given are over.
  package private(set) var isTimeOver = false

  /// `plans` are in the order of starting; stopping goes the other way round.
  package init(_ plans: [ChildPlan], settings: SupervisorSection, log: Log) throws(Failure) {
    wards = plans.map { Ward(plan: $0, backoffSeconds: settings.firstBackoffSeconds) }
    self.settings = settings
    self.log = log
    lifeline = try Lifeline()
  }

  /// Looks at every child once: reaps, restarts. `progress` is any number that grows as the run
  /// does; `isFinished` lets actors and the learner end by themselves.
  package func tick(progress now: Int, isFinished: Bool) throws(Failure) {
    if now > progress {
      progress = now
      for index in wards.indices {
        wards[index].deaths = 0
        wards[index].backoffSeconds = settings.firstBackoffSeconds
      }
    }
    for index in wards.indices where !wards[index].isDone {
      if let end = wards[index].child?.poll() {
        wards[index].child = nil
        if isFinished && end.isSuccess {
          wards[index].isDone = true
          continue
        }
        if end.exitCode == .timeOver {
          wards[index].isDone = true
          isTimeOver = true
          continue
        }
        try bury(index, end)
      }
      if wards[index].child == nil, wards[index].restart.hasPassed { try start(index) }
    }
  }

  /// Process ids by name, of those that live.
  package var processes: [(name: String, processID: Int32)] {
    wards.compactMap { ward in ward.child.map { (ward.plan.name, $0.processID) } }
  }

  /// Stops everybody, last started first; each may take its time, then it is killed. `isUrgent`,
  /// asked all along, ends the patience: a second Ctrl-C.
  package func stop(strand: Strand = Strand("supervise"), isUrgent: () -> Bool = { false }) {
    var index = wards.count
    while index > 0 {
      // Processes that share a stop time and came one after another stop together: all actors.
      let end = index
      let seconds = wards[end - 1].plan.stopSeconds
      while index > 0, wards[index - 1].plan.stopSeconds == seconds { index -= 1 }
      for ward in wards[index..<end] { ward.child?.terminate() }
      let deadline = Deadline.after(seconds: seconds)
      for position in index..<end {
        guard let child = wards[position].child else { continue }
        strand.wait(for: "\(wards[position].plan.name) to stop", until: deadline)
        if let ended = wait(for: child, deadline, isUrgent) {
          if !ended.isSuccess { log.warning("\(wards[position].plan.name) \(ended)") }
        } else {
          log.warning(
            "\(wards[position].plan.name) is killed: "
              + (isUrgent() ? "asked twice to stop" : "it did not stop within \(seconds) s"))
          child.killGroup()
          _ = child.wait(deadline: .after(seconds: 5))
        }
        wards[position].child = nil
      }
    }
  }

  private func wait(
    for child: ChildProcess, _ deadline: Deadline, _ isUrgent: () -> Bool
  ) -> ChildExit? {
    while !deadline.hasPassed, !isUrgent() {
      let slice = min(deadline, Deadline.after(seconds: 0.1))
      if let ended = child.wait(deadline: slice) { return ended }
    }
    return child.poll()
  }

  private func start(_ index: Int) throws(Failure) {
    let plan = wards[index].plan
    wards[index].child = try ChildProcess(
      plan.program, plan.arguments, environment: plan.environment, output: .append(plan.logPath),
      error: .append(plan.logPath), lifeline: lifeline,
      holdsStopSignals: plan.holdsStopSignals)
    log.info("started \(plan.name), process \(wards[index].child?.processID ?? 0)")
  }

  private func bury(_ index: Int, _ end: ChildExit) throws(Failure) {
    let plan = wards[index].plan
    totalDeaths += 1
    wards[index].deaths += 1
    let mayHelp = end.exitCode?.mayHelpToRestart ?? true
    guard mayHelp || end.isSuccess, wards[index].deaths < settings.maximumDeaths else {
      let often =
        wards[index].deaths == 1
        ? "it \(end)"
        : "it died \(wards[index].deaths) times without a step between; last it \(end)"
      throw Failure(
        "keep alive", on: plan.name,
        happened: "\(often)\n" + lastLines(of: plan.logPath),
        remedy: "its whole log is \(plan.logPath)",
        exitCode: mayHelp || end.isSuccess ? .gaveUp : end.exitCode ?? .gaveUp)
    }
    let pause = wards[index].backoffSeconds
    log.warning("\(plan.name) \(end); starting it again in \(pause) s")
    wards[index].restart = .after(seconds: pause)
    wards[index].backoffSeconds = min(pause * 2, settings.maximumBackoffSeconds)
  }

  private func lastLines(of path: String) -> String {
    guard let text = try? Files.readText(path) else { return "" }
    return text.split(separator: "\n").suffix(Self.quotedLines).map { "    " + $0 }
      .joined(separator: "\n")
  }
}
