// How arithmetic is worked on paper, in as few characters as say every step. A demonstration that
// only stated the answer would ask a small model for all columns at once; here each step needs two
// digits of the prompt and what was written just before.
//
//   47+85   7+5=12,4+8+1=13             columns from the right, the carry written out
//   85-47   15-7=8,8-1-4=3              what is borrowed is added in front, then taken
//   47*85   47*5=235,47*80=3760,235+3760=3995

/// What is done with two operands.
public enum ArithmeticOperation: String, Sendable, CaseIterable {
  case add, subtract, multiply

  public var sign: Character {
    switch self {
    case .add: "+"
    case .subtract: "-"
    case .multiply: "*"
    }
  }

  /// Whether swapping the operands leaves the result.
  public var commutes: Bool { self != .subtract }

  func result(_ left: Int, _ right: Int) -> Int {
    switch self {
    case .add: left + right
    case .subtract: left - right
    case .multiply: left * right
    }
  }

  /// The steps, without tags. Subtraction takes the smaller from the larger.
  func work(_ left: Int, _ right: Int) -> String {
    switch self {
    case .add: Self.added(left, right)
    case .subtract: Self.subtracted(left, right)
    case .multiply: Self.multiplied(left, right)
    }
  }

  private static func added(_ left: Int, _ right: Int) -> String {
    var steps: [String] = []
    var carry = 0
    var (left, right) = (left, right)
    repeat {
      let sum = left % 10 + right % 10 + carry
      steps.append("\(left % 10)+\(right % 10)\(carry == 1 ? "+1" : "")=\(sum)")
      carry = sum / 10
      (left, right) = (left / 10, right / 10)
    } while left > 0 || right > 0
    return steps.joined(separator: ",")
  }

  private static func subtracted(_ left: Int, _ right: Int) -> String {
    precondition(left >= right, "\(left)-\(right) would be negative")
    var steps: [String] = []
    var borrow = 0
    var (left, right) = (left, right)
    repeat {
      let isShort = left % 10 - borrow < right % 10
      let upper = left % 10 + (isShort ? 10 : 0)
      let difference = upper - borrow - right % 10
      steps.append("\(upper)\(borrow == 1 ? "-1" : "")-\(right % 10)=\(difference)")
      borrow = isShort ? 1 : 0
      (left, right) = (left / 10, right / 10)
    } while left > 0 || right > 0
    return steps.joined(separator: ",")
  }

  private static func multiplied(_ left: Int, _ right: Int) -> String {
    var steps: [String] = []
    var total = 0
    var scale = 1
    var rest = right
    repeat {
      let part = rest % 10 * scale
      steps.append("\(left)*\(part)=\(left * part)")
      if scale > 1 { steps.append("\(total)+\(left * part)=\(total + left * part)") }
      total += left * part
      scale *= 10
      rest /= 10
    } while rest > 0
    return steps.joined(separator: ",")
  }
}
