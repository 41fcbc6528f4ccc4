// How a child learns that its supervisor is gone, however it went: the supervisor holds the only
// writing end of a pipe and the child the reading end, whose end of file is the news. (A
// parent-death signal fires when the spawning *thread* ends, so it would kill children of a live
// supervisor.)

import CSystem
import Glibc

/// The supervisor's side: while it lives, so do the children's hopes.
public final class Lifeline: Sendable {
  /// Given to children; closed on exec otherwise.
  public let readingEnd: Int32
  private let writingEnd: Int32

  public init() throws(Failure) {
    (readingEnd, writingEnd) = try Pipes.make("the supervisor's pipe")
  }

  deinit {
    close(writingEnd)
    close(readingEnd)
  }
}

/// The child's side.
public final class ParentPipe: Sendable {
  /// The environment variable that carries the descriptor's number.
  public static let environmentName = "FORAGE_PARENT_FD"

  /// Poll this for reading: ready means the supervisor is gone.
  public let fileDescriptor: Int32

  /// Takes the pipe the supervisor left; nil for a process started by hand.
  public static func inherited() throws(Failure) -> ParentPipe? {
    guard let text = getenv(environmentName).map({ String(cString: $0) }), !text.isEmpty else {
      return nil
    }
    // Our own children get pipes of their own.
    unsetenv(environmentName)
    guard let descriptor = Int32(text), descriptor > 2,
      forage_fcntl(descriptor, F_GETFD, 0) >= 0
    else {
      throw Failure(
        "take the supervisor's pipe from", on: "\(environmentName)=\(text)",
        happened: "it names no open descriptor",
        remedy: "unset it when starting this program by hand", exitCode: .usage)
    }
    return ParentPipe(descriptor: descriptor)
  }

  /// Takes ownership of a pipe's reading end.
  public init(descriptor: Int32) {
    fileDescriptor = descriptor
    _ = Descriptor.setCloseOnExec(descriptor)
  }

  deinit { close(fileDescriptor) }

  /// Ends this process when the supervisor is gone, whatever it is doing: for work that nobody else
  /// wants.
  public func endOrphaned() throws(Failure) {
    _ = try WorkerThread(name: "orphan") { [self] in
      while Descriptor.waitReadable([fileDescriptor], deadline: .after(seconds: 60)).isEmpty {}
      _exit(ExitCode.unavailable.rawValue)
    }
  }

  /// Whether the supervisor is gone.
  public var isOrphaned: Bool {
    !Descriptor.waitReadable([fileDescriptor], deadline: .now).isEmpty
  }
}

enum Pipes {
  /// A pipe whose ends close on exec.
  static func make(_ name: String) throws(Failure) -> (reading: Int32, writing: Int32) {
    var reading: Int32 = -1
    var writing: Int32 = -1
    guard forage_pipe(&reading, &writing) == 0 else {
      throw .system(
        "make", on: name, remedy: "raise the limit of open files (ulimit -n)",
        exitCode: .unavailable)
    }
    return (reading, writing)
  }
}
