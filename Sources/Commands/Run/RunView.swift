// A run as a few lines of text: a bar and the numbers that matter, drawn from `RunState`. On a
// terminal the lines are drawn over themselves; elsewhere each report is one plain line.

import Documents
import Operations

package enum RunView {
  /// Wider terminals get no wider bars: they would not tell more.
  package static let maximumWidth = 120

  /// The full view, at most `width` columns but for who waits for whom, which may be longer.
  package static func lines(_ state: RunState, elapsedSeconds: Double, width: Int) -> [String] {
    let width = min(width, maximumWidth)
    var lines = [progressLine(state, elapsedSeconds: elapsedSeconds, width: width)]
    lines.append(learningLine(state, width: width))
    lines.append(objectiveLine(state))
    lines.append(speedLine(state))
    lines.append(stepLine(state, width: width))
    lines += state.alarms.map { "  \($0.line)" }
    return lines.map { $0.clipped(to: width) } + waitingLines(state)
  }

  /// One line for a log.
  package static func plainLine(_ state: RunState, elapsedSeconds: Double) -> String {
    var parts = [
      "step \(state.step)/\(state.steps)", "reward \(format(state.mean("reward", over: 5), 3))",
      "accuracy \(percent(state.mean("accuracy/strict", over: 5)))",
    ]
    if let open = openLevels(state) { parts.append(open) }
    if let evaluation = state.evaluations.last {
      parts.append("validation \(evaluation.words) at step \(evaluation.version)")
    }
    parts += [
      "kl \(format(state.latest("kl"), 4))",
      "clip \(percent(state.latest("clip_ratio/region_mean")))",
      "lag \(format(state.latest("lag/mean"), 1))",
      "\(count(state.mean("actors/tokens_per_second", over: 10))) sampled tokens/s",
      "\(count(state.mean("learner/tokens_per_second", over: 10))) trained tokens/s",
      bottleneck(state), "left \(clock(state.secondsLeft))",
    ]
    parts += state.alarms.map { "alarm \($0.kind.rawValue) since step \($0.step)" }
    return parts.filter { !$0.isEmpty }.joined(separator: ", ")
  }

  // MARK: - Lines

  private static func progressLine(
    _ state: RunState, elapsedSeconds: Double, width: Int
  ) -> String {
    let share = Double(state.step) / Double(max(1, state.steps))
    let head = "\(state.name)  step \(state.step)/\(state.steps) "
    let tail = " \(percent(share))  \(clock(elapsedSeconds)) gone, \(clock(state.secondsLeft)) left"
    return head + bar(share, width: max(10, width - head.count - tail.count)) + tail
  }

  private static func learningLine(_ state: RunState, width: Int) -> String {
    var line = "  reward \(format(state.mean("reward", over: 5), 3)) "
    line += sparkline(state.series("reward"), width: 24)
    line += "  sampled accuracy \(percent(state.mean("accuracy/strict", over: 5)))"
    if let open = openLevels(state) { line += "  \(open)" }
    if let evaluation = state.evaluations.last {
      line += "  validation \(evaluation.words) (step \(evaluation.version)) "
      line += sparkline(state.evaluations.map(\.accuracy), width: 12)
    }
    return line
  }

  /// Nil without a curriculum.
  private static func openLevels(_ state: RunState) -> String? {
    state.latest("curriculum/level").map { level in
      let accuracy = percent(state.mean("curriculum/accuracy", over: 5))
      return "\(Int(level) + 1) levels open, \(accuracy) at the newest"
    }
  }

  private static func objectiveLine(_ state: RunState) -> String {
    "  kl \(format(state.latest("kl"), 4))"
      + "  clipped \(percent(state.latest("clip_ratio/region_mean")))"
      + "  entropy \(format(state.latest("entropy"), 3))"
      + "  length \(format(state.latest("completions/mean_length"), 1))"
      + "  no spread \(percent(state.latest("frac_reward_zero_std")))"
      + "  lag \(format(state.latest("lag/mean"), 2))"
  }

  private static func speedLine(_ state: RunState) -> String {
    "  sampling \(count(state.mean("actors/tokens_per_second", over: 10))) tokens/s"
      + "  training \(count(state.mean("learner/tokens_per_second", over: 10))) tokens/s"
      + "  step \(format(state.mean("time/step", over: 10), 2)) s  \(bottleneck(state))"
  }

  /// The newest step's phases: one bar, a shade a phase, the longest first and named.
  private static func stepLine(_ state: RunState, width: Int) -> String {
    let phases = phaseShares(state)
    guard !phases.isEmpty else { return "  waiting for the first step" }
    let named = zip(shades, phases).map { "\($0) \($1.name) \(percent($1.share))" }
    return "  a step \(phaseBar(phases.map(\.share), width: 24)) \(named.joined(separator: "  "))"
  }

  /// Told apart without color; what has none is blank.
  private static let shades: [Character] = ["█", "▓", "▒", "░", "·"]

  /// Shares, the largest first, as parts of a bar; together they round as one, so that it never
  /// has more than `width` columns.
  package static func phaseBar(_ shares: [Double], width: Int) -> String {
    var out = ""
    var sum = 0.0
    for (shade, share) in zip(shades, shares) {
      sum += share
      let end = Int((min(1, sum) * Double(width)).rounded())
      out += String(repeating: shade, count: max(0, end - out.count))
    }
    return out + String(repeating: " ", count: width - out.count)
  }

  private static func waitingLines(_ state: RunState) -> [String] {
    state.graph.lines.map { "  " + $0 }
  }

  // MARK: - Facts

  /// Who waits for whom, in words.
  package static func bottleneck(_ state: RunState) -> String {
    guard let learner = state.mean("learner/idle_share", over: 10) else { return "" }
    if learner > 0.1 { return "the learner waits for actors \(percent(learner)) of a step" }
    if let actors = state.mean("actors/idle_share", over: 10), actors > 0.1 {
      return "actors wait for the learner \(percent(actors)) of the time"
    }
    return "nobody waits long"
  }

  package static func phaseShares(_ state: RunState) -> [(name: String, share: Double)] {
    guard case .object(let members)? = state.records.last?.value,
      let whole = state.latest("time/step"), whole > 0
    else { return [] }
    return members.compactMap { member -> (name: String, share: Double)? in
      guard member.key.hasPrefix("time/"), member.key != "time/step",
        member.key != "time/coverage", let seconds = member.value.numberValue
      else { return nil }
      return (String(member.key.dropFirst(5)), seconds / whole)
    }.sorted { $0.share > $1.share }
  }

  // MARK: - Shapes

  package static func bar(_ share: Double, width: Int) -> String {
    let filled = Int((Double(width) * min(1, max(0, share))).rounded())
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }

  /// The series in `width` columns, each the mean of its part, from least to greatest.
  package static func sparkline(_ values: [Double], width: Int) -> String {
    let finite = values.filter(\.isFinite)
    guard let least = finite.min(), let greatest = finite.max() else { return "" }
    let marks = Array("▁▂▃▄▅▆▇█")
    let columns = min(width, finite.count)
    return String(
      (0..<columns).map { column in
        let part = finite[column * finite.count / columns..<(column + 1) * finite.count / columns]
        let mean = part.reduce(0, +) / Double(part.count)
        let height = greatest > least ? (mean - least) / (greatest - least) : 0.5
        return marks[min(7, Int(height * 8))]
      })
  }

  // MARK: - Numbers

  package static func format(_ value: Double?, _ digits: Int) -> String {
    guard let value, value.isFinite else { return "-" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    guard abs(value) * scale < 9e15 else { return "\(value)" }
    let scaled = (value * scale).rounded()
    let whole = Int(abs(scaled)) / Int(scale)
    let sign = scaled < 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(Int(abs(scaled)) % Int(scale))
    return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  package static func percent(_ share: Double?) -> String {
    guard let share, share.isFinite else { return "-" }
    return format(share * 100, share != 0 && abs(share) < 0.1 ? 1 : 0) + " %"
  }

  /// 12,345 as "12.3k".
  package static func count(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "-" }
    if value >= 1e6 { return format(value / 1e6, 1) + "M" }
    if value >= 1e3 { return format(value / 1e3, 1) + "k" }
    return format(value, 0)
  }

  /// "3:07", "1:02:03".
  package static func clock(_ seconds: Double?) -> String {
    guard let seconds, seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "-" }
    let whole = Int(seconds.rounded())
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    if whole >= 3600 {
      return "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
    }
    return "\(whole / 60):\(two(whole % 60))"
  }
}
