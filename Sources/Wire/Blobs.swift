// Fetching bytes by digest: weights by version, and the files a run is made of.

import Experience

/// Asked of the learner's weight server.
public enum BlobRequest: Equatable, Sendable {
  /// What is the encoded snapshot of this version (nil: the newest)?
  case locate(version: Int?)
  case chunk(digest: Digest, offset: Int, count: Int)
  /// Measures the way here; the bytes are the payload frame.
  case probe(Probe)
}

public enum BlobReply: Equatable, Sendable {
  case located(Snapshot)
  /// The bytes are the payload frame; `total` is the whole blob's size.
  case chunk(digest: Digest, offset: Int, total: Int)
  case probed(Probed)
  case refused(Refusal)
}

/// A published version: what PUB announces and `locate` answers.
public struct Snapshot: Equatable, Sendable {
  public var version: PolicyVersion
  /// Of the encoded bytes: what chunks are asked for by.
  public var blob: Digest
  public var byteCount: Int
  /// How the tensors are encoded: "f32".
  public var encoding: String

  public init(version: PolicyVersion, blob: Digest, byteCount: Int, encoding: String) {
    self.version = version
    self.blob = blob
    self.byteCount = byteCount
    self.encoding = encoding
  }
}
