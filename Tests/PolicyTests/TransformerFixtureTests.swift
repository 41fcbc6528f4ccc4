// The decoder against PyTorch and transformers: log-probs, entropies, gradients and one AdamW step
// of four small models, computed there in float64 (Fixtures/make.py).

import Policy
import Safetensors
import Tensors
import Testing

/// One family's folder and what another library says of it.
struct Fixture {
  let folder: ModelFolder
  let expected: SafetensorsBlob
  let pack: Pack

  init(_ family: String) throws {
    let path = "\(fixtureFolder)/\(family)"
    folder = try ModelFolder(path: path)
    expected = try SafetensorsBlob(
      parsing: readFile("\(path)/expected.safetensors"), source: family)
    var pack = Pack()
    var group = 0
    while let prompt = expected["group\(group).prompt"] {
      var completions: [[Int32]] = []
      while let tokens = expected["group\(group).completion\(completions.count)"] {
        completions.append(try tokens.integers())
      }
      let temperature = try expected["group\(group).temperature"]!.floats()[0]
      pack.add(prompt: try prompt.integers(), completions: completions, temperature: temperature)
      group += 1
    }
    self.pack = pack
  }

  func floats(_ name: String) throws -> [Float] { try #require(expected[name]).floats() }
}

/// The largest |a - b| / (scale + |b|).
func greatestError(_ a: [Float], _ b: [Float], scale: Float) -> Float {
  precondition(a.count == b.count, "\(a.count) values against \(b.count)")
  return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1) / (scale + abs($1.1))) }
}

@Suite struct TransformerFixtureTests {
  static let families = ["llama", "llama3", "qwen2", "qwen3"]

  @Test(arguments: families)
  func `log-probs and entropies are those of PyTorch, on both backends`(family: String) throws {
    try checkScores(family, on: ReferenceBackend())
    try checkScores(family, on: CPUBackend(threads: 2))
  }

  @Test(arguments: families)
  func `gradients and one AdamW step are those of PyTorch, on both backends`(family: String) throws
  {
    try checkStep(family, on: ReferenceBackend())
    try checkStep(family, on: CPUBackend(threads: 2))
  }

  private func checkScores<B: Backend>(_ family: String, on backend: B) throws {
    let fixture = try Fixture(family)
    let model = Transformer(configuration: fixture.folder.configuration, backend: backend)
    try fixture.folder.load(into: model)
    let scores = model.score(fixture.pack)
    // Float32 forward against float64: 30 ulp of a logit near 8 are 3e-5.
    let error = greatestError(scores.logProbs, try fixture.floats("logprobs"), scale: 1)
    print("\(family) on \(B.self): log-probs \(error)")
    #expect(error < 2e-5)
    #expect(greatestError(scores.entropies, try fixture.floats("entropies"), scale: 1) < 2e-5)
  }

  private func checkStep<B: Backend>(_ family: String, on backend: B) throws {
    let fixture = try Fixture(family)
    let model = Transformer(configuration: fixture.folder.configuration, backend: backend)
    try model.load(fixture.folder.weights())
    let optimizer = Optimizer(model, settings: OptimizerSettings(clipNorm: 1))
    model.zeroGradients()
    let (_, tape) = model.forward(fixture.pack)
    model.backward(
      tape,
      Slopes(
        logProbs: try fixture.floats("logprob_slopes"),
        entropies: try fixture.floats("entropy_slopes")))
    var worst: Float = 0
    for gradient in model.copyGradients() {
      let expected = try fixture.floats("gradient.\(gradient.name)")
      // Relative to the tensor's own size: single elements may cancel to nearly nothing.
      let size = expected.reduce(0) { max($0, abs($1)) }
      let error = greatestError(try gradient.floats(), expected, scale: size)
      worst = max(worst, error)
      #expect(error < 1e-4, "\(gradient.name)")
    }
    print("\(family) on \(B.self): gradients \(worst)")
    let norm = optimizer.gradientNorm()
    let expectedNorm = Double(try fixture.floats("gradient_norm")[0])
    #expect(abs(norm - expectedNorm) < 1e-5 * expectedNorm)
    optimizer.update(learningRate: 1e-3, gradientNorm: norm)
    try checkMoments(fixture, optimizer)
    try checkWeights(fixture, model)
  }

  private func checkMoments<B: Backend>(_ fixture: Fixture, _ optimizer: Optimizer<B>) throws {
    for tensor in optimizer.state().tensors {
      let isFirst = tensor.name.hasPrefix("exp_avg.")
      let name = tensor.name.dropFirst((isFirst ? "exp_avg." : "exp_avg_sq.").count)
      let expected = try fixture.floats("moment\(isFirst ? 1 : 2).\(name)")
      let size = expected.reduce(0) { max($0, abs($1)) }
      #expect(
        greatestError(try tensor.floats(), expected, scale: size) < 2e-4, "\(tensor.name)")
    }
  }

  private func checkWeights<B: Backend>(_ fixture: Fixture, _ model: Transformer<B>) throws {
    var compared = 0
    for weight in model.copyWeights() {
      let expected = try fixture.floats("weight.\(weight.name)")
      let gradient = try fixture.floats("gradient.\(weight.name)")
      let size = gradient.reduce(0) { max($0, abs($1)) }
      let floats = try weight.floats()
      for index in floats.indices where abs(gradient[index]) > 1e-3 * size {
        // Adam's first step is lr times a sign: where the gradient is not noise it is 1e-3 exactly,
        // but for epsilon and the rounding of a weight near 1.
        #expect(abs(floats[index] - expected[index]) < 1e-6, "\(weight.name)[\(index)]")
        compared += 1
      }
    }
    #expect(compared > 1000)
  }
}
