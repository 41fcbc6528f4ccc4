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
    let task: any Exercises
    switch try fields.choice("kind", default: TaskKind.arithmetic) {
    case .arithmetic: task = try Arithmetic(fields)
    case .countdown: task = try MadeExercises(Countdown(fields), fields)
    case .reversal: task = try MadeExercises(Reversal(fields), fields)
    case .sorting: task = try MadeExercises(Sorting(fields), fields)
    case .counting: task = try MadeExercises(Counting(fields), fields)
    case .formatOnly: task = try MadeExercises(FormatOnly(fields), fields)
    case .instructions: task = try MadeExercises(Instructions(fields), fields)
    case .file: task = try FileTask(fields, files: files, programs: programs)
    }
    try fields.finish()
    return task
  }
}
