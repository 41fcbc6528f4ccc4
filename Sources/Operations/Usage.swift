// What a command takes, as data: the parser checks against it and `--help` is printed from it, so
// the two cannot disagree.

/// The command line of one command.
public struct Usage: Sendable {
  /// `--name`, or `--name PLACEHOLDER`.
  public struct Option: Sendable {
    public let name: String
    /// What the value is called in the help; nil for a flag, which takes none.
    public let placeholder: String?
    public let help: String

    public static func flag(_ name: String, _ help: String) -> Option {
      Option(name: name, placeholder: nil, help: help)
    }

    public static func value(_ name: String, _ placeholder: String, _ help: String) -> Option {
      Option(name: name, placeholder: placeholder, help: help)
    }
  }

  /// A word that stands by its place.
  public struct Positional: Sendable {
    public let name: String
    public let help: String
    public let isRequired: Bool

    public init(_ name: String, _ help: String, isRequired: Bool = true) {
      self.name = name
      self.help = help
      self.isRequired = isRequired
    }
  }

  /// "forage run".
  public let program: String
  /// One sentence.
  public let summary: String
  public let positionals: [Positional]
  public let options: [Option]
  /// Whether `--learner.learningRate=1e-5` is taken.
  public let takesOverrides: Bool
  /// A whole command line that works.
  public let example: String

  public init(
    _ program: String, _ summary: String, positionals: [Positional] = [], options: [Option] = [],
    takesOverrides: Bool = false, example: String
  ) {
    self.program = program
    self.summary = summary
    self.positionals = positionals
    self.options = options
    self.takesOverrides = takesOverrides
    self.example = example
  }

  /// What `--help` prints, newline last.
  public var help: String {
    var line = "usage: \(program)"
    for positional in positionals {
      line += positional.isRequired ? " \(positional.name)" : " [\(positional.name)]"
    }
    if !options.isEmpty { line += " [options]" }
    if takesOverrides { line += " [--section.key=value ...]" }
    var rows = positionals.map { ($0.name, $0.help) }
    rows += options.map { option in
      ("--\(option.name)" + (option.placeholder.map { " \($0)" } ?? ""), option.help)
    }
    if takesOverrides {
      rows.append(("--section.key=value", "a setting that replaces the file's, any number of them"))
    }
    rows.append(("--help", "this text"))
    return "\(summary)\n\n\(line)\n\n\(Self.table(rows))\nexample: \(example)\n"
  }

  /// Two columns, the second wrapped to 100.
  package static func table(_ rows: [(String, String)]) -> String {
    let width = min(28, (rows.map(\.0.count).max() ?? 0) + 2)
    var text = ""
    for (name, help) in rows {
      let isLong = name.count + 2 > width
      text += "  " + name + (isLong ? "\n" : "")
      text += String(repeating: " ", count: isLong ? width + 2 : width - name.count)
      var column = width + 2
      for (index, word) in help.split(separator: " ").enumerated() {
        if index > 0, column + 1 + word.count > 100 {
          text += "\n" + String(repeating: " ", count: width + 2)
          column = width + 2
        } else if index > 0 {
          text += " "
          column += 1
        }
        text += word
        column += word.count
      }
      text += "\n"
    }
    return text
  }
}
