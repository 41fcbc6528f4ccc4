// A ledger's file with bytes changed: SQLite reads pages, we read rows. Whatever it holds, a reader
// answers or says that it is damaged.

import Digests
import Experience
import Glibc
import Replay
import Wire

extension FuzzTarget {
  static let ledgerFile = FuzzTarget("ledger-file", .bytes) {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/ledger.sqlite"
    do {
      let store = try LedgerStore(path: path, newLineage: "arithm\u{e9}tique-001", settings: "seed")
      let first = PolicyVersion(lineage: store.lineage, number: 0, digest: Samples.digest)
      try store.record(
        EpochRecord(
          epoch: 1,
          announcement: Announcement(weightsAddress: "w", announceAddress: "a", files: []),
          firstVersion: first))
      let group = Samples.group(Samples.train)
      let blob = group.encoded()
      try store.write([
        .group(
          PendingGroup(
            group: group, tally: GroupTally(group), blob: blob, blobDigest: Digest(of: blob)))
      ])
      try store.recordLease(step: 0, epoch: 1, Batch(tickets: [Samples.train.number]))
      let commit = StepCommit(
        step: 0, epoch: 1, outcome: .trained, tickets: [Samples.train.number],
        version: PolicyVersion(lineage: store.lineage, number: 1, digest: Samples.digest),
        stateDigest: Samples.digest, checkpoint: "step-000001", trajectories: [])
      try store.record(
        CommitRecord(commit: commit, fates: [.trained], lowWater: 0, deliveredEvaluations: [])
      ) { _ in group }
      try store.foldLog()
    }
    return [try Corpus.read(path)]
  } attempt: { bytes in
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/ledger.sqlite"
    try TemporaryFolder.write(bytes, path)
    var isAccepted = false
    if let reader = try? LedgerReader(path: path) {
      _ = try? reader.overview()
      _ = try? reader.commits()
      _ = try? reader.evaluations()
      _ = try? reader.trajectories()
      isAccepted = (try? reader.group(Samples.train)) != nil
    }
    let store = try LedgerStore(path: path, newLineage: "x", settings: "seed")
    _ = try store.history()
    return isAccepted
  }.with {
    $0.cost = 40
    // SQLite's page cache, and its own lists of a file that says it has many pages.
    $0.bytesBeside = 256 << 20
  }
}
