// forage bench disk: what a folder's disk takes to make bytes safe, and what follows for a run: how
// many groups replay can acknowledge a second, how long a checkpoint stops the learner at least.
//
// Every duration is counted, not averaged: a commit that waits 40 ms once in a hundred is what
// actors feel, and no mean shows it.

import Documents
import Glibc
import Operations
import Replay

struct DiskBench {
  /// Groups of one commit: alone, as a slow run's, as a busy run's, as full as the default allows.
  private static let commitSizes = [1, 16, 256]
  /// Rows a repeat at least, and commits at most, for each size.
  private static let rowsPerRepeat = 2048
  private static let commitsPerRepeat = 256
  private static let chunkBytes = 1 << 20

  private let parent: String
  private let rowBytes: Int
  private let fileBytes: Int

  init(_ arguments: Arguments) throws {
    parent = arguments.positional(1) ?? "."
    rowBytes = try arguments.integer("bytes", in: 1...(16 << 20)) ?? 4096
    fileBytes = 1_000_000 * (try arguments.integer("megabytes", in: 1...100_000) ?? 256)
    guard Files.isFolder(parent) else {
      throw Failure(
        "measure the disk of", on: parent, happened: "there is no such folder",
        remedy: "name a folder on the disk that runs will be on", exitCode: .noInput)
    }
  }

  private static func commits(of size: Int) -> Int {
    min(commitsPerRepeat, max(8, rowsPerRepeat / size))
  }

  func run(repeats: Int) throws -> BenchReport {
    try checkRoom()
    var measured = DiskMeasurements(sizes: Self.commitSizes)
    for index in 0..<repeats {
      let folder = try BenchFolder(in: parent)
      try measureSyncs(in: folder.path, &measured)
      try measureCommits(in: folder.path, &measured)
      try measureBigFile(in: folder.path, &measured)
      BenchProgress.repeated(
        index, of: repeats,
        "fdatasync \(BenchNumber.text(measured.syncs.last!.milliseconds(0.5))) ms, "
          + "\(BenchNumber.text(measured.writes.last!)) MB/s")
    }
    return report(measured)
  }

  /// An appended page made safe: what a commit of one row cannot be quicker than.
  private func measureSyncs(in folder: String, _ measured: inout DiskMeasurements) throws {
    let path = "\(folder)/log"
    let descriptor = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND)
    defer { close(descriptor) }
    let page = [UInt8](repeating: 7, count: 4096)
    var histogram = Histogram()
    for _ in 0..<Self.commitsPerRepeat {
      let begun = MonotonicClock.now
      try Descriptor.writeAll(descriptor, page, path: path)
      guard fdatasync(descriptor) == 0 else {
        throw Failure.system("fdatasync", on: path, exitCode: .storage)
      }
      histogram.record(MonotonicClock.now - begun)
    }
    measured.syncs.append(histogram)
  }

  private func measureCommits(in folder: String, _ measured: inout DiskMeasurements) throws {
    let probe = try CommitProbe(path: "\(folder)/probe.sqlite", rowBytes: rowBytes)
    for size in Self.commitSizes {
      var histogram = Histogram()
      let start = MonotonicClock.now
      let commits = Self.commits(of: size)
      for _ in 0..<commits {
        let begun = MonotonicClock.now
        try probe.commit(rows: size)
        histogram.record(MonotonicClock.now - begun)
      }
      measured.commits[size]!.append(histogram)
      measured.rates[size]!.append(Double(commits * size) / MonotonicClock.seconds(since: start))
    }
  }

  /// A checkpoint's way: written aside, fsynced, renamed, its folder fsynced.
  private func measureBigFile(in folder: String, _ measured: inout DiskMeasurements) throws {
    let path = "\(folder)/file"
    let begun = MonotonicClock.now
    let descriptor = try Descriptor.open("\(path).part", O_WRONLY | O_CREAT | O_TRUNC)
    do {
      defer { close(descriptor) }
      let chunk = RawTransfer.bytes(Self.chunkBytes)
      var left = fileBytes
      while left > 0 {
        let count = min(left, chunk.count)
        try Descriptor.writeAll(descriptor, Array(chunk[..<count]), path: path)
        left -= count
      }
      Files.synchronize(descriptor, path: path)
    }
    try Files.renameDurably(from: "\(path).part", to: path)
    let seconds = MonotonicClock.seconds(since: begun)
    measured.writes.append(Double(fileBytes) / 1e6 / seconds)
  }

  private func checkRoom() throws(Failure) {
    let rows = Self.commitSizes.reduce(0) { $0 + Self.commits(of: $1) * $1 }
    // Rows stand in the log and in the table.
    let needed = fileBytes + 3 * rows * max(rowBytes, 4096)
    let free = try Files.freeBytes(at: parent)
    guard needed < free else {
      throw Failure(
        "measure the disk of", on: parent,
        happened: "it takes up to \(needed >> 20) MiB, and \(free >> 20) MiB are free",
        remedy: "lower --bytes or --megabytes, or free some space", exitCode: .storage)
    }
  }

  private func report(_ measured: DiskMeasurements) -> BenchReport {
    var figures = measured.syncs.figures("fdatasync")
    var rates: [BenchFigure] = []
    for size in Self.commitSizes {
      let what = size == 1 ? "commit, 1 group" : "commit, \(size) groups"
      figures += measured.commits[size]!.figures(what)
      rates.append(BenchFigure("\(what) each", "groups/s", measured.rates[size]!))
    }
    let write = BenchFigure("file, fsynced", "MB/s", measured.writes)
    return BenchReport(
      what: "disk",
      settings: [
        ("folder", .string(parent)), ("row_bytes", .integer(rowBytes)),
        ("file_bytes", .integer(fileBytes)),
      ],
      figures: figures + rates + [write],
      sentence: "On the disk of \(parent) replay can acknowledge at most "
        + "\(BenchNumber.text(rates.first!.median)) groups of \(rowBytes) bytes a second one by "
        + "one and \(BenchNumber.text(rates.last!.median)) when it commits "
        + "\(Self.commitSizes.last!) together; a checkpoint is written at "
        + "\(BenchNumber.text(write.median)) MB/s.")
  }
}

/// What each repeat gave.
private struct DiskMeasurements {
  var syncs: [Histogram] = []
  var commits: [Int: [Histogram]]
  var rates: [Int: [Double]]
  /// MB/s.
  var writes: [Double] = []

  init(sizes: [Int]) {
    commits = Dictionary(uniqueKeysWithValues: sizes.map { ($0, []) })
    rates = Dictionary(uniqueKeysWithValues: sizes.map { ($0, []) })
  }
}

extension Histogram {
  fileprivate func milliseconds(_ share: Double) -> Double { Double(percentile(share)) / 1e6 }
}

extension [Histogram] {
  /// Each once a repeat, but for the percentile that takes all of them together, and their count.
  fileprivate func figures(_ what: String) -> [BenchFigure] {
    var all = Histogram()
    forEach { all.merge($0) }
    return [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)].map { name, share in
      BenchFigure("\(what), \(name)", "ms", map { $0.milliseconds(share) })
    } + [
      BenchFigure("\(what), p99.9 of all", "ms", [all.milliseconds(0.999)]),
      BenchFigure("\(what), count", "", [Double(all.count)]),
    ]
  }
}
