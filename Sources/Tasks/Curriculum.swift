// A task of several levels, the easiest first, each a whole definition of exercises: the base
// settings with the level's own laid over them. Which level a ticket is of is decided elsewhere
// (`CurriculumRules`); here a level and a number give an exercise.
//
//   kind: countdown
//   curriculum: {levels: [{numbers: 2}, {numbers: 3, largestNumber: 10}, {}]}
//
// Validation and held-out ask all levels in turn, whatever is in the pool: their exercises do not
// change while a run learns. Levels may have exercises in common, and then what one of them
// measures another could train on; so an exercise drawn for training that any level keeps for
// validation or held-out is passed over for the next.

import Documents
import Experience

/// Exercises that can say to which split another exercise of their kind belongs.
protocol LevelExercises: Exercises {
  /// Nil where it is none of theirs.
  func split(of exercise: Exercise) -> Split?
}

public struct Curriculum: Exercises {
  /// Draws for one ticket until one is measured nowhere; `maximumMeasuredShare` makes that many in
  /// vain impossible in practice.
  static let maximumDraws = 1024
  /// Of a level's draws may be measured elsewhere; more would leave it with few exercises.
  static let maximumMeasuredShare = 0.875
  static let sampledDraws = 512
  /// What a level may not change: who judges and how, and how its space is split.
  private static let common = [
    "kind", "style", "correctReward", "formatReward", "seed", "heldOutShare", "validationShare",
    "curriculum",
  ]

  private let made: [any LevelExercises]
  private let seed: UInt64

  /// The levels alone, the easiest first.
  public var levels: [any Exercises] { made }
  public var levelCount: Int { made.count }

  /// `base` is the task's section with every key resolved, without its curriculum; `make` builds a
  /// task of such a section.
  init(
    _ fields: Fields, base: Document,
    make: (Fields) throws(DocumentError) -> any LevelExercises
  ) throws(DocumentError) {
    // Threshold, window and share are read by those who open levels (`CurriculumRules`).
    for key in ["threshold", "window", "newestShare"] { _ = fields.document(key) }
    guard case .array(let elements)? = fields.document("levels")?.value,
      (2...CurriculumRules.maximumLevels).contains(elements.count)
    else {
      throw fields.error(
        "levels",
        "expected a sequence of 2 to \(CurriculumRules.maximumLevels) mappings, the easiest first")
    }
    var made: [any LevelExercises] = []
    for (index, element) in elements.enumerated() {
      let path = "\(fields.path).levels[\(index)]"
      let own = try Fields(element, source: fields.source, path: path)
      for key in Self.common where own.has(key) {
        throw own.error(key, "is the same at every level; set it beside the curriculum")
      }
      let level = try Fields(base.merging(element), source: fields.source, path: path)
      let task = try make(level)
      try level.finish()
      made.append(task)
    }
    self.made = made
    seed = UInt64(try Fields(base, source: fields.source).integer("seed", in: 0...Int.max))
    try refuseSpentLevels(fields)
  }

  private func refuseSpentLevels(_ fields: Fields) throws(DocumentError) {
    for level in made.indices {
      let measured = (0..<Self.sampledDraws).count {
        isMeasured(drawn(seed: seed, level: level, attempt: 0, index: $0), besides: level)
      }
      guard Double(measured) <= Self.maximumMeasuredShare * Double(Self.sampledDraws) else {
        throw fields.error(
          "levels",
          "other levels measure \(measured) of \(Self.sampledDraws) exercises that level \(level) "
            + "would train on; make the levels differ, or lower heldOutShare and validationShare")
      }
    }
  }

  public var alphabet: [Character]? {
    var all: [Character] = []
    for level in made {
      guard let own = level.alphabet else { return nil }
      for character in own where !all.contains(character) { all.append(character) }
    }
    return all
  }

  public var tags: [String] { made[0].tags }
  public var needsTokenCount: Bool { made[0].needsTokenCount }

  public func count(in split: Split) -> Int? {
    split == .train ? nil : made.reduce(0) { $0 + ($1.count(in: split) ?? 0) }
  }

  /// Levels in turn, each until it has no more: so the first prompts are spread over all of them.
  /// For training too, where they have no end: what a warm start demonstrates.
  public func exercise(seed: UInt64, split: Split, index: Int) -> Exercise {
    let (level, place) = place(of: index, in: split)
    return split == .train
      ? practice(seed: seed, ticket: place, level: level)
      : made[level].exercise(seed: seed, split: split, index: place)
  }

  /// The level an index is of, and which exercise of that level it is.
  public func place(of index: Int, in split: Split) -> (level: Int, place: Int) {
    var left = Array(made.indices)
    var (start, rest) = (0, index)
    while true {
      let counts = left.map { made[$0].count(in: split) ?? .max }
      guard let least = counts.min() else {
        preconditionFailure("exercise \(index) of the \(split.rawValue) split, which has fewer")
      }
      // Rounds that all of them take part in.
      if rest / left.count < least - start {
        return (left[rest % left.count], start + rest / left.count)
      }
      rest -= (least - start) * left.count
      start = least
      left = zip(left, counts).filter { $0.1 > least }.map(\.0)
    }
  }

  public func practice(seed: UInt64, ticket: Int, level: Int) -> Exercise {
    precondition(made.indices.contains(level), "level \(level) of \(made.count)")
    for attempt in 0..<Self.maximumDraws {
      let exercise = drawn(seed: seed, level: level, attempt: attempt, index: ticket)
      if !isMeasured(exercise, besides: level) { return exercise }
    }
    preconditionFailure(
      "\(Self.maximumDraws) draws of level \(level) for \(ticket) are all measured elsewhere")
  }

  /// Each level and attempt has a key of its own.
  private func drawn(seed: UInt64, level: Int, attempt: Int, index: Int) -> Exercise {
    let key = AddressedRandom.bits(
      seed: seed, domain: .curriculum, UInt64(level), UInt64(attempt), 2)
    return made[level].exercise(seed: key, split: .train, index: index)
  }

  private func isMeasured(_ exercise: Exercise, besides level: Int) -> Bool {
    for other in made.indices where other != level {
      if let split = made[other].split(of: exercise), split != .train { return true }
    }
    return false
  }

  /// The levels differ in their exercises alone, so one of them judges for all.
  public func judge(
    _ exercise: Exercise, completion: String, tokenCount: Int, isTruncated: Bool
  ) -> Verdict {
    made[0].judge(
      exercise, completion: completion, tokenCount: tokenCount, isTruncated: isTruncated)
  }
}

// Is every demonstration of a made task right by its own verifier?
extension Exercises {
  /// Exercises of each split looked at.
  public static var flawSample: Int { 64 }

  /// The first of a sample of each split whose demonstration does not get full marks; nil where
  /// all do, or the task has none.
  public func firstFlaw(seed: UInt64) -> (exercise: String, reason: String)? {
    for split in Split.allCases {
      for index in 0..<min(Self.flawSample, count(in: split) ?? .max) {
        let exercise = exercise(seed: seed, split: split, index: index)
        guard let shown = exercise.demonstration else { continue }
        let verdict = judge(exercise, completion: shown, tokenCount: 1, isTruncated: false)
        if !verdict.isStrictlyCorrect || !verdict.isLenientlyCorrect {
          return ("\(exercise.name) (\(split.rawValue))", verdict.reason)
        }
      }
    }
    return nil
  }
}
