// A run without its run: a replay that grants and acknowledges by rules a test sets, a real weight
// server, and a model small enough to sample in microseconds.

import Acting
import Digests
import Documents
import Experience
import Glibc
import Learning
import Messaging
import Operations
import Policy
import Tasks
import Wire

/// A folder for sockets that goes with its owner.
final class SocketFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/forage-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure.system("make a folder from", on: "/tmp/forage-test-XXXXXX")
    }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? Files.remove(path) }

  func endpoint(_ name: String) -> String { "ipc://\(path)/\(name)" }
}

/// Replay as far as one actor can see, on a thread of its own.
final class FakeReplay: Sendable {
  /// What a test may read and change while it runs.
  struct Book {
    var welcome: Welcome
    /// What is asked for tickets is answered by the next of these, then by `afterwards`.
    var script: [Reply] = []
    var afterwards = Reply.wait(Wait(milliseconds: 20, reason: "the test"))
    /// Submissions answered with busy before any is taken.
    var busyAnswers = 0
    /// Submissions and heartbeats that get no answer.
    var isMute = false
    /// Answers to hello before the learner's addresses are known.
    var emptyWelcomes = 0
    /// A restarted replay knows nobody.
    var knowsHello = false
    var refusal: Refusal?

    var requests: [Request] = []
    var groups: [TicketKey: [UInt8]] = [:]
    var submissions = 0
    var hellos: [Hello] {
      requests.compactMap { if case .hello(let hello) = $0 { hello } else { nil } }
    }
    var asked: [TicketRequest] {
      requests.compactMap { if case .tickets(let request) = $0 { request } else { nil } }
    }
    var heartbeats: [Heartbeat] {
      requests.compactMap { if case .heartbeat(let beat) = $0 { beat } else { nil } }
    }
  }

  let endpoint: String
  let book: Monitor<Book>
  private let stopping: EventFD
  private let thread: WorkerThread

  init(_ endpoint: String, _ initial: Book) throws {
    self.endpoint = endpoint
    let book = Monitor(initial)
    let stopping = try EventFD()
    self.book = book
    self.stopping = stopping
    thread = try WorkerThread(name: "replay") {
      let context = try MessagingContext()
      let router = try Socket(.router, in: context)
      try router.bind(to: endpoint)
      let poller = Poller()
      poller.add(router)
      poller.add(fileDescriptor: stopping.fileDescriptor)
      while !stopping.drain() {
        try poller.wait(timeoutMilliseconds: 1_000)
        while let frames = try router.receive() {
          let request = try Envelope<Request>(decoding: Array(frames.dropFirst()))
          guard let reply = book.withLock({ Self.reply(to: request, &$0) }) else { continue }
          book.wakeAll()
          _ = try router.send([frames[0]] + Envelope(id: request.id, body: reply).encoded())
        }
      }
    }
  }

  func stop() {
    stopping.signal()
    _ = thread.join(deadline: .after(seconds: 5))
  }

  /// Waits until the book says so; false after the time.
  func until(_ seconds: Double = 20, _ condition: (Book) -> Bool) -> Bool {
    book.wait(deadline: .after(seconds: seconds)) { condition($0) ? true : nil } ?? false
  }

  private static func reply(to request: Envelope<Request>, _ book: inout Book) -> Reply? {
    book.requests.append(request.body)
    if let refusal = book.refusal { return .refused(refusal) }
    if case .hello = request.body {
      if book.emptyWelcomes > 0 {
        book.emptyWelcomes -= 1
        var early = book.welcome
        early.weightsAddress = ""
        early.announceAddress = ""
        early.version = nil
        return .welcome(early)
      }
      book.knowsHello = true
      return .welcome(book.welcome)
    }
    guard book.knowsHello else { return .refused(Refusal(.helloFirst, "say hello first")) }
    switch request.body {
    case .tickets: return book.script.isEmpty ? book.afterwards : book.script.removeFirst()
    case .submit(let submission):
      book.submissions += 1
      if book.isMute { return nil }
      if book.busyAnswers > 0 {
        book.busyAnswers -= 1
        return .refused(Refusal(.busy, "the disk is full"))
      }
      guard Digest(of: request.payload[0]) == submission.digest else {
        return .refused(Refusal(.corrupt, "not what its digest says"))
      }
      book.groups[submission.key] = request.payload[0]
      return .acknowledged(submission.key)
    case .heartbeat:
      return book.isMute ? nil : .alive(Alive(version: book.welcome.version, isFinished: false))
    case .hello, .lease, .commit, .status, .probe, .measure:
      return .refused(Refusal(.role, "no actor asks this"))
    }
  }
}

/// Replay, weight server, settings and model of one run.
final class FakeRun {
  static let seed: UInt64 = 11
  static let lineage = "test-lineage"

  let folder: SocketFolder
  let settings: RunSettings
  let exercises: any Exercises
  let tokenizer: Tokenizer
  let configuration: ModelConfiguration
  private(set) var weights: WeightServer
  private(set) var replay: FakeReplay
  private var models: [Int: CPUTransformer] = [:]

  private let neverStops: Bool

  /// With `neverStops` the weights give stop tokens no chance.
  /// `task` is the section of the settings, `lines` the file it names.
  init(
    maximumNewTokens: Int = 12, keepCount: Int = 3, neverStops: Bool = false,
    task: Document = .object([]), lines: String? = nil
  ) throws {
    self.neverStops = neverStops
    folder = try SocketFolder()
    settings = try RunSettings(
      document: .object([
        ("run", .object([("seed", .integer(Int(Self.seed)))])),
        (
          "sampling",
          .object([("groupSize", 4), ("maximumNewTokens", .integer(maximumNewTokens))])
        ),
        ("evaluation", .object([("samples", 3)])), ("task", task),
        ("learner", .object([("microbatchTokens", 131_072)])),
        ("model", .object([("maximumPositions", .integer(max(128, 64 + maximumNewTokens)))])),
        ("actor", .object([("ticketsPerRequest", 2), ("threads", 1)])),
      ]), source: "the test")
    exercises = try TaskFactory.make(
      try Fields(settings.task, source: "the test", path: "task"),
      files: TaskFiles(lines.map { [TaskFileRole.train.name: Array($0.utf8)] } ?? [:]),
      programs: ProgramChild.maker)
    tokenizer = .characters(exercises.alphabet ?? Array("0123456789+=\n"))
    configuration = ModelConfiguration(
      vocabularySize: tokenizer.vocabularySize, hiddenSize: 32, feedForwardSize: 48, layers: 1,
      heads: 2, keyValueHeads: 2, maximumPositions: max(128, 64 + maximumNewTokens),
      isTied: false, stopTokens: tokenizer.stopTokens, initializerRange: 0.3)
    let files =
      [
        ("config.json", Array(configuration.configJSON.utf8)), ("tokenizer.json", tokenizer.json),
      ] + (lines.map { [(TaskFileRole.train.name, Array($0.utf8))] } ?? [])
    weights = try WeightServer(
      .init(weights: folder.endpoint("weights"), announce: folder.endpoint("announce")),
      files: files, keepCount: keepCount, log: .silent)
    let welcome = Welcome(
      run: "test", lineage: Self.lineage, settings: settings.resolved, files: weights.files,
      weightsAddress: weights.weightsEndpoint, announceAddress: weights.announceEndpoint,
      version: nil, epoch: 0, lastCommit: nil)
    replay = try FakeReplay(folder.endpoint("replay"), .init(welcome: welcome))
  }

  deinit {
    replay.stop()
    weights.stop()
  }

  /// The model of a version: its weights are drawn from its number.
  func model(_ number: Int) -> CPUTransformer {
    if let model = models[number] { return model }
    let model = CPUTransformer(configuration: configuration, threads: 1)
    model.initialize(seed: UInt64(number) + 1)
    if neverStops { silenceStopTokens(of: model) }
    models[number] = model
    return model
  }

  /// Every embedding gets a large first element, and the head's rows of stop tokens a large
  /// negative one: their logits are about -50 wherever a completion stands.
  private func silenceStopTokens(of model: CPUTransformer) {
    var tensors = model.copyWeights()
    func set(_ name: String, row: Int, _ value: Float) {
      guard let index = tensors.firstIndex(where: { $0.name == name }) else {
        preconditionFailure("\(name) is not among \(tensors.map(\.name))")
      }
      let start = row * configuration.hiddenSize * 4
      withUnsafeBytes(of: value) {
        tensors[index].bytes.replaceSubrange(start..<start + 4, with: $0)
      }
    }
    for row in 0..<configuration.vocabularySize { set("model.embed_tokens.weight", row: row, 30) }
    for token in configuration.stopTokens { set("lm_head.weight", row: Int(token), -10) }
    do { try model.load(tensors) } catch { preconditionFailure("\(error)") }
  }

  func version(_ number: Int) -> PolicyVersion {
    PolicyVersion(lineage: Self.lineage, number: number, digest: model(number).digest())
  }

  func publish(_ number: Int) {
    let version = version(number)
    weights.publish(
      version, bytes: SnapshotCodec.encode(model(number).copyWeights(), version: version))
    replay.book.withLock { $0.welcome.version = version }
  }

  /// What the same ticket must come to, sampled here alone.
  func expected(_ key: TicketKey, version number: Int) -> (prompt: [Int32], [Completion]) {
    let isTrain = key.purpose == .train
    let exercise = exercises.exercise(
      seed: Self.seed, split: isTrain ? .train : .validation, index: key.number)
    let prompt = (tokenizer.beginToken.map { [$0] } ?? []) + tokenizer.encode(exercise.prompt)
    let request = GenerationRequest(
      prompt: prompt, samples: isTrain ? 4 : 3, seed: Self.seed,
      domain: isTrain ? .train : .evaluate, ticket: UInt64(key.number), temperature: 1,
      maximumNewTokens: settings.sampling.maximumNewTokens,
      stopTokens: configuration.stopTokens.union(tokenizer.stopTokens))
    let sampled = CPUGenerator(model(number)).generate([request])
    return (prompt, sampled?.first ?? [])
  }

  /// Replay dies with all it had in memory and comes back at the same address.
  func restartReplay(_ change: (inout FakeReplay.Book) -> Void) throws {
    var book = replay.book.withLock { $0 }
    replay.stop()
    book.knowsHello = false
    book.isMute = false
    change(&book)
    replay = try FakeReplay(replay.endpoint, book)
  }

  /// The actor within this process, on a thread of its own.
  func startActor(_ name: String = "actor-0", giveUpSeconds: Double = 20) throws -> RunningActor {
    try RunningActor(
      ActorOptions(
        address: replay.endpoint, name: name, threads: 1, giveUpSeconds: giveUpSeconds))
  }
}

/// An actor's outcome, once there is one.
final class RunningActor {
  private let thread: WorkerThread
  private let ending = Monitor<String?>(nil)

  init(_ options: ActorOptions) throws {
    let ending = ending
    thread = try WorkerThread(name: options.name) {
      let text = try RolloutActor.run(options, signals: nil, parent: nil, log: .silent)
      ending.withLock { $0 = text }
    }
  }

  /// Why it ended, an error of the actor thrown; nil when it still runs after the time.
  func end(within seconds: Double = 20) throws -> String? {
    switch thread.join(deadline: .after(seconds: seconds)) {
    case .running: return nil
    case .failed(let error): throw error
    case .finished: return ending.withLock { $0 }
    }
  }
}
