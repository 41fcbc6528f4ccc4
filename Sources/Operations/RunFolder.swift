// What a run leaves behind, by path (DESIGN section 8), and where its sockets live.
//
// A socket's path may have 107 bytes, and a run's folder may be deep; so ipc sockets live in a
// short folder of their own, named by a hash of the run's real path, that only its owner can enter.

import Glibc

/// The paths of one run.
public struct RunFolder: Sendable, Equatable {
  /// As given, without a slash at the end.
  public let path: String

  public init(_ path: String) {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  public var name: String { Files.name(of: path) }
  /// The settings, resolved; its presence makes a folder a run's.
  public var settings: String { "\(path)/settings.yaml" }
  /// Digests of what the run's task and verifier do, a name and a digest a line.
  public var definitions: String { "\(path)/definitions" }
  public var ledger: String { "\(path)/ledger.sqlite" }
  public var metrics: String { "\(path)/metrics.jsonl" }
  /// Alarms as they were raised and cleared.
  public var alarms: String { "\(path)/alarms.jsonl" }
  /// What was predicted before the first step.
  public var preflight: String { "\(path)/preflight.json" }
  public var trace: String { "\(path)/trace.json" }
  public var report: String { "\(path)/report.html" }
  public var checkpoints: String { "\(path)/checkpoints" }
  /// The model the run began with, which is also the frozen reference unless settings say
  /// otherwise.
  public var initialModel: String { checkpoint(step: 0) }
  /// Copies of the files a task is read from.
  public var taskFolder: String { "\(path)/task" }
  public func taskFile(_ name: String) -> String { "\(taskFolder)/\(name)" }
  public var locks: String { "\(path)/locks" }
  public var logs: String { "\(path)/logs" }

  /// The text that names this run's branch apart from every other run's, made once with the folder.
  /// `name` is that of a folder not yet in its place.
  public func lineage(named name: String? = nil) throws(Failure) -> String {
    let path = "\(path)/lineage"
    if Files.exists(path) {
      let text = try Files.readText(path, maximumBytes: 256)
      return String(text.prefix { !$0.isNewline })
    }
    let suffix = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    let made = "\(name ?? self.name)-\(String(repeating: "0", count: 8 - suffix.count))\(suffix)"
    try Files.writeDurably(path, made + "\n")
    return made
  }

  public func log(_ role: String) -> String { "\(logs)/\(role).log" }

  /// What each process spent its time on (`SpanFile`).
  public var spansFolder: String { "\(path)/spans" }
  public func spans(_ process: String) -> String { "\(spansFolder)/\(process).spans" }

  /// What a process says of itself once a second (`ProcessAccount`).
  public func account(_ role: String) -> String { "\(logs)/\(role).doing.json" }

  /// `checkpoints/step-000100`.
  public func checkpoint(step: Int) -> String {
    precondition(step >= 0, "step \(step)")
    let digits = String(step)
    return "\(checkpoints)/step-\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits)"
  }

  /// What an actor fetches at most, as a file.
  private static let maximumTaskFileBytes = 64 << 20

  /// The task's files by name, in the order of their names; none where the task has none.
  public func taskFiles() throws(Failure) -> [(name: String, bytes: [UInt8])] {
    guard Files.exists(taskFolder) else { return [] }
    var files: [(name: String, bytes: [UInt8])] = []
    for name in try Files.list(taskFolder).sorted() where name.hasSuffix(".jsonl") {
      let bytes = try Files.read(taskFile(name), maximumBytes: Self.maximumTaskFileBytes)
      files.append((name, bytes))
    }
    return files
  }

  public var isRun: Bool { Files.exists(settings) }

  /// Makes `<runs>/<name>-001`, or the first number above all that are there, with its subfolders.
  public static func create(under runs: String, name: String) throws(Failure) -> RunFolder {
    try Files.makeFolder(runs)
    var number = try nextNumber(under: runs, name: name)
    // Two runs started at once may both see the same number free: mkdir decides.
    for _ in 0..<100 {
      let path = try path(under: runs, name: name, number: number)
      if mkdir(path, 0o755) == 0 {
        let run = RunFolder(path)
        try run.makeSubfolders()
        return run
      }
      guard errno == EEXIST else {
        throw .system(
          "make the run's folder", on: path, remedy: "check that \(runs) can be written",
          exitCode: .cannotCreate)
      }
      number += 1
    }
    throw Failure(
      "make a folder for the run in", on: runs, happened: "100 numbers were taken meanwhile",
      remedy: "start fewer runs at once", exitCode: .cannotCreate)
  }

  /// Takes a folder named by a person: it must be missing or empty.
  public static func create(at path: String) throws(Failure) -> RunFolder {
    let run = RunFolder(path)
    try run.checkIsFree()
    try run.makeSubfolders()
    return run
  }

  /// Throws unless the folder is missing or empty.
  func checkIsFree() throws(Failure) {
    guard Files.exists(path) else { return }
    let held = try Files.list(path)
    guard held.isEmpty else {
      throw Failure(
        "make the run's folder", on: path,
        happened: isRun ? "it already holds a run" : "it holds \(held.count) other entries",
        remedy: isRun
          ? "continue it with --resume \(path), or name another folder" : "name another folder",
        exitCode: .cannotCreate)
    }
  }

  private static func nextNumber(under runs: String, name: String) throws(Failure) -> Int {
    1 + (try Files.list(runs).compactMap { number(of: $0, name: name) }.max() ?? 0)
  }

  /// `<runs>/<name>-001`; a nil number is the first above all that are there.
  static func path(under runs: String, name: String, number: Int?) throws(Failure) -> String {
    var chosen = number ?? 0
    if number == nil { chosen = try nextNumber(under: runs, name: name) }
    let digits = String(chosen)
    return "\(runs)/\(name)-\(String(repeating: "0", count: max(0, 3 - digits.count)))\(digits)"
  }

  /// Opens a run that is there.
  public static func open(_ path: String) throws(Failure) -> RunFolder {
    let run = RunFolder(path)
    guard run.isRun else {
      throw Failure(
        "open the run", on: run.path,
        happened: Files.isFolder(run.path)
          ? "it holds no settings.yaml" : "there is no such folder",
        remedy: "name a folder that forage run made (ls runs)", exitCode: .noInput)
    }
    try run.makeSubfolders()
    return run
  }

  func makeSubfolders() throws(Failure) {
    for folder in [checkpoints, locks, logs] { try Files.makeFolder(folder) }
  }

  private static func number(of folder: String, name: String) -> Int? {
    guard folder.hasPrefix("\(name)-") else { return nil }
    let digits = folder.dropFirst(name.count + 1)
    guard (3...9).contains(digits.count), digits.allSatisfy(\.isASCII) else { return nil }
    return Int(digits)
  }
}

extension RunFolder {
  /// `sun_path` holds 108 bytes with its final zero.
  public static let maximumSocketPathBytes = 107

  /// Makes or checks the private folder of this run's ipc sockets:
  /// `$XDG_RUNTIME_DIR/forage-<hash>`, or `/tmp/forage-<uid>-<hash>` where there is none.
  ///
  /// Throws when it is not ours alone, or its path leaves no room for a socket's name.
  public func socketsFolder() throws(Failure) -> String {
    let path = Self.socketsPath(
      realPath: try Files.realPath(path), runtimeFolder: Environment.value("XDG_RUNTIME_DIR"))
    try Files.makePrivateFolder(path)
    return path
  }

  package static func socketsPath(realPath: String, runtimeFolder: String?) -> String {
    let hash = hash(realPath)
    // Some sandboxes name a runtime folder that is missing, or one too deep for a socket.
    if let folder = runtimeFolder, folder.hasPrefix("/"), folder.utf8.count <= 60,
      Files.isFolder(folder), access(folder, W_OK) == 0
    {
      return "\(folder)/forage-\(hash)"
    }
    return "/tmp/forage-\(getuid())-\(hash)"
  }

  /// FNV-1a (Fowler, Noll, Vo), 64 bits. A name, not an identity: the folder's owner and mode are
  /// what is checked.
  package static func hash(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
