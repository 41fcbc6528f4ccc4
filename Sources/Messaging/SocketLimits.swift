// Every limit of a socket, each with the reason for its number. libzmq's own defaults are no limit
// on a frame, an endless linger, no heartbeat and a queue for peers that never connected.

/// What a socket may hold, wait for and accept.
public struct SocketLimits: Equatable, Sendable {
  /// A frame's bytes, at both ends: a receiver drops the connection of a sender that exceeds it,
  /// and the sender would never hear why. A group of 64 completions of 32,768 tokens has 40 MiB.
  public var maximumFrameBytes = 64 << 20
  /// A message's frames: the groups of the largest batch, an identity and a control frame.
  public var maximumFrames = 65_538
  /// A message's bytes over all frames: a lease of 1,024 groups of 1 MiB.
  public var maximumMessageBytes = 1 << 30
  /// Messages queued toward one peer before a send answers `wouldBlock`.
  public var sendQueueMessages = 256
  /// Messages queued from one peer before libzmq stops reading its connection.
  public var receiveQueueMessages = 256
  /// How long closing waits for what is queued: never endless, long enough for a last answer.
  public var lingerMilliseconds = 500
  /// A connection that says nothing sensible for this long is dropped.
  public var handshakeMilliseconds = 10_000
  /// How often an idle connection is pinged.
  public var heartbeatMilliseconds = 5_000
  /// Silence after which a connection is dead: a ping may wait behind a 1 MiB chunk, which takes
  /// 8 s at 1 Mbit/s.
  public var heartbeatTimeoutMilliseconds = 30_000
  /// The first pause before connecting again, doubled up to the next.
  public var reconnectMilliseconds = 100
  /// A peer that returns is found within this.
  public var maximumReconnectMilliseconds = 2_000
  /// An address that answers nothing at all is tried anew after this.
  public var connectMilliseconds = 5_000

  public init() {}
}
