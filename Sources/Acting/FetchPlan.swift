// What to fetch next, and for whom: the run's files first, then what the compute thread waits for,
// then, ahead of need, the newest version anybody has heard of. Pure, as the fetcher is.
//
// A fetch that has begun is finished even when a newer version is announced meanwhile: on a thin
// link the actor would otherwise never hold any.

import Experience
import Wire

package struct FetchPlan: Sendable {
  package struct Demand: Equatable, Sendable {
    package var version: Int?
    package var isExact: Bool

    package init(version: Int?, isExact: Bool) {
      self.version = version
      self.isExact = isExact
    }
  }

  package enum Result: Equatable, Sendable {
    case files([String: [UInt8]])
    /// What the compute thread waits for.
    case demanded(FetchedSnapshot)
    case gone(version: Int, sentence: String)
    /// Fetched ahead of need.
    case offered(FetchedSnapshot)
    case failed(String)
  }

  private var missing: [NamedDigest] = []
  private var files: [String: [UInt8]] = [:]
  private var hasFiles = false
  private var demand: Demand?
  private var goalIsDemand = false
  private let lineage: String
  /// The newest version heard of, and the newest fetched.
  package private(set) var heard = -1
  package private(set) var fetched = -1

  package init(lineage: String, files: [NamedDigest]) {
    self.lineage = lineage
    missing = files
  }

  /// A hint: nothing hangs when it is lost or wrong.
  package mutating func hear(of version: PolicyVersion) {
    guard version.lineage == lineage else { return }
    heard = max(heard, version.number)
  }

  package mutating func want(_ demand: Demand) {
    precondition(self.demand == nil, "\(demand) demanded during \(self.demand!)")
    self.demand = demand
  }

  /// Whether anything can be done only after the fetch underway.
  package var isWaitedFor: Bool { !hasFiles || demand != nil }

  /// Begins the next fetch, if there is one and the fetcher is free.
  package mutating func begin(_ fetcher: inout Fetcher, now: Int) {
    guard fetcher.isIdle else { return }
    if let file = missing.first {
      fetcher.begin(.file(file), now: now)
    } else if !hasFiles {
      // The files are with the compute thread's owner first: their shapes bound a snapshot.
      return
    } else if let demand {
      goalIsDemand = true
      fetcher.begin(.version(demand.version, isExact: demand.isExact), now: now)
    } else if heard > fetched {
      goalIsDemand = false
      fetcher.begin(.version(nil, isExact: false), now: now)
    }
  }

  /// What the fetch that has just ended means.
  package mutating func finish(_ outcome: Fetcher.Outcome) -> Result? {
    switch outcome {
    case .file(let name, let bytes):
      files[name] = bytes
      missing.removeAll { $0.name == name }
      guard missing.isEmpty else { return nil }
      hasFiles = true
      defer { files = [:] }
      return .files(files)
    case .snapshot(let snapshot, let bytes):
      return finish(FetchedSnapshot(snapshot: snapshot, bytes: bytes))
    case .gone(let version, let sentence):
      demand = nil
      return .gone(version: version, sentence: sentence)
    case .failed(let problem): return .failed(problem)
    }
  }

  private mutating func finish(_ got: FetchedSnapshot) -> Result {
    let number = got.snapshot.version.number
    let serves =
      goalIsDemand
      || demand.map { $0.isExact ? $0.version == number : $0.version ?? 0 <= number }
        ?? false
    // A server that knows less than was heard would be asked for ever; the next word is awaited.
    if !goalIsDemand { heard = min(heard, max(number, fetched)) }
    fetched = max(fetched, number)
    goalIsDemand = false
    guard demand != nil, serves else { return .offered(got) }
    demand = nil
    return .demanded(got)
  }
}
