// The one error a person reads: what was tried, on what, what happened, what to do.

import Documents
import Glibc

/// Something that was tried and did not work, with the status a process should end with for it.
public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
  /// A verb: "bind to", "read", "take the lock".
  public let tried: String
  /// The thing: a path, an address, a process.
  public let on: String
  /// What came back: "address already in use (errno 98)".
  public let happened: String
  /// What to do about it; "" when nothing is known.
  public let remedy: String
  public let exitCode: ExitCode
  /// The kernel's errno, where it was the kernel that refused.
  public let number: Int32?

  public init(
    _ tried: String, on: String, happened: String, remedy: String = "",
    exitCode: ExitCode = .failure, number: Int32? = nil
  ) {
    self.number = number
    self.tried = tried
    self.on = on
    self.happened = happened
    self.remedy = remedy
    self.exitCode = exitCode
  }

  /// A system call's failure; `code` is its errno.
  public static func system(
    _ tried: String, on: String, code: Int32 = errno, remedy: String = "",
    exitCode: ExitCode = .storage
  ) -> Failure {
    Failure(
      tried, on: on, happened: "\(SystemError.words(code)) (errno \(code))", remedy: remedy,
      exitCode: exitCode, number: code)
  }

  public var description: String {
    let fact = "\(tried) \(on) failed: \(happened)"
    return remedy.isEmpty ? fact : "\(fact); \(remedy)"
  }
}

/// What an error means for the process that ends with it.
public enum FailureReport {
  /// The line for a person and the status to exit with.
  public static func report(_ error: any Error) -> (line: String, exitCode: ExitCode) {
    switch error {
    case let failure as Failure: (failure.description, failure.exitCode)
    case let error as DocumentError: (error.description, .settings)
    case let error as ArgumentError: (error.description, .usage)
    default: (String(describing: error), .failure)
    }
  }
}

/// The C library's words for an errno.
public enum SystemError {
  /// Whether it says that the disk, or the user's share of it, has no room.
  public static func isDiskFull(_ code: Int32) -> Bool { code == ENOSPC || code == EDQUOT }

  public static func words(_ code: Int32) -> String {
    // 256 bytes hold every message of glibc, the longest of which has 50.
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard strerror_r(code, buffer.baseAddress!, buffer.count) == 0 else { return "unknown error" }
      return String(cString: buffer.baseAddress!).lowercasedFirst
    }
  }
}

extension String {
  /// "Address already in use" becomes "address already in use": it stands within a sentence.
  var lowercasedFirst: String {
    guard let first else { return self }
    return first.lowercased() + dropFirst()
  }
}
