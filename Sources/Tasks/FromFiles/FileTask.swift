// A task from JSONL files. The splits come from files of their own, or by count from the one file:
// its questions in a keyed order, the first ones held out, the next for validation, the rest to
// train on. Few-shot examples are the first lines of the training file, and leave it.
//
// A question that stands in two splits would be measured after it was trained on: it leaves the
// training split (and validation, where it is held out), and is counted.

import Documents
import Experience

/// What was read, and what was left out.
public struct FileTaskCounts: Equatable, Sendable {
  public var lines = 0
  public var examples = 0
  public var splits: [Split: Int] = [:]
  /// The same question again within one file.
  public var repeated = 0
  /// In two splits.
  public var shared = 0
  /// Prompts that do not fit.
  public var tooLong = 0
}

/// The exercises of JSONL files.
public struct FileTask: Exercises {
  public static let maximumExamples = 64
  public private(set) var counts = FileTaskCounts()
  public let needsTokenCount: Bool
  public let verdictSeconds: Double
  private var lines: [Split: [TaskLine]]
  public var chat: String? { asked.chat }
  private let judge: Judge
  private let asked: LinePrompts
  private let source: String
  private let seed: UInt64

  public init(
    _ fields: Fields, files: TaskFiles, programs: LineProgramMaker? = nil
  ) throws(DocumentError) {
    let reader = TaskLineReader(
      questionField: try fields.string("questionField", default: "", maximumLength: 256),
      answerField: try fields.string("answerField", default: "", maximumLength: 256))
    let exampleCount = try fields.integer("examples", default: 0, in: 0...Self.maximumExamples)
    seed = UInt64(try fields.integer("seed", default: 1, in: 0...Int.max))
    judge = try VerifierFactory.judge(
      try fields.section("verifier"), default: .gsm8k, programs: programs)
    needsTokenCount = judge.needsTokenCount
    verdictSeconds = judge.seconds
    let validationCount = try fields.integer("validationCount", default: 128, in: 1...1_000_000)
    let heldOutCount = try fields.integer("heldOutCount", default: 512, in: 1...1_000_000)

    var read: [TaskFileRole: [TaskLine]] = [:]
    source = try fields.string("file")
    for role in TaskFileRole.allCases {
      let path = try fields.string(role.key, default: role == .train ? nil : "")
      if path.isEmpty { continue }
      let bytes: [UInt8]
      do {
        bytes = try files.read(role, path)
      } catch {
        throw fields.error(role.key, "\(error)")
      }
      let lines = try reader.lines(bytes, source: path)
      counts.lines += lines.count
      var seen: Set<String> = []
      read[role] = lines.filter { seen.insert($0.identity).inserted }
      counts.repeated += lines.count - seen.count
    }
    let hasChats = read.values.contains { $0.contains { !$0.messages.isEmpty } }
    var asked = try LinePrompts(fields, hasChats: hasChats)
    for role in TaskFileRole.allCases {
      let path = try fields.string(role.key, default: "")
      for line in read[role] ?? [] { try asked.check(line, source: path) }
    }
    var train = read[.train] ?? []
    asked.show(train.prefix(exampleCount))
    self.asked = asked
    counts.examples = min(exampleCount, train.count)
    let shown = Set(train.prefix(counts.examples).map(asked.identity))
    train.removeFirst(counts.examples)

    // By count, from what is left of the one file.
    let order = KeyedPermutation(count: max(1, train.count), key: seed)
    let shuffled = train.indices.map { train[order.member(at: $0)] }
    var next = 0
    func take(_ count: Int) -> [TaskLine] {
      defer { next = min(shuffled.count, next + count) }
      return Array(shuffled[next..<min(shuffled.count, next + count)])
    }
    let heldOut = read[.heldOut] ?? take(heldOutCount)
    let validation = read[.validation] ?? take(validationCount)
    lines = [.heldOut: heldOut, .validation: validation, .train: Array(shuffled[next...])]
    separate(shown: shown)
    try refuseEmpty(fields)
  }

  /// Takes shared questions out of the split that is trained on sooner, and out of all of them
  /// those that every prompt shows with their answers.
  private mutating func separate(shown: Set<String>) {
    var others = shown
    let asked = asked
    for split in [Split.heldOut, .validation, .train] {
      let before = lines[split]?.count ?? 0
      lines[split]?.removeAll { others.contains(asked.identity($0)) }
      counts.shared += before - (lines[split]?.count ?? 0)
      others.formUnion((lines[split] ?? []).map(asked.identity))
    }
    for (split, lines) in lines { counts.splits[split] = lines.count }
  }

  private func refuseEmpty(_ fields: Fields) throws(DocumentError) {
    for split in Split.allCases where (lines[split] ?? []).isEmpty {
      throw fields.error(
        "file",
        "nothing is left for the \(split.rawValue) split of \(counts.lines) lines; lower "
          + "task.heldOutCount or task.validationCount, or name a file for it")
    }
  }

  public var alphabet: [Character]? { nil }

  public func count(in split: Split) -> Int? {
    split == .train ? nil : lines[split]?.count ?? 0
  }

  /// Training goes through the whole split in an order of the seed's, then in another.
  public func exercise(seed: UInt64, split: Split, index: Int) -> Exercise {
    let lines = lines[split] ?? []
    precondition(index >= 0 && !lines.isEmpty, "exercise \(index) of the \(split.rawValue) split")
    guard split == .train else { return exercise(lines[index]) }
    let (pass, place) = index.quotientAndRemainder(dividingBy: lines.count)
    let key = AddressedRandom.bits(
      seed: self.seed, domain: .shuffle, seed, UInt64(pass), 0x6669_6C65)
    return exercise(lines[KeyedPermutation(count: lines.count, key: key).member(at: place)])
  }

  private func exercise(_ line: TaskLine) -> Exercise { asked.exercise(line) }

  public func judge(
    _ exercise: Exercise, completion: String, tokenCount: Int, isTruncated: Bool
  ) -> Verdict {
    judge.judge(
      Submission(
        prompt: exercise.prompt, completion: completion, answer: exercise.answer,
        tokenCount: tokenCount, isTruncated: isTruncated))
  }

  /// The same without the prompts that do not fit; the dropped are counted.
  public func keeping(_ fits: (Exercise) -> Bool) -> any Exercises {
    var kept = self
    for split in Split.allCases {
      let before = kept.lines[split]?.count ?? 0
      kept.lines[split]?.removeAll { !fits(exercise($0)) }
      let after = kept.lines[split]?.count ?? 0
      kept.counts.tooLong += before - after
      kept.counts.splits[split] = after
    }
    return kept
  }

  /// What the verifier says against gold answers, of so many lines of each split; none where all
  /// get full marks.
  public func goldFlaws(atMost count: Int = .max) -> [(split: Split, line: Int, reason: String)] {
    var flaws: [(Split, Int, String)] = []
    for split in Split.allCases {
      for line in (lines[split] ?? []).prefix(count) {
        let exercise = exercise(line)
        let text = exercise.demonstration ?? ""
        let verdict = judge(exercise, completion: text, tokenCount: 1, isTruncated: false)
        if !verdict.isStrictlyCorrect || !verdict.isLenientlyCorrect {
          flaws.append((split, line.number, verdict.reason))
        }
      }
    }
    return flaws
  }

  /// Every exercise of a split, for whoever measures them.
  public func all(of split: Split) -> [Exercise] { (lines[split] ?? []).map(exercise) }
}
