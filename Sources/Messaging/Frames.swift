// The bytes of a message, and what may become of one.

/// A message is frames; frames are bytes.
public typealias Frames = [[UInt8]]

/// What became of a message that was sent.
public enum SendResult: Equatable, Sendable {
  /// libzmq holds it; whether it arrives, only an answer can tell.
  case sent
  /// The peer's queue is full, or a dealer has no connection: nothing was sent.
  case wouldBlock
  /// A router knows no peer of that identity (any more): nothing was sent.
  case unroutable
}

/// A message with whom it is from.
public struct SignedMessage: Equatable, Sendable {
  public var frames: Frames
  /// The sender's, by what libzmq authenticated; nil on a socket without keys.
  public var key: PublicKey?
  /// Where it came from, as libzmq tells it: a host's address, or "localhost:USER:GROUP:PROCESS" in
  /// numbers; nil between threads.
  public var address: String?
}

/// A message beyond the limits of its socket: read to its end, thrown away and counted.
public struct OversizedMessage: Equatable, Sendable {
  /// On a router the peer's identity, so that it can be told; else the message's first bytes.
  public var firstFrame: [UInt8]
  public var frameCount: Int
  public var byteCount: Int
}
