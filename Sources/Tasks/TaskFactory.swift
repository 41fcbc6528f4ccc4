// From the `task` section of a run's settings to the task it names.

import Documents

/// The tasks there are.
public enum TaskKind: String, Sendable, CaseIterable {
  case arithmetic
}

/// Builds the task that settings name.
public enum TaskFactory {
  /// Reads the `task` section; throws with the file's line for a value it refuses.
  public static func make(_ fields: Fields) throws(DocumentError) -> any Exercises {
    let task: any Exercises
    switch try fields.choice("kind", default: TaskKind.arithmetic) {
    case .arithmetic: task = try Arithmetic(fields)
    }
    try fields.finish()
    return task
  }
}
