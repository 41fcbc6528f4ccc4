// Recorded steps taken again: the batches the ledger names, in its order, with the settings each
// step had, by the learner's own step code. Reads only; the run may go on meanwhile.

import Experience
import Learning
import Operations
import Replay
import Wire

struct Repetition {
  let run: RunFolder
  let reader: LedgerReader
  let record: RunRecord
  let checkpoints: Checkpoints
  let threads: Int

  init(_ run: RunFolder, threads: Int?) throws {
    self.run = run
    reader = try LedgerReader(path: run.ledger)
    record = try reader.runRecord()
    checkpoints = try Checkpoints(folder: run.checkpoints)
    self.threads = threads ?? Machine.coreCount
  }

  func timeline() throws -> TrainingTimeline {
    var spans = record.settings
    if spans.isEmpty { spans = [(0, try RunSettings.load(path: run.settings))] }
    return try TrainingTimeline(spans, source: run.settings)
  }

  func commit(_ step: Int) throws -> StepCommit {
    guard let row = try reader.commits(step...step).first else {
      throw Failure(
        "read", on: run.ledger, happened: "step \(step) has no commit",
        remedy: "look with forage inspect \(run.path)", exitCode: .badInput)
    }
    return row.commit
  }

  /// Trains `taker` from its version to `end`. `compare` hears of each step and says whether to go
  /// on; false when it said no or `shouldStop` did.
  func repeatSteps(
    _ taker: StepTaker, to end: Int, shouldStop: () -> Bool,
    compare: (StepCommit, TakenStep) throws -> Bool
  ) throws -> Bool {
    while taker.version.number < end {
      let commit = try commit(taker.version.number)
      var groups: [TrajectoryGroup] = []
      for number in commit.batch {
        guard let group = try reader.group(TicketKey(purpose: .train, number: number)) else {
          throw LedgerError.damaged(
            path: run.ledger,
            problem: "the group of ticket \(number), which step \(commit.step) trained, is gone")
        }
        groups.append(group)
      }
      let taken: TakenStep
      do {
        taken = try taker.take(
          groups, freshCount: commit.tickets.count, shouldStop: shouldStop)
      } catch is StepInterrupted {
        return false
      }
      guard try compare(commit, taken) else { return false }
      taker.accept(taken)
    }
    return true
  }

  /// The newest whole checkpoint of at most this version that is the ledger's own.
  func nearest(atMost version: Int) throws -> LoadedCheckpoint {
    var limit = version
    while limit >= 0, let loaded = try checkpoints.newestGood(atMost: limit) {
      if try isRecorded(loaded.state) { return loaded }
      limit = loaded.state.version.number - 1
    }
    throw Failure(
      "find a checkpoint of version \(version) or before in", on: run.checkpoints,
      happened: "none is whole and of this ledger",
      remedy: "the first model, \(Checkpoints.name(step: 0)), should be there: restore it",
      exitCode: .badInput)
  }

  /// Whether the ledger has this version with this digest and this past.
  func isRecorded(_ state: CheckpointState) throws -> Bool {
    let number = state.version.number
    guard state.version.lineage == reader.lineage else { return false }
    if number == 0 { return try reader.digest(ofVersion: 0) == state.version.digest }
    guard let commit = try reader.commits((number - 1)...(number - 1)).first?.commit else {
      return false
    }
    return commit.version == state.version && commit.stateDigest == state.chain
      && commit.curriculum == state.curriculum
  }
}
