// A curriculum as settings and commits say it. Its levels are exercises, which this room does not
// know: here they are only counted, and the task reads what each of them is.

import Documents
import Experience

extension CurriculumState {
  public var document: Document {
    .object([
      ("level", .integer(level)), ("count", .integer(count)), ("correct", .integer(correct)),
    ])
  }

  public init(reading fields: Fields) throws(DocumentError) {
    let count = try fields.count("count")
    self.init(
      level: try fields.level("level"), count: count,
      correct: try fields.integer("correct", in: 0...count))
  }
}

extension CurriculumRules {
  /// The rules within a `task` section, and `curriculum` there with every default filled in; nil
  /// where it has none.
  public static func read(
    task: Document, source: String
  ) throws(DocumentError) -> (rules: CurriculumRules, resolved: Document)? {
    // `has` counts null, "curriculum:" with nothing below it, as absent.
    guard try Fields(task, source: source, path: "task").has("curriculum") else { return nil }
    let fields = try Fields(task["curriculum"], source: source, path: "task.curriculum")
    guard case .array(let levels)? = fields.document("levels")?.value,
      (2...maximumLevels).contains(levels.count)
    else {
      throw fields.error(
        "levels", "expected a sequence of 2 to \(maximumLevels) mappings, the easiest first")
    }
    let rules = CurriculumRules(
      levels: levels.count,
      threshold: try fields.number("threshold", default: 0.6, in: 0...1),
      window: try fields.integer("window", default: 256, in: 1...1_000_000),
      newestShare: try fields.number("newestShare", default: 0.5, in: 0.01...1))
    try fields.finish()
    return (rules, fields.resolved)
  }
}

extension Fields {
  func level(_ key: String) throws(DocumentError) -> Int {
    try integer(key, in: 0...CurriculumRules.maximumLevels - 1)
  }
}
