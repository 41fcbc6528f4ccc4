// A trajectory group as one safetensors blob: what an actor submits, replay stores, a lease carries.

import Experience
import Safetensors

/// What a decoder may accept: all known before a group is read.
public struct GroupLimits: Equatable, Sendable {
  public var groupSize: Int
  public var maximumPromptTokens: Int
  public var maximumNewTokens: Int
  public var vocabularySize: Int

  public init(groupSize: Int, maximumPromptTokens: Int, maximumNewTokens: Int, vocabularySize: Int)
  {
    self.groupSize = groupSize
    self.maximumPromptTokens = maximumPromptTokens
    self.maximumNewTokens = maximumNewTokens
    self.vocabularySize = vocabularySize
  }
}

extension TrajectoryGroup {
  public func encoded() -> [UInt8] { fatalError() }
  /// Checks every length, id and value before allocating in proportion to it. `limits` nil reads
  /// what has been checked before (a ledger's own row).
  public init(decoding bytes: [UInt8], limits: GroupLimits?) throws(Refusal) { fatalError() }
}
