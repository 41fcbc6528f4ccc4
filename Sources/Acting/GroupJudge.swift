// From sampled completions to a group's bytes: verdicts, then the encoding. What a group comes to
// follows from its completions alone, so it is the same on any thread and at any time.

import Experience
import Operations
import Policy
import Tasks
import Wire

/// The completions of one ticket, before anybody judged them.
package struct SampledGroup: Sendable {
  package var key: TicketKey
  /// Of a curriculum; nil without one.
  package var level: Int?
  package var version: PolicyVersion
  package var exercise: Exercise
  package var prompt: [Int32]
  package var temperature: Float
  package var completions: [Completion]
  package var ticketNanoseconds: Int64
  package var sampledNanoseconds: Int64

  /// What it holds in memory, near enough to bound a queue by.
  var byteCount: Int {
    completions.reduce(4 * prompt.count) { $0 + 16 * $1.tokens.count }
  }
}

/// Judges and encodes groups.
package struct GroupJudge: Sendable {
  let name: String
  let seed: UInt64
  let numericClass: String
  let exercises: any Exercises
  let tokenizer: Tokenizer
  /// `replay.maximumGroupBytes`.
  let maximumBytes: Int

  /// How long one verdict may take; 0 where every verifier is bounded in steps.
  var verdictSeconds: Double { exercises.verdictSeconds }

  /// Why no verdict comes about here; nil when one did.
  func problem(seed: UInt64) -> String? {
    let made = exercises.exercise(seed: seed, split: .train, index: 0)
    let shown = made.demonstration ?? made.answer
    let verdict = exercises.judge(
      made, completion: shown, tokenCount: shown.count, isTruncated: false)
    return verdict.isValid ? nil : verdict.reason
  }

  /// The group with its verdicts, its spans noted on `strand`. `turn` is called before each of
  /// them; the rest of the group is left and nil returned once it answers false.
  func group(
    _ sampled: SampledGroup, _ strand: Strand, turn: () -> Bool = { true }
  ) throws -> EncodedGroup? {
    let number = sampled.key.purpose == .train ? sampled.key.number : -1
    let began = MonotonicClock.now
    var trajectories: [Trajectory] = []
    var names: Set<String> = [Verdict.invalidPart]
    for completion in sampled.completions {
      guard turn() else { return nil }
      var verdict = judge(sampled.exercise, completion)
      let all = names.union(verdict.parts.map(\.part))
      if all.count > WireLimits.maximumRewardNames {
        verdict = .invalid(
          "with this one the group's verdicts have \(all.count - 1) names of parts, at most "
            + "\(WireLimits.maximumRewardNames - 1)")
      } else {
        names = all
      }
      trajectories.append(Trajectory(completion: completion, verdict: verdict))
    }
    let judgedAt = MonotonicClock.now
    strand.span(.verify, id: number, from: began, to: judgedAt)
    let group = try encode(
      TrajectoryGroup(
        key: sampled.key, version: sampled.version, exercise: sampled.exercise.name,
        prompt: sampled.prompt, trajectories: trajectories, temperature: sampled.temperature,
        seed: seed, actor: name, numericClass: numericClass,
        times: RolloutTimes(
          ticketNanoseconds: sampled.ticketNanoseconds,
          sampledNanoseconds: sampled.sampledNanoseconds, judgedNanoseconds: judgedAt),
        level: sampled.level))
    strand.span(
      .encode, id: number, from: judgedAt, to: group.madeAt, amount: group.payload.count)
    if number >= 0 {
      strand.span(
        .rollout, id: number, from: sampled.ticketNanoseconds, to: group.madeAt,
        amount: group.tokenCount)
    }
    return group
  }

  private func judge(_ exercise: Exercise, _ completion: Completion) -> Verdict {
    exercises.judge(
      exercise, completion: tokenizer.text(of: completion), tokenCount: completion.tokens.count,
      isTruncated: completion.isTruncated)
  }

  private func encode(_ group: TrajectoryGroup) throws -> EncodedGroup {
    let payload = group.encoded()
    guard payload.count <= maximumBytes else {
      throw Failure(
        "submit", on: "the group of \(group.key)",
        happened: "its \(payload.count) bytes exceed replay.maximumGroupBytes = \(maximumBytes)",
        remedy: "raise replay.maximumGroupBytes, or lower sampling.groupSize or "
          + "sampling.maximumNewTokens",
        exitCode: .settings)
    }
    let tokens = group.trajectories.reduce(0) { $0 + $1.completion.tokens.count }
    var encoded = EncodedGroup(key: group.key, payload: payload, tokenCount: tokens)
    encoded.madeAt = MonotonicClock.now
    return encoded
  }
}
