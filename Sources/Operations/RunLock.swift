// One process a role in a run's folder. The lock is flock's, which the kernel lifts when its holder
// dies however it dies; the file's content only names the holder for the one who is refused.

import Glibc

/// Held while this object lives.
public final class RunLock: Sendable {
  public let path: String
  private let descriptor: Int32

  /// Takes `locks/<role>.lock` of a run's folder, or throws with the holder's process id.
  public convenience init(run: RunFolder, role: String) throws(Failure) {
    try Files.makeFolder(run.locks)
    try self.init(path: "\(run.locks)/\(role).lock")
  }

  private static let tries = 20

  /// Takes the lock on a file, made if missing.
  public init(path: String) throws(Failure) {
    let descriptor = try Descriptor.open(
      path, O_RDWR | O_CREAT, tried: "open the lock", remedy: "check that the folder can be written"
    )
    var code: Int32 = 0
    // Who looks at a lock (`holder`) holds it for a moment and writes no name into it, which is no
    // reason to be turned away.
    for _ in 0..<Self.tries {
      code = flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno
      guard code == EWOULDBLOCK else { break }
      if let holder = Self.holder(descriptor), Self.isAlive(holder) { break }
      usleep(10_000)
    }
    guard code == 0 else {
      let holder = Self.holder(descriptor)
      close(descriptor)
      guard code == EWOULDBLOCK else { throw .system("take the lock", on: path, code: code) }
      throw Failure(
        "take the lock", on: path,
        happened: holder.map { "process \($0) holds it" } ?? "another process holds it",
        remedy: "stop that process first, or use another run folder", exitCode: .locked)
    }
    // Not before it is ours: a throw from an object that is whole runs its `deinit`, which would
    // empty and close a number that is another file's by then.
    self.path = path
    self.descriptor = descriptor
    ftruncate(descriptor, 0)
    let text = Array("\(getpid())\n".utf8)
    _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress!, $0.count, 0) }
  }

  /// The file stays: removing it would let two processes lock two files of one name.
  deinit {
    ftruncate(descriptor, 0)
    // Closing alone would leave it to a child that another thread is just starting.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// The process that holds a lock now; nil when it is free or not there.
  public static func holder(path: String) -> Int? {
    guard let descriptor = try? Descriptor.open(path, O_RDONLY) else { return nil }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
    return holder(descriptor)
  }

  private static func isAlive(_ process: Int) -> Bool {
    kill(pid_t(truncatingIfNeeded: process), 0) == 0 || errno == EPERM
  }

  private static func holder(_ descriptor: Int32) -> Int? {
    // A process id has at most seven digits.
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress!, $0.count, 0) }
    guard count > 0 else { return nil }
    return Int(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
  }
}
