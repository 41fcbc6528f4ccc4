import Experience
import Tensors

/// A ticket's worth of sampling.
public struct GenerationRequest: Equatable, Sendable {
  public var prompt: [Int32]
  public var samples: Int
  /// Where the random numbers are addressed: token at position p of sample s takes the uniform
  /// `AddressedRandom.uniform(seed:, domain:, ticket, s, p)`; p counts completion tokens from 0.
  public var seed: UInt64
  public var domain: RandomDomain
  public var ticket: UInt64
  /// 0 is greedy.
  public var temperature: Float
  public var maximumNewTokens: Int
  public var stopTokens: Set<Int32>

  public init(
    prompt: [Int32], samples: Int, seed: UInt64, domain: RandomDomain, ticket: UInt64,
    temperature: Float, maximumNewTokens: Int, stopTokens: Set<Int32>
  ) {
    self.prompt = prompt
    self.samples = samples
    self.seed = seed
    self.domain = domain
    self.ticket = ticket
    self.temperature = temperature
    self.maximumNewTokens = maximumNewTokens
    self.stopTokens = stopTokens
  }
}

/// Batched sampling with a key/value cache.
public final class Generator<B: Backend> {
  public init(_ transformer: Transformer<B>) { fatalError() }

  /// The samples of each request, in order. `shouldStop` is asked once a token step; true ends at
  /// once with nil. `progress` hears how many tokens have been sampled so far.
  public func generate(
    _ requests: [GenerationRequest], shouldStop: () -> Bool = { false },
    progress: (Int) -> Void = { _ in }
  ) -> [[Completion]]? { fatalError() }
}
