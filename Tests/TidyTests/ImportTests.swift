// Who may import whom. SwiftPM's own check lets a room import what one of its imports imports
// (measured with 6.3.1), and a declaration can be added without a thought; so the table stands here
// once more, as a ceiling over what Package.swift declares, and every import in the sources is held
// to the declaration.

import Foundation
import Testing

enum ImportTable {
  /// The rooms each room may declare (DESIGN section 2).
  static let ceiling: [String: Set<String>] = [
    "Documents": ["CJansson", "CYAML"],
    "Experience": [],
    "Digests": ["Experience", "CSodium"],
    "Safetensors": ["Documents"],
    "Tensors": ["COpenBLAS", "CKernels"],
    "Messaging": ["CZeroMQ", "CSodium"],
    "Patterns": ["CPCRE2"],
    "HTTP": ["CMicroHTTPD"],
    "Operations": ["Documents", "CSystem"],
    "Objectives": ["Experience"],
    "Tasks": ["Experience", "Documents", "Patterns"],
    "Wire": ["Experience", "Digests", "Documents", "Safetensors"],
    "Policy": ["Experience", "Digests", "Documents", "Safetensors", "Tensors", "Patterns"],
    "Replay": [
      "Experience", "Digests", "Documents", "Wire", "Messaging", "Operations", "HTTP", "CSQLite",
    ],
    "Acting": [
      "Experience", "Digests", "Documents", "Tasks", "Policy", "Wire", "Messaging", "Operations",
      "HTTP",
    ],
    "Learning": [
      "Experience", "Digests", "Documents", "Safetensors", "Objectives", "Policy", "Wire",
      "Messaging", "Operations", "HTTP",
    ],
    "forage-actor": ["Acting", "Operations", "HTTP"],
    "forage-replay": ["Replay", "Operations", "HTTP"],
    "forage-learner": ["Learning", "Operations", "HTTP"],
    "forage": ["Commands"],
  ]

  /// Free to all: they come with the toolchain.
  static let toolchain: Set<String> = [
    "Swift", "Glibc", "Foundation", "FoundationEssentials", "Synchronization", "Testing",
    "RegexBuilder",
  ]

  /// Each target's declared rooms, read from `room("X", ["Y", ...])` and `program(...)`.
  static func declared(package: String) -> [String: Set<String>] {
    var table: [String: Set<String>] = [:]
    let declaration = /(?:room|program)\(\s*"([\w-]+)",\s*\[([^\]]*)\]/
    for match in package.matches(of: declaration) {
      let names = match.2.matches(of: /"([\w-]+)"/).map { String($0.1) }
      table[String(match.1)] = Set(names)
    }
    return table
  }

  /// The modules a file imports, by line.
  static func imports(of file: SourceFile) -> [(line: Int, module: String)] {
    file.code.enumerated().compactMap { index, line in
      guard line.utf8.contains(word: "import ".utf8) else { return nil }
      // Attributes, an access level, and the kind of a single declaration may stand about it.
      let form = /^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:\w+\s+)?import\s+(?:[a-z]+\s+)?(\w+)/
      return line.prefixMatch(of: form).map { (index + 1, String($0.1)) }
    }
  }
}

@Suite struct ImportTests {
  static let declared = ImportTable.declared(
    package: Repository.files.first { $0.path == "Package.swift" }?.lines.joined(separator: "\n")
      ?? "")

  @Test func `no room declares more than the table allows`() {
    #expect(Self.declared.count > ImportTable.ceiling.count - 1)
    for (room, rooms) in Self.declared where room != "Commands" {
      guard let allowed = ImportTable.ceiling[room] else {
        Issue.record("\(room) is not in the table: add it there and in Docs/ARCHITECTURE.md")
        continue
      }
      #expect(
        rooms.isSubset(of: allowed),
        "\(room) declares \(rooms.subtracting(allowed).sorted()): move the code to a room that may")
    }
  }

  @Test func `every import in the sources is declared`() {
    for file in Repository.files where file.isSwift {
      guard let room = file.room else { continue }
      let allowed = (Self.declared[room] ?? []).union(ImportTable.toolchain)
      for (line, module) in ImportTable.imports(of: file) {
        #expect(
          allowed.contains(module),
          """
          \(file.path):\(line): \(room) may not import \(module); \
          pass what is needed as a value, or move the code to a room that may
          """)
      }
    }
  }

  @Test func `the arrows never go round`() {
    // Peel rooms that import only what is peeled already; what is left is a circle.
    var left = Self.declared
    while let next = left.first(where: { entry in entry.value.allSatisfy { left[$0] == nil } }) {
      left[next.key] = nil
    }
    #expect(left.isEmpty, "a circle among \(left.keys.sorted())")
  }

  @Test func `an import is seen in each of its forms`() {
    let text = """
      import A
      public import B
      @preconcurrency import C
      import struct D.E
      // import F
      @_spi(x) package import G
      let important = 1
      """
    let file = SourceFile(path: "Sources/X/Y.swift", text: text)
    #expect(ImportTable.imports(of: file).map(\.module) == ["A", "B", "C", "D", "G"])
  }

  @Test func `a package's declarations are read`() {
    let package =
      "room(\"A\", []),\n room(\n \"B\", [\n\"A\", \"C\",\n]), program(\"b-c\", [\"B\"])"
    #expect(ImportTable.declared(package: package) == ["A": [], "B": ["A", "C"], "b-c": ["B"]])
  }
}
