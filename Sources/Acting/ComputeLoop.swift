// What the compute thread does, from the first delivery to the last: ask for tickets with the
// version held, fetch what is named, sample, hand over to be judged, ask again.

import Experience
import Operations
import Wire

struct ComputeLoop {
  let name: String
  /// 0 takes the settings' number, and where that is 0 all cores.
  let threads: Int
  let port: ComputePort
  let watchdog: Watchdog?
  let log: Log

  /// Returns when the actor stops; throws what nobody can mend here.
  func run() throws {
    let first = port.receive("waiting for the learner to serve the run's files")
    guard case .run(let welcome, let files)? = first else { return }
    port.enter("building the model")
    let settings = try RunSettings(welcome.settings, source: "the settings of run \(welcome.run)")
    watchdog?.setPatience(seconds: settings.supervisor.patienceSeconds)
    let threads = [self.threads, settings.actor.threads, Machine.coreCount].first { $0 > 0 } ?? 1
    let rollouts = try Rollouts(
      name: name, welcome: welcome, files: files, threads: threads, strand: port.strand)
    try tryProgram(rollouts)
    guard port.give(.definitions(welcome.files + rollouts.definitions)) else { return }
    log.info("joined run \(welcome.run), lineage \(welcome.lineage), with \(threads) threads")
    let judging = try JudgeThread(
      rollouts.judge, port: port, strand: watchdog?.strand("judge") ?? Strand("judge"))
    defer { judging.stop() }
    try work(rollouts, judging)
  }

  /// A verifier's program is not among the files of a run: each host has its own copy of it.
  private func tryProgram(_ rollouts: Rollouts) throws {
    let seconds = rollouts.judge.verdictSeconds
    guard seconds > 0 else { return }
    port.enter("trying the verifier's program")
    // A program that keeps its own deadline is not taken for hung; it is asked twice, the second
    // time for the definitions.
    port.strand.wait(for: "the verifier's program to be tried", until: .after(seconds: 2 * seconds))
    let deadline = Deadline.after(seconds: seconds)
    guard let problem = rollouts.judge.problem(seed: rollouts.settings.run.seed) else { return }
    // One that took all its time may be there another time: this host may be busy.
    let isLate = deadline.hasPassed
    throw Failure(
      "try the verifier of", on: "the run, on this host", happened: problem,
      remedy: isLate
        ? "raise task.verifier.seconds, in which the program also starts"
        : "put the program that task.verifier.command names here, under the same path",
      exitCode: isLate ? .unavailable : .noInput)
  }

  private func work(_ rollouts: Rollouts, _ judging: JudgeThread) throws {
    let count = rollouts.settings.actor.ticketsPerRequest
    // What replay named last: the version to hold, even when a newer one has come meanwhile.
    var named: Int?
    var newest = -1
    var reason = "replay to grant tickets"
    while !port.isStopping {
      try judging.check()
      if named == nil { guard try takeNewest(than: newest, rollouts) else { return } }
      newest = max(newest, rollouts.version?.number ?? -1)
      let request = TicketRequest(version: rollouts.version, count: count)
      let asked = MonotonicClock.now
      guard port.give(.tickets(request)),
        case .answer(let answer)? = port.receive("waiting for \(reason)")
      else { return }
      let answered = MonotonicClock.now
      port.strand.span(.ticketWait, from: asked, to: answered)
      switch answer {
      case .tickets(let tickets):
        for ticket in tickets where ticket.key.purpose == .train {
          port.strand.span(.ticket, id: ticket.key.number, from: asked, to: answered)
        }
        reason = "replay to grant tickets"
        guard try fill(tickets, rollouts, judging) else { return }
        // The rest of an evaluation goes to whoever holds its version: keep it till told otherwise.
        named = tickets.allSatisfy { $0.key.purpose == .train } ? nil : rollouts.version?.number
      case .fetch(let version):
        // An older one than is held, or one named twice: no other version will do.
        let isExact =
          rollouts.version.map { version.number < $0.number || version.number == named } ?? false
        guard try fetch(version.number, isExact: isExact, rollouts) else { return }
        named = version.number
      case .wait(let wait):
        named = nil
        reason = wait.reason
        port.strand.measure(.pause) {
          port.pause(
            milliseconds: max(1, wait.milliseconds), newerThan: rollouts.version?.number,
            "waiting for \(reason)")
        }
      }
    }
  }

  /// Swaps to weights fetched ahead of need, if there are newer ones, or back to the newest ever
  /// held after an evaluation of older ones. False once the actor stops.
  private func takeNewest(than newest: Int, _ rollouts: Rollouts) throws -> Bool {
    if let fetched = port.takeNewest(than: rollouts.version?.number) {
      try load(fetched, rollouts)
    } else if let held = rollouts.version, held.number < newest {
      return try fetch(newest, isExact: false, rollouts)
    }
    return true
  }

  private func load(_ fetched: FetchedSnapshot, _ rollouts: Rollouts) throws {
    port.enter("loading version \(fetched.snapshot.version.number)")
    try rollouts.load(fetched)
    port.hold(fetched.snapshot.version)
    watchdog?.setReady()
    log.debug("holds version \(fetched.snapshot.version)")
  }

  /// False once the actor stops.
  private func fetch(_ number: Int, isExact: Bool, _ rollouts: Rollouts) throws -> Bool {
    if !isExact, let fetched = port.takeNewest(than: number - 1) {
      try load(fetched, rollouts)
      return true
    }
    let asked = MonotonicClock.now
    guard port.give(.weights(version: number, isExact: isExact)),
      let delivery = port.receive("waiting for the learner to serve version \(number)")
    else { return false }
    port.strand.span(.weightsWait, id: number, from: asked)
    switch delivery {
    case .weights(let fetched): try load(fetched, rollouts)
    case .gone(_, let sentence):
      log.warning("version \(number) is gone: \(sentence)")
      // One that is committed is served a moment later: it comes ahead of need and ends the wait.
      let isAhead = number > rollouts.version?.number ?? -1
      port.strand.measure(.pause) {
        port.pause(
          milliseconds: 200, newerThan: isAhead ? number - 1 : .max,
          "waiting for replay to want another version")
      }
      if isAhead, let fetched = port.takeNewest(than: number - 1) { try load(fetched, rollouts) }
    case .run, .answer: preconditionFailure("asked for version \(number), got \(delivery)")
    }
    return true
  }

  /// Fills tickets, those of one version together. False once the actor stops.
  private func fill(
    _ tickets: [Ticket], _ rollouts: Rollouts, _ judging: JudgeThread
  ) throws -> Bool {
    // Rarely any: a ticket whose question was asked with another version than is held by now.
    var others = tickets.filter { !rollouts.canFill($0) }
    let now = tickets.filter { rollouts.canFill($0) }
    guard try sample(now, rollouts, judging) else { return false }
    while let first = others.first {
      let number = first.neededVersion
      guard try fetch(number, isExact: first.key.purpose != .train, rollouts) else { return false }
      let ready = others.filter { rollouts.canFill($0) }
      others.removeAll { rollouts.canFill($0) }
      if ready.isEmpty {
        others.removeFirst()
        log.warning("\(first.key) is given back: version \(number) can not be had")
        guard port.give(.release(first.key)) else { return false }
      }
      guard try sample(ready, rollouts, judging) else { return false }
    }
    return true
  }

  private func sample(
    _ tickets: [Ticket], _ rollouts: Rollouts, _ judging: JudgeThread
  ) throws -> Bool {
    guard !tickets.isEmpty else { return true }
    port.enter("sampling \(tickets.count) tickets with version \(rollouts.version?.number ?? -1)")
    var counted = 0
    let groups = try rollouts.sample(
      tickets,
      shouldStop: {
        port.turn()
        return port.isStopping
      },
      progress: {
        port.sampled($0 - counted)
        counted = $0
      })
    guard let groups else { return false }
    return try port.strand.measure(.handOver, amount: groups.count) {
      for group in groups {
        guard try judging.take(group) else { return false }
      }
      return true
    }
  }
}

extension Ticket {
  /// The version number to hold for it: exactly this for an evaluation, else at least this.
  var neededVersion: Int {
    switch key.purpose {
    case .train: minimumVersion
    case .evaluate(let version): version
    }
  }
}

extension Rollouts {
  /// Whether the weights held now may fill the ticket.
  func canFill(_ ticket: Ticket) -> Bool {
    guard let number = version?.number else { return false }
    return switch ticket.key.purpose {
    case .train: number >= ticket.minimumVersion
    case .evaluate(let version): number == version
    }
  }
}
