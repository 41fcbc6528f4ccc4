import Foundation
import Testing

@Suite struct PageTests {
  @Test(arguments: PageRules.all.indices)
  func `every page keeps the rule`(_ index: Int) {
    let rule = PageRules.all[index]
    for untidy in Repository.files.flatMap(rule.check) {
      Issue.record("\(rule.name): \(untidy)")
    }
  }

  /// A rule that finds nothing anywhere would pass for ever: each is shown its fault.
  @Test func `every rule finds the fault it is for`() {
    let path = "Sources/Replay/Ledger.swift"
    let opening = "// The ledger is a pure state machine.\n"
    let seeded: [(Rule, String)] = [
      (PageRules.length, String(repeating: "\n", count: 501)),
      (PageRules.columns, String(repeating: "x", count: 101)),
      (PageRules.opening, "import Glibc"), (PageRules.opening, "// stub"),
      (PageRules.printing, opening + "  print(\"x\")"),
      (PageRules.names, opening + "struct Task {"), (PageRules.names, opening + "enum Replay {"),
      (PageRules.machinePaths, "let a = \"/" + "work/x\""),
      (PageRules.leftovers, "// TO" + "DO: later"),
      (PageRules.stubs, opening + "{ fatalError() }"),
      (PageRules.testable, "@testable import Replay"),
      (PageRules.concurrency, "func f() async {"),
    ]
    for (rule, text) in seeded {
      #expect(!rule.check(SourceFile(path: path, text: text)).isEmpty, "\(rule.name): \(text)")
    }
    #expect(Set(seeded.map(\.0.name)) == Set(PageRules.all.map(\.name)))
  }

  @Test func `what stands in a comment or a string is no code`() {
    let text = """
      // print(
      let a = "print(\\" x" /* print(
      print( */ let b = 1
      print(c) // x
      """
    let file = SourceFile(path: "Sources/Replay/X.swift", text: text)
    #expect(file.code == ["", "let a =  ", " let b = 1", "print(c) "])
    #expect(PageRules.printing.check(file).map(\.line) == [4])
    for allowed in ["a.print(b)", "reprint(a)", "func f(_ print: Int)"] {
      #expect(PageRules.printing.check(SourceFile(path: file.path, text: allowed)).isEmpty)
    }
  }

  @Test func `the repository is there to be read`() {
    #expect(Repository.files.contains { $0.path == "Package.swift" })
    #expect(Repository.files.filter(\.isSwift).count > 50)
  }

  @Test func `no room has an empty page for its tests`() {
    for file in Repository.files where file.path.hasPrefix("Tests/") {
      #expect(
        !file.path.hasSuffix("/Empty.swift"), "\(file.path): write the room's tests and remove it")
    }
  }

  @Test func `every script can be run`() {
    for file in Repository.files where file.lines.first?.hasPrefix("#!") == true {
      let path = Repository.root.appending(path: file.path).path
      #expect(
        FileManager.default.isExecutableFile(atPath: path), "\(file.path): chmod +x \(file.path)")
    }
  }
}
