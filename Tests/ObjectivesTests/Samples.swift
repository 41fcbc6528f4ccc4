// Made cohorts: random numbers by address, so that every test sees the same ones.

import Experience
import Objectives

/// Uniform in [0, 1) at an address.
func uniform(_ a: Int, _ b: Int = 0, _ c: Int = 0) -> Double {
  Double(
    AddressedRandom.uniform(seed: 7, domain: .shuffle, UInt64(a), UInt64(b), UInt64(c)))
}

/// A cohort with current, proximal and entropy arrays `[group][completion][token]`.
struct Sample {
  var cohort: Cohort
  var current: [[[Float]]] = []
  var proximal: [[[Float]]] = []
  var entropy: [[[Float]]] = []

  /// Log-ratios spread over -1.6...1.6, so that every clip is met, and some tokens lie beyond the
  /// clamps. Rewards of 0 and 1, a group without spread, and truncated completions.
  init(groups: Int, completions: Int) {
    var made: [CohortGroup] = []
    for g in 0..<groups {
      var members: [CohortCompletion] = []
      var rows: (current: [[Float]], proximal: [[Float]], entropy: [[Float]]) = ([], [], [])
      for c in 0..<completions {
        let count = 1 + Int(uniform(g, c, 1000) * 7)
        let at = { (t: Int, what: Int) in uniform(g * 100 + c, t, what) }
        let tokens = 0..<count
        let current = tokens.map { Float(-3 * at($0, 1)) }
        let behavior = tokens.map { t in
          let isFar = at(t, 2) < 1.0 / 8
          return current[t] - Float(isFar ? 25 * (at(t, 3) < 0.5 ? -1 : 1) : 3.2 * at(t, 3) - 1.6)
        }
        let reference = tokens.map { t in
          current[t] + Float(at(t, 4) < 1.0 / 8 ? 22 : 2 * at(t, 5) - 1)
        }
        rows.current.append(current)
        rows.proximal.append(tokens.map { t in current[t] + Float(0.6 * at(t, 6) - 0.3) })
        rows.entropy.append(tokens.map { t in Float(2 * at(t, 7)) })
        members.append(
          CohortCompletion(
            reward: g == 1 ? 1 : uniform(g, c, 1001) < 0.5 ? 0 : 1,
            isTruncated: uniform(g, c, 1002) < 0.5, behavior: behavior, reference: reference))
      }
      if g != 1 {
        // Whatever the draw, these groups have spread among completions that are not truncated.
        members[0].reward = 1
        members[1].reward = 0
        members[0].isTruncated = false
        members[1].isTruncated = false
      }
      made.append(CohortGroup(ticket: g, completions: members))
      current.append(rows.current)
      proximal.append(rows.proximal)
      entropy.append(rows.entropy)
    }
    cohort = Cohort(groups: made)
  }

  func slopes(
    _ settings: GRPOSettings, groups: Range<Int>? = nil, credit: Credit? = nil,
    usingProximal: Bool = false
  ) -> [GroupSlopes] {
    let credit = credit ?? Credit(cohort, settings: settings, current: current)
    return (groups ?? cohort.groups.indices).map { g in
      GRPO.slopes(
        cohort.groups[g], credit: credit.groups[g], denominators: credit.denominators,
        settings: settings, current: current[g], entropy: entropy[g],
        proximal: usingProximal ? proximal[g] : nil)
    }
  }
}

/// One completion alone, every token of weight 1 / tokens.
func evaluate(
  _ settings: GRPOSettings = plain(), advantage: Double, logRatios: [Double],
  reference: [Double]? = nil, entropy: [Double] = [], weight: Double? = nil
) -> GRPO.Evaluation {
  let count = logRatios.count
  return GRPO.Evaluation(
    settings: settings, advantage: advantage, weight: weight ?? 1 / Double(count),
    behavior: logRatios.map { -1 - $0 }, reference: reference ?? [],
    current: [Double](repeating: -1, count: count), entropy: entropy, proximal: nil)
}

/// Defaults without a penalty.
func plain() -> GRPOSettings {
  var settings = GRPOSettings()
  settings.beta = 0
  return settings
}

func near(_ a: Double, _ b: Double, within tolerance: Double) -> Bool {
  abs(a - b) <= tolerance * max(1, abs(a), abs(b))
}
