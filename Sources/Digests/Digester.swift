// BLAKE2b-256 by libsodium: the one digest of everything Forage names by content.

import CSodium
import Experience

/// Digests bytes given piece by piece.
public struct Digester: ~Copyable {
  /// libsodium keeps the state's layout to itself and asks for 64-byte alignment.
  private let memory: UnsafeMutableRawPointer
  private var state: OpaquePointer { OpaquePointer(memory) }

  public init() {
    memory = .allocate(byteCount: crypto_generichash_statebytes(), alignment: 64)
    let status = crypto_generichash_init(state, nil, 0, Digest.byteCount)
    precondition(status == 0, "crypto_generichash_init answered \(status)")
  }

  deinit { memory.deallocate() }

  public func update(_ bytes: UnsafeRawBufferPointer) {
    _ = crypto_generichash_update(
      state, bytes.bindMemory(to: UInt8.self).baseAddress, UInt64(bytes.count))
  }

  public func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// Length first, so that two neighboring texts can not be cut differently and agree.
  public func update(_ text: String) {
    let bytes = Array(text.utf8)
    withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { update($0) }
    update(bytes)
  }

  /// The digest of all that was given.
  public consuming func finish() -> Digest {
    var bytes = [UInt8](repeating: 0, count: Digest.byteCount)
    _ = crypto_generichash_final(state, &bytes, Digest.byteCount)
    return Digest(bytes: bytes)
  }
}

extension Digest {
  /// The digest of these bytes.
  public init(of bytes: UnsafeRawBufferPointer) {
    let digester = Digester()
    digester.update(bytes)
    self = digester.finish()
  }

  public init(of bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Digest(of: $0) }
  }
}
