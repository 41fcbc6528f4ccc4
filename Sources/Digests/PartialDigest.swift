// A digest in the making as a plain value, which can be kept and copied with what it belongs to.
//
// `Digester` owns its state and is the one for many small pieces; this one copies 384 bytes at each
// update, which is nothing beside a piece of a blob.

import CSodium
import Experience

public struct PartialDigest: Sendable {
  private var state: [UInt8]

  public init() {
    state = [UInt8](repeating: 0, count: crypto_generichash_statebytes())
    change { state in
      let status = crypto_generichash_init(state, nil, 0, Digest.byteCount)
      precondition(status == 0, "crypto_generichash_init answered \(status)")
    }
  }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    change { state in
      _ = crypto_generichash_update(
        state, bytes.bindMemory(to: UInt8.self).baseAddress, UInt64(bytes.count))
    }
  }

  /// The digest of what was given so far.
  public var digest: Digest {
    var bytes = [UInt8](repeating: 0, count: Digest.byteCount)
    var last = self
    last.change { state in _ = crypto_generichash_final(state, &bytes, Digest.byteCount) }
    return Digest(bytes: bytes)
  }

  /// libsodium wants its state on a multiple of 64 bytes, which an array does not promise.
  private mutating func change(_ body: (OpaquePointer) -> Void) {
    withUnsafeTemporaryAllocation(byteCount: state.count, alignment: 64) { aligned in
      aligned.copyBytes(from: state)
      body(OpaquePointer(aligned.baseAddress!))
      state.withUnsafeMutableBytes { $0.copyMemory(from: .init(aligned)) }
    }
  }
}
