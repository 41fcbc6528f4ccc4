// metrics.jsonl: one JSON object a line, appended with one write(2) each. A crash can leave a torn
// last line, which the writer cuts off when it opens the file and a reader leaves alone. It is no
// ledger and is not fsynced: after a power cut its last lines may be missing. The first line of a
// new file says its format; a reader refuses a higher one and takes a file without for format 1.

import Documents
import Glibc

/// Appends records. One process and one thread writes a file.
public final class MetricsWriter {
  /// A record is some hundred numbers; longer lines are refused here so that every reader can have
  /// the same limit.
  public static let maximumLineBytes = 1 << 20
  /// Of the file: a key whose meaning changes makes another.
  public static let format = 1

  public let path: String
  private let descriptor: Int32

  /// Opens or makes the file, and cuts a torn last line off.
  public init(path: String) throws(Failure) {
    self.path = path
    descriptor = try Descriptor.open(
      path, O_RDWR | O_APPEND | O_CREAT, tried: "open the metrics",
      remedy: "check that its folder exists and can be written")
    // All is set, so whatever is thrown from here on runs `deinit`, which closes the file.
    try cutTornLine()
    if lseek(descriptor, 0, SEEK_END) == 0 {
      try append(.object([("format", .integer(Self.format))]))
    }
  }

  deinit { close(descriptor) }

  /// Appends one object as a line.
  public func append(_ record: Document) throws(Failure) {
    guard case .object = record.value else {
      preconditionFailure("a metrics record is an object")
    }
    let bytes = Array((JSON.write(record) + "\n").utf8)
    precondition(
      bytes.count <= Self.maximumLineBytes,
      "a metrics record of \(bytes.count) bytes exceeds \(Self.maximumLineBytes)")
    let size = lseek(descriptor, 0, SEEK_END)
    do throws(Failure) {
      try Descriptor.writeAll(descriptor, bytes, path: path)
    } catch {
      // Half a line on a full disk would spoil the next one.
      if size >= 0 { ftruncate(descriptor, size) }
      throw error
    }
  }

  private func cutTornLine() throws(Failure) {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size > 0 else { return }
    let tailBytes = min(size, Self.maximumLineBytes)
    var tail = [UInt8](repeating: 0, count: tailBytes)
    let got = tail.withUnsafeMutableBytes {
      pread(descriptor, $0.baseAddress!, tailBytes, off_t(size - tailBytes))
    }
    guard got == tailBytes else { throw .system("read the end of", on: path) }
    guard tail.last != 0x0A else { return }
    guard let newline = tail.lastIndex(of: 0x0A) ?? (tailBytes == size ? -1 : nil) else {
      throw Failure(
        "open the metrics", on: path,
        happened: "its last line is longer than \(Self.maximumLineBytes) bytes",
        remedy: "check that this is a metrics file; move it away to start a new one",
        exitCode: .badInput)
    }
    guard ftruncate(descriptor, off_t(size - tailBytes + newline + 1)) == 0 else {
      throw .system("cut the torn last line of", on: path)
    }
  }
}

/// Reads records, again and again as the file grows.
public struct MetricsReader {
  private static let chunkBytes = 1 << 16

  public let path: String
  /// Where the next read begins: after the last whole line read.
  public private(set) var offset = 0
  /// Lines that were no JSON object: left out and counted.
  public private(set) var badLines = 0

  public init(path: String) { self.path = path }

  /// Every whole line since the last call, in order. A torn last line waits for its rest; a file
  /// that is not there yet has no lines; one that shrank (its writer restarted) is read from where
  /// it ends.
  public mutating func read() throws(Failure) -> [Document] {
    guard let size = Files.byteCount(path) else { return [] }
    if size < offset { offset = size }
    guard size > offset else { return [] }
    let descriptor = try Descriptor.open(path, O_RDONLY, tried: "read the metrics")
    defer { close(descriptor) }
    lseek(descriptor, off_t(offset), SEEK_SET)
    var records: [Document] = []
    var rest: [UInt8] = []
    while true {
      let bytes = try Descriptor.read(descriptor, count: Self.chunkBytes, path: path)
      rest += bytes
      try takeLines(&rest, into: &records)
      guard rest.count <= MetricsWriter.maximumLineBytes else {
        throw Failure(
          "read the metrics", on: path,
          happened: "a line is longer than \(MetricsWriter.maximumLineBytes) bytes",
          remedy: "check that this is a metrics file", exitCode: .badInput)
      }
      if bytes.count < Self.chunkBytes { return records }
    }
  }

  private func checkFormat(_ format: Int) throws(Failure) {
    guard format > MetricsWriter.format else { return }
    throw Failure(
      "read the metrics", on: path,
      happened: "their format is \(format); this program reads up to \(MetricsWriter.format)",
      remedy: "use a newer program", exitCode: .badInput)
  }

  private mutating func takeLines(_ bytes: inout [UInt8], into records: inout [Document])
    throws(Failure)
  {
    var start = 0
    while let end = bytes[start...].firstIndex(of: 0x0A) {
      if end > start {
        if let record = try? JSON.parse(Array(bytes[start..<end]), source: path),
          case .object(let members) = record.value
        {
          if members.count == 1, case .integer(let format)? = record["format"]?.value {
            try checkFormat(format)
          } else {
            records.append(record)
          }
        } else {
          badLines += 1
        }
      }
      start = end + 1
    }
    offset += start
    bytes.removeFirst(start)
  }
}
