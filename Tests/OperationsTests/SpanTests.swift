// What threads note of their time comes back as it was noted, is bounded wherever it lies, and is
// missed by nobody: a full ring and a full disk cost spans, which are counted, and nothing else.

import Foundation
import Operations
import Testing

@Suite struct SpanTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func note(_ ring: SpanRing, _ ids: some Sequence<Int>) {
    for id in ids {
      ring.record(.decode, id: id, from: Int64(id), to: Int64(id) + 5, amount: 2 * id)
    }
  }

  private func decoded(_ log: SpanLog) -> [Int] {
    log.spans.filter { $0.name == .decode }.map(\.id)
  }

  // MARK: The ring

  @Test func `a full ring keeps the oldest, counts the rest, and goes on when it is emptied`() {
    let ring = SpanRing(.compute)
    note(ring, 0..<SpanRing.capacity + 3)
    #expect(ring.dropped == 3)
    var taken: [SpanRecord] = []
    ring.drain(into: &taken, atMost: 10)
    #expect(taken.map(\.id) == Array(0..<10))
    note(ring, [77])
    ring.drain(into: &taken)
    #expect(taken.count == SpanRing.capacity + 1)
    #expect(taken.last?.id == 77)
    #expect(ring.dropped == 3)
  }

  @Test func `a thread that writes and one that takes lose and double nothing`() throws {
    let ring = SpanRing(.train)
    let total = 300_000
    let finished = Monitor(false)
    let writer = try WorkerThread(name: "writer") {
      for id in 0..<total {
        ring.record(.step, id: id, from: Int64(id), to: Int64(id), amount: id)
      }
      finished.withLock { $0 = true }
    }
    var taken: [SpanRecord] = []
    let deadline = Deadline.after(seconds: patience)
    while !finished.withLock({ $0 }), !deadline.hasPassed { ring.drain(into: &taken) }
    ring.drain(into: &taken)
    _ = writer.join(deadline: deadline)
    #expect(taken.count + ring.dropped == total)
    #expect(zip(taken, taken.dropFirst()).allSatisfy { $0.id < $1.id })
    #expect(taken.allSatisfy { $0.id == $0.start && $0.id == Int64($0.amount) })
  }

  // MARK: The file

  @Test func `what was noted is read back, a start before it`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("spans/actor-0.spans")
    let recorder = SpanRecorder("actor-0", path: path, maximumBytes: 1 << 20, log: .silent)
    let strand = Strand("compute", spans: recorder.ring(strand: "compute"))
    strand.span(.prefill, id: 7, from: 100, to: 350, amount: 12)
    #expect(strand.measure(.verify, id: 8) { 5 } == 5)
    recorder.flush()
    let log = try SpanLog(path: path)
    #expect(log.process == "actor-0")
    #expect(log.clock == MonotonicClock.identity)
    #expect(log.spans.map(\.name) == [.start, .prefill, .verify])
    #expect(
      log.spans[1]
        == SpanLog.Span(
          .prefill, thread: .compute, id: 7, start: 100, duration: 250, amount: 12))
    #expect(log.dropped == 0)
  }

  @Test func `a strand without a recorder notes nothing and runs what it measures`() {
    let strand = Strand("compute")
    strand.span(.prefill, from: 0)
    #expect(strand.measure(.verify) { 3 } == 3)
  }

  @Test func `a second process of the name goes on after a torn record`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("spans/learner.spans")
    for ids in [0..<3, 3..<5] {
      let recorder = SpanRecorder("learner", path: path, maximumBytes: 1 << 20, log: .silent)
      note(recorder.ring(strand: "train"), ids)
      recorder.flush()
      let handle = try FileHandle(forWritingTo: URL(filePath: path))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data([1, 2, 3]))
      try handle.close()
    }
    let log = try SpanLog(path: path)
    #expect(decoded(log) == [0, 1, 2, 3, 4])
    #expect(log.spans.count { $0.name == .start } == 2)
  }

  @Test func `a file keeps the newest spans, about half of its limit or more`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("spans/replay.spans")
    let limit = 1 << 16
    let recorder = SpanRecorder("replay", path: path, maximumBytes: limit, log: .silent)
    let ring = recorder.ring(strand: "serve")
    for part in 0..<100 {
      note(ring, part * 100..<part * 100 + 100)
      recorder.flush()
      let bytes = [path, path + ".old"].compactMap { Files.byteCount($0) }
      #expect(bytes.reduce(0, +) <= limit)
    }
    let kept = decoded(try SpanLog(path: path))
    #expect(kept.last == 9999)
    #expect(kept == Array(kept[0]...9999))
    // Half of the limit, less the head and a batch that did not fit.
    #expect(kept.count >= (limit / 2 - 4096) / 32 - 100)
  }

  @Test func `more at once than half of a file loses the oldest, and says how many`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("spans/replay.spans")
    let recorder = SpanRecorder("replay", path: path, maximumBytes: 1 << 16, log: .silent)
    note(recorder.ring(strand: "serve"), 0..<5000)
    recorder.flush()
    let log = try SpanLog(path: path)
    #expect(decoded(log).last == 4999)
    #expect(decoded(log).count + log.dropped == 5000)
    #expect(log.dropped > 0)
  }

  @Test func `another clock's file is put aside, not mixed in`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("spans/learner.spans")
    let recorder = SpanRecorder("learner", path: path, maximumBytes: 1 << 20, log: .silent)
    note(recorder.ring(strand: "train"), 0..<3)
    recorder.flush()
    var bytes = try Files.read(path)
    let clock = Array(MonotonicClock.identity.utf8)
    let at = try #require(
      (0..<4096 - clock.count).first { Array(bytes[$0..<$0 + clock.count]) == clock })
    bytes[at] = bytes[at] == 0x30 ? 0x31 : 0x30
    try Files.writeDurably(path, bytes)
    let next = SpanRecorder("learner", path: path, maximumBytes: 1 << 20, log: .silent)
    note(next.ring(strand: "train"), 7..<9)
    next.flush()
    #expect(decoded(try SpanLog(path: path)) == [7, 8])
  }

  @Test func `a full disk is said once, and what it cost is counted`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("spans/actor-0.spans")
    try Files.makeFolder(folder.file("spans"))
    // Every write to it fails for want of space.
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: "/dev/full")
    let log = try Log("actor-0", file: folder.file("log"), standardError: false)
    let recorder = SpanRecorder("actor-0", path: path, maximumBytes: 1 << 20, log: log)
    let ring = recorder.ring(strand: "compute")
    for part in 0..<3 {
      note(ring, part * 10..<part * 10 + 10)
      recorder.flush()
    }
    let said = try Files.readText(folder.file("log")).split(separator: "\n")
    #expect(said.count == 1)
    #expect(said.first?.contains("the run goes on") == true)
    try Files.remove(path)
    note(ring, [99])
    recorder.flush()
    let read = try SpanLog(path: path)
    #expect(decoded(read) == [99])
    #expect(read.dropped == 30)
  }

  @Test func `a file that is none is refused with its path and a remedy`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.spans")
    try Files.writeDurably(path, [UInt8](repeating: 0x41, count: 9000))
    let error = #expect(throws: Failure.self) { try SpanLog(path: path) }
    #expect(error?.description.contains(path) == true)
  }

  // MARK: The names

  @Test func `every name has a row of the page, with its kind and what its number is of`() throws {
    let page = try String(
      contentsOf: Self.root.appending(path: "Docs/SPANS.md"), encoding: .utf8)
    let rows = page.matches(of: /(?m)^\| `(\w+)` \| (\w+) \| (\w+) \|/)
    let shown = rows.map { "\($0.output.1) \($0.output.2) \($0.output.3)" }
    let names = SpanName.allCases.map {
      "\($0.text) \($0.track.rawValue) \($0.subject.rawValue)"
    }
    #expect(shown == names)
  }

  @Test func `a name's text names it, and a head is shorter than its place`() throws {
    for name in SpanName.allCases { #expect(SpanName(text: name.text) == name) }
    #expect(SpanName(text: "lease_wait") == .leaseWait)
  }
}
