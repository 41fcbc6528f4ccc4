// Where texts come from that no encoder would write: Corpus/TARGET/, one a file, each found by a
// longer run or written by hand to be absurd in one way its name tells; and the pages and fixtures
// of the repository that are valid texts already.

import Documents
import Glibc

package enum Corpus {
  package static let root: String = {
    let here = String(describing: #filePath)
    return here.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
      .joined(separator: "/")
  }()

  package static func read(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw FuzzFinding("\(path) cannot be opened") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
      bytes += chunk[..<count]
    }
    return bytes
  }

  /// The names in a folder, sorted; none when there is no folder.
  package static func names(_ folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  package static func folder(_ target: FuzzTarget) -> String {
    "\(root)/Tests/Fuzz/Corpus/\(target.name)"
  }

  /// The files kept for a target, by name.
  package static func kept(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let folder = folder(target)
    return try names(folder).map { ($0, try read("\(folder)/\($0)")) }
  }

  /// The fenced examples of Docs/WIRE.md marked `json READER`, but for kinds that come with payload
  /// frames of their own: those are encoded.
  static func wireExamples(_ reader: String, without kinds: [String] = []) throws -> [[UInt8]] {
    let page = String(decoding: try read("\(root)/Docs/WIRE.md"), as: UTF8.self)
    var examples: [[UInt8]] = []
    var lines: [Substring]?
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if let collected = lines {
        if line == "```" {
          let text = collected.joined(separator: "\n")
          if !kinds.contains(where: { text.contains("\"kind\": \"\($0)\"") }) {
            examples.append(Array(text.utf8))
          }
          lines = nil
        } else {
          lines?.append(line)
        }
      } else if line == "```json \(reader)" {
        lines = []
      }
    }
    guard !examples.isEmpty else { throw FuzzFinding("Docs/WIRE.md has no example of a \(reader)") }
    return examples
  }
}
