// A run's folder that is made aside and appears whole, as a checkpoint does: whoever makes one out
// of another may be killed on the way, and must leave nothing that looks like a run and is none.

import Glibc

/// A folder with a run's subfolders beside the place it is made for.
public struct PendingRunFolder: Sendable {
  /// Hidden, and no run's number: `.making-arithmetic-002-4711`, with the process that makes it.
  static let prefix = ".making-"

  /// Where its parts are written.
  public let aside: RunFolder
  /// What it is called once it is whole.
  public let target: RunFolder

  /// For the first number above all that are there: `<runs>/<name>-002`.
  public init(under runs: String, name: String) throws(Failure) {
    try Files.makeFolder(runs)
    try self.init(RunFolder(try RunFolder.path(under: runs, name: name, number: nil)))
  }

  /// For a folder named by a person: it must be missing or empty.
  public init(at path: String) throws(Failure) {
    let target = RunFolder(path)
    try target.checkIsFree()
    try self.init(target)
  }

  private init(_ target: RunFolder) throws(Failure) {
    self.target = target
    let folder = Files.folder(of: target.path)
    try Files.makeFolder(folder)
    try Self.removeLeftovers(in: folder)
    aside = RunFolder("\(folder)/\(Self.prefix)\(target.name)-\(getpid())")
    try aside.makeSubfolders()
  }

  /// Gives it its name; from here on it is there, whole, also after a crash.
  public func settle() throws(Failure) -> RunFolder {
    for folder in [aside.checkpoints, aside.path] { try Files.synchronizeFolder(folder) }
    do throws(Failure) {
      try Files.renameDurably(from: aside.path, to: target.path)
    } catch {
      throw Failure(
        "make the run's folder", on: target.path,
        happened: "it came into being meanwhile, or cannot be replaced (\(error.happened))",
        remedy: "name a folder that is not there yet: --folder DIR", exitCode: .cannotCreate)
    }
    return target
  }

  /// Removes what was made so far, for whoever met an error; a crash leaves that to the next.
  public func discard() { try? Files.remove(aside.path) }

  /// Removes what processes that are no more have left behind.
  private static func removeLeftovers(in folder: String) throws(Failure) {
    for name in try Files.list(folder) where name.hasPrefix(prefix) {
      guard let dash = name.lastIndex(of: "-"), let process = pid_t(name[dash...].dropFirst()),
        process > 0, process == getpid() || kill(process, 0) != 0 && errno == ESRCH
      else { continue }
      try Files.remove("\(folder)/\(name)")
    }
  }
}
