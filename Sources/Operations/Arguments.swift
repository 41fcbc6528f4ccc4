// The command line, read against a `Usage`. Options may stand anywhere; `--` ends them. An option
// whose name has a dot is a setting, kept apart in the order typed.

import Documents

/// What is wrong with a command line: the fact, and whose.
public struct ArgumentError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Fact: Sendable, Equatable {
    case unknownOption(String, suggestion: String?)
    case overrideNotTaken(String)
    case missingValue(String, placeholder: String)
    case unexpectedValue(String)
    case repeated(String)
    case missingPositional(String)
    case unexpectedPositional(String)
    case badValue(String, text: String, expected: String)
  }

  public let program: String
  public let fact: Fact

  public init(program: String, fact: Fact) {
    self.program = program
    self.fact = fact
  }

  public var description: String { "\(program): \(words); see \(program) --help" }

  private var words: String {
    switch fact {
    case .unknownOption(let name, let suggestion?):
      "--\(name) is not an option, did you mean --\(suggestion)?"
    case .unknownOption(let name, nil): "--\(name) is not an option"
    case .overrideNotTaken(let name): "--\(name) names a setting, and this command takes none"
    case .missingValue(let name, let placeholder):
      "--\(name) needs a value: --\(name) \(placeholder)"
    case .unexpectedValue(let name): "--\(name) is a flag and takes no value"
    case .repeated(let name): "--\(name) is given twice"
    case .missingPositional(let name): "\(name) is missing"
    case .unexpectedPositional(let text): "\"\(text)\" is one argument too many"
    case .badValue(let name, let text, let expected): "\(name) is \"\(text)\", expected \(expected)"
    }
  }
}

/// A command line that fits its `Usage`.
public struct Arguments: Sendable {
  public let usage: Usage
  /// `--help` was given; nothing else was checked then.
  public let wantsHelp: Bool
  /// `learner.learningRate=1e-5`, without the dashes, in order.
  public let overrides: [String]
  private let positionals: [String]
  private let values: [String: String]

  /// `words` without the program's own name.
  public init(_ words: [String], usage: Usage) throws(ArgumentError) {
    var reader = ArgumentReader(words: words, usage: usage)
    self.usage = usage
    // Whoever asks for help gets it, whatever else is wrong with the line.
    wantsHelp = words.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
    if !wantsHelp { try reader.readAll() }
    overrides = reader.overrides
    positionals = reader.positionals
    values = reader.values
  }

  public func flag(_ name: String) -> Bool {
    precondition(option(name).placeholder == nil, "--\(name) takes a value")
    return values[name] != nil
  }

  /// The value as typed; nil when not given.
  public func value(_ name: String) -> String? {
    precondition(option(name).placeholder != nil, "--\(name) takes no value")
    return values[name]
  }

  /// The word at a place; nil when an optional one was left out.
  public func positional(_ index: Int) -> String? {
    precondition(
      index < usage.positionals.count,
      "place \(index) of \(usage.positionals.count) in \(usage.program)")
    return index < positionals.count ? positionals[index] : nil
  }

  /// The word at the place of a required positional.
  public func required(_ index: Int) -> String {
    guard let text = positional(index) else {
      preconditionFailure("place \(index) of \(usage.program) may be left out")
    }
    return text
  }

  /// The names of a list typed as a,b,c; none when not given.
  public func list(_ name: String) -> [String] {
    (value(name) ?? "").split(separator: ",").map(String.init)
  }

  public func integer(
    _ name: String, in range: ClosedRange<Int>
  ) throws(ArgumentError) -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw bad(name, text, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  public func number(
    _ name: String, in range: ClosedRange<Double>
  ) throws(ArgumentError) -> Double? {
    guard let text = value(name) else { return nil }
    guard let number = Double(text), range.contains(number) else {
      throw bad(name, text, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// The error of a value that a command finds wrong itself.
  public func bad(_ name: String, _ text: String, _ expected: String) -> ArgumentError {
    ArgumentError(
      program: usage.program, fact: .badValue("--\(name)", text: text, expected: expected))
  }

  private func option(_ name: String) -> Usage.Option {
    guard let option = usage.options.first(where: { $0.name == name }) else {
      preconditionFailure("--\(name) is not among the options of \(usage.program)")
    }
    return option
  }
}

/// Goes through the words once.
private struct ArgumentReader {
  let words: [String]
  let usage: Usage
  var next = 0
  var positionals: [String] = []
  var values: [String: String] = [:]
  var overrides: [String] = []

  init(words: [String], usage: Usage) {
    self.words = words
    self.usage = usage
  }

  mutating func readAll() throws(ArgumentError) {
    var optionsEnded = false
    while next < words.count {
      let word = words[next]
      next += 1
      if optionsEnded || !word.hasPrefix("--") {
        try addPositional(word)
      } else if word == "--" {
        optionsEnded = true
      } else {
        try readOption(word.dropFirst(2))
      }
    }
    if positionals.count < usage.positionals.count {
      let missing = usage.positionals[positionals.count]
      if missing.isRequired { throw error(.missingPositional(missing.name)) }
    }
  }

  private mutating func addPositional(_ word: String) throws(ArgumentError) {
    guard positionals.count < usage.positionals.count else {
      // "-v" is more likely a misspelled option than a file.
      if word.hasPrefix("-"), word.count > 1 {
        throw error(.unknownOption(String(word.drop { $0 == "-" }), suggestion: nil))
      }
      throw error(.unexpectedPositional(word))
    }
    positionals.append(word)
  }

  private mutating func readOption(_ word: Substring) throws(ArgumentError) {
    let equals = word.firstIndex(of: "=")
    let name = String(word[..<(equals ?? word.endIndex)])
    let inline = equals.map { String(word[word.index(after: $0)...]) }
    if name.contains(".") {
      guard usage.takesOverrides else { throw error(.overrideNotTaken(name)) }
      overrides.append("\(name)=\(try value(inline, name, "VALUE"))")
      return
    }
    guard let option = usage.options.first(where: { $0.name == name }) else {
      let known = usage.options.map(\.name) + ["help"]
      throw error(.unknownOption(name, suggestion: Spelling.nearest(to: name, among: known)))
    }
    guard values[name] == nil else { throw error(.repeated(name)) }
    if let placeholder = option.placeholder {
      values[name] = try value(inline, name, placeholder)
    } else {
      guard inline == nil else { throw error(.unexpectedValue(name)) }
      values[name] = ""
    }
  }

  /// The text after "=", or the word after the option. A word that is itself an option is refused:
  /// `--output --force` is a forgotten value more often than a file of that name, which
  /// `--output=--force` still names.
  private mutating func value(
    _ inline: String?, _ name: String, _ placeholder: String
  ) throws(ArgumentError) -> String {
    if let inline { return inline }
    guard next < words.count, !words[next].hasPrefix("--") else {
      throw error(.missingValue(name, placeholder: placeholder))
    }
    defer { next += 1 }
    return words[next]
  }

  private func error(_ fact: ArgumentError.Fact) -> ArgumentError {
    ArgumentError(program: usage.program, fact: fact)
  }
}
