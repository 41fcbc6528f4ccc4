// Spans read back from a process's file, for those who look at a run.

import Documents
import Glibc

public struct SpanLog: Sendable {
  public struct Head: Equatable, Sendable {
    public var process: String
    /// Which clock the times are of (`MonotonicClock.identity`).
    public var clock: String
    public var names: [SpanName?]
    public var threads: [SpanThread?]
  }

  public struct Span: Equatable, Sendable {
    public var name: SpanName
    public var thread: SpanThread
    public var id: Int
    public var amount: Int
    /// Nanoseconds of the process's clock.
    public var start: Int64
    public var duration: Int64
    public var end: Int64 { start + duration }

    public init(
      _ name: SpanName, thread: SpanThread, id: Int, start: Int64, duration: Int64, amount: Int = 0
    ) {
      self.name = name
      self.thread = thread
      self.id = id
      self.amount = amount
      self.start = start
      self.duration = duration
    }
  }

  /// Both halves of a file of the greatest limit a setting allows.
  public static let maximumBytes = 1 << 30

  public var process: String
  public var clock: String
  /// In the order in which they were written; notes are among them.
  public var spans: [Span]
  /// Records that were dropped, by the file's own account, and such as nothing could be made of.
  public var dropped: Int

  public init(process: String, clock: String, spans: [Span], dropped: Int = 0) {
    self.process = process
    self.clock = clock
    self.spans = spans
    self.dropped = dropped
  }

  /// Both halves of a process's file, the newest `tailBytes` of each.
  public init(path: String, tailBytes: Int = maximumBytes) throws(Failure) {
    let head = try Self.head(of: path)
    self.init(process: head.process, clock: head.clock, spans: [])
    let old = path + SpanFile.oldSuffix
    if Files.exists(old), let head = try? Self.head(of: old), head.clock == clock {
      try read(old, head, tailBytes)
    }
    try read(path, head, tailBytes)
  }

  /// A file's bytes, whole.
  package init(parsing bytes: [UInt8], path: String) throws(Failure) {
    let head = try Self.head(parsing: Array(bytes.prefix(SpanFile.headBytes)), path: path)
    self.init(process: head.process, clock: head.clock, spans: [])
    take(Array(bytes.dropFirst(SpanFile.headBytes)), head)
  }

  /// A file of these records.
  package static func bytes(process: String, clock: String, records: [SpanRecord]) -> [UInt8] {
    SpanFile.head(process: process, clock: clock) + records.withUnsafeBytes(Array.init)
  }

  /// Every process's, of a run's folder; one that cannot be read is left out and named.
  public static func all(
    of run: RunFolder, tailBytes: Int = maximumBytes
  ) -> (logs: [SpanLog], faults: [Failure]) {
    var logs: [SpanLog] = []
    var faults: [Failure] = []
    for name in ((try? Files.list(run.spansFolder)) ?? []).sorted() where name.hasSuffix(".spans") {
      do throws(Failure) {
        logs.append(try SpanLog(path: "\(run.spansFolder)/\(name)", tailBytes: tailBytes))
      } catch {
        faults.append(error)
      }
    }
    return (logs, faults)
  }

  static func head(of path: String) throws(Failure) -> Head {
    let descriptor = try Descriptor.open(path, O_RDONLY, tried: "read the spans")
    defer { close(descriptor) }
    return try head(
      parsing: Descriptor.read(descriptor, count: SpanFile.headBytes, path: path), path: path)
  }

  package static func head(parsing bytes: [UInt8], path: String) throws(Failure) -> Head {
    func bad(_ happened: String) -> Failure {
      Failure(
        "read the spans", on: path, happened: happened,
        remedy: "move it away: a process that starts makes another", exitCode: .badInput)
    }
    guard let document = try? JSON.parse(bytes, source: path),
      case .string(let process)? = document["process"]?.value,
      case .string(let clock)? = document["clock"]?.value,
      case .integer(let format)? = document["format"]?.value
    else { throw bad("its head is no span file's") }
    guard format == SpanFile.format else {
      throw bad("its format is \(format); this program reads \(SpanFile.format)")
    }
    return Head(
      process: process, clock: clock,
      names: strings(document["names"]).map { SpanName(text: $0) },
      threads: strings(document["threads"]).map { text in
        SpanThread.allCases.first { $0.text == text }
      })
  }

  private static func strings(_ document: Document?) -> [String] {
    guard case .array(let elements)? = document?.value else { return [] }
    return elements.map { if case .string(let text) = $0.value { text } else { "" } }
  }

  private mutating func read(_ path: String, _ head: Head, _ tailBytes: Int) throws(Failure) {
    let descriptor = try Descriptor.open(path, O_RDONLY, tried: "read the spans")
    defer { close(descriptor) }
    let size = Files.byteCount(path) ?? 0
    let whole = max(0, size - SpanFile.headBytes) / SpanFile.recordBytes
    let count = min(whole, min(tailBytes, Self.maximumBytes) / SpanFile.recordBytes)
    lseek(descriptor, off_t(SpanFile.headBytes + (whole - count) * SpanFile.recordBytes), SEEK_SET)
    take(
      try Descriptor.read(descriptor, count: count * SpanFile.recordBytes, path: path), head)
  }

  /// Whole records; what is left at the end is a torn one.
  package mutating func take(_ bytes: [UInt8], _ head: Head) {
    spans.reserveCapacity(spans.count + bytes.count / SpanFile.recordBytes)
    bytes.withUnsafeBytes { buffer in
      for at in stride(
        from: 0, through: buffer.count - SpanFile.recordBytes, by: SpanFile.recordBytes)
      {
        take(buffer.loadUnaligned(fromByteOffset: at, as: SpanRecord.self), head)
      }
    }
  }

  /// Nanoseconds.
  private static let longest = Int64(1) << 48

  package mutating func take(_ record: SpanRecord, _ head: Head) {
    let (name, thread) = (Int(record.name), Int(record.thread))
    // Moments of a century; durations of three days, of which tens of thousands can be added. What
    // a clock is ahead stands where others have their number.
    let moments = Int64(0)...(1 << 61)
    guard name < head.names.count, let known = head.names[name], thread < head.threads.count,
      moments.contains(record.start), (0...Self.longest).contains(record.duration),
      known != .clock || (-moments.upperBound...moments.upperBound).contains(Int64(record.id))
    else {
      dropped += 1
      return
    }
    if known == .dropped {
      dropped += Int(clamping: max(0, min(record.id, 1 << 48)))
      return
    }
    spans.append(
      Span(
        known, thread: head.threads[thread] ?? .other, id: Int(record.id), start: record.start,
        duration: record.duration, amount: Int(record.amount)))
  }
}
