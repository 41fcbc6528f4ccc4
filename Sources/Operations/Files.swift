// Files that survive a crash, and the few other things done to files.
//
// Durable means: written aside, fsynced, renamed, and the folder fsynced, so that a reader finds
// the old file or the new one. An fsync that fails ends the process: Linux marks the pages clean,
// so a retry would succeed with the bytes lost.

import CSystem
import Glibc

/// Reading, durable writing, folders and free space.
public enum Files {
  /// Files read whole are settings, states and small models' configs; larger ones name their limit.
  public static let maximumByteCount = 64 << 20

  /// The file's bytes; refused before allocation when longer than `maximumBytes`.
  public static func read(
    _ path: String, maximumBytes: Int = maximumByteCount
  ) throws(Failure) -> [UInt8] {
    let descriptor = try Descriptor.open(
      path, O_RDONLY, tried: "read", remedy: "check the path and its permissions")
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system("read", on: path) }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw Failure(
        "read", on: path, happened: "it is a folder", remedy: "name a file", exitCode: .noInput)
    }
    // Procfs and pipes have size 0 and content; they are read to the limit as well.
    let size = Int(status.st_size)
    guard size <= maximumBytes else { throw tooLong(path, size, maximumBytes) }
    var bytes: [UInt8] = []
    let isRegular = status.st_mode & S_IFMT == S_IFREG && size > 0
    var chunk = isRegular ? size : min(maximumBytes, 1 << 16)
    while true {
      let more = try Descriptor.read(descriptor, count: chunk, path: path)
      if bytes.isEmpty { bytes = more } else { bytes += more }
      guard bytes.count <= maximumBytes else { throw tooLong(path, bytes.count, maximumBytes) }
      if more.count < chunk || isRegular { return bytes }
      chunk = min(1 << 16, maximumBytes - bytes.count + 1)
    }
  }

  /// The file as text; bytes that are not UTF-8 are refused.
  public static func readText(
    _ path: String, maximumBytes: Int = maximumByteCount
  ) throws(Failure) -> String {
    let bytes = try read(path, maximumBytes: maximumBytes)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure(
        "read", on: path, happened: "it is not UTF-8 text",
        remedy: "save it as UTF-8", exitCode: .badInput)
    }
    return text
  }

  /// Replaces the file by these bytes, durably: after a crash it is the old one or the new one.
  public static func writeDurably(
    _ path: String, _ bytes: [UInt8], mode: mode_t = 0o644, log: Log = .silent
  ) throws(Failure) {
    // The process id keeps two writers' halves apart; a leftover of a crash is overwritten.
    let aside = "\(path).\(getpid()).part"
    let descriptor = try Descriptor.open(
      aside, O_WRONLY | O_CREAT | O_TRUNC, mode: mode, tried: "write",
      remedy: "check that its folder exists and can be written")
    do {
      defer { close(descriptor) }
      do throws(Failure) {
        try Descriptor.writeAll(descriptor, bytes, path: path)
      } catch {
        unlink(aside)
        throw error
      }
      synchronize(descriptor, path: path, log: log)
    }
    do throws(Failure) {
      try renameDurably(from: aside, to: path, log: log)
    } catch {
      unlink(aside)
      throw error
    }
  }

  public static func writeDurably(
    _ path: String, _ text: String, mode: mode_t = 0o644, log: Log = .silent
  ) throws(Failure) {
    try writeDurably(path, Array(text.utf8), mode: mode, log: log)
  }

  /// Renames a file or folder and fsyncs the folder it lands in. The content must be fsynced
  /// before.
  public static func renameDurably(
    from source: String, to target: String, log: Log = .silent
  ) throws(Failure) {
    guard rename(source, target) == 0 else {
      throw .system("rename \(source) to", on: target, exitCode: .cannotCreate)
    }
    try synchronizeFolder(folder(of: target), log: log)
  }

  /// fsyncs an open file. **Ends the process** with `ExitCode.storage` when that fails.
  public static func synchronize(_ descriptor: Int32, path: String, log: Log = .silent) {
    while fsync(descriptor) != 0 {
      if errno == EINTR { continue }
      dieOfStorage(path, errno, log)
    }
  }

  /// Opens and fsyncs a file written by somebody else in this process.
  public static func synchronizeFile(_ path: String, log: Log = .silent) throws(Failure) {
    let descriptor = try Descriptor.open(path, O_RDONLY, tried: "open to fsync")
    defer { close(descriptor) }
    synchronize(descriptor, path: path, log: log)
  }

  /// fsyncs a folder, which makes names made or renamed in it durable.
  public static func synchronizeFolder(_ path: String, log: Log = .silent) throws(Failure) {
    let descriptor = try Descriptor.open(
      path, O_RDONLY | O_DIRECTORY, tried: "open the folder")
    defer { close(descriptor) }
    synchronize(descriptor, path: path, log: log)
  }

  private static func dieOfStorage(_ path: String, _ code: Int32, _ log: Log) -> Never {
    let happened = "\(SystemError.words(code)) (errno \(code))"
    endAfterFailedSync(of: path, happened: happened, log: log)
  }

  /// **Ends the process** with `ExitCode.storage` after an fsync that failed, whoever called it.
  public static func endAfterFailedSync(
    of path: String, happened: String, log: Log = .silent
  ) -> Never {
    let failure = Failure(
      "fsync", on: path, happened: happened,
      remedy: "the process ends, because a second fsync would report success with the bytes lost;"
        + " check the disk (dmesg) and start again", exitCode: .storage)
    log.error(failure.description)
    let line = "forage: \(failure)\n"
    line.utf8.withContiguousStorageIfAvailable {
      _ = write(STDERR_FILENO, $0.baseAddress!, $0.count)
    }
    _exit(failure.exitCode.rawValue)
  }

  private static func tooLong(_ path: String, _ count: Int, _ limit: Int) -> Failure {
    Failure(
      "read", on: path, happened: "it has \(count) bytes or more, and the limit is \(limit)",
      remedy: "check that this is the file you meant", exitCode: .badInput)
  }
}
