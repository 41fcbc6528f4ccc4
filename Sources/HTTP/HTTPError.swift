// What went wrong with a server's address: facts in an enum, all wording in one place.

import Glibc

/// A server that could not be started, and why.
public struct HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Reason: Equatable, Sendable {
    case system(errno: Int32)
    /// The text is no address that can be used, and why.
    case address(String)
    /// Others can reach it, and nobody is asked who they are.
    case routable(risk: String, remedy: String)
    /// libmicrohttpd did not start, and does not say why.
    case library
  }

  public var operation: String
  public var address: String
  public var reason: Reason

  public init(operation: String, address: String, reason: Reason) {
    self.operation = operation
    self.address = address
    self.reason = reason
  }

  public var description: String {
    let what = "\(operation) \(address)"
    switch reason {
    case .system(let number):
      let words = String(cString: strerror(number))
      let text = words.prefix(1).lowercased() + words.dropFirst()
      return "\(what) failed: \(text) (errno \(number)); \(Self.remedy(number))"
    case .address(let problem):
      return "\(what) failed: \(problem); write HOST:PORT, as in 127.0.0.1:8000"
    case .routable(let risk, let remedy):
      return "\(what) refused: others can reach this address, and \(risk); \(remedy)"
    case .library:
      return "\(what) failed: its threads could not be started; check the limits of processes and "
        + "memory (ulimit -u, free -m)"
    }
  }

  private static func remedy(_ number: Int32) -> String {
    switch number {
    case EADDRINUSE: "check that the port is free (ss -ltnp) or name another"
    case EADDRNOTAVAIL: "name an address of this machine (ip -brief address)"
    case EACCES: "ports below 1024 need a privilege: name a higher one"
    default: "check the address and the limits of open files (ulimit -n)"
    }
  }

  /// The status a process ends with for it: the same numbers as `ExitCode`.
  public var exitStatus: Int32 {
    switch reason {
    case .system(EADDRINUSE): 82
    case .system(EACCES), .routable: 77
    case .system, .library: 69
    case .address: 2
    }
  }
}
