import Commands
import Operations
import Testing

@Suite struct LineReaderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func lines(_ text: String) throws -> [String] {
    let reader = try LineReader(path: folder.write("text", text))
    var lines: [String] = []
    while let line = try reader.next() {
      lines.append(String(decoding: line, as: UTF8.self))
      #expect(reader.number == lines.count)
    }
    #expect(try reader.next() == nil)
    return lines
  }

  @Test func `lines stand between newlines, the last one with or without its own`() throws {
    #expect(try lines("") == [])
    #expect(try lines("\n") == [""])
    #expect(try lines("a\n\nb") == ["a", "", "b"])
    #expect(try lines("a\nb\n") == ["a", "b"])
  }

  /// Reads are of 65,536 bytes: a byte less, as many and one more put every seam somewhere.
  @Test func `a line may lie across reads`() throws {
    let texts = [65_535, 65_536, 65_537, 1, 200_000].map { String(repeating: "x", count: $0) }
    #expect(try lines(texts.joined(separator: "\n")) == texts)
  }

  @Test func `a line without an end is refused before it fills the memory`() throws {
    let text = String(repeating: "x", count: LineReader.maximumLineBytes + (1 << 18))
    let reader = try LineReader(path: folder.write("text", "a\n" + text))
    #expect(try reader.next() == [0x61])
    #expect {
      try reader.next()
    } throws: { error in
      "\(error)".contains("line 2") && (error as? Failure)?.exitCode == .badInput
    }
  }
}
