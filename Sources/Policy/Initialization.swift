// Weights of a new model: normal with the configuration's range, norms one, biases zero, as
// `transformers` starts a Llama. Every number is addressed by seed, tensor and element, so that a
// model is a function of its seed and shape alone.

import Experience
import Glibc
import Safetensors

extension Transformer {
  public func initialize(seed: UInt64) {
    for (tensor, entry) in layout.entries.enumerated() {
      var values: [Float]
      if entry.name.hasSuffix("norm.weight") {
        values = [Float](repeating: 1, count: entry.count)
      } else if entry.name.hasSuffix("bias") {
        values = [Float](repeating: 0, count: entry.count)
      } else {
        values = (0..<entry.count).map { element in
          Float(
            configuration.initializerRange
              * Self.normal(seed: seed, tensor: UInt64(tensor), element: UInt64(element)))
        }
      }
      values.withUnsafeBufferPointer { backend.upload($0, to: weights, at: entry.offset) }
    }
    weightsChanged()
  }

  /// A standard normal at an address, by Box and Muller's transform.
  private static func normal(seed: UInt64, tensor: UInt64, element: UInt64) -> Double {
    func uniform(_ which: UInt64) -> Double {
      let bits = AddressedRandom.bits(
        seed: seed, domain: .initialization, tensor, element, which)
      return (Double(bits >> 11) + 0.5) * 0x1p-53
    }
    return (-2 * log(uniform(0))).squareRoot() * cos(2 * Double.pi * uniform(1))
  }
}
