// Supervised learning on demonstrations: the mean negative log-prob of the demonstrated tokens.
//
//   loss = - sum over completion tokens of log pi(token) / their number      (nats a token)
//
// The same packs, slopes and optimizer as reinforcement learning use; only the slopes differ: they
// are all -1 / tokens.

import Experience
import Policy

/// A prompt and the completion to imitate, stop token included.
public struct Demonstration: Equatable, Sendable {
  public var prompt: [Int32]
  public var completion: [Int32]

  public init(prompt: [Int32], completion: [Int32]) {
    self.prompt = prompt
    self.completion = completion
  }
}

public final class SupervisedTrainer {
  public let policy: CPUTransformer
  public let optimizer: CPUOptimizer
  public let microbatchTokens: Int

  public init(policy: CPUTransformer, optimizer: CPUOptimizer, microbatchTokens: Int) {
    self.policy = policy
    self.optimizer = optimizer
    self.microbatchTokens = microbatchTokens
  }

  /// One step on the whole batch; the loss in nats a token before it. Weights stay as they were
  /// when the loss or the gradient is not finite.
  public func train(_ batch: [Demonstration], learningRate: Double) -> Double {
    let tokens = batch.reduce(0) { $0 + $1.completion.count }
    precondition(tokens > 0, "a batch of \(batch.count) demonstrations without a token")
    policy.zeroGradients()
    var sum = 0.0
    var start = 0
    while start < batch.count {
      var pack = Pack()
      while start < batch.count,
        pack.rowCount == 0
          || pack.rowCount + batch[start].prompt.count + batch[start].completion.count
            <= microbatchTokens
      {
        pack.add(
          prompt: batch[start].prompt, completions: [batch[start].completion], temperature: 1)
        start += 1
      }
      let (scores, tape) = policy.forward(pack)
      sum -= scores.logProbs.reduce(0) { $0 + Double($1) }
      let slope = -1 / Float(tokens)
      policy.backward(
        tape, Slopes(logProbs: [Float](repeating: slope, count: scores.logProbs.count)))
    }
    let norm = optimizer.gradientNorm()
    if norm.isFinite, sum.isFinite {
      optimizer.update(learningRate: learningRate, gradientNorm: norm)
    }
    return sum / Double(tokens)
  }
}
