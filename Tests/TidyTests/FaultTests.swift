// Every fault Forage must survive has a row in Docs/RELIABILITY.md and a script that makes it.

import Foundation
import Testing

@Suite struct FaultTests {
  static let faults = (1...22).map { "F\($0)" } + ["F13b"]
  static let scripts = Repository.files.filter {
    $0.path.hasPrefix("Tests/Faults/f") && $0.path.hasSuffix(".sh")
  }

  /// "F7" of the line "# fault: F7".
  static func value(_ key: String, of script: SourceFile) -> String? {
    script.lines.first { $0.hasPrefix("# \(key): ") }.map { String($0.dropFirst(key.count + 4)) }
  }

  static var page: SourceFile? { Repository.files.first { $0.path == "Docs/RELIABILITY.md" } }

  @Test func `every fault has a row in the table`() throws {
    let page = try #require(Self.page)
    for fault in Self.faults {
      #expect(
        page.lines.contains { $0.hasPrefix("| \(fault) |") },
        "Docs/RELIABILITY.md has no row of \(fault): say what must hold and how it is proved")
    }
  }

  @Test(arguments: Self.faults)
  func `a fault has a script that makes it, or its row owns up to having none`(_ fault: String) {
    let hasScript = Self.scripts.contains { Self.value("fault", of: $0) == fault }
    let row = Self.page?.lines.first { $0.hasPrefix("| \(fault) |") } ?? ""
    #expect(
      hasScript || row.contains("| no script"),
      "write Tests/Faults/\(fault.lowercased())-....sh with a line '# fault: \(fault)'")
  }

  @Test func `every script of a fault says which, what must hold, and how long it takes`() {
    #expect(!Self.scripts.isEmpty)
    for script in Self.scripts
    where FileManager.default.isExecutableFile(
      atPath: Repository.root.appending(path: script.path).path)
    {
      for key in ["fault", "claim", "seconds"] {
        #expect(Self.value(key, of: script) != nil, "\(script.path): write a line '# \(key): ...'")
      }
      let fault = Self.value("fault", of: script) ?? ""
      #expect(Self.faults.contains(fault), "\(script.path): \(fault) is no fault of the table")
      let seconds = Self.value("seconds", of: script) ?? ""
      #expect(Int(seconds.prefix { $0.isNumber }) ?? 0 > 0, "\(script.path): '\(seconds)' seconds")
    }
  }
}
