import Documents
import Glibc
import Operations
import Testing

@Suite struct MetricsTests {
  let folder: TemporaryFolder
  let path: String
  init() throws {
    folder = try TemporaryFolder()
    path = folder.file("metrics.jsonl")
  }

  func record(_ step: Int) -> Document { .object([("step", .integer(step)), ("kl", 0.5)]) }

  @Test func `records read back in order as the file grows`() throws {
    let writer = try MetricsWriter(path: path)
    var reader = MetricsReader(path: path)
    #expect(try reader.read().isEmpty)
    for step in 0..<5 { try writer.append(record(step)) }
    #expect(try reader.read() == (0..<5).map(record))
    try writer.append(record(5))
    #expect(try reader.read() == [record(5)])
    #expect(try reader.read().isEmpty && reader.badLines == 0)
  }

  @Test func `a line torn anywhere is cut when the file opens, and no whole line is lost`() throws {
    let line = JSON.write(record(1))
    for length in 0...line.utf8.count {
      let torn = JSON.write(record(0)) + "\n" + line.prefix(length)
      try Files.writeDurably(path, torn)
      var reader = MetricsReader(path: path)
      #expect(try reader.read() == [record(0)])
      try MetricsWriter(path: path).append(record(2))
      #expect(
        try Files.readText(path) == JSON.write(record(0)) + "\n" + JSON.write(record(2)) + "\n")
      #expect(try reader.read() == [record(2)])
    }
    try Files.writeDurably(path, line)
    _ = try MetricsWriter(path: path)
    #expect(try Files.readText(path) == "{\"format\":1}\n")
  }

  @Test func `a file that is refused is closed once`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let folder = try TemporaryFolder()
      let path = folder.file("metrics.jsonl")
      let long = String(repeating: "x", count: MetricsWriter.maximumLineBytes + 2)
      try Files.writeDurably(path, long)
      let stolen = try descriptorsStolen {
        for _ in 0..<500 { precondition((try? MetricsWriter(path: path)) == nil) }
      }
      withExtendedLifetime(folder) {}
      exit(stolen == 0 ? 0 : 1)
    }
  }

  @Test func `a file says its format first, one without is read, a later one is refused`() throws {
    try MetricsWriter(path: path).append(record(0))
    try MetricsWriter(path: path).append(record(1))
    #expect(try Files.readText(path).hasPrefix("{\"format\":1}\n{\"step\":0"))
    var reader = MetricsReader(path: path)
    #expect(try reader.read() == [record(0), record(1)])
    try Files.writeDurably(path, JSON.write(record(7)) + "\n")
    reader = MetricsReader(path: path)
    #expect(try reader.read() == [record(7)])
    try Files.writeDurably(path, "{\"format\":2}\n")
    reader = MetricsReader(path: path)
    let failure = #expect(throws: Failure.self) { try reader.read() }
    #expect(failure?.happened == "their format is 2; this program reads up to 1")
  }

  @Test func `a line that is no record is left out and counted`() throws {
    try Files.writeDurably(path, "{\"a\":1}\nnonsense\n[1]\n\n{\"a\":2}\n")
    var reader = MetricsReader(path: path)
    #expect(try reader.read().count == 2)
    #expect(reader.badLines == 2)
  }

  @Test func `lines across the reader's chunks are whole`() throws {
    let writer = try MetricsWriter(path: path)
    let long = Document.object([("text", .string(String(repeating: "x", count: 50_000)))])
    for _ in 0..<5 { try writer.append(long) }
    var reader = MetricsReader(path: path)
    #expect(try reader.read() == Array(repeating: long, count: 5))
    #expect(reader.offset == Files.byteCount(path))
  }

  @Test func `a file without lines is no metrics file`() throws {
    let bytes = [UInt8](repeating: 0x20, count: MetricsWriter.maximumLineBytes + 1)
    try Files.writeDurably(path, bytes)
    #expect(throws: Failure.self) { try MetricsWriter(path: path) }
    var reader = MetricsReader(path: path)
    #expect(throws: Failure.self) { try reader.read() }
    #expect(Files.byteCount(path) == bytes.count, "it is left as it was")
  }
}
