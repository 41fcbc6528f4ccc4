// The backward pass by identities: central differences on the naive backend, packed against
// separate, one pass against two, and the optimizer's own arithmetic.

import Experience
import Policy
import Tensors
import Testing

@Suite struct GradientTests {
  static let shape = ModelConfiguration(
    family: .qwen3, vocabularySize: 11, hiddenSize: 12, feedForwardSize: 10, layers: 2, heads: 4,
    keyValueHeads: 2, headSize: 6, maximumPositions: 32, ropeTheta: 100, hasHeadNorms: true,
    initializerRange: 0.4)

  static func samplePack() -> Pack {
    var pack = Pack()
    pack.add(prompt: [1, 5, 9], completions: [[2, 3, 4, 2], [7], [8, 8]], temperature: 0.8)
    pack.add(prompt: [4], completions: [[6, 0, 1]], temperature: 1)
    return pack
  }

  static func slopes(_ pack: Pack) -> Slopes {
    Slopes(
      logProbs: pack.queries.indices.map { Float(($0 * 7) % 5) * 0.3 - 0.5 },
      entropies: pack.queries.indices.map { Float(($0 * 3) % 4) * 0.2 - 0.3 })
  }

  static func loss<B: Backend>(_ model: Transformer<B>, _ pack: Pack, _ slopes: Slopes) -> Double {
    let scores = model.score(pack)
    let first = zip(scores.logProbs, slopes.logProbs).reduce(0.0) {
      $0 + Double($1.0) * Double($1.1)
    }
    return zip(scores.entropies, slopes.entropies ?? []).reduce(first) {
      $0 + Double($1.0) * Double($1.1)
    }
  }

  @Test func `the gradient is the central difference of the loss`() throws {
    let model = Transformer(configuration: Self.shape, backend: ReferenceBackend())
    model.initialize(seed: 3)
    let pack = Self.samplePack()
    let slopes = Self.slopes(pack)
    model.zeroGradients()
    let (_, tape) = model.forward(pack)
    model.backward(tape, slopes)
    let gradients = model.copyGradients()
    let weights = model.copyWeights()
    // Every tensor, a few elements of each. Float32 storage leaves about 1e-6 / step of noise.
    let step: Float = 2e-3
    for (tensor, gradient) in gradients.enumerated() {
      let values = try gradient.floats()
      for index in stride(from: 0, to: values.count, by: max(1, values.count / 5)) {
        var losses: [Double] = []
        for sign: Float in [1, -1] {
          var moved = weights
          var floats = try weights[tensor].floats()
          floats[index] += sign * step
          moved[tensor] = .init(
            name: weights[tensor].name, shape: weights[tensor].shape, floats: floats)
          try model.load(moved)
          losses.append(Self.loss(model, pack, slopes))
        }
        let difference = (losses[0] - losses[1]) / Double(2 * step)
        #expect(
          abs(difference - Double(values[index])) < 3e-3 + 1e-2 * abs(difference),
          "\(gradient.name)[\(index)]: \(difference) against \(values[index])")
      }
    }
  }

  @Test func `a packed group has the gradient of its completions apart`() throws {
    let model = Transformer(configuration: Self.shape, backend: CPUBackend(threads: 1))
    model.initialize(seed: 3)
    let packed = Self.samplePack()
    let slopes = Self.slopes(packed)
    model.zeroGradients()
    let (scores, tape) = model.forward(packed)
    model.backward(tape, slopes)
    let together = model.copyGradients()

    model.zeroGradients()
    var apart: [Float] = []
    let sequences: [([Int32], [Int32], Float)] = [
      ([1, 5, 9], [2, 3, 4, 2], 0.8), ([1, 5, 9], [7], 0.8), ([1, 5, 9], [8, 8], 0.8),
      ([4], [6, 0, 1], 1),
    ]
    var first = 0
    for (prompt, completion, temperature) in sequences {
      var pack = Pack()
      pack.add(prompt: prompt, completions: [completion], temperature: temperature)
      let (scores, tape) = model.forward(pack)
      apart += scores.logProbs
      let range = first..<first + completion.count
      model.backward(
        tape,
        Slopes(
          logProbs: Array(slopes.logProbs[range]), entropies: Array(slopes.entropies![range])))
      first = range.upperBound
    }
    #expect(apart.map(\.bitPattern) == scores.logProbs.map(\.bitPattern))
    for (one, other) in zip(together, model.copyGradients()) {
      let size = try one.floats().reduce(0) { max($0, abs($1)) }
      // Float32 sums in another order: a few hundred terms, 1e-5 of the tensor's size.
      #expect(
        greatestError(try one.floats(), try other.floats(), scale: size) < 1e-5, "\(one.name)")
    }
  }

  @Test func `the same passes give the same gradient, bit for bit`() throws {
    func run() throws -> [[Float]] {
      let model = Transformer(configuration: Self.shape, backend: CPUBackend(threads: 2))
      model.initialize(seed: 3)
      model.zeroGradients()
      let pack = Self.samplePack()
      let (_, tape) = model.forward(pack)
      model.backward(tape, Self.slopes(pack))
      return try model.copyGradients().map { try $0.floats() }
    }
    #expect(try run() == run())
  }

  @Test func `an optimizer loaded from its state continues bit for bit`() throws {
    func model() -> Transformer<CPUBackend> {
      Transformer(configuration: Self.shape, backend: CPUBackend(threads: 1))
    }
    func step(_ model: Transformer<CPUBackend>, _ optimizer: Optimizer<CPUBackend>) {
      let pack = Self.samplePack()
      model.zeroGradients()
      let (_, tape) = model.forward(pack)
      model.backward(tape, Self.slopes(pack))
      optimizer.update(learningRate: 1e-2, gradientNorm: optimizer.gradientNorm())
    }
    let first = model()
    first.initialize(seed: 3)
    let optimizer = Optimizer(first, settings: OptimizerSettings())
    step(first, optimizer)
    let second = model()
    try second.load(first.copyWeights())
    let resumed = Optimizer(second, settings: OptimizerSettings())
    try resumed.load(optimizer.state(), source: "a test")
    for _ in 0..<2 {
      step(first, optimizer)
      step(second, resumed)
    }
    #expect(first.digest() == second.digest())
    #expect(
      optimizer.stateDigest(weights: first.digest())
        == resumed.stateDigest(weights: second.digest()))
  }

  @Test func `the learning rate warms up, then falls to its final value at the last step`() {
    let schedule = LearningRateSchedule(peak: 1, final: 0.25, warmUpSteps: 4, steps: 14)
    #expect((0..<4).map { schedule.rate(step: $0) } == [0.25, 0.5, 0.75, 1])
    #expect(schedule.rate(step: 4) == 1)
    #expect(schedule.rate(step: 13) == 0.25)
    #expect(schedule.rate(step: 99) == 0.25)
  }

  @Test func `a pack feeds a completion all but its last token and asks for every one`() {
    let pack = Self.samplePack()
    #expect(pack.tokens == [1, 5, 9, 2, 3, 4, 8, 4, 6, 0])
    #expect(pack.positions == [0, 1, 2, 3, 4, 5, 3, 0, 1, 2])
    #expect(pack.queries.map(\.target) == [2, 3, 4, 2, 7, 8, 8, 6, 0, 1])
    #expect(pack.completions == [0..<4, 4..<5, 5..<7, 7..<10])
    #expect(pack.queries.map { pack.scoredRows[$0.row] } == [2, 3, 4, 5, 2, 2, 6, 7, 8, 9])
    #expect(
      pack.rowCount
        == Pack.rowCount(prompt: [1, 5, 9], completions: [[2, 3, 4, 2], [7], [8, 8]])
        + Pack.rowCount(prompt: [4], completions: [[6, 0, 1]]))
  }
}
