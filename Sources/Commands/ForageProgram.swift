// The person's program: finds the command, runs it, and turns errors into one line and a status.

import Documents
import Operations

public enum ForageProgram {
  static let commands: [(group: CommandGroup, name: String, command: any Command.Type)] = [
    (.run, "run", RunCommand.self),
    (.run, "fork", ForkCommand.self),
    (.run, "sft", SFTCommand.self),
    (.run, "eval", EvalCommand.self),
    (.run, "generate", GenerateCommand.self),
    (.run, "serve", ServeCommand.self),
    (.run, "logprobs", LogProbsCommand.self),
    (.run, "keys", KeysCommand.self),
    (.run, "grade", GradeCommand.self),
    (.run, "tokenize", TokenizeCommand.self),
    (.look, "status", StatusCommand.self),
    (.look, "inspect", InspectCommand.self),
    (.look, "report", ReportCommand.self),
    (.look, "dashboard", DashboardCommand.self),
    (.look, "explain", ExplainCommand.self),
    (.look, "export", ExportCommand.self),
    (.check, "verify", VerifyCommand.self),
    (.check, "regenerate", RegenerateCommand.self),
    (.check, "data", DataCommand.self),
    (.measure, "bench", BenchCommand.self),
    (.measure, "ablate", AblateCommand.self),
  ]

  /// Runs the program on its words; the status to exit with.
  public static func main(_ words: [String]) -> ExitCode {
    guard let name = words.first, name != "--help", name != "-h", name != "help" else {
      Terminal.write(help)
      return words.isEmpty ? .usage : .success
    }
    guard let command = commands.first(where: { $0.name == name })?.command else {
      let near = Spelling.nearest(to: name, among: commands.map(\.name))
      complain(
        "forage: \(name) is not a command"
          + (near.map { ", did you mean \($0)?" } ?? "; see forage --help"))
      return .usage
    }
    do {
      let arguments = try Arguments(Array(words.dropFirst()), usage: command.usage)
      if arguments.wantsHelp {
        Terminal.write(command.usage.help)
        return .success
      }
      return try command.run(arguments)
    } catch {
      let (line, code) = CommandFailure.report(error)
      let program = "forage \(name): "
      complain(line.hasPrefix(program) ? line : program + line)
      return code
    }
  }

  static var help: String {
    var text = """
      Forage trains language models by reinforcement on tasks whose answers can be checked.

      usage: forage COMMAND [arguments]


      """
    for group in CommandGroup.allCases where commands.contains(where: { $0.group == group }) {
      text += "\(group.rawValue): \(group.summary)\n"
      for entry in commands where entry.group == group {
        let pad = String(repeating: " ", count: max(1, 12 - entry.name.count))
        text += "  \(entry.name)\(pad)\(firstSentence(entry.command.usage.summary))\n"
      }
      text += "\n"
    }
    return text + "forage COMMAND --help tells more, with an example.\n"
  }

  private static func firstSentence(_ text: String) -> String {
    String(text.prefix { $0 != ":" && $0 != ";" && $0 != "." })
  }

  private static func complain(_ line: String) {
    Terminal.complain(line)
  }
}
