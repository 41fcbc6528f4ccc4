import Glibc
import Operations
import Testing

@Suite struct FilesTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test func `a file reads back as written, at every awkward size`() throws {
    let path = folder.file("x")
    for count in [0, 1, 4095, 65_536, 65_537, 300_000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      try Files.writeDurably(path, bytes)
      #expect(try Files.read(path) == bytes)
    }
    #expect(try Files.list(folder.path) == ["x"], "nothing is left beside it")
  }

  @Test func `a file longer than the limit is refused with both numbers`() throws {
    let path = folder.file("x")
    try Files.writeDurably(path, [UInt8](repeating: 7, count: 100))
    #expect(try Files.read(path, maximumBytes: 100).count == 100)
    let failure = try #require(throws: Failure.self) { try Files.read(path, maximumBytes: 99) }
    #expect(failure.exitCode == .badInput)
    #expect(failure.happened.contains("100") && failure.happened.contains("99"))
  }

  @Test func `a file without a size is read to its end, and its limit holds`() throws {
    #expect(try Files.readText("/proc/self/status").contains("VmRSS"))
    #expect(throws: Failure.self) { try Files.read("/dev/zero", maximumBytes: 100_000) }
  }

  @Test func `what cannot be read says why`() throws {
    let missing = try #require(throws: Failure.self) { try Files.read(folder.file("none")) }
    #expect(missing.exitCode == .noInput)
    #expect("\(missing)".contains("no such file or directory (errno 2)"))
    let isFolder = try #require(throws: Failure.self) { try Files.read(folder.path) }
    #expect(isFolder.happened == "it is a folder")
    try Files.writeDurably(folder.file("latin"), [0x66, 0xFC, 0x72])
    #expect(throws: Failure.self) { try Files.readText(folder.file("latin")) }
  }

  @Test func `a write that fails leaves the old file and nothing beside it`() throws {
    let path = folder.file("x")
    try Files.writeDurably(path, "old")
    // A folder of the same name cannot be renamed over.
    try Files.makeFolder(folder.file("taken/inside"))
    #expect(throws: Failure.self) { try Files.writeDurably(folder.file("taken"), "new") }
    #expect(throws: Failure.self) { try Files.writeDurably(folder.file("none/x"), "new") }
    #expect(try Files.readText(path) == "old")
    #expect(try Files.list(folder.path) == ["taken", "x"])
  }

  @Test func `an fsync that fails ends the process with its own status`() async {
    let status = ExitCode.storage.rawValue
    #expect(status == 74)
    await #expect(processExitsWith: .exitCode(74)) {
      // An fsync of a closed descriptor is the failure that needs no faulty disk.
      Files.synchronize(-1, path: "a closed descriptor")
    }
  }

  @Test func `folders are made with those above, and once`() throws {
    let path = folder.file("a/b/c")
    try Files.makeFolder(path)
    try Files.makeFolder(path)
    #expect(Files.isFolder(path))
    try Files.writeDurably(folder.file("file"), "x")
    #expect(throws: Failure.self) { try Files.makeFolder(folder.file("file")) }
    #expect(throws: Failure.self) { try Files.makeFolder(folder.file("file/below")) }
  }

  @Test func `a private folder is ours alone or refused`() throws {
    let path = folder.file("private")
    try Files.makePrivateFolder(path)
    try Files.makePrivateFolder(path)
    chmod(path, 0o750)
    let open = try #require(throws: Failure.self) { try Files.makePrivateFolder(path) }
    #expect(open.happened == "its mode is 0750, not 0700" && open.exitCode == .forbidden)
    symlink(folder.path, folder.file("link"))
    #expect(throws: Failure.self) { try Files.makePrivateFolder(folder.file("link")) }
  }

  @Test func `a listing is in order of bytes and removal takes links, not what they name`() throws {
    try Files.writeDurably(folder.file("kept"), "x")
    try Files.makeFolder(folder.file("gone/sub"))
    for name in ["b", "B", "a", "é"] { try Files.writeDurably(folder.file("gone/\(name)"), "") }
    symlink(folder.file("kept"), folder.file("gone/link"))
    #expect(try Files.list(folder.file("gone")) == ["B", "a", "b", "link", "sub", "é"])
    try Files.remove(folder.file("gone"))
    try Files.remove(folder.file("gone"))
    #expect(try Files.list(folder.path) == ["kept"])
    #expect(throws: Failure.self) { try Files.list(folder.file("gone")) }
  }

  @Test func `paths divide into folder and name`() {
    let cases = [
      ("a/b", "a", "b"), ("a/b/", "a", "b"), ("a", ".", "a"), ("/a", "/", "a"), ("/", "/", "/"),
      ("a//b", "a", "b"),
    ]
    for (path, parent, name) in cases {
      #expect(Files.folder(of: path) == parent, "folder of \(path)")
      #expect(Files.name(of: path) == name, "name of \(path)")
    }
  }

  @Test func `free space is what the system says`() throws {
    let free = try Files.freeBytes(at: folder.path)
    #expect(free > 0)
    #expect(throws: Failure.self) { try Files.freeBytes(at: folder.file("none")) }
  }
}

@Suite struct LogTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test func `a line holds stamp, name, level and text`() throws {
    let path = folder.file("log")
    let log = try Log("learner", level: .info, file: path, standardError: false)
    log.debug("unseen")
    log.info("step 40")
    log.warning("slow")
    let lines = try Files.readText(path).split(separator: "\n")
    try #require(lines.count == 2)
    #expect(try /[\d:.]{12} learner info    step 40/.wholeMatch(in: lines[0]) != nil)
    #expect(try /[\d:.]{12} learner warning slow/.wholeMatch(in: lines[1]) != nil)
  }

  @Test func `a text cannot forge a line or move the cursor`() throws {
    let path = folder.file("log")
    let log = try Log("x", file: path, standardError: false)
    log.error("a\nb\u{1B}[2J\u{9B}c\td")
    let text = try Files.readText(path)
    #expect(text.hasSuffix("a\\nb\\u{1b}[2J\\u{9b}c d\n"))
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test func `a long text is cut at whole characters`() throws {
    let path = folder.file("log")
    let log = try Log("x", file: path, standardError: false)
    log.info(String(repeating: "é", count: 10_000))
    let text = try Files.readText(path)
    #expect(text.utf8.count <= Log.maximumLineBytes && text.hasSuffix("é [cut]\n"))
  }

  @Test func `lines of many threads stay whole`() throws {
    let path = folder.file("log")
    let log = try Log("x", file: path, standardError: false)
    let threads = try (0..<4).map { index in
      try WorkerThread(name: "writer") {
        for _ in 0..<200 { log.info(String(repeating: "\(index)", count: 200)) }
      }
    }
    for thread in threads { _ = thread.join(deadline: .after(seconds: patience)) }
    let lines = try Files.readText(path).split(separator: "\n")
    #expect(lines.count == 800)
    for line in lines { #expect(Set(line.suffix(200)).count == 1) }
  }
}
