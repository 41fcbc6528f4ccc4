// What every command of `forage` is: a usage, and what it does with arguments that fit it.

import Operations

protocol Command: SendableMetatype {
  static var usage: Usage { get }
  static func run(_ arguments: Arguments) throws -> ExitCode
}

/// What a command is for: `forage --help` lists them under these heads.
enum CommandGroup: String, CaseIterable {
  case run, look, check, measure

  var summary: String {
    switch self {
    case .run: "train and use a policy"
    case .look: "see what a run does and did"
    case .check: "hold things against each other"
    case .measure: "find out what is fast"
    }
  }
}
