// The policy as the product runs it, by one name: the roles see neither backends nor their room.

import Safetensors
import Tensors

/// The transformer of actors, learner and commands.
public typealias CPUTransformer = Transformer<CPUBackend>
public typealias CPUGenerator = Generator<CPUBackend>

/// Weights by name, as files carry them.
public typealias WeightTensors = [NamedTensor]

extension Transformer where B == CPUBackend {
  /// Zero weights, on a backend of its own with this many threads.
  public convenience init(configuration: ModelConfiguration, threads: Int) {
    self.init(configuration: configuration, backend: CPUBackend(threads: threads))
  }

  /// What this machine computes under: known before any model is.
  public static var numericClassOfThisMachine: String {
    numericClass(of: CPUBackend(threads: 1))
  }
}
