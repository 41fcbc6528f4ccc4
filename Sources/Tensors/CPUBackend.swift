/// The product's backend: CKernels forward, OpenBLAS backward, threads of its own.
public final class CPUBackend {
  public init(threads: Int) { fatalError() }
}
