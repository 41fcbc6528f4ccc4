// The shape of a decoder of the Llama family, as a Hugging Face config.json tells it.

/// What a forward pass needs to know of a model.
public struct ModelConfiguration: Equatable, Sendable {
  public enum Family: String, Sendable, CaseIterable {
    case llama = "LlamaForCausalLM"
    case qwen2 = "Qwen2ForCausalLM"
    case qwen3 = "Qwen3ForCausalLM"
  }

  public enum RopeScaling: Equatable, Sendable {
    case none
    case linear(factor: Double)
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalPositions: Int)
  }

  public var family: Family
  public var vocabularySize: Int
  public var hiddenSize: Int
  public var feedForwardSize: Int
  public var layers: Int
  public var heads: Int
  public var keyValueHeads: Int
  public var headSize: Int
  public var maximumPositions: Int
  public var normEpsilon: Double
  public var ropeTheta: Double
  public var ropeScaling: RopeScaling
  /// The head is the embedding's own matrix.
  public var isTied: Bool
  /// Qwen2: biases on q, k and v.
  public var hasAttentionBias: Bool
  /// Qwen3: RMS norms on each head's q and k.
  public var hasHeadNorms: Bool
  /// Ids that end a completion.
  public var stopTokens: Set<Int32>
  public var initializerRange: Double

  public init(
    family: Family = .llama, vocabularySize: Int, hiddenSize: Int, feedForwardSize: Int,
    layers: Int, heads: Int, keyValueHeads: Int, headSize: Int? = nil,
    maximumPositions: Int = 2048, normEpsilon: Double = 1e-5, ropeTheta: Double = 10_000,
    ropeScaling: RopeScaling = .none, isTied: Bool = true, hasAttentionBias: Bool = false,
    hasHeadNorms: Bool = false, stopTokens: Set<Int32> = [], initializerRange: Double = 0.02
  ) {
    self.family = family
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.feedForwardSize = feedForwardSize
    self.layers = layers
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize ?? hiddenSize / heads
    self.maximumPositions = maximumPositions
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
    self.ropeScaling = ropeScaling
    self.isTied = isTied
    self.hasAttentionBias = hasAttentionBias
    self.hasHeadNorms = hasHeadNorms
    self.stopTokens = stopTokens
    self.initializerRange = initializerRange
  }
}
