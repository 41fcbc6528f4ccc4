// Two disks. What a process has written is seen by the next one even if it was killed; what was not
// synced may be gone, torn or there after the power was.

import Digests
import Experience
import Replay
import SimulatedLedger
import Wire

/// The ledger's: transactions in order, as SQLite's log has them.
final class LedgerDisk {
  /// One thing a transaction writes.
  enum Write {
    case group(TicketKey, GroupFacts, blob: [UInt8])
    case drop(Drop)
    case evaluation(EvaluationSummary)
    case abandonedEvaluation(Int)
    case forgetLease
    case epoch(EpochRecord)
    case lease(step: Int, tickets: [Int])
    case commit(CommitRecord)
  }

  /// What a reader sees now, and what is on the disk whatever happens.
  private(set) var current: LedgerTables
  private(set) var durable: LedgerTables
  private var unsynced: [[Write]] = []
  private(set) var problems: [String] = []

  init(_ plan: Plan) {
    current = LedgerTables(plan)
    durable = current
  }

  func write(_ transaction: [Write]) {
    for write in transaction { current.apply(write) }
    unsynced.append(transaction)
    problems += current.problems
  }

  func sync() {
    durable = current
    unsynced = []
  }

  /// What was not synced is there up to some point; the transaction at that point is torn, and its
  /// checksum says so.
  func losePower(_ random: inout SeededGenerator) {
    let kept = random.below(unsynced.count + 1)
    current = durable
    for write in unsynced.prefix(kept).joined() { current.apply(write) }
    durable = current
    unsynced = []
  }

  /// A bit of a stored group turns over; true when there was one waiting to be trained.
  func rot(_ random: inout SeededGenerator, includingLeased: Bool) -> Bool {
    guard unsynced.isEmpty, current.damage(&random, includingLeased: includingLeased) else {
      return false
    }
    durable = current
    return true
  }
}

/// The learner's files: contents by number, names that point to them. Contents are synced one by
/// one, names by their folder.
final class SimulatedFiles {
  private struct Content {
    var cached: [UInt8]
    var synced: [UInt8]?

    mutating func settle() { synced = cached }
  }

  private var contents: [Int: Content] = [:]
  private var names: [String: Int] = [:]
  private var syncedNames: [String: Int] = [:]
  private var made = 0

  func write(_ name: String, _ bytes: [UInt8]) {
    made += 1
    contents[made] = Content(cached: bytes, synced: nil)
    names[name] = made
  }

  func sync(_ name: String) {
    guard let number = names[name] else { return }
    contents[number]?.settle()
  }

  /// The names directly or further below a folder are what they are now, after a power cut too.
  func syncFolder(_ folder: String) {
    for name in syncedNames.keys where name.hasPrefix(folder) { syncedNames[name] = nil }
    for (name, number) in names where name.hasPrefix(folder) { syncedNames[name] = number }
  }

  func rename(from old: String, to new: String) {
    for (name, number) in names where name.hasPrefix(old + "/") {
      names[name] = nil
      names[new + name.dropFirst(old.count)] = number
    }
  }

  func remove(_ folder: String) {
    for name in names.keys where name == folder || name.hasPrefix(folder + "/") {
      names[name] = nil
    }
  }

  func read(_ name: String) -> [UInt8]? { names[name].flatMap { contents[$0]?.cached } }

  /// The folders below, each once.
  func folders(of parent: String) -> [String] {
    let inner = names.keys.filter { $0.hasPrefix(parent + "/") }
      .compactMap { name -> String? in
        let rest = name.dropFirst(parent.count + 1)
        return rest.firstIndex(of: "/").map { String(rest[..<$0]) }
      }
    return Set(inner).sorted()
  }

  func losePower(_ random: inout SeededGenerator) {
    if random.chance(2) { names = syncedNames }
    syncedNames = names
    for number in contents.keys.sorted() {
      guard let content = contents[number], content.synced != content.cached else { continue }
      switch random.below(3) {
      case 0: break
      case 1: contents[number]?.cached = content.synced ?? []
      default:
        contents[number]?.cached = Array(content.cached.prefix(random.below(content.cached.count)))
      }
      contents[number]?.settle()
    }
  }
}
