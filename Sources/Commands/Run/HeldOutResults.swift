// evaluations.jsonl: what a run's policy scored on the held-out split, one line a time it was
// asked.

import Documents
import Operations

struct HeldOutResults {
  private let path: String
  private let lines: [Document]

  init(_ run: RunFolder) throws {
    path = "\(run.path)/evaluations.jsonl"
    var reader = MetricsReader(path: path)
    lines = Files.exists(path) ? try reader.read() : []
  }

  /// The newest result under a label ("before", "after").
  func result(_ label: String) -> Document? {
    lines.last { $0["label"]?.stringValue == label }?["result"]
  }

  /// How long the newest one took.
  var seconds: Double? {
    var seconds: Double?
    for line in lines { seconds = line.number("seconds") ?? seconds }
    return seconds
  }

  /// By what it was measured; nil of a result that an older build wrote.
  func plan(of label: String) -> String? {
    lines.last { $0["label"]?.stringValue == label }?["plan"]?.stringValue
  }

  /// `plan` says by what it was measured: two results are held against each other only where that
  /// is the same.
  func record(
    _ label: String, version: Int, plan: String, _ result: EvaluationResult, seconds: Double
  ) throws {
    try MetricsWriter(path: path).append(
      .object([
        ("label", .string(label)), ("version", .integer(version)), ("seconds", .number(seconds)),
        ("plan", .string(plan)), ("result", result.document),
      ]))
  }

  /// "greedy 0.51, pass@1 0.33 ± 0.02, pass@4 0.70 ± 0.03, lenient 0.34, completed-correct 0.33
  /// (512 held-out prompts x 4 samples)"
  static func words(_ result: Document) -> String {
    func number(_ key: String, _ digits: Int = 3) -> String {
      RunView.format(result[key]?.numberValue, digits)
    }
    let samples = result["samples"]?.integerValue ?? 0
    return "greedy \(number("greedy")), pass@1 \(number("pass@1")) ± \(number("pass@1_interval")), "
      + "pass@\(samples) \(number("pass@k")) ± \(number("pass@k_interval")), "
      + "lenient \(number("lenient")), completed-correct \(number("completed_correct")) "
      + "(\(result["prompts"]?.integerValue ?? 0) held-out prompts x \(samples) samples)"
      + levels(result) + unjudged(result)
  }

  /// ", 3 samples without a verdict count as wrong"; nothing where each was judged.
  private static func unjudged(_ result: Document) -> String {
    let invalid = result["invalid_verdicts"]?.integerValue ?? 0
    return invalid == 0 ? "" : ", \(invalid) samples without a verdict count as wrong"
  }

  /// ", by level 0.81, 0.40, 0.12"; nothing without a curriculum.
  private static func levels(_ result: Document) -> String {
    guard case .array(let levels)? = result["pass@1_levels"]?.value else { return "" }
    return ", by level "
      + levels.map { RunView.format($0.numberValue, 3) }.joined(separator: ", ")
  }
}
