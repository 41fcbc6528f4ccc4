// Numbers as people write them, held exactly: a quotient of two decimals, each a row of digits and
// a power of ten. Equality is by cross multiplication, digit by digit, so that 1/3 is not 0.3333,
// 0.1 + 0.2 cannot be near 0.3 by accident of binary fractions, and 64 digits do not overflow.

import Glibc

/// Digits times a power of ten.
struct ExactDecimal: Equatable, Sendable {
  /// Values 0 to 9, most significant first, no zeros at either end; empty is zero.
  private(set) var digits: [UInt8]
  private(set) var exponent: Int

  init(digits: [UInt8], exponent: Int) {
    var kept = digits[...].drop { $0 == 0 }
    var exponent = exponent
    while kept.last == 0 {
      kept.removeLast()
      exponent += 1
    }
    self.digits = Array(kept)
    self.exponent = kept.isEmpty ? 0 : exponent
  }

  static let one = ExactDecimal(digits: [1], exponent: 0)

  var isZero: Bool { digits.isEmpty }

  static func * (left: Self, right: Self) -> Self {
    var sums = [UInt32](repeating: 0, count: left.digits.count + right.digits.count + 1)
    for (i, a) in left.digits.enumerated() {
      for (j, b) in right.digits.enumerated() { sums[i + j + 2] += UInt32(a) * UInt32(b) }
    }
    for index in stride(from: sums.count - 1, to: 0, by: -1) {
      sums[index - 1] += sums[index] / 10
      sums[index] %= 10
    }
    return ExactDecimal(
      digits: sums.map { UInt8($0) }, exponent: left.exponent + right.exponent)
  }

  static func + (left: Self, right: Self) -> Self {
    if left.isZero { return right }
    if right.isZero { return left }
    let exponent = min(left.exponent, right.exponent)
    let one = left.digits + [UInt8](repeating: 0, count: left.exponent - exponent)
    let other = right.digits + [UInt8](repeating: 0, count: right.exponent - exponent)
    var sum: [UInt8] = []
    var carry: UInt8 = 0
    for index in 0..<max(one.count, other.count) {
      let a = index < one.count ? one[one.count - 1 - index] : 0
      let b = index < other.count ? other[other.count - 1 - index] : 0
      sum.append((a + b + carry) % 10)
      carry = (a + b + carry) / 10
    }
    sum.append(carry)
    return ExactDecimal(digits: sum.reversed(), exponent: exponent)
  }

  /// 0 for zero; may be infinite.
  var double: Double {
    isZero ? 0 : Double("\(digits.map(String.init).joined())e\(exponent)") ?? .infinity
  }
}

/// A number as written: an exact quotient with a sign.
public struct ExactNumber: Equatable, Sendable {
  /// Of one decimal; no task's answer has as many.
  public static let maximumDigitCount = 64
  /// Of a written power of ten, either sign: beyond what a Double holds.
  static let maximumExponent = 400

  let isNegative: Bool
  let numerator: ExactDecimal
  /// Never zero.
  let denominator: ExactDecimal

  init(isNegative: Bool, _ numerator: ExactDecimal, over denominator: ExactDecimal = .one) {
    precondition(!denominator.isZero, "a quotient over zero")
    self.isNegative = isNegative && !numerator.isZero
    self.numerator = numerator
    self.denominator = denominator
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.isNegative == right.isNegative
      && left.numerator * right.denominator == right.numerator * left.denominator
  }

  /// May be infinite.
  public var double: Double {
    (isNegative ? -1 : 1) * (numerator.double / denominator.double)
  }

  /// Equal, or apart by no more than `absolute`, or than `relative` of `right`.
  func isNear(_ right: ExactNumber, relative: Double, absolute: Double) -> Bool {
    if self == right { return true }
    // Without a tolerance nothing is near: not even what rounds to the same Double.
    guard relative > 0 || absolute > 0 else { return false }
    let (a, b) = (double, right.double)
    guard a.isFinite, b.isFinite else { return false }
    return abs(a - b) <= max(absolute, relative * abs(b))
  }
}
