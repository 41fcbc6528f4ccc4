// Where the files of a task are on this host: first where the settings say; then, once there is a
// run, in its folder, so that a resume and every actor see what the run began with.

import Documents
import Operations
import Tasks

enum TaskFileStore {
  /// From the paths in the settings.
  static let fromSettings = TaskFiles { _, path in
    try Files.read(path, maximumBytes: TaskFiles.maximumFileBytes)
  }

  /// The run's own copies, or where it has none yet, from the paths in the settings.
  static func files(of run: RunFolder?) -> TaskFiles {
    guard let run else { return fromSettings }
    return TaskFiles { role, path in
      let copy = run.taskFile(role.name)
      return try Files.read(
        Files.exists(copy) ? copy : path, maximumBytes: TaskFiles.maximumFileBytes)
    }
  }

  /// Copies what resolved settings name into a new run's folder.
  static func keep(_ resolved: Document, in run: RunFolder) throws {
    for role in TaskFileRole.allCases {
      guard case .string(let path)? = resolved["task"]?[role.key]?.value, !path.isEmpty else {
        continue
      }
      let copy = run.taskFile(role.name)
      if Files.exists(copy) { continue }
      try Files.makeFolder(run.taskFolder)
      try Files.writeDurably(copy, try Files.read(path, maximumBytes: TaskFiles.maximumFileBytes))
    }
  }
}
