// Randomness is addressed, not streamed: the uniform at an address is a hash of it.
//
// A stream would make a token depend on who drew before it; an address lets any completion be
// sampled again alone, elsewhere, and come out the same. The hash is three rounds of the SplitMix64
// finalizer (Steele, Lea and Flood, 2014), which passes BigCrush as a counter generator.

/// Which kind of work a random number serves, so that no two share one.
public enum RandomDomain: UInt64, Sendable {
  case train = 1
  case evaluate = 2
  case validation = 3
  case heldOut = 4
  case demonstration = 5
  case initialization = 6
  case shuffle = 7
  case backoff = 8
  /// Which groups are trained on once more, and in which order.
  case replay = 9
  /// Which level of a curriculum a ticket is of, and which exercise of it.
  case curriculum = 10
}

/// Hashes addresses to random numbers.
public enum AddressedRandom {
  /// 64 random bits at an address.
  public static func bits(
    seed: UInt64, domain: RandomDomain, _ a: UInt64, _ b: UInt64 = 0, _ c: UInt64 = 0
  ) -> UInt64 {
    var state = mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    state = mix(state ^ domain.rawValue &* 0xD1B5_4A32_D192_ED03)
    state = mix(state ^ a &* 0x8CB9_2BA7_2F3D_8DD7)
    state = mix(state ^ b &* 0xABC9_8388_FB8F_AC03)
    return mix(state ^ c &* 0xC2B2_AE3D_27D4_EB4F)
  }

  /// A uniform in [0, 1) with 24 random bits: every value is exact in Float32.
  public static func uniform(
    seed: UInt64, domain: RandomDomain, _ a: UInt64, _ b: UInt64 = 0, _ c: UInt64 = 0
  ) -> Float {
    Float(bits(seed: seed, domain: domain, a, b, c) >> 40) * 0x1p-24
  }

  /// An integer in `0..<bound`, by multiplication: the bias is below bound / 2^64.
  public static func integer(
    below bound: Int, seed: UInt64, domain: RandomDomain, _ a: UInt64, _ b: UInt64 = 0,
    _ c: UInt64 = 0
  ) -> Int {
    precondition(bound > 0, "a bound of \(bound)")
    return Int(
      bits(seed: seed, domain: domain, a, b, c).multipliedFullWidth(by: UInt64(bound)).high)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
