// Spans of a process that does not share the run's folder, on their way with its heartbeat: the
// names in the control frame, the rest as columns in one safetensors frame.
//
//     id, start, duration, amount I64, name, thread U8: all [n]

import Documents
import Experience
import Safetensors

public struct SpanBatch: Equatable, Sendable {
  public struct Row: Equatable, Sendable {
    /// Indices into the batch's names and threads.
    public var name: UInt8
    public var thread: UInt8
    public var id: Int64
    /// Nanoseconds of the sender's clock.
    public var start: Int64
    public var duration: Int64
    public var amount: Int64

    public init(
      name: UInt8, thread: UInt8, id: Int64, start: Int64, duration: Int64, amount: Int64
    ) {
      self.name = name
      self.thread = thread
      self.id = id
      self.start = start
      self.duration = duration
      self.amount = amount
    }
  }

  /// Names the sender's clock: equal names read one clock.
  public var clock: String
  public var names: [String]
  public var threads: [String]
  public var rows: [Row]

  public init(clock: String, names: [String], threads: [String], rows: [Row]) {
    self.clock = clock
    self.names = names
    self.threads = threads
    self.rows = rows
  }
}

extension SpanBatch {
  private static let wideColumns: [(name: String, path: WritableKeyPath<Row, Int64> & Sendable)] = [
    ("id", \.id), ("start", \.start), ("duration", \.duration), ("amount", \.amount),
  ]

  var document: Document {
    precondition(
      rows.count <= WireLimits.maximumSpans,
      "\(rows.count) spans, at most \(WireLimits.maximumSpans)")
    return .object([
      ("count", .integer(rows.count)), ("clock", .string(clock)),
      ("names", .list(names, atMost: WireLimits.maximumSpanNames, Document.string)),
      ("threads", .list(threads, atMost: WireLimits.maximumSpanNames, Document.string)),
    ])
  }

  /// The head; `takeRows` adds the columns.
  init(reading body: Fields, count: inout Int) throws(DocumentError) {
    self.init(
      clock: try body.name("clock"), names: try body.spanNames("names"),
      threads: try body.spanNames("threads"), rows: [])
    count = try body.integer("count", in: 1...WireLimits.maximumSpans)
  }

  var columns: [UInt8] {
    let shape = [rows.count]
    var tensors = Self.wideColumns.map { name, path in
      NamedTensor(
        name: name, type: .i64, shape: shape,
        bytes: rows.map { $0[keyPath: path] }.withUnsafeBytes(Array.init))
    }
    tensors.append(NamedTensor(name: "name", type: .u8, shape: shape, bytes: rows.map(\.name)))
    tensors.append(NamedTensor(name: "thread", type: .u8, shape: shape, bytes: rows.map(\.thread)))
    return SafetensorsBlob(tensors: tensors).serialized()
  }

  mutating func takeRows(count: Int, from frames: inout [[UInt8]]) throws(Refusal) {
    guard !frames.isEmpty else {
      throw Refusal(.malformed, "a heartbeat with \(count) spans without their payload frame")
    }
    let columns = try Columns(frames.removeFirst(), of: "spans")
    let name = try columns.bytes("name", count: count)
    let thread = try columns.bytes("thread", count: count)
    rows = zip(name, thread).map {
      Row(name: $0, thread: $1, id: 0, start: 0, duration: 0, amount: 0)
    }
    for (name, path) in Self.wideColumns {
      let values = try columns.wideIntegers(name, count: count)
      for index in 0..<count { rows[index][keyPath: path] = values[index] }
    }
    try columns.finish()
  }
}

extension Fields {
  fileprivate func spanNames(_ key: String) throws(DocumentError) -> [String] {
    try strings(
      key, maximumCount: WireLimits.maximumSpanNames, maximumLength: WireLimits.maximumNameBytes)
  }
}
