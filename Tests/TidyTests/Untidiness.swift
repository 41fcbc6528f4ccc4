// The rules of a page, each a function from one file to what is wrong with it and what to do. They
// are functions so that a test can show each of them a seeded fault.

/// Something untidy, where, and its remedy.
struct Untidiness: Equatable, Sendable, CustomStringConvertible {
  let path: String
  /// 1-based; 0 for the file as a whole.
  let line: Int
  let problem: String
  let remedy: String

  var description: String { "\(path):\(line): \(problem); \(remedy)" }
}

/// One rule.
struct Rule: Sendable {
  let name: String
  let check: @Sendable (SourceFile) -> [Untidiness]

  /// A rule that looks at lines of some files, those that hold one of `words` alone: a regular
  /// expression over every line of the repository would take a quarter of a minute.
  static func lines(
    _ name: String, remedy: String, scope: Scope, words: [String],
    find: @escaping @Sendable (Substring) -> String?
  ) -> Rule {
    Rule(name: name) { file in
      guard scope.holds(file), words.contains(where: file.contains) else { return [] }
      let lines = scope == .anyText ? file.lines : file.code
      return lines.enumerated().compactMap { index, line in
        guard words.contains(where: { line.utf8.contains(word: $0.utf8) }) else { return nil }
        return find(line).map {
          Untidiness(path: file.path, line: index + 1, problem: $0, remedy: remedy)
        }
      }
    }
  }

  /// Where a rule looks.
  enum Scope: Sendable {
    /// Every line as it stands.
    case anyText
    /// Swift without its comments and strings: all, that of Sources, that of libraries.
    case swift, sources, libraries

    func holds(_ file: SourceFile) -> Bool {
      let room = file.room ?? ""
      return switch self {
      case .anyText: true
      case .swift: file.isSwift
      case .sources: file.isSwift && !room.isEmpty
      case .libraries:
        file.isSwift && !room.isEmpty && room != "Commands" && !room.hasPrefix("forage")
      }
    }
  }
}

enum PageRules {
  static let maximumLines = 500
  static let maximumColumns = 100
  static let maximumScriptLines = 120

  static let all = [
    length, columns, opening, printing, names, machinePaths, leftovers, stubs, testable,
    concurrency,
  ]

  static let length = Rule(name: "a file is one idea") { file in
    let isScript = file.path.hasPrefix("Scripts/") || file.path.hasPrefix(".ci/")
    let limit = isScript ? maximumScriptLines : maximumLines
    guard isCode(file), file.lines.count > limit + 1 else { return [] }
    return [
      Untidiness(
        path: file.path, line: limit,
        problem: "\(file.lines.count - 1) lines, the limit is \(limit)",
        remedy: "find the second idea in it and give that a file")
    ]
  }

  static let columns = Rule(name: "lines fit a page") { file in
    guard isCode(file) else { return [] }
    return file.lines.enumerated().compactMap { index, line in
      guard line.utf8.count > maximumColumns, line.count > maximumColumns else { return nil }
      // What a test compares with may stand as it is: breaking a golden line hides it.
      let isComment = line.drop { $0 == " " }.hasPrefix("//")
      if file.path.hasPrefix("Tests/"), !isComment, file.code[index].count <= maximumColumns {
        return nil
      }
      return Untidiness(
        path: file.path, line: index + 1,
        problem: "\(line.count) columns, the limit is \(maximumColumns)",
        remedy: "break it, or run swift format -i on the file")
    }
  }

  static let opening = Rule(name: "a file opens with what it is") { file in
    let isLibrary = file.isSwift && file.path.hasPrefix("Sources/")
    let isScript = file.path.hasPrefix("Scripts/") || file.path.hasPrefix(".ci/")
    guard isLibrary || isScript else { return [] }
    let first = file.lines.first { !$0.hasPrefix("#!") } ?? ""
    let isStub = first.count < 20
    guard isStub || !(first.hasPrefix("//") || first.hasPrefix("#")) else { return [] }
    return [
      Untidiness(
        path: file.path, line: 1, problem: "it does not open with a sentence",
        remedy: "say in a comment what the file is and why it is so")
    ]
  }

  static let printing = Rule.lines(
    "libraries never print", remedy: "take a Log, or throw", scope: .libraries,
    words: ["rint(", "dump(", "NSLog(", "puts("]
  ) { line in
    line.firstMatch(of: /(^|[^.\w])(print|debugPrint|dump|NSLog|puts)\(/) == nil
      ? nil : "a library prints"
  }

  static let names = Rule(name: "names shadow nothing") { file in
    guard file.isSwift, let room = file.room,
      ["Actor", "Task", room].contains(where: file.contains)
    else { return [] }
    return file.code.enumerated().compactMap { index, line in
      let declared =
        /\b(?:struct|class|enum|actor|protocol|typealias)\s+(Actor|Task|[A-Z]\w*)\b/
      guard let name = line.firstMatch(of: declared)?.1,
        name == "Actor" || name == "Task" || name == room
      else { return nil }
      return Untidiness(
        path: file.path, line: index + 1, problem: "a type named \(name)",
        remedy: name == room
          ? "name it otherwise than its module, or the module cannot be named in code"
          : "Swift has a type of that name: RolloutActor, Exercise")
    }
  }

  static let machinePaths = Rule.lines(
    "no path of somebody's machine", remedy: "use a path in the repository or an option",
    scope: .anyText, words: ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]
  ) { line in
    line.firstMatch(of: /(^|[\s"'`=(:<>,])\/(work|root|home)\//).map { "the path \($0.output.0)" }
  }

  static let leftovers = Rule.lines(
    "nothing is left for later", remedy: "do it, or open an issue and describe the present",
    scope: .anyText, words: ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
  ) { line in
    line.firstMatch(of: /\b(TO[D]O|FIX[M]E|XX[X])\b/).map { "the word \($0.output.0)" }
  }

  static let stubs = Rule.lines(
    "nothing is a stub", remedy: "write it, or take it out", scope: .sources,
    words: ["fatalError()"]
  ) { _ in "a fatalError without a reason" }

  static let testable = Rule.lines(
    "tests use what a room shows", remedy: "make it package or public", scope: .swift,
    words: ["@testable"]
  ) { _ in "@testable" }

  static let concurrency = Rule.lines(
    "plain threads and loops", remedy: "use a WorkerThread and a BoundedQueue", scope: .sources,
    words: ["async", "await", "DispatchQueue"]
  ) { line in
    line.firstMatch(of: /\b(async|await|DispatchQueue)\b/).map { "the word \($0.output.0)" }
  }

  static func isCode(_ file: SourceFile) -> Bool {
    [".swift", ".c", ".h", ".py", ".sh"].contains { file.path.hasSuffix($0) }
      || file.path.hasPrefix("Scripts/") || file.path.hasPrefix(".ci/")
  }
}
