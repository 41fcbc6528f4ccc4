// AdamW (Kingma and Ba, 2014; Loshchilov and Hutter, 2017) over the flat parameters, with the
// gradient clipped to a Euclidean norm first, as PyTorch's clip_grad_norm_ does it.

import Tensors

/// AdamW's constants that do not change from step to step.
public struct OptimizerSettings: Equatable, Sendable {
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  public var weightDecay: Double
  /// 0: no clipping.
  public var clipNorm: Double

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0,
    clipNorm: Double = 1
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.clipNorm = clipNorm
  }
}

/// The moments of a transformer's parameters.
public final class Optimizer<B: Backend> {
  public var settings: OptimizerSettings
  let transformer: Transformer<B>
  let first: B.Buffer
  let second: B.Buffer
  /// Updates so far.
  public internal(set) var updates = 0

  public init(_ transformer: Transformer<B>, settings: OptimizerSettings) {
    self.transformer = transformer
    self.settings = settings
    first = transformer.backend.makeBuffer(count: transformer.layout.count)
    second = transformer.backend.makeBuffer(count: transformer.layout.count)
  }

  /// The Euclidean norm of the gradients gathered so far; not finite when any of them is not.
  public func gradientNorm() -> Double {
    transformer.backend.sumOfSquares(
      transformer.requireGradients(), count: transformer.layout.count
    ).squareRoot()
  }

  /// Whether every moment is a number.
  public var isFinite: Bool {
    [first, second].allSatisfy {
      transformer.backend.sumOfSquares($0, count: transformer.layout.count).isFinite
    }
  }

  /// One update from the gradients gathered so far, whose norm is given.
  public func update(learningRate: Double, gradientNorm: Double) {
    precondition(gradientNorm.isFinite, "an update from a gradient of norm \(gradientNorm)")
    // The constant of PyTorch's clip_grad_norm_: keeps the scale finite.
    let scale =
      settings.clipNorm > 0 ? min(1, settings.clipNorm / (gradientNorm + 1e-6)) : 1
    updates += 1
    transformer.backend.adamW(
      parameters: transformer.weights, gradients: transformer.requireGradients(), first: first,
      second: second, count: transformer.layout.count, gradientScale: Float(scale),
      AdamW(
        learningRate: Float(learningRate), beta1: Float(settings.beta1),
        beta2: Float(settings.beta2), epsilon: Float(settings.epsilon),
        weightDecay: Float(settings.weightDecay), step: updates))
    transformer.weightsChanged()
  }
}

/// The product's optimizer.
public typealias CPUOptimizer = Optimizer<CPUBackend>

/// The learning rate of a step: a linear warm-up, then linear to the final rate at the last step.
/// It follows the count of steps, never the clock.
public struct LearningRateSchedule: Equatable, Sendable {
  public var peak: Double
  public var final: Double
  public var warmUpSteps: Int
  public var steps: Int

  public init(peak: Double, final: Double, warmUpSteps: Int, steps: Int) {
    self.peak = peak
    self.final = final
    self.warmUpSteps = warmUpSteps
    self.steps = steps
  }

  /// The rate of step `step`, counted from 0.
  public func rate(step: Int) -> Double {
    if step < warmUpSteps { return peak * Double(step + 1) / Double(warmUpSteps) }
    let span = Double(max(1, steps - 1 - warmUpSteps))
    let progress = min(1, Double(step - warmUpSteps) / span)
    return peak + (final - peak) * progress
  }
}
