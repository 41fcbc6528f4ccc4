import Experience
import Safetensors
import Tensors

/// What a forward pass says of a pack.
public struct Scores: Equatable, Sendable {
  /// One a query of the pack: log pi(target), natural log, under logits / T.
  public var logProbs: [Float]
  /// One a query: the entropy, in nats, of the distribution the target was drawn from.
  public var entropies: [Float]
}

/// d(loss)/d(scalar) for every scalar a pack was asked for.
public struct Slopes: Equatable, Sendable {
  public var logProbs: [Float]
  /// nil: all zero.
  public var entropies: [Float]?

  public init(logProbs: [Float], entropies: [Float]? = nil) {
    self.logProbs = logProbs
    self.entropies = entropies
  }
}

/// A decoder of the Llama family: weights, forward, backward.
public final class Transformer<B: Backend> {
  public let configuration: ModelConfiguration
  public let backend: B

  /// Zero weights until `load` or `initialize`.
  public init(configuration: ModelConfiguration, backend: B) { fatalError() }

  /// Normal weights of the configuration's range, addressed by seed, tensor and element.
  public func initialize(seed: UInt64) { fatalError() }
  /// Takes weights by name; throws when one is missing, unknown or of another shape.
  public func load(_ weights: [NamedTensor]) throws(ModelFolderError) { fatalError() }
  /// A copy of the weights, F32, in the configuration's order.
  public func weights() -> [NamedTensor] { fatalError() }
  /// The version digest: over names, shapes and the bits the forward reads.
  public func digest() -> Digest { fatalError() }

  /// Log-probs and entropies without a tape.
  public func score(_ pack: Pack) -> Scores { fatalError() }

  /// What bit equality depends on: binary format, kernels, self-test. Equal classes, equal bits.
  public var numericClass: String { fatalError() }
}
