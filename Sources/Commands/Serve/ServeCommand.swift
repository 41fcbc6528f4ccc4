// forage serve: a model behind OpenAI's interface, so that whatever speaks to such a server can
// speak to what was trained here.

import Experience
import Glibc
import HTTP
import Learning
import Operations
import Policy
import Tensors

enum ServeCommand: Command {
  static let usage = Usage(
    "forage serve",
    "Serves a model over HTTP as OpenAI's clients expect: /v1/models, /v1/completions, "
      + "/v1/chat/completions, streaming included; besides /metrics, /healthz and /readyz.",
    options: [
      .value("model", "DIR", "a Hugging Face folder with its tokenizer.json"),
      .value("run", "DIR", "this run's newest checkpoint"),
      .flag("follow", "with --run: each newer checkpoint as it comes, without a pause"),
      .value("listen", "HOST:PORT", "127.0.0.1:8000 by default; port 0 takes a free one"),
      .value(
        "token-file", "FILE", "its first line is the token that every request must carry"),
      .flag("allow-unauthenticated", "listen where others reach it without a token: a risk"),
      .value(
        "chat", "NAME", "lay chats out so: \(ChatTemplate.names); the folder's own by default"),
      .value(
        "context", "N",
        "positions of prompt and new tokens; the model's, at most "
          + "\(ServeLimits.defaultContext), by default"),
      .value(
        "slots", "N",
        "completions sampled at once; \(ServeLimits.defaultSlots), or what fits 2 GiB, by default"),
      .value("queue", "N", "requests that may wait; \(ServeLimits.defaultQueue) by default"),
      .threads,
    ],
    example: "forage serve --run runs/arithmetic-001 --listen 127.0.0.1:8000")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let options = try ServeOptions(arguments)
    let log = Log.standardError("serve")
    let signals = try SignalWatch()
    let gate = ServeGate(token: options.token)
    var limits = HTTPLimits()
    limits.bodyBytes = ServeLimits.bodyBytes
    limits.connections =
      options.queue + (options.slots ?? ServeLimits.defaultSlots) + ServeLimits.spareConnections
    let server = try HTTPServer(options.address, limits: limits) { gate.answer($0) }
    defer { server.stop() }

    let watchdog = try Watchdog("serve", log: log)
    defer { watchdog.finish() }
    let strand = watchdog.strand("compute")
    strand.use("the disk to give the model")
    let (names, loaded, tokenizer) = try options.load()
    let (context, slots) = try options.sizes(loaded.folder.configuration)
    let model = ServedModel(
      folder: loaded.folder, tokenizer: tokenizer, template: options.template, context: context)
    let meters = ServeMeters(slots: slots)
    let scheduler = Scheduler(
      names: names, maximumQueued: options.queue, meters: meters, strand: strand)
    let wake = try EventFD()
    let compute = try ComputeThread(loaded, slots: slots, context: context, scheduler, wake)
    gate.open(
      ServeAPI(model: model, scheduler: scheduler, meters: meters) { watchdog.account })
    Terminal.write(
      "serving \(names[0]) at http://\(server.address)/v1: \(slots) at once, \(context) positions "
        + "each, \(options.queue) may wait\n")

    let follower = try options.follower(names, slots: slots, context: context, scheduler, log)
    defer { follower?.stop() }
    let first = Descriptor.waitReadable(
      [signals.fileDescriptor, wake.fileDescriptor], deadline: .never)
    if first.contains(signals.fileDescriptor) {
      log.info(
        "\(signals.lastSignal ?? "a signal") came; requests that are answered first: "
          + "\(server.activeRequests)")
    }
    let isWhole = drain(server, scheduler, signals)
    scheduler.abort()
    server.stop()
    if case .failed(let error) = compute.join() { throw error }
    if !isWhole { log.warning("requests were cut") }
    return signals.count > 1 ? .interrupted : .success
  }

  /// False when some requests had to be cut: at a second signal, or when it took too long.
  private static func drain(
    _ server: HTTPServer, _ scheduler: Scheduler, _ signals: SignalWatch
  ) -> Bool {
    scheduler.drain()
    let deadline = Deadline.after(seconds: ServeLimits.drainSeconds)
    while !deadline.hasPassed, signals.count < 2 {
      if server.drain(withinSeconds: 0.1) { return true }
    }
    return false
  }
}

/// The thread that holds the weights.
private struct ComputeThread {
  private let thread: WorkerThread

  init(
    _ model: LoadedModel, slots: Int, context: Int, _ scheduler: Scheduler, _ wake: EventFD
  ) throws(Failure) {
    // Handed over whole: nobody else touches the weights from here on.
    nonisolated(unsafe) let policy = model.policy
    thread = try WorkerThread(name: "compute", wakes: wake) {
      scheduler.run(SlotDecoder(policy, slots: slots, capacity: context))
    }
  }

  func join() -> WorkerOutcome { thread.join(deadline: .after(seconds: 60)) }
}

/// The command line, checked as far as it can be before anything is read.
struct ServeOptions {
  let address: HTTPAddress
  let token: String?
  let template: ChatTemplate?
  let queue: Int
  let slots: Int?
  private let context: Int?
  private let threads: Int?
  private let arguments: Arguments

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    guard (arguments.value("model") == nil) != (arguments.value("run") == nil) else {
      throw ArgumentError(
        program: arguments.usage.program,
        fact: arguments.value("run") == nil
          ? .missingPositional("--run or --model")
          : .unexpectedPositional("--model, besides --run,"))
    }
    guard !arguments.flag("follow") || arguments.value("run") != nil else {
      throw ArgumentError(
        program: arguments.usage.program, fact: .missingPositional("--run, which --follow follows"))
    }
    address = try HTTPAddress(arguments.value("listen") ?? "127.0.0.1:8000")
    token = try arguments.value("token-file").map(ServeGate.readToken)
    guard address.isLoopback || token != nil || arguments.flag("allow-unauthenticated") else {
      throw HTTPError(
        operation: "listen on", address: "\(address)",
        reason: .routable(
          risk: "without a token whoever does can use this machine",
          remedy: "give --token-file FILE, or listen on 127.0.0.1 and forward the port over ssh, or"
            + " accept the risk with --allow-unauthenticated"))
    }
    template = try arguments.chatTemplate()
    queue =
      try arguments.integer("queue", in: 1...ServeLimits.maximumQueue) ?? ServeLimits.defaultQueue
    slots = try arguments.integer("slots", in: 1...ServeLimits.maximumSlots)
    context = try arguments.integer("context", in: 2...1_048_576)
    threads = try arguments.threads()
  }

  /// What `model` of a request may be: the checkpoint's own name first.
  static func names(_ run: RunFolder, checkpoint: String) -> [String] {
    ["\(run.name)-\(checkpoint)", run.name]
  }

  /// Names, weights and tokenizer of what is served.
  func load() throws -> (names: [String], LoadedModel, Tokenizer) {
    if let path = arguments.value("model") {
      let model = try LoadedModel(path: path, threads: threads)
      let name = Files.name(of: try Files.realPath(path))
      return ([name], model, try model.folder.tokenizer())
    }
    let run = try RunFolder.open(arguments.requiredValue("run"))
    let loaded = try RunCheckpoints(run).load(step: nil)
    let model = try LoadedModel(folder: loaded.model, threads: threads)
    return (Self.names(run, checkpoint: loaded.name), model, loaded.tokenizer)
  }

  /// Nil unless the run's newer checkpoints are to be served as well.
  func follower(
    _ names: [String], slots: Int, context: Int, _ scheduler: Scheduler, _ log: Log
  ) throws -> CheckpointFollower? {
    guard arguments.flag("follow") else { return nil }
    let run = try RunFolder.open(arguments.requiredValue("run"))
    return try CheckpointFollower(
      of: run, serving: names[0], threads: threads, slots: slots, context: context, scheduler, log)
  }

  /// Positions of a slot, and slots.
  func sizes(_ shape: ModelConfiguration) throws(ArgumentError) -> (context: Int, slots: Int) {
    let most = shape.maximumPositions
    if let context, context > most {
      throw arguments.bad("context", "\(context)", "at most the model's \(most)")
    }
    let context = context ?? min(most, ServeLimits.defaultContext)
    let slotBytes = context * SlotDecoder<CPUBackend>.positionBytes(shape)
    let fitting = max(1, ServeLimits.cacheBytes / max(1, slotBytes))
    return (context, slots ?? min(ServeLimits.defaultSlots, fitting))
  }
}
