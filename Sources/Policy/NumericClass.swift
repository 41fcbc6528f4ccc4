// What bit equality depends on, as one short text: the precision that is computed in, the kernels
// chosen, and a digest of what a tiny model answers under them. Two processes with one class
// compute the same log-probs to the last bit; between classes nothing is claimed.

import Digests
import Experience
import Tensors

extension Transformer {
  /// "f32/cpu-avx512/1f09c5a2b7d4".
  public var numericClass: String { Self.numericClass(of: backend) }

  /// The class a backend computes under.
  public static func numericClass(of backend: B) -> String {
    let shape = ModelConfiguration(
      vocabularySize: 37, hiddenSize: 48, feedForwardSize: 80, layers: 2, heads: 3,
      keyValueHeads: 1, headSize: 16, maximumPositions: 64, initializerRange: 0.3)
    let probe = Transformer(configuration: shape, backend: backend)
    probe.initialize(seed: 20_26)
    var pack = Pack()
    let prompt = (0..<21).map { Int32(($0 * 7 + 3) % 37) }
    pack.add(
      prompt: prompt, completions: [Array(prompt.reversed()), Array(prompt.prefix(5))],
      temperature: 0.9)
    let scores = probe.score(pack)
    let digester = Digester()
    (scores.logProbs + scores.entropies).withUnsafeBytes { digester.update($0) }
    return "f32/\(backend.name)/\(digester.finish().short)"
  }
}
