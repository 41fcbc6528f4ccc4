// Curve25519 key pairs (CURVE, ZeroMQ RFC 26) and what a key is for.
//
// A key's text is Z85 (RFC 32): 40 characters for 32 bytes, free of spaces, quotes and backslashes.
// A secret lives in memory of libsodium's own: kept out of swap and core dumps as far as the system
// allows, wiped when it is let go, and never a `String`, which nobody could wipe.

import CSodium
import CZeroMQ

/// What the owner of a key may be in a run: the role comes from the key, never from a message.
public enum KeyRole: String, Sendable, CaseIterable {
  /// Replay and the weight server, which serve under one key.
  case server
  case actor, learner
  /// A person who asks how a run stands.
  case looker
}

/// The half of a pair that everybody may know.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
  public static let textBytes = 40
  static let rawBytes = 32

  public let text: String

  /// Nil for what is not the Z85 text of 32 bytes.
  public init?(_ text: String) {
    guard Z85.isKey(Array(text.utf8)) else { return nil }
    self.text = text
  }

  /// Of the 32 bytes themselves, as ZAP brings them.
  init?(raw: [UInt8]) {
    guard raw.count == Self.rawBytes else { return nil }
    var buffer = [CChar](repeating: 0, count: Self.textBytes + 1)
    guard zmq_z85_encode(&buffer, raw, raw.count) != nil else { return nil }
    text = Z85.text(buffer)
  }

  public var description: String { text }
}

/// The half that its owner alone may know. What prints it prints nothing of it.
public final class SecretKey: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
  /// 40 characters and a zero; never written after `init`, so any thread may read it.
  let bytes: UnsafeMutableRawPointer
  static let byteCount = PublicKey.textBytes + 1

  private init() throws(MessagingError) {
    guard sodium_init() >= 0, let memory = sodium_malloc(Self.byteCount) else {
      throw MessagingError("keep a secret key", "")
    }
    bytes = memory
    sodium_memzero(memory, Self.byteCount)
  }

  /// Nil for what is not the Z85 text of 32 bytes.
  public static func reading(_ text: ArraySlice<UInt8>) throws(MessagingError) -> SecretKey? {
    guard text.count == PublicKey.textBytes else { return nil }
    let key = try SecretKey()
    key.bytes.copyMemory(from: Array(text), byteCount: text.count)
    return Z85.isKey(text) ? key : nil
  }

  static func random() throws(MessagingError) -> (publicKey: PublicKey, secretKey: SecretKey) {
    let secret = try SecretKey()
    var text = [CChar](repeating: 0, count: PublicKey.textBytes + 1)
    guard zmq_curve_keypair(&text, secret.bytes.assumingMemoryBound(to: CChar.self)) == 0,
      let key = PublicKey(Z85.text(text))
    else { throw MessagingError("make a key pair", "") }
    return (key, secret)
  }

  /// The public half that belongs to it.
  func publicKey() throws(MessagingError) -> PublicKey {
    var text = [CChar](repeating: 0, count: PublicKey.textBytes + 1)
    guard zmq_curve_public(&text, bytes.assumingMemoryBound(to: CChar.self)) == 0,
      let key = PublicKey(Z85.text(text))
    else { throw MessagingError("derive a public key", "") }
    return key
  }

  /// The characters, for a key file; whoever calls wipes the copy.
  package func withText<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    try body(UnsafeRawBufferPointer(start: bytes, count: PublicKey.textBytes))
  }

  deinit { sodium_free(bytes) }

  public var description: String { "(a secret key)" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Both halves, which belong together.
public struct KeyPair: Sendable {
  public let publicKey: PublicKey
  public let secretKey: SecretKey

  /// A new pair from the system's random numbers.
  public static func random() throws(MessagingError) -> KeyPair {
    let (publicKey, secretKey) = try SecretKey.random()
    return KeyPair(publicKey: publicKey, secretKey: secretKey)
  }
}

/// Wipes bytes that held a secret.
public func wipe(_ bytes: inout [UInt8]) {
  bytes.withUnsafeMutableBytes { if let start = $0.baseAddress { sodium_memzero(start, $0.count) } }
  bytes = []
}

enum Z85 {
  /// What libzmq wrote, without its final zero.
  static func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static let alphabet = Set(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8)

  /// Whether the text is 32 bytes: its characters are of the alphabet and each five of them stay
  /// below 2^32, which is libzmq's to say.
  static func isKey(_ text: some Collection<UInt8>) -> Bool {
    guard text.count == PublicKey.textBytes, text.allSatisfy(alphabet.contains) else {
      return false
    }
    var copy = text.map { CChar(bitPattern: $0) } + [0]
    var raw = [UInt8](repeating: 0, count: PublicKey.rawBytes)
    defer {
      wipe(&raw)
      copy.withUnsafeMutableBytes { sodium_memzero($0.baseAddress!, $0.count) }
    }
    return zmq_z85_decode(&raw, copy) != nil
  }
}
