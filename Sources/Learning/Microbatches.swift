// How a step's groups are cut into packs: a pure function of their order and lengths, so that the
// same batch is computed the same way wherever and whenever it is trained.

import Experience
import Policy

/// Some completions of one group, to be computed in one pack.
struct PackPart: Equatable {
  /// Index into the step's groups.
  var group: Int
  /// Indices of the group's completions.
  var completions: [Int]
}

enum Microbatches {
  /// Cuts the chosen completions of each group into packs of at most `budget` rows, in order. A
  /// group stays whole while it fits; a larger one is cut between completions, its prompt computed
  /// again in each pack; a completion larger than the budget gets a pack of its own.
  static func cut(
    _ groups: [TrajectoryGroup], chosen: [[Int]], budget: Int
  ) -> [[PackPart]] {
    precondition(chosen.count == groups.count, "\(chosen.count) choices for \(groups.count) groups")
    var packs: [[PackPart]] = []
    var current: [PackPart] = []
    var rows = 0
    func close() {
      if !current.isEmpty { packs.append(current) }
      current = []
      rows = 0
    }
    for (index, group) in groups.enumerated() where !chosen[index].isEmpty {
      let needed = rowCount(group, chosen[index])
      if rows + needed > budget { close() }
      if needed <= budget {
        current.append(PackPart(group: index, completions: chosen[index]))
        rows += needed
        continue
      }
      var part: [Int] = []
      for completion in chosen[index] {
        if !part.isEmpty, rowCount(group, part + [completion]) > budget {
          packs.append([PackPart(group: index, completions: part)])
          part = []
        }
        part.append(completion)
      }
      packs.append([PackPart(group: index, completions: part)])
    }
    close()
    return packs
  }

  /// The pack of these parts: completions in order of group, then sample.
  static func pack(_ parts: [PackPart], of groups: [TrajectoryGroup]) -> Pack {
    var pack = Pack()
    for part in parts {
      let group = groups[part.group]
      pack.add(
        prompt: group.prompt,
        completions: part.completions.map { group.trajectories[$0].completion.tokens },
        temperature: group.temperature)
    }
    return pack
  }

  private static func rowCount(_ group: TrajectoryGroup, _ completions: [Int]) -> Int {
    Pack.rowCount(
      prompt: group.prompt,
      completions: completions.map { group.trajectories[$0].completion.tokens })
  }
}
