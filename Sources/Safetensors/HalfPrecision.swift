// The two 16-bit floating-point formats by their bits.
//
//     F16   1 sign, 5 exponent (bias 15), 10 fraction      subnormals are fraction * 2^-24
//     BF16  1 sign, 8 exponent (bias 127), 7 fraction      the upper half of a Float
//
// By integers rather than `Float16`: that type is missing on some platforms, and quiets NaNs.

public enum HalfPrecision {
  /// Exact: every F16 is a Float. Infinities, NaNs with their payload and signed zeros included.
  public static func float(f16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: sign | magnitude.bitPattern)
    case 0x1F:
      return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default:
      return Float(bitPattern: sign | (exponent + 127 - 15) << 23 | fraction << 13)
    }
  }

  /// Exact: a BF16 is a Float whose lower half is zero.
  public static func float(bf16 bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
  }

  /// The nearest BF16, ties to even: beyond the largest is infinity, a NaN stays a quiet NaN.
  public static func bf16(_ number: Float) -> UInt16 {
    let bits = number.bitPattern
    // Rounding could carry a NaN's fraction into the sign.
    if number.isNaN { return UInt16(bits >> 16) | 0x40 }
    let lowestKept = (bits >> 16) & 1
    return UInt16((bits + 0x7FFF + lowestKept) >> 16)
  }
}
