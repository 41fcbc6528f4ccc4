// What a run's task is, as recorded with the run: digests of what its task and its verifier do, and
// of each file of the task, byte for byte. Whoever goes on with the run holds against it what is
// there now: half of the run would have learned another task.

import Acting
import Digests
import Experience
import Operations
import Tasks
import Wire

enum RunDefinitions {
  /// Records what is new, a run's first time all of it, and throws where anything differs: unless a
  /// change of the task was allowed, which replay and actors then hold to.
  static func hold(
    _ run: RunFolder, _ exercises: any Exercises, seed: UInt64, allowsChange: Bool = false
  ) throws {
    let known = try recorded(run)
    try checkFiles(run)
    let code = Definitions.of(exercises, seed: seed)
    for own in code where !allowsChange {
      guard let recorded = known[own.name], recorded != own.digest.hexadecimal else { continue }
      throw Failure(
        "go on with", on: run.path,
        happened: "this build's \(own.name) does otherwise than the one the run began with "
          + "(\(run.definitions))",
        remedy: "resume with the build that began it, or begin a new run", exitCode: .badInput)
    }
    let all = Definitions.text(code + (try files(run)))
    if try text(run) != all { try Files.writeDurably(run.definitions, all) }
  }

  /// The run's own copies of its task's files, where they are recorded: an older build did not.
  static func checkFiles(_ run: RunFolder) throws {
    let known = try recorded(run)
    let own = try files(run)
    for role in TaskFileRole.allCases {
      guard let recorded = known[role.name] else { continue }
      guard let file = own.first(where: { $0.name == role.name }) else {
        throw failure(run, role.name, "it is gone, and the run began with it")
      }
      guard file.digest.hexadecimal == recorded else {
        throw failure(run, role.name, "it is not what the run began with (\(run.definitions))")
      }
    }
  }

  /// What a fork has of its parent's: the files. What its build does is recorded when it goes on.
  static func copyFiles(from parent: RunFolder, to fork: RunFolder) throws {
    try checkFiles(parent)
    let copies = try parent.taskFiles()
    guard !copies.isEmpty else { return }
    try Files.makeFolder(fork.taskFolder)
    for file in copies { try Files.writeDurably(fork.taskFile(file.name), file.bytes) }
    try Files.writeDurably(fork.definitions, Definitions.text(try files(fork)))
  }

  private static func failure(_ run: RunFolder, _ name: String, _ happened: String) -> Failure {
    Failure(
      "go on with", on: run.taskFile(name), happened: happened,
      remedy: "restore it from where it was copied, or begin a new run", exitCode: .badInput)
  }

  private static func files(_ run: RunFolder) throws -> [NamedDigest] {
    try run.taskFiles().map { NamedDigest(name: $0.name, digest: Digest(of: $0.bytes)) }
  }

  /// As recorded; empty before that.
  static func text(_ run: RunFolder) throws -> String {
    guard Files.exists(run.definitions) else { return "" }
    return try Files.readText(run.definitions, maximumBytes: 4096)
  }

  /// Digests in hexadecimal digits, by name.
  private static func recorded(_ run: RunFolder) throws -> [String: String] {
    var known: [String: String] = [:]
    for line in try text(run).split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2 { known[String(words[0])] = String(words[1]) }
    }
    return known
  }
}
