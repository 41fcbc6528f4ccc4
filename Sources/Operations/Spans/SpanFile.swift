// The spans of a process as a file: a head of 4096 bytes, one JSON object filled up with spaces,
// then records of 32 bytes each, as `SpanRecord` says, the least significant byte first.
//
//     {"format": 1, "process": "actor-0", "clock": "<boot id>/<time namespace>",
//      "names": ["start", ...], "threads": ["other", ...]}
//
//     0 name  1 thread  2 unused (2)  4 amount (4)  8 id (8)  16 start (8)  24 duration (8)
//
// Name and thread are indices into the lists of the head. Two processes whose heads name one clock
// read the same one. At half of what the file may have it becomes FILE.old, in place of the one
// before, so the newest spans are there and no more than the limit. It is not fsynced. Where the
// disk has no room the spans go and are counted; the run never waits for them.

import Documents
import Glibc

/// The writing end; belongs to the thread that drains.
struct SpanFile {
  static let format = 1
  static let headBytes = 4096
  static let recordBytes = 32
  static let oldSuffix = ".old"
  /// Less is left to the run: its ledger, its log and its checkpoints.
  static let reserveBytes = 128 << 20

  private let path: String
  private let process: String
  private let maximumBytes: Int
  private let clock: String
  private let log: Log
  private var descriptor: Int32 = -1
  private var bytes = 0
  /// Records that found no room since it was last told in the file.
  private var lost = 0
  private var isSaid = false

  init(
    _ path: String, process: String, maximumBytes: Int, clock: String = MonotonicClock.identity,
    log: Log
  ) {
    precondition(
      MemoryLayout<SpanRecord>.size == Self.recordBytes,
      "a record of \(MemoryLayout<SpanRecord>.size) bytes, expected \(Self.recordBytes)")
    self.path = path
    self.process = process
    self.maximumBytes = maximumBytes
    self.clock = clock
    self.log = log
  }

  mutating func append(_ records: [SpanRecord]) {
    guard !records.isEmpty else { return }
    do throws(Failure) {
      let free = try Files.freeBytes(at: Files.folder(of: Files.folder(of: path)))
      guard free >= Self.reserveBytes else {
        throw Failure(
          "write spans to", on: path, happened: "\(free) bytes are free",
          remedy: "spans are dropped until \(Self.reserveBytes) are; the run goes on")
      }
      if descriptor < 0 { try open() }
      // One is for what was lost.
      let room = max(1, (maximumBytes / 2 - Self.headBytes) / Self.recordBytes - 1)
      if Self.headBytes + (room + 1) * Self.recordBytes < bytes
        + (records.count + 1) * Self.recordBytes
      {
        try turn()
      }
      lost += max(0, records.count - room)
      var records = Array(records.suffix(room))
      if lost > 0 { records.append(.drop(lost)) }
      try write(records.withUnsafeBytes(Array.init))
      if isSaid { log.info("spans are written to \(path) again") }
      (lost, isSaid) = (0, false)
    } catch {
      lost += records.count
      if !isSaid { log.warning("\(error); the run goes on without its spans") }
      isSaid = true
      shut()
    }
  }

  /// A file of an earlier process of this name goes on, if it read the same clock.
  private mutating func open() throws(Failure) {
    try Files.makeFolder(Files.folder(of: path))
    let size = Files.byteCount(path) ?? 0
    if size >= Self.headBytes, (try? SpanLog.head(of: path))?.clock == clock {
      descriptor = try Descriptor.open(path, O_WRONLY | O_APPEND, tried: "open the spans")
      // A torn last record would shift all that follow.
      bytes = size - (size - Self.headBytes) % Self.recordBytes
      if bytes < size { _ = ftruncate(descriptor, off_t(bytes)) }
    } else {
      if size > 0 { _ = rename(path, path + Self.oldSuffix) }
      try begin()
    }
    try write(
      [
        SpanRecord(
          .start, thread: .other, id: Int64(getpid()), start: MonotonicClock.now, duration: 0)
      ].withUnsafeBytes(Array.init))
  }

  private mutating func begin() throws(Failure) {
    descriptor = try Descriptor.open(
      path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, tried: "make the file of spans")
    bytes = 0
    try write(Self.head(process: process, clock: clock))
  }

  /// Half of the limit is full: what is there becomes the older half.
  private mutating func turn() throws(Failure) {
    shut()
    guard rename(path, path + Self.oldSuffix) == 0 else {
      throw .system("rename", on: path, remedy: "check that its folder can be written")
    }
    try begin()
  }

  private mutating func shut() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  private mutating func write(_ some: [UInt8]) throws(Failure) {
    do throws(Failure) {
      try Descriptor.writeAll(descriptor, some, path: path)
      bytes += some.count
    } catch {
      // Half a record would shift all that follow.
      _ = ftruncate(descriptor, off_t(bytes))
      throw error
    }
  }

  static func head(process: String, clock: String) -> [UInt8] {
    let head = Document.object([
      ("format", .integer(format)), ("process", .string(process)), ("clock", .string(clock)),
      ("names", .array(SpanName.allCases.map { .string($0.text) })),
      ("threads", .array(SpanThread.allCases.map { .string($0.text) })),
    ])
    let bytes = Array(JSON.write(head).utf8)
    precondition(bytes.count < headBytes, "a head of \(bytes.count) bytes")
    return bytes + [UInt8](repeating: 0x20, count: headBytes - 1 - bytes.count) + [0x0A]
  }
}

extension MonotonicClock {
  /// Names the clock that `now` reads: equal in two processes exactly when they read the same one.
  /// A machine that was started anew, or a container with a time namespace, has another.
  public static var identity: String {
    let boot = (try? Files.readText("/proc/sys/kernel/random/boot_id", maximumBytes: 4096)) ?? ""
    var target = [CChar](repeating: 0, count: 256)
    let count = readlink("/proc/self/ns/time", &target, 255)
    let letters = target[..<max(0, count)].map { UInt8(bitPattern: $0) }
    let space = String(decoding: letters, as: UTF8.self)
    return "\(boot.filter { !$0.isWhitespace })/\(space)"
  }
}
