// What every command promises: a help with an example, and a misspelling refused by name.

import Operations
import Testing

@Suite struct ProgramTests {
  static let commands = [
    "run", "fork", "sft", "eval", "generate", "logprobs", "status", "inspect", "report", "verify",
    "regenerate", "grade", "data", "tokenize",
  ]

  @Test(arguments: commands)
  func `every command has help with an example of its own`(name: String) throws {
    let outcome = try Forage.run(name, "--help")
    #expect(outcome.has(.success))
    #expect(outcome.output.contains("usage: forage \(name)"))
    let example = try #require(outcome.lines.last { $0.hasPrefix("example: ") })
    #expect(example.contains("forage \(name) "))
    // Every option of the example is one that the help lists.
    for word in example.split(separator: " ") where word.hasPrefix("--") && !word.contains(".") {
      #expect(outcome.output.contains("  \(word)"), "\(word)")
    }
    #expect(try Forage.run("--help").output.contains("\n  \(name) "))
  }

  @Test func `a misspelled command or option is refused with the one that was meant`() throws {
    let command = try Forage.run("inspekt")
    #expect(command.has(.usage))
    #expect(command.complaint.contains("did you mean inspect?"))
    let option = try Forage.run("logprobs", "--modle", "x")
    #expect(option.has(.usage))
    #expect(option.complaint.hasPrefix("forage logprobs: --modle"), "\(option.complaint)")
    #expect(option.complaint.contains("did you mean --model?"))
  }
}
