// How sure a mean over prompts is: 1.96 standard errors to either side hold the true one in 95 of
// 100 cases, as long as there are some dozens of prompts and the mean is not at an end.

/// Of a mean of shares.
public enum MeanInterval {
  /// Half the width of the 95 % interval; 1, which says nothing, of fewer than two.
  public static func halfWidth(_ shares: [Double]) -> Double {
    var (sum, squares) = (0.0, 0.0)
    for share in shares {
      sum += share
      squares += share * share
    }
    return halfWidth(count: shares.count, sum: sum, squares: squares)
  }

  /// The same from sums of the shares and of their squares.
  public static func halfWidth(count: Int, sum: Double, squares: Double) -> Double {
    guard count > 1 else { return 1 }
    let mean = sum / Double(count)
    // Rounding may leave shares that are all alike a hair below nothing.
    let variance = max(0, squares - Double(count) * mean * mean) / Double(count - 1)
    return 1.96 * (variance / Double(count)).squareRoot()
  }
}
