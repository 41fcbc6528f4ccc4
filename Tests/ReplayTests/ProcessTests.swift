import Experience
import Glibc
import Messaging
import Operations
import Replay
import Testing
import Wire

/// The program itself, killed in the middle of a run: F1 and F11 of the faults it must survive.
@Suite(.serialized) struct ProcessTests {
  /// Beside the program that runs the tests.
  static let program: String = {
    var bytes = [CChar](repeating: 0, count: 4096)
    readlink("/proc/self/exe", &bytes, bytes.count - 1)
    let path = bytes.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return "\(Files.folder(of: path))/forage-replay"
  }()

  /// Whether strace is there and may trace.
  static let canTrace: Bool = {
    let child = try? ChildProcess("strace", ["-qq", "true"], output: .discard, error: .discard)
    return child?.wait(deadline: .after(seconds: 5)) == .exited(0)
  }()

  /// A run of twelve steps in a folder, with an actor and a learner that come back after every
  /// failure, as often as it takes.
  struct Run {
    let folder: TemporaryFolder
    let run: RunFolder
    let endpoint: String
    let acknowledged = Monitor<Set<Int>>([])
    let peers: [WorkerThread]

    init() throws {
      folder = try TemporaryFolder()
      run = RunFolder("\(folder.path)/run")
      try Files.makeFolder(run.path)
      let settings = try Samples.settings(["run.steps=12", "learner.lagMax=1"])
      try Files.writeDurably(run.settings, Array(settings.yaml.utf8))
      _ = try RunFolder.open(run.path)
      endpoint = try Endpoints.connecting(settings.network, run: run).replay
      let (endpoint, acknowledged) = (endpoint, acknowledged)
      peers = [
        try Self.persistent("actor", endpoint) { peer in
          try actToTheEnd(peer, name: "actor-0") { key in
            acknowledged.withLock { _ = $0.insert(key.number) }
            // Slow enough that a kill falls between two groups.
            usleep(2000)
          }
        },
        try Self.persistent("learner", endpoint) { peer in _ = try learnToTheEnd(peer) },
      ]
    }

    /// Replay may be gone at any moment, so whatever fails is begun again, a hundred times at most.
    private static func persistent(
      _ name: String, _ endpoint: String, _ body: @escaping @Sendable (TestPeer) throws -> Void
    ) throws -> WorkerThread {
      try WorkerThread(name: name) {
        for attempt in 0... {
          do {
            // Longer than replay keeps a request that it cannot answer yet.
            return try body(TestPeer(endpoint: endpoint, deadlineMilliseconds: 1500))
          } catch  where attempt < 100 {
            usleep(10_000)
          }
        }
      }
    }

    func start(under tracer: [String] = []) throws -> ChildProcess {
      let words = tracer + [ProcessTests.program, "--run", run.path]
      return try ChildProcess(
        words[0], Array(words.dropFirst()), output: .discard, error: .discard)
    }

    /// Lets the run end and holds the ledger against what was acknowledged.
    func finish(_ replay: ChildProcess) throws {
      for peer in peers {
        let outcome = peer.join(deadline: .after(seconds: 30))
        #expect(outcome.isFinished, "\(outcome)")
      }
      // F20: everything on the disk and status 0.
      #expect(replay.stop(deadline: .after(seconds: 10)) == .exited(0))
      try Files.remove(run.socketsFolder())
      let reader = try LedgerReader(path: run.ledger)
      #expect(try reader.verify().problems == [])
      let trained = try reader.commits().flatMap(\.commit.tickets)
      #expect(trained.count == 12 * 4)
      #expect(Set(trained) == Set(0..<48), "every ticket is trained once")
      for number in acknowledged.withLock({ $0 }).sorted() {
        #expect(try reader.group(Samples.train(number)) != nil, "ticket \(number) was acknowledged")
      }
    }
  }

  @Test func `killing replay loses nothing that was acknowledged`() throws {
    let run = try Run()
    var replay = try run.start()
    for goal in [5, 20, 35] {
      let deadline = Deadline.after(seconds: 20)
      while run.acknowledged.withLock({ $0.count }) < goal, !deadline.hasPassed { usleep(500) }
      replay.send(SIGKILL)
      #expect(replay.wait(deadline: .after(seconds: 5)) == .signaled(SIGKILL))
      replay = try run.start()
    }
    try run.finish(replay)
  }

  @Test(.enabled(if: canTrace, "strace is missing or may not trace"))
  func `killing replay at a write, a sync or a cut of a file loses nothing`() throws {
    let run = try Run()
    // The number of the call at which it dies, from its start: migrations, then the work.
    for (call, number) in [
      ("pwrite64", 2), ("fdatasync", 1), ("pwrite64", 9), ("fdatasync", 3), ("pwrite64", 20),
      ("ftruncate", 2), ("pwrite64", 40),
    ] {
      let replay = try run.start(under: [
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
        "inject=\(call):signal=SIGKILL:when=\(number)",
      ])
      // A call it makes less often leaves it alive: then it dies in passing.
      _ = replay.wait(deadline: .after(seconds: 1.5))
      replay.killGroup()
      _ = replay.wait(deadline: .after(seconds: 5))
    }
    try run.finish(try run.start())
  }
}
