// From the `task` section of a run's settings to the task it names.

import Documents

/// The tasks there are.
public enum TaskKind: String, Sendable, CaseIterable {
  case arithmetic, countdown, reversal, sorting, counting, instructions, file
  case formatOnly = "format-only"
}

/// Builds the task that settings name.
public enum TaskFactory {
  /// Reads the `task` section; throws with the file's line for a value it refuses. `files` holds
  /// what a task of kind `file` is made of.
  public static func make(
    _ fields: Fields, files: TaskFiles = .none, programs: LineProgramMaker? = nil
  ) throws(DocumentError) -> any Exercises {
    let base = try single(fields, files, programs)
    let resolved = fields.resolved
    var task = base
    if fields.has("curriculum") {
      task = try Curriculum(fields.section("curriculum"), base: resolved) {
        (level) throws(DocumentError) in
        guard let made = try single(level, files, programs) as? any LevelExercises else {
          throw fields.error("curriculum", "is for tasks that are made, not read from files")
        }
        return made
      }
    }
    try fields.finish()
    return task
  }

  private static func single(
    _ fields: Fields, _ files: TaskFiles, _ programs: LineProgramMaker?
  ) throws(DocumentError) -> any Exercises {
    switch try fields.choice("kind", default: TaskKind.arithmetic) {
    case .arithmetic: try Arithmetic(fields)
    case .countdown: try MadeExercises(Countdown(fields), fields)
    case .reversal: try MadeExercises(Reversal(fields), fields)
    case .sorting: try MadeExercises(Sorting(fields), fields)
    case .counting: try MadeExercises(Counting(fields), fields)
    case .formatOnly: try MadeExercises(FormatOnly(fields), fields)
    case .instructions: try MadeExercises(Instructions(fields), fields)
    case .file: try FileTask(fields, files: files, programs: programs)
    }
  }
}
