// A folder in memory that is gone with its owner.

import Glibc

final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/dev/shm/forage-fuzz-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw FuzzFinding("mkdtemp: errno \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  static func write(_ bytes: [UInt8], _ path: String) throws {
    guard let file = fopen(path, "wb") else { throw FuzzFinding("write \(path): errno \(errno)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  /// A file, or a folder with all it holds.
  private static func remove(_ path: String) {
    if unlink(path) == 0 { return }
    for name in Corpus.names(path) { remove("\(path)/\(name)") }
    rmdir(path)
  }
}
