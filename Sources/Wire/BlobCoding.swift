// The talk with the weight server, and the one frame it announces a version with.

import Documents
import Experience

private enum BlobRequestKind: String, CaseIterable { case locate, chunk, probe }
private enum BlobReplyKind: String, CaseIterable { case located, chunk, probed, refused }

extension BlobRequest: WireBody {
  var kind: String {
    switch self {
    case .locate: BlobRequestKind.locate.rawValue
    case .chunk: BlobRequestKind.chunk.rawValue
    case .probe: BlobRequestKind.probe.rawValue
    }
  }

  var members: [(String, Document)] {
    switch self {
    case .locate(let version): optional("version", version.map(Document.integer))
    case .chunk(let digest, let offset, let count):
      [("digest", .digest(digest)), ("offset", .integer(offset)), ("count", .integer(count))]
    case .probe(let probe): probe.members
    }
  }

  var payloadCount: Int {
    if case .probe = self { 1 } else { 0 }
  }

  static func read(
    _ control: ControlFrame, frames: inout [[UInt8]]
  ) throws(Refusal) -> BlobRequest {
    let request: BlobRequest
    do throws(DocumentError) {
      let body = control.body
      switch try control.kind(among: BlobRequestKind.self) {
      case .locate:
        request = .locate(
          version: body.has("version") ? try body.versionNumber("version") : nil)
      case .chunk:
        request = .chunk(
          digest: try body.digest("digest"),
          offset: try body.integer("offset", in: 0...WireLimits.maximumBlobBytes),
          count: try body.integer("count", in: 1...WireLimits.maximumChunkBytes))
      case .probe: request = .probe(try Probe(reading: body))
      }
      try control.finish()
    } catch {
      throw Refusal(malformed: error)
    }
    if case .probe = request { try Probe.check(frames) }
    return request
  }
}

extension BlobReply: WireBody {
  var kind: String {
    switch self {
    case .located: BlobReplyKind.located.rawValue
    case .chunk: BlobReplyKind.chunk.rawValue
    case .probed: BlobReplyKind.probed.rawValue
    case .refused: BlobReplyKind.refused.rawValue
    }
  }

  var members: [(String, Document)] {
    switch self {
    case .located(let snapshot): snapshot.members
    case .chunk(let digest, let offset, let total):
      [("digest", .digest(digest)), ("offset", .integer(offset)), ("total", .integer(total))]
    case .probed(let probed): probed.members
    case .refused(let refusal): Document.refusal(refusal)
    }
  }

  var payloadCount: Int {
    switch self {
    case .chunk, .probed: 1
    case .located, .refused: 0
    }
  }

  static func read(_ control: ControlFrame, frames: inout [[UInt8]]) throws(Refusal) -> BlobReply {
    let reply: BlobReply
    do throws(DocumentError) {
      let body = control.body
      switch try control.kind(among: BlobReplyKind.self) {
      case .located: reply = .located(try Snapshot(reading: body))
      case .chunk:
        reply = .chunk(
          digest: try body.digest("digest"),
          offset: try body.integer("offset", in: 0...WireLimits.maximumBlobBytes),
          total: try body.integer("total", in: 0...WireLimits.maximumBlobBytes))
      case .probed: reply = .probed(try Probed(reading: body))
      case .refused: reply = .refused(try body.refusal())
      }
      try control.finish()
    } catch {
      throw Refusal(malformed: error)
    }
    try reply.check(frames)
    return reply
  }

  /// A chunk lies within the blob it is of.
  private func check(_ frames: [[UInt8]]) throws(Refusal) {
    if case .probed = self { try Probe.check(frames) }
    guard case .chunk(_, let offset, let total) = self, let bytes = frames.first else { return }
    guard bytes.count <= WireLimits.maximumChunkBytes, offset + bytes.count <= total else {
      throw Refusal(
        .malformed,
        "a chunk of \(bytes.count) bytes at \(offset) of a blob of \(total), at most "
          + "\(WireLimits.maximumChunkBytes) at a time")
    }
  }
}

extension Snapshot {
  private static let announcementKind = "announcement"

  fileprivate var members: [(String, Document)] {
    [
      ("version", .version(version)), ("blob", .digest(blob)), ("byteCount", .integer(byteCount)),
      ("encoding", .string(encoding)),
    ]
  }

  fileprivate init(reading body: Fields) throws(DocumentError) {
    self.init(
      version: try body.version("version"), blob: try body.digest("blob"),
      byteCount: try body.integer("byteCount", in: 0...WireLimits.maximumBlobBytes),
      encoding: try body.name("encoding"))
  }

  /// The one frame an announcement is.
  public func encodedAnnouncement() -> [UInt8] {
    ControlFrame.write(kind: Self.announcementKind, id: 0, body: members)
  }

  public init(decodingAnnouncement frame: [UInt8]) throws(Refusal) {
    let control = try ControlFrame(frame)
    guard control.kind == Self.announcementKind else {
      throw Refusal(
        .malformed, bounded("\(control.kind) where only \(Self.announcementKind) is heard"))
    }
    do throws(DocumentError) {
      try self.init(reading: control.body)
      try control.finish()
    } catch {
      throw Refusal(malformed: error)
    }
  }
}
