// What a run's folder says of it, alive or not: who holds its locks, how far its ledger is, which
// checkpoint is the newest, and whether it came to its closing sentence.

import Documents
import Learning
import Operations
import Replay

struct FolderFacts {
  static let roles = ["run", "replay", "learner"]

  let run: RunFolder
  /// Roles whose lock is held, with the process that holds it.
  let processes: [(role: String, processID: Int)]
  /// Steps the ledger has committed; nil without a ledger.
  let committed: Int?
  /// The checkpoint that `latest` names, else the newest there is.
  let checkpoint: String?
  /// The closing sentence.
  let sentence: String?
  /// Where the run was forked from.
  let parent: Parentage?

  init(_ run: RunFolder) throws {
    self.run = run
    processes = Self.roles.compactMap { role in
      RunLock.holder(path: "\(run.locks)/\(role).lock").map { (role, $0) }
    }
    let reader = Files.exists(run.ledger) ? try LedgerReader(path: run.ledger) : nil
    committed = try reader?.committedSteps()
    parent = try reader?.parentage()
    let checkpoints = try Checkpoints(folder: run.checkpoints)
    checkpoint = try checkpoints.latest() ?? checkpoints.names().first
    let closing = "\(run.path)/sentence.txt"
    sentence =
      Files.exists(closing)
      ? try Files.readText(closing).split(separator: "\n").first.map(String.init) : nil
  }

  func process(_ role: String) -> Int? { processes.first { $0.role == role }?.processID }

  var members: [(String, Document)] {
    [
      ("folder", .string(run.path)),
      ("processes", .object(processes.map { ($0.role, .integer($0.processID)) })),
      ("committedSteps", committed.map(Document.integer) ?? nil),
      ("parent", parent.map { Document.string($0.description) } ?? nil),
      ("checkpoint", checkpoint.map(Document.string) ?? nil),
      ("sentence", sentence.map(Document.string) ?? nil),
    ]
  }
}
