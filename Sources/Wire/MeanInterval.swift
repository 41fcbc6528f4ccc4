// How sure a mean over prompts is: 1.96 standard errors to either side hold the true one in 95 of
// 100 cases. So that it is no false certainty where all prompts say the same, as at 0 of 64, the
// errors are those of four more prompts, two of them right (Agresti and Coull, The American
// Statistician 52, 1998: 2 and 4 in place of z^2/2 and z^2).

/// Of a mean of shares.
public enum MeanInterval {
  /// Half the width of the 95 % interval of shares from 0 to 1; 1, which says nothing, of fewer
  /// than two.
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
    let all = Double(count + 4)
    let mean = (sum + 2) / all
    let variance = max(0, (squares + 2) / all - mean * mean)
    return 1.96 * (variance / all).squareRoot()
  }
}
