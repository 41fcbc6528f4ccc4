// A message is frames: one small JSON control frame, then payload frames. On a ROUTER socket the
// peer's identity frame stands before them; the envelope knows nothing of it.

import Documents
import Experience

public enum WireLimits {
  public static let protocolVersion = 1
  public static let maximumControlBytes = 1 << 20
  public static let maximumPayloadFrames = 65_536
  /// Above this, heartbeats would wait behind a chunk on a thin link.
  public static let maximumChunkBytes = 1 << 20
}

/// A request or reply with the number that pairs them.
public struct Envelope<Body: Equatable & Sendable>: Equatable, Sendable {
  /// Chosen by the asker, repeated by the answer.
  public var id: Int
  public var body: Body
  public var payload: [[UInt8]]

  public init(id: Int, body: Body, payload: [[UInt8]] = []) {
    self.id = id
    self.body = body
    self.payload = payload
  }
}

extension Envelope where Body == Request {
  public func encoded() -> [[UInt8]] { fatalError() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { fatalError() }
}

extension Envelope where Body == Reply {
  public func encoded() -> [[UInt8]] { fatalError() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { fatalError() }
}

extension Envelope where Body == BlobRequest {
  public func encoded() -> [[UInt8]] { fatalError() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { fatalError() }
}

extension Envelope where Body == BlobReply {
  public func encoded() -> [[UInt8]] { fatalError() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { fatalError() }
}

extension Snapshot {
  /// The one frame an announcement is.
  public func encodedAnnouncement() -> [UInt8] { fatalError() }
  public init(decodingAnnouncement frame: [UInt8]) throws(Refusal) { fatalError() }
}
