// forage bench ledger: groups a second that replay acknowledges, each of them on the disk by then,
// from several actors at once. Tickets are taken and messages made before the clock starts, so what
// is measured is replay: reading, checking, one FULL commit for many groups, acknowledging.
//
// Replay multiplies nothing, so that of the machine's limits the memory's is the one it has a share
// of: each byte of a group counted once, though it is received, digested and written.

import Digests
import Documents
import Experience
import Messaging
import Operations
import Wire

struct LedgerBench {
  private static let completions = 8
  private static let prompt = 12
  private static let vocabulary = 64
  /// Messages on their way from one actor, as in `Acting.Outbox`.
  private static let window = 64
  /// Groups of a step of the temporary run: a batch of large ones must fit one lease.
  private static let groupsPerStep = 256
  /// Rows, indices and the write-ahead log of what is sent.
  private static let diskFactor = 4

  private let actors: Int
  private let groups: Int
  private let bytes: Int
  private let parent: String

  init(_ arguments: Arguments) throws {
    actors = try arguments.integer("actors", in: 1...256) ?? 8
    groups = try arguments.integer("groups", in: 1...1_000_000) ?? 8192
    bytes = try arguments.integer("bytes", in: 1...(16 << 20)) ?? 4096
    parent = arguments.positional(1) ?? "."
    guard groups >= actors else {
      throw arguments.bad("groups", "\(groups)", "at least one for each of \(actors) actors")
    }
    guard Files.isFolder(parent) else {
      throw Failure(
        "measure the disk of", on: parent, happened: "there is no such folder",
        remedy: "name a folder on the disk that runs will be on", exitCode: .noInput)
    }
  }

  func run(repeats: Int) throws -> BenchReport {
    let new = try newTokens()
    try checkRoom(groups * repeats)
    BenchProgress.say("making \(groups) groups of \(size(new: new)) bytes, \(repeats) times")
    let replay = try BenchReplay(
      in: parent, settings: try settings(total: groups * repeats, new: new))
    let limits = MachineLimits(threads: Machine.coreCount)
    var rates: [Double] = []
    for index in 0..<repeats {
      let seconds = try limits.around { try race(replay, first: index * groups, new: new) }
      rates.append(Double(groups) / seconds)
      BenchProgress.repeated(index, of: repeats, "\(BenchNumber.text(rates[index])) groups/s")
    }
    return report(rates, limits, groupBytes: size(new: new))
  }

  /// Seconds until the last of `groups` groups is acknowledged.
  private func race(_ replay: BenchReplay, first: Int, new: Int) throws -> Double {
    let (version, endpoint, actors, groups) = (replay.version, replay.endpoint, actors, groups)
    let messages = (first..<first + groups).map { number -> Frames in
      let blob = Self.group(number, version: version, new: new).encoded()
      let key = TicketKey(purpose: .train, number: number)
      return Envelope(
        id: number, body: Request.submit(Submission(key: key, digest: Digest(of: blob))),
        payload: [blob]
      ).encoded()
    }
    return try StartingLine.race(actors, name: "actor") { index, line in
      let asker = try ReplayAsker(endpoint)
      try asker.helloAsActor("actor-\(index)")
      let share = groups * (index + 1) / actors - groups * index / actors
      let mine = try asker.tickets(share, version: version).map { messages[$0 - first] }
      try line.wait()
      try asker.submit(mine, window: Self.window)
    }.max()!
  }

  private static func group(_ number: Int, version: PolicyVersion, new: Int) -> TrajectoryGroup {
    MadeGroups.group(
      number, version: version, prompt: prompt, completions: completions, new: new,
      vocabulary: vocabulary)
  }

  private func size(new: Int) -> Int {
    let version = PolicyVersion(lineage: "run-00000000", number: 0, digest: Digest(of: [0]))
    return Self.group(groups, version: version, new: new).encoded().count
  }

  /// Tokens a completion for groups of about `bytes`: the size grows linearly with them.
  private func newTokens() throws(Failure) -> Int {
    let least = size(new: 1)
    guard bytes >= least else {
      throw Failure(
        "make groups of", on: "\(bytes) bytes",
        happened: "\(Self.completions) completions of one token take \(least)",
        remedy: "ask for \(least) bytes or more", exitCode: .usage)
    }
    let slope = Double(size(new: 65) - least) / 64
    return 1 + Int((Double(bytes - least) / slope).rounded())
  }

  private func checkRoom(_ total: Int) throws(Failure) {
    let needed = Self.diskFactor * total * bytes
    let free = try Files.freeBytes(at: parent)
    guard needed < free else {
      throw Failure(
        "measure the disk of", on: parent,
        happened: "\(total) groups of \(bytes) bytes may take \(needed >> 20) MiB, and "
          + "\(free >> 20) MiB are free",
        remedy: "lower --groups or --repeats", exitCode: .storage)
    }
  }

  /// A run whose pacing opens every ticket at version 0.
  private func settings(total: Int, new: Int) throws -> RunSettings {
    let steps = (total + Self.groupsPerStep - 1) / Self.groupsPerStep
    guard steps <= 1024 else {
      throw Failure(
        "measure", on: "\(total) groups", happened: "\(1024 * Self.groupsPerStep) are the most",
        remedy: "lower --groups or --repeats", exitCode: .usage)
    }
    return try RunSettings(
      document: .object([]), source: "forage bench ledger",
      overrides: [
        "run.name=bench", "run.steps=\(steps)", "learner.groupsPerStep=\(Self.groupsPerStep)",
        "learner.lagMax=\(max(0, steps - 1))", "sampling.groupSize=\(Self.completions)",
        "sampling.maximumNewTokens=\(new)", "model.maximumPositions=\(new + 512)",
        "learner.microbatchTokens=\(new + 512)", "evaluation.every=0",
        // No ticket is to be given out twice, however busy the machine is.
        "replay.ticketLeaseSeconds=3600", "supervisor.stallSeconds=7200",
        "replay.diskReserveBytes=1048576",
      ])
  }

  private func report(
    _ rates: [Double], _ limits: MachineLimits, groupBytes: Int
  ) -> BenchReport {
    let rate = BenchFigure("acknowledged", "groups/s", rates)
    let volume = BenchFigure("written", "MB/s", rates.map { $0 * Double(groupBytes) / 1e6 })
    let memory = BenchFigure(
      "of the memory limit", "%",
      zip(rates, limits.bytes).map { 100 * $0 * Double(groupBytes) / $1 })
    return BenchReport(
      what: "ledger",
      settings: [
        ("actors", .integer(actors)), ("groups", .integer(groups)),
        ("group_bytes", .integer(groupBytes)), ("in_flight", .integer(Self.window)),
        ("folder", .string(parent)),
      ],
      figures: [rate, volume] + limits.figures + [memory],
      sentence: "Replay takes \(rate.text) of \(BenchNumber.text(Double(groupBytes))) bytes from "
        + "\(actors) actors, each acknowledged once a FULL commit has it on the disk of \(parent): "
        + "\(BenchNumber.percent(memory.median / 100)) of the memory's speed, measured beside it.")
  }
}
