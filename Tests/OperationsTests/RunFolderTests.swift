import Documents
import Glibc
import Operations
import Testing

@Suite struct RunFolderTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func network(_ text: String) throws -> NetworkSection {
    try RunSettings(document: YAML.parse(Array(text.utf8), source: "test"), source: "test").network
  }

  @Test func `runs are numbered above the highest that is there`() throws {
    let runs = folder.file("runs")
    #expect(try RunFolder.create(under: runs, name: "a").name == "a-001")
    try Files.makeFolder("\(runs)/a-041")
    try Files.makeFolder("\(runs)/a-b-099")
    try Files.makeFolder("\(runs)/a-copy")
    let run = try RunFolder.create(under: runs, name: "a")
    #expect(run.name == "a-042")
    #expect(Files.isFolder(run.checkpoints) && Files.isFolder(run.locks))
    try Files.makeFolder("\(runs)/a-999")
    #expect(try RunFolder.create(under: runs, name: "a").name == "a-1000")
  }

  @Test func `a folder that holds something is not taken for a new run`() throws {
    let path = folder.file("x")
    let run = try RunFolder.create(at: path)
    try Files.writeDurably(run.settings, "run: {}")
    let failure = try #require(throws: Failure.self) { try RunFolder.create(at: path) }
    #expect(failure.happened == "it already holds a run" && failure.remedy.contains("--resume"))
    #expect(try RunFolder.open("\(path)//").path == path)
  }

  @Test func `a run made aside has its name only once it is whole`() throws {
    let runs = folder.file("runs")
    _ = try RunFolder.create(under: runs, name: "a")
    let pending = try PendingRunFolder(under: runs, name: "a")
    #expect(pending.target.name == "a-002" && !Files.exists(pending.target.path))
    try Files.writeDurably(pending.aside.settings, "run: {}")
    #expect(try pending.aside.lineage(named: pending.target.name).hasPrefix("a-002-"))
    let run = try pending.settle()
    #expect(run.isRun && Files.isFolder(run.locks))
    #expect(try run.lineage().hasPrefix("a-002-"))
    #expect(try Files.list(runs) == ["a-001", "a-002"])
  }

  @Test func `what a killed process made aside is removed by the next, a living one's is not`()
    throws
  {
    // Above all process ids of Linux, and the first of all processes.
    let dead = folder.file(".making-b-99999999")
    let living = folder.file(".making-b-1")
    for path in [dead, living] { try Files.makeFolder("\(path)/checkpoints") }
    let pending = try PendingRunFolder(at: folder.file("b"))
    #expect(!Files.exists(dead) && Files.exists(living))
    pending.discard()
    #expect(try Files.list(folder.path) == [".making-b-1"])
  }

  @Test func `a folder that came into being meanwhile is not replaced`() throws {
    let path = folder.file("c")
    let pending = try PendingRunFolder(at: path)
    try Files.makeFolder("\(path)/somebody's")
    let failure = try #require(throws: Failure.self) { try pending.settle() }
    #expect(failure.exitCode == .cannotCreate && failure.remedy.contains("--folder"))
    #expect(try Files.list(path) == ["somebody's"])
  }

  @Test func `what is no run cannot be resumed`() throws {
    #expect(
      try #require(throws: Failure.self) { try RunFolder.open(folder.path) }.exitCode == .noInput)
    #expect(throws: Failure.self) { try RunFolder.open(folder.file("none")) }
  }

  @Test func `checkpoints sort as their steps do`() {
    let run = RunFolder("runs/x/")
    #expect(run.checkpoint(step: 100) == "runs/x/checkpoints/step-000100")
    #expect(run.checkpoint(step: 1_234_567) == "runs/x/checkpoints/step-1234567")
  }

  @Test func `every name of a run leads to one socket folder, short enough for a socket`() throws {
    let deep = folder.file(String(repeating: "deep/", count: 40))
    try Files.makeFolder(deep)
    symlink(deep, folder.file("link"))
    let one = try RunFolder(deep).socketsFolder()
    defer { rmdir(one) }
    #expect(try RunFolder(folder.file("link")).socketsFolder() == one)
    let endpoints = try Endpoints.binding(network("network: {}"), run: RunFolder(deep))
    #expect(endpoints.announce == "ipc://\(one)/announce")
    #expect(endpoints.announce.utf8.count - 6 <= RunFolder.maximumSocketPathBytes)
    #expect(try Endpoints.connecting(network("network: {}"), run: RunFolder(deep)) == endpoints)
  }

  @Test func `a hash is FNV's own`() {
    // The published test vectors of FNV-1a, 64 bits.
    #expect(RunFolder.hash("") == "cbf29ce484222325")
    #expect(RunFolder.hash("a") == "af63dc4c8601ec8c")
    #expect(RunFolder.hash("foobar") == "85944171f73967e8")
  }

  @Test func `a runtime folder is used if it is there and short`() {
    let path = RunFolder.socketsPath(realPath: "/x", runtimeFolder: folder.path)
    #expect(path.hasPrefix("\(folder.path)/forage-"))
    for unfit in [
      nil, "", "relative", folder.file("none"), "/tmp/" + String(repeating: "x", count: 99),
    ] {
      let path = RunFolder.socketsPath(realPath: "/x", runtimeFolder: unfit)
      #expect(path.hasPrefix("/tmp/forage-\(getuid())-"))
    }
  }

  @Test func `tcp is bound where it is told and dialed where it can be reached`() throws {
    let run = RunFolder(folder.path)
    let any = try network("network: {listen: 0.0.0.0, replayPort: 1, allowUnauthenticated: true}")
    #expect(try Endpoints.binding(any, run: run).replay == "tcp://0.0.0.0:1")
    #expect(try Endpoints.connecting(any, run: run).replay == "tcp://127.0.0.1:1")
    #expect(Endpoints.tcp(host: "::1", any).replay == "tcp://[::1]:1")
    #expect(Endpoints.tcp(host: "[::1]", any).replay == "tcp://[::1]:1")
    #expect(Endpoints.host(of: "tcp://[::1]:1") == "::1")
    #expect(Endpoints.host(of: "tcp://head:45910") == "head")
    #expect(Endpoints.host(of: "ipc:///tmp/x") == nil)
  }

  @Test func `only loopback may be listened on without naming the risk`() throws {
    for host in ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"] {
      #expect(NetworkSection.isLoopback(host), "\(host)")
    }
    for host in ["0.0.0.0", "*", "10.0.0.1", "::", "eth0", "128.0.0.1", "127.0.0.1.evil.com", ""] {
      #expect(!NetworkSection.isLoopback(host), "\(host)")
    }
    let error = try #require(throws: DocumentError.self) {
      try network("network: {listen: 10.1.2.3}")
    }
    #expect(error.problem.contains("allowUnauthenticated"))
  }
}
