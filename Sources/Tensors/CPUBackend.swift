// The product's backend: CKernels for every loop, on threads of its own.
//
// Work is cut into tasks whose results depend on the task alone, and each output is summed by one
// task in a fixed order, so the bits depend neither on the number of threads nor on which of them
// ran what. Forward products never see how many rows share a call (DESIGN section 6). Backward
// products were meant for OpenBLAS; the same tiles serve them at its speed or above (twice, where
// OpenBLAS does not know the processor) and repeat themselves on any number of threads.

import CKernels
import Glibc

/// Which instructions the kernels use. All give the same bits.
public enum InstructionSet: String, CaseIterable, Sendable {
  case portable, avx2, avx512

  /// Those this machine can run, slowest first.
  public static var available: [InstructionSet] { allCases.filter { $0.kernels != nil } }

  var kernels: UnsafePointer<ForageKernels>? {
    switch self {
    case .portable: forageKernels(Int32(FORAGE_PORTABLE))
    case .avx2: forageKernels(Int32(FORAGE_AVX2))
    case .avx512: forageKernels(Int32(FORAGE_AVX512))
    }
  }
}

/// Sendable by this rule: one thread at a time calls it and its buffers, the compute thread.
public final class CPUBackend: Backend, @unchecked Sendable {
  public typealias Buffer = CPUBuffer
  public typealias Packed = CPUPacked
  public typealias Cache = CPUCache

  public let instructionSet: InstructionSet
  public let threads: Int
  public var name: String { "cpu-" + instructionSet.rawValue }

  let kernels: ForageKernels
  let pool: ThreadPool
  /// One a thread; a task uses only its own thread's.
  let scratches: UnsafeMutablePointer<Scratch>
  /// The caller's, for what all tasks of a call share. `logits` is the head's slice.
  var partials = Scratch()
  var logits = Scratch()

  /// `threads` counts the caller. `instructionSet` nil takes the fastest this machine has; one it
  /// lacks is the caller's mistake.
  public init(threads: Int, instructionSet: InstructionSet? = nil) {
    let chosen = instructionSet ?? InstructionSet.available.last!
    guard let table = chosen.kernels else {
      preconditionFailure("this machine cannot run \(chosen.rawValue) kernels")
    }
    self.instructionSet = chosen
    self.threads = threads
    kernels = table.pointee
    pool = ThreadPool(threads: threads)
    scratches = .allocate(capacity: threads)
    for index in 0..<threads { (scratches + index).initialize(to: Scratch()) }
  }

  deinit {
    scratches.deinitialize(count: threads)
    scratches.deallocate()
  }

  public func makeBuffer(count: Int) -> Buffer { CPUBuffer(count: count) }
  public func count(_ buffer: Buffer) -> Int { buffer.count }

  public func upload(_ values: UnsafeBufferPointer<Float>, to buffer: Buffer, at offset: Int) {
    guard let source = values.baseAddress, values.count > 0 else { return }
    check(buffer, offset + values.count, "upload")
    (buffer.floats + offset).update(from: source, count: values.count)
  }

  public func download(
    _ buffer: Buffer, at offset: Int, into values: UnsafeMutableBufferPointer<Float>
  ) {
    guard let destination = values.baseAddress, values.count > 0 else { return }
    check(buffer, offset + values.count, "download")
    destination.update(from: buffer.floats + offset, count: values.count)
  }

  public func zero(_ buffer: Buffer) {
    memset(buffer.floats, 0, buffer.count * MemoryLayout<Float>.stride)
  }

  func check(_ buffer: Buffer, _ count: Int, _ what: StaticString) {
    precondition(
      count <= buffer.count,
      "\(what) reaches element \(count) of a buffer of \(buffer.count)")
  }

  /// Splits `0 ..< count` into stretches of about `grain`, none shorter than `grain` unless it is
  /// the only one, and runs them. `body` must not care where the cuts fall.
  func split(
    _ count: Int, grain: Int, multiple: Int = 1,
    _ body: (_ range: Range<Int>, _ worker: Int) -> Void
  ) {
    let units = (count + multiple - 1) / multiple
    let tasks = min(max(count / max(grain, 1), 1), max(units, 1), ThreadPool.taskLimit)
    pool.run(tasks) { task, worker in
      let first = units * task / tasks * multiple
      let end = min(units * (task + 1) / tasks * multiple, count)
      if first < end { body(first..<end, worker) }
    }
  }
}
