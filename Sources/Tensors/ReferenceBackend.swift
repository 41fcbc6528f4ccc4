/// The naive twin of every kernel: plain loops that accumulate in Double. Never deleted.
public final class ReferenceBackend {
  public init() {}
}
