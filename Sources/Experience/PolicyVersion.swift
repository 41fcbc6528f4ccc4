// Which weights: a lineage, the number of optimizer steps so far, and the digest of the tensors.

/// The identity of a policy. A number alone never is one: two runs, or a fork of one, share
/// numbers.
public struct PolicyVersion: Hashable, Sendable, CustomStringConvertible {
  /// Names the run and, after a fork, the branch of it.
  public let lineage: String
  /// Optimizer steps so far: step k trains version k into version k + 1.
  public let number: Int
  /// Over the tensors as both forwards use them, whatever encoding carried them.
  public let digest: Digest

  public init(lineage: String, number: Int, digest: Digest) {
    self.lineage = lineage
    self.number = number
    self.digest = digest
  }

  public var description: String { "\(lineage)/\(number)@\(digest.short)" }
}
