// The files of a task, as bytes: this room opens nothing. A head reads them from where settings
// name them and keeps copies in the run's folder; an actor fetches those by digest, as it fetches
// weights, so both make the same exercises.

import Documents

/// Which of a task's files.
public enum TaskFileRole: String, Sendable, CaseIterable {
  case train, validation
  case heldOut = "held-out"

  /// Its name in the run's folder, and among the files actors fetch.
  public var name: String { Self.prefix + rawValue + ".jsonl" }

  /// All names of task files begin so.
  public static let prefix = "task-"

  /// The setting that names its path.
  public var key: String {
    switch self {
    case .train: "file"
    case .validation: "validationFile"
    case .heldOut: "heldOutFile"
    }
  }
}

/// Where a task's files come from.
public struct TaskFiles: Sendable {
  /// The longest file: what an actor fetches at most.
  public static let maximumFileBytes = 64 << 20

  /// The bytes of a file by its role and the path that settings give; throws the problem in words.
  public let read: @Sendable (TaskFileRole, String) throws -> [UInt8]

  public init(_ read: @escaping @Sendable (TaskFileRole, String) throws -> [UInt8]) {
    self.read = read
  }

  /// Files that are at hand, by their names.
  public init(_ files: [String: [UInt8]]) {
    self.init { role, path in
      guard let bytes = files[role.name] else { throw Missing(path: path) }
      return bytes
    }
  }

  /// For tasks that have none.
  public static let none = TaskFiles([:])

  private struct Missing: Error, CustomStringConvertible {
    var path: String
    var description: String { "\(path) is not at hand here" }
  }
}
