// A message is frames: one small JSON control frame, then payload frames. On a ROUTER socket the
// peer's identity frame stands before them; the envelope knows nothing of it.

import Documents
import Experience

/// A request or reply with the number that pairs them.
public struct Envelope<Body: Equatable & Sendable>: Equatable, Sendable {
  /// Chosen by the asker, repeated by the answer.
  public var id: Int
  public var body: Body
  /// The payload frames a body names and does not hold: a group, the groups of a lease, a chunk.
  /// The columns of a step commit belong to its body and are none of these.
  public var payload: [[UInt8]]

  public init(id: Int, body: Body, payload: [[UInt8]] = []) {
    self.id = id
    self.body = body
    self.payload = payload
  }
}

/// A body that knows its kind, its fields and its payload frames.
protocol WireBody: Equatable, Sendable {
  var kind: String { get }
  /// The members of the control frame's `body`.
  var members: [(String, Document)] { get }
  /// The payload frames the body is written into, before those of the envelope.
  var ownFrames: [[UInt8]] { get }
  /// How many frames the envelope carries beside them.
  var payloadCount: Int { get }
  /// `frames` are the payload frames; the body takes its own off their front.
  static func read(_ control: ControlFrame, frames: inout [[UInt8]]) throws(Refusal) -> Self
}

extension WireBody {
  var ownFrames: [[UInt8]] { [] }
  var payloadCount: Int { 0 }
}

extension Envelope where Body: WireBody {
  fileprivate func frames() -> [[UInt8]] {
    precondition(
      payload.count == body.payloadCount,
      "\(body.kind) with \(payload.count) payload frames, it has \(body.payloadCount)")
    let control = ControlFrame.write(kind: body.kind, id: id, body: body.members)
    return [control] + body.ownFrames + payload
  }

  fileprivate init(reading frames: [[UInt8]]) throws(Refusal) {
    let control = try ControlFrame(frames)
    var payload = Array(frames.dropFirst())
    let body = try Body.read(control, frames: &payload)
    guard payload.count == body.payloadCount else {
      throw Refusal(
        .malformed,
        "\(body.kind) with \(payload.count) payload frames, expected \(body.payloadCount)")
    }
    self.init(id: control.id, body: body, payload: payload)
  }
}

extension Envelope where Body == Request {
  public func encoded() -> [[UInt8]] { frames() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { try self.init(reading: frames) }
}

extension Envelope where Body == Reply {
  public func encoded() -> [[UInt8]] { frames() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { try self.init(reading: frames) }

  /// The answer to a request that could not be read: under its number, if that much can be, or 0.
  public init(refusing frames: [[UInt8]], _ refusal: Refusal) {
    self.init(id: ControlFrame.id(of: frames) ?? 0, body: .refused(refusal))
  }
}

extension Envelope where Body == BlobRequest {
  public func encoded() -> [[UInt8]] { frames() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { try self.init(reading: frames) }
}

extension Envelope where Body == BlobReply {
  public func encoded() -> [[UInt8]] { frames() }
  public init(decoding frames: [[UInt8]]) throws(Refusal) { try self.init(reading: frames) }

  /// The answer to a request that could not be read: under its number, if that much can be, or 0.
  public init(refusing frames: [[UInt8]], _ refusal: Refusal) {
    self.init(id: ControlFrame.id(of: frames) ?? 0, body: .refused(refusal))
  }
}
