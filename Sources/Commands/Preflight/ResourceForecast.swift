// Memory and disk that a run will need, held against what this machine has free.

import Operations

package struct ResourceForecast: Sendable {
  /// Code, stacks and libraries of one process.
  private static let processBytes = 32 << 20

  package let memoryNeeded: Int
  package let memoryFree: Int
  package let diskNeeded: Int
  package let diskFree: Int
  /// What is to stay free on the disk.
  package let diskReserve: Int
  private let mostMemory: Double

  package init(
    memoryNeeded: Int, memoryFree: Int, diskNeeded: Int, diskFree: Int, diskReserve: Int,
    mostMemory: Double
  ) {
    self.memoryNeeded = memoryNeeded
    self.memoryFree = memoryFree
    self.diskNeeded = diskNeeded
    self.diskFree = diskFree
    self.diskReserve = diskReserve
    self.mostMemory = mostMemory
  }

  /// `folder` is where the run is, or the nearest one there is above where it will be. The ledger
  /// is predicted from a measured group, else from the longest completions there can be.
  init(
    _ parts: RunParts, folder: String, groupBytes: Int? = nil,
    memoryFree: Int = Machine.availableMemoryBytes
  ) throws(Failure) {
    let settings = parts.settings
    let needs = Needs(parts, groupBytes: groupBytes)
    let actors = settings.replay.mode == .offline ? 0 : settings.actor.count
    // Replay holds the groups of a lease, and those on their way to the disk.
    let lease = needs.groupBytes * settings.leaseGroups
    self.init(
      memoryNeeded: needs.learnerBytes + actors * needs.actorBytes + 2 * lease
        + (2 + actors) * Self.processBytes,
      memoryFree: memoryFree,
      diskNeeded: needs.ledgerBytes + needs.checkpointBytes,
      diskFree: try Files.freeBytes(at: folder),
      diskReserve: settings.preflight.leastFreeBytes > 0
        ? settings.preflight.leastFreeBytes : needs.reserveBytes,
      mostMemory: settings.preflight.mostMemory)
  }

  package var line: String {
    "memory \(DryRun.bytes(memoryNeeded)) of \(DryRun.bytes(memoryFree)) free, disk "
      + "\(DryRun.bytes(diskNeeded)) of \(DryRun.bytes(diskFree)) free"
  }

  package var refusals: [PreflightRefusal] { [memory, disk].compactMap { $0 } }

  private var memory: PreflightRefusal? {
    guard Double(memoryNeeded) > mostMemory * Double(memoryFree) else { return nil }
    return PreflightRefusal(
      what:
        "its processes need \(DryRun.bytes(memoryNeeded)) of memory, \(DryRun.bytes(memoryFree)) "
        + "are free, and preflight.mostMemory is \(RunView.percent(mostMemory))",
      remedy: "lower learner.microbatchTokens, actor.ticketsPerRequest or actor.count, or take a "
        + "smaller model")
  }

  private var disk: PreflightRefusal? {
    guard diskNeeded + diskReserve > diskFree else { return nil }
    return PreflightRefusal(
      what: "it will write up to \(DryRun.bytes(diskNeeded)), \(DryRun.bytes(diskFree)) are free, "
        + "and \(DryRun.bytes(diskReserve)) are to stay free (preflight.leastFreeBytes)",
      remedy: "make room, or lower run.steps or learner.keepCheckpoints")
  }
}
