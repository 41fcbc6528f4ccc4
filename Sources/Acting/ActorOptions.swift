// The command line of forage-actor.

import Glibc
import Operations

public struct ActorOptions: Equatable, Sendable {
  /// A name stands in every group and every heartbeat.
  public static let maximumNameBytes = 64

  /// Where replay listens.
  public var address: String
  /// Unique in the run.
  public var name: String
  /// 0 takes the run's settings, and where those say 0 all cores.
  public var threads: Int
  /// A key file; "" joins a run without keys.
  public var keys: String
  /// Without being able to work for so long the actor ends.
  public var giveUpSeconds: Double
  /// Logs every version and every batch.
  public var isVerbose: Bool
  /// HOST:PORT of its pages for a scraper; "" answers nobody.
  public var metrics: String
  public var allowRoutableMetrics: Bool

  public init(
    address: String, name: String? = nil, threads: Int = 0, keys: String = "",
    giveUpSeconds: Double = 600, isVerbose: Bool = false, metrics: String = "",
    allowRoutableMetrics: Bool = false
  ) {
    self.metrics = metrics
    self.allowRoutableMetrics = allowRoutableMetrics
    self.address = address
    self.name = name ?? Self.nameOfThisProcess
    self.threads = threads
    self.keys = keys
    self.giveUpSeconds = giveUpSeconds
    self.isVerbose = isVerbose
  }

  /// Host and process: two actors that were given no names differ.
  public static var nameOfThisProcess: String {
    "\(Machine.hostName)-\(getpid())"
  }

  public static let usage = Usage(
    "forage-actor",
    "Samples completions for a run. Everything but the address comes from the run itself.",
    positionals: [
      .init(
        "ADDRESS", "where the run's replay listens: tcp://HOST:PORT, or ipc://PATH on its own host")
    ],
    options: [
      .value("name", "NAME", "what this actor is called, unique in the run (host and process id)"),
      .value("threads", "T", "processor threads to use (the run's setting, else all cores)"),
      .value("keys", "FILE", "this actor's key, from forage keys make; without it, none are used"),
      .value(
        "give-up-seconds", "S", "end after so long without being able to work (600)"),
      .value("metrics", "ADDRESS", "answer /metrics, /healthz and /readyz at this HOST:PORT"),
      .flag("allow-routable-metrics", "let others than this host ask for them"),
      .flag("verbose", "log every version as it is loaded"),
    ],
    example: "forage-actor tcp://head:45910 --keys actor-7.key --threads 4")

  /// Reads the arguments after the program's name; nil when help was asked for.
  public init?(arguments words: [String]) throws(ArgumentError) {
    let arguments = try Arguments(words, usage: Self.usage)
    if arguments.wantsHelp { return nil }
    let address = arguments.required(0)
    guard address.hasPrefix("tcp://") || address.hasPrefix("ipc://") else {
      throw ArgumentError(
        program: Self.usage.program,
        fact: .badValue("ADDRESS", text: address, expected: "tcp://HOST:PORT or ipc://PATH"))
    }
    let name = arguments.value("name")
    if let name, !(1...Self.maximumNameBytes).contains(name.utf8.count) {
      throw arguments.bad("name", name, "1 to \(Self.maximumNameBytes) bytes")
    }
    self.init(
      address: address, name: name,
      threads: try arguments.integer("threads", in: 0...1024) ?? 0,
      keys: arguments.value("keys") ?? "",
      // Four months: nobody waits longer for a run.
      giveUpSeconds: try arguments.number("give-up-seconds", in: 0.1...1e7) ?? 600,
      isVerbose: arguments.flag("verbose"), metrics: arguments.value("metrics") ?? "",
      allowRoutableMetrics: arguments.flag("allow-routable-metrics"))
  }
}
