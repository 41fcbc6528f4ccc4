// Two models in one process compute on the same threads: a policy and its frozen reference.

extension Transformer {
  /// Zero weights, on the backend another transformer already has.
  public convenience init(configuration: ModelConfiguration, sharing other: Transformer<B>) {
    self.init(configuration: configuration, backend: other.backend)
  }
}
