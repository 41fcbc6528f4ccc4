// Alarms as a pure state machine: step records and what is seen of the machine in, events out. No
// clock and no file, so a series made by a test, or a run's metrics read again, raise the same.
//
//   truncation   mean of completions/clipped_ratio        > alarms.truncation
//   no-spread    1 - mean of frac_reward_zero_std         < alarms.spread
//   flat-reward  newer half's mean - older half's         <= one standard error of that difference,
//                over alarms.flatSteps steps of one level, at each of half as many in a row
//   entropy      mean of entropy / mean over the first    < alarms.entropy
//   kl           mean of kl                               > alarms.kl
//   format       mean of rewards/format/mean              <= alarms.format
//   actor-gone   actors that nobody has heard of for alarms.actorSeconds
//   disk         free bytes                    < alarms.freeBytes, or what the run still writes
//
// Means are over the newest alarms.window steps, once there are as many. What was raised is cleared
// a tenth within the limit, so a figure on the limit does not ring all night. A run that solves its
// task has little spread, a flat reward and little entropy by right: from a strict accuracy of
// alarms.solved these three are not raised.

import Documents
import Operations

/// What is seen of the machine, besides the records.
package struct RunHealth: Sendable {
  /// Actors nobody has heard of for long enough, with how many there should be.
  package var goneActors: [String] = []
  package var actors = 0
  package var freeBytes: Int?
  /// What must stay free: replay refuses groups below it.
  package var reserveBytes = 0
  /// What the run will write until its last step, as it has written so far.
  package var neededBytes = 0

  package init() {}
}

package struct AlarmWatch {
  private static let margin = 0.1

  private let settings: AlarmsSection
  /// Steps below are only remembered: an earlier session has judged them.
  private let firstJudged: Int
  /// The newest steps' records, ascending, and the first ones.
  private var records: [Document] = []
  private var first: [Document] = []
  private var flatInARow = 0
  /// In the order they were raised.
  package private(set) var standing: [Alarm]

  package init(_ settings: AlarmsSection, standing: [Alarm] = [], firstJudged: Int = 0) {
    self.settings = settings
    self.firstJudged = firstJudged
    self.standing = standing
  }

  /// A figure held against its limit.
  private struct Finding {
    var figure: Double
    var limit: Double
    var isBad: Bool
    /// Well within the limit: between the two nothing changes.
    var isGood: Bool
    var text: String
  }

  // MARK: In

  /// A step's record, in order; one that is taken again replaces what stood of it and after it.
  package mutating func take(step record: Document) -> [AlarmEvent] {
    guard let step = record["step"]?.integerValue else { return [] }
    records.removeAll { ($0["step"]?.integerValue ?? -1) >= step }
    first.removeAll { ($0["step"]?.integerValue ?? -1) >= step }
    records.append(record)
    if records.count > max(settings.window, settings.flatSteps) { records.removeFirst() }
    if first.count < settings.window { first.append(record) }
    guard settings.isEnabled, step >= firstJudged, records.count >= settings.window else {
      return []
    }
    return [
      judge(.truncation, at: step, truncation), judge(.noSpread, at: step, spread),
      judge(.flatReward, at: step, flatReward()), judge(.entropy, at: step, entropy),
      judge(.divergence, at: step, divergence), judge(.format, at: step, format),
    ].compactMap { $0 }
  }

  package mutating func take(health: RunHealth, step: Int) -> [AlarmEvent] {
    guard settings.isEnabled else { return [] }
    return [
      judge(.actorGone, at: step, actors(health)), judge(.disk, at: step, disk(health)),
    ].compactMap { $0 }
  }

  private mutating func judge(
    _ kind: AlarmKind, at step: Int, _ finding: Finding?
  ) -> AlarmEvent? {
    guard let finding else { return nil }
    let alarm = Alarm(
      kind: kind, step: step, figure: finding.figure, limit: finding.limit, text: finding.text)
    let place = standing.firstIndex { $0.kind == kind }
    if finding.isBad, place == nil {
      standing.append(alarm)
      return AlarmEvent(alarm: alarm, isRaised: true)
    }
    if finding.isGood, let place {
      standing.remove(at: place)
      return AlarmEvent(alarm: alarm, isRaised: false)
    }
    return nil
  }

  // MARK: Figures

  private func mean(_ metric: String, _ part: some Collection<Document>) -> Double? {
    var sum = 0.0
    var count = 0
    for record in part {
      guard let value = record.number(metric) else { continue }
      sum += value
      count += 1
    }
    return count == 0 ? nil : sum / Double(count)
  }

  private func mean(_ metric: String) -> Double? {
    mean(metric, records.suffix(settings.window))
  }

  private var isSolved: Bool { (mean("accuracy/strict") ?? 0) >= settings.solved }

  private func above(_ figure: Double, _ limit: Double, _ text: String) -> Finding {
    Finding(
      figure: figure, limit: limit, isBad: figure > limit,
      isGood: figure <= limit * (1 - Self.margin), text: text)
  }

  /// `isExcused`: too little is no fault now.
  private func below(
    _ figure: Double, _ limit: Double, isExcused: Bool = false, _ text: String
  ) -> Finding {
    Finding(
      figure: figure, limit: limit, isBad: figure < limit && !isExcused,
      isGood: figure >= limit * (1 + Self.margin) || isExcused, text: text)
  }

  private var steps: String { "mean of \(min(settings.window, records.count)) steps" }

  private var truncation: Finding? {
    mean("completions/clipped_ratio").map {
      above(
        $0, settings.truncation,
        "\(RunView.percent($0)) of completions are cut at the length limit, \(steps)")
    }
  }

  private var spread: Finding? {
    mean("frac_reward_zero_std").map {
      below(
        1 - $0, settings.spread, isExcused: isSolved,
        "\(RunView.percent(1 - $0)) of groups have spread and teach something, \(steps)")
    }
  }

  private var entropy: Finding? {
    guard let now = mean("entropy"), let before = mean("entropy", first), before > 0,
      records.last?["step"]?.integerValue ?? 0 >= 2 * settings.window
    else { return nil }
    return below(
      now / before, settings.entropy, isExcused: isSolved,
      "entropy is \(RunView.format(now, 4)) nats a token, \(RunView.percent(now / before)) of "
        + "what it began with, \(steps)")
  }

  private var divergence: Finding? {
    mean("kl").map {
      above(
        $0, settings.divergence,
        "\(RunView.format($0, 3)) nats a token from the reference, \(steps)")
    }
  }

  private var format: Finding? {
    mean("rewards/format/mean").map {
      Finding(
        figure: $0, limit: settings.format, isBad: $0 <= settings.format,
        isGood: $0 > settings.format * (1 + Self.margin),
        text: "the reward for the format is \(RunView.format($0, 4)), \(steps)")
    }
  }

  /// Flat at one step is chance; runs that learn have plateaus of a dozen steps; at each of half as
  /// many steps as are compared it is neither.
  private mutating func flatReward() -> Finding? {
    let rewards = sinceLevel.suffix(settings.flatSteps).compactMap { $0.number("reward") }
    guard rewards.count == settings.flatSteps else {
      flatInARow = 0
      return nil
    }
    let older = Spread(rewards.prefix(rewards.count / 2))
    let newer = Spread(rewards.dropFirst(rewards.count / 2))
    let gain = newer.mean - older.mean
    let error = (older.squaredError + newer.squaredError).squareRoot()
    flatInARow = gain <= error && !isSolved ? flatInARow + 1 : 0
    return Finding(
      figure: gain, limit: error, isBad: flatInARow >= settings.flatSteps / 2,
      isGood: gain > 2 * error || isSolved,
      text: "reward went from \(RunView.format(older.mean, 3)) to "
        + "\(RunView.format(newer.mean, 3)) between the halves of \(rewards.count) steps")
  }

  /// The newest records of one level of a curriculum: one that opens lowers the reward by right.
  private var sinceLevel: ArraySlice<Document> {
    let level = records.last?.number("curriculum/level")
    let before = records.lastIndex { $0.number("curriculum/level") != level }
    return records[(before.map { $0 + 1 } ?? 0)...]
  }

  private func actors(_ health: RunHealth) -> Finding? {
    let gone = health.goneActors
    return Finding(
      figure: Double(gone.count), limit: 0, isBad: !gone.isEmpty, isGood: gone.isEmpty,
      text: gone.isEmpty
        ? "all actors are heard of" : "nothing was heard of \(gone.joined(separator: ", "))")
  }

  private func disk(_ health: RunHealth) -> Finding? {
    guard let free = health.freeBytes else { return nil }
    let floor = settings.freeBytes > 0 ? settings.freeBytes : 2 * health.reserveBytes
    let limit = max(floor, health.reserveBytes + health.neededBytes)
    return below(
      Double(free), Double(limit),
      "\(DryRun.bytes(free)) are free; the run needs \(DryRun.bytes(health.neededBytes)) more, and "
        + "replay refuses groups below \(DryRun.bytes(health.reserveBytes))")
  }
}

/// A mean and the square of its standard error.
private struct Spread {
  let mean: Double
  let squaredError: Double

  init(_ values: some Collection<Double>) {
    let count = Double(values.count)
    let center = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - center) * ($1 - center) }
    mean = center
    squaredError = count > 1 ? squares / (count - 1) / count : .infinity
  }
}
