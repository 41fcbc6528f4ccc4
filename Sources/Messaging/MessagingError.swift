// What went wrong with a message or a socket: facts in an enum, all wording in one place.

import CZeroMQ
import Glibc

/// A messaging operation that failed, on which endpoint, and why.
public struct MessagingError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Reason: Equatable, Sendable {
    /// libzmq or the system refused.
    case system(errno: Int32)
    /// The endpoint's text is not one that can be used, and why.
    case endpoint(String)
    /// A bind that other hosts could reach, on a socket without keys.
    case routableWithoutKeys
    /// A frame or message above the limit of this side, not sent.
    case tooLarge(bytes: Int, maximum: Int)
    case tooManyFrames(count: Int, maximum: Int)
    /// No answer in time: from whom, for how long, and what the connection did meanwhile.
    case timedOut(peer: String, milliseconds: Int, connection: String)
    /// The connection that carried the request ended and another stands: the request or its answer
    /// went with the old one, and it is time to ask again.
    case reconnected(peer: String)
    /// The wake descriptor became readable first.
    case woken
    /// The context was shut down.
    case ended
    /// A key file or a list of keys that can not be used.
    case keyFile(KeyFault, happened: String, remedy: String)
    /// The peer is there, and the keys do not fit: trying again changes nothing.
    case keyRefused(KeyRefusal)
    /// The authenticator did not do what it must, so nothing was bound.
    case unguarded(String)
  }

  public enum KeyFault: Equatable, Sendable { case missing, permissions, content }

  public enum KeyRefusal: Equatable, Sendable {
    /// The peer does not let this key in.
    case unknownKey(PublicKey?)
    /// The peer wants keys, and this side has none.
    case needsKeys
    /// This side has keys, and the peer uses none.
    case hasNoKeys
    /// The peer's key is not the one this side expects.
    case otherServer
  }

  public var operation: String
  public var endpoint: String
  public var reason: Reason

  public init(operation: String, endpoint: String, reason: Reason) {
    self.operation = operation
    self.endpoint = endpoint
    self.reason = reason
  }

  /// The failure of the libzmq call just made.
  init(_ operation: String, _ endpoint: String, errno: Int32 = zmq_errno()) {
    self.init(
      operation: operation, endpoint: endpoint,
      reason: errno == SystemError.contextTerminated ? .ended : .system(errno: errno))
  }

  public var description: String {
    let what = endpoint.isEmpty ? operation : "\(operation) \(endpoint)"
    switch reason {
    case .system(let number):
      let text = SystemError.text(number)
      return "\(what) failed: \(text) (errno \(number)); \(SystemError.remedy(number))"
    case .endpoint(let fault):
      return "\(what) failed: \(fault); write tcp://HOST:PORT, ipc://PATH or inproc://NAME"
    case .routableWithoutKeys:
      return "\(what) refused: without keys anybody who reaches this address can read and write "
        + "the run; bind to 127.0.0.1 or an ipc:// path, or give the setting that names the risk"
    case .tooLarge(let bytes, let maximum):
      return "\(what) refused: \(bytes) bytes exceed the limit of \(maximum), and the peer would "
        + "drop the connection without a word; send less at a time or raise both sides' limit"
    case .tooManyFrames(let count, let maximum):
      return "\(what) refused: \(count) frames, and a message has 1 to \(maximum); "
        + "send several messages"
    case .timedOut(let peer, let milliseconds, let connection):
      return "\(what) failed: \(peer) has not answered for \(milliseconds) ms (\(connection)); "
        + "check that it runs and that the address is right"
    case .reconnected(let peer):
      return "\(what) failed: the connection ended before \(peer) had answered; ask again"
    case .woken:
      return "\(what) was given up: the wake descriptor became readable"
    case .ended:
      return "\(what) was given up: the messaging context was shut down"
    case .keyFile(_, let happened, let remedy):
      return "\(what) failed: \(happened); \(remedy)"
    case .keyRefused(let refusal):
      return "\(what) failed: \(refusal)"
    case .unguarded(let happened):
      return "\(what) failed: \(happened); nothing was bound, because ZeroMQ would let anybody in; "
        + "check that this build and libzmq belong together (forage keys check)"
    }
  }

  /// The exit status a process ends with for it: `ExitCode` of Operations, which this room can not
  /// see, in numbers.
  public var exitStatus: Int32 {
    switch reason {
    case .system(errno: EADDRINUSE): 82
    case .endpoint: 78
    case .routableWithoutKeys, .keyFile(.permissions, _, _), .unguarded: 77
    case .keyFile(.missing, _, _): 66
    case .keyFile(.content, _, _): 65
    case .keyRefused: 86
    case .system, .tooLarge, .tooManyFrames, .timedOut, .reconnected, .woken, .ended: 69
    }
  }
}

extension MessagingError.KeyRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownKey(let key):
      "the peer is there and does not let this key in (\(key.map(\.text) ?? "none")); let it in "
        + "at the head: forage keys allow NAME.pub, or make it there: forage keys make NAME"
    case .needsKeys:
      "the peer wants keys, and this side has none; make a pair at the head (forage keys make "
        + "NAME), copy NAME.key here and give --keys NAME.key"
    case .hasNoKeys:
      "this side has keys, and the peer uses none; leave --keys out, or start the run with "
        + "--keys DIR"
    case .otherServer:
      "the peer is there under another key than the one expected; copy the key file from the "
        + "head again, and if the head's server key has not changed, somebody else answers at this "
        + "address"
    }
  }
}

/// What a system's error number means here.
enum SystemError {
  /// libzmq's ETERM, a macro Swift does not import.
  static let contextTerminated: Int32 = 156_384_712 + 53
  static let incompatibleProtocol: Int32 = 156_384_712 + 52

  static func text(_ number: Int32) -> String {
    let text = String(cString: zmq_strerror(number))
    return text.prefix(1).lowercased() + text.dropFirst()
  }

  static func remedy(_ number: Int32) -> String {
    switch number {
    case EADDRINUSE: "check that the port is free (ss -ltnp)"
    case EADDRNOTAVAIL, ENODEV: "bind to an address of this host (ip address)"
    case EACCES, EPERM: "check the rights on the path, or take a port above 1023"
    case ENOENT, ENOTDIR: "make the folder the path names"
    case ENAMETOOLONG: "an ipc path has at most 107 bytes: take a shorter folder"
    case EINVAL: "check the endpoint: tcp://HOST:PORT, ipc://PATH or inproc://NAME"
    case EPROTONOSUPPORT, incompatibleProtocol: "use tcp://, ipc:// or inproc://"
    case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
    case ECONNREFUSED: "check that the peer runs and listens there"
    default: "see the number in errno(3)"
    }
  }
}
