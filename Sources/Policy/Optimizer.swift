// AdamW (Kingma and Ba, 2014; Loshchilov and Hutter, 2017) over the flat parameters, with the
// gradient clipped to a Euclidean norm first, as PyTorch's clip_grad_norm_ does it.
//
// Where the policy works in BF16 the forward reads the masters rounded, and the masters are kept
// here: an update of 1e-6 would vanish in a weight of eight bits (Micikevicius and others, arXiv
// 1710.03740). What is published is what the learner's own forward reads, so the log-probs of both
// sides stay equal bit for bit.

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

/// What the weights that the forward reads are rounded to. F32 is computed with either way.
public enum WorkingPrecision: String, Sendable, CaseIterable {
  case f32
  case bf16
}

/// The moments of a transformer's parameters, and its master weights where those are not what the
/// forward reads.
public final class Optimizer<B: Backend> {
  public var settings: OptimizerSettings
  let transformer: Transformer<B>
  let first: B.Buffer
  let second: B.Buffer
  /// nil in F32: the weights are their own masters.
  var masters: B.Buffer?
  /// Updates so far.
  public internal(set) var updates = 0

  /// In BF16 the transformer's weights become the masters, and are rounded where they stand.
  public init(
    _ transformer: Transformer<B>, settings: OptimizerSettings, precision: WorkingPrecision = .f32
  ) {
    self.transformer = transformer
    self.settings = settings
    first = transformer.backend.makeBuffer(count: transformer.layout.count)
    second = transformer.backend.makeBuffer(count: transformer.layout.count)
    if precision == .bf16 { keepMasters() }
  }

  public var precision: WorkingPrecision { masters == nil ? .f32 : .bf16 }

  private func keepMasters() {
    let made = transformer.backend.makeBuffer(count: transformer.layout.count)
    transformer.backend.add(made, transformer.weights, count: transformer.layout.count)
    masters = made
    transformer.roundToBF16(made)
  }

  /// The Euclidean norm of the gradients gathered so far; not finite when any of them is not.
  public func gradientNorm() -> Double {
    transformer.backend.sumOfSquares(
      transformer.requireGradients(), count: transformer.layout.count
    ).squareRoot()
  }

  /// Whether every moment and master is a number.
  public var isFinite: Bool {
    ([first, second] + (masters.map { [$0] } ?? [])).allSatisfy {
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
      parameters: masters ?? transformer.weights, gradients: transformer.requireGradients(),
      first: first, second: second, count: transformer.layout.count, gradientScale: Float(scale),
      AdamW(
        learningRate: Float(learningRate), beta1: Float(settings.beta1),
        beta2: Float(settings.beta2), epsilon: Float(settings.epsilon),
        weightDecay: Float(settings.weightDecay), step: updates))
    if let masters { transformer.roundToBF16(masters) } else { transformer.weightsChanged() }
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
