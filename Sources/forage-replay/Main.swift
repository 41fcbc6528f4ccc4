// forage-replay --run DIR: the process that keeps a run's ledger.

import Foundation
import Operations
import Replay

@main struct Main {
  static func main() {
    do {
      // First of all: a stop signal that comes from here on is one to end well by.
      let signals = try SignalWatch()
      let arguments = try Arguments(
        Array(CommandLine.arguments.dropFirst()), usage: ReplayProgram.usage)
      if arguments.wantsHelp {
        print(ReplayProgram.usage.help, terminator: "")
        exit(ExitCode.success.rawValue)
      }
      guard let folder = arguments.value("run") else {
        end("forage-replay: --run DIR is missing; see forage-replay --help")
      }
      exit(
        ReplayProgram.run(
          folder: folder, allowedChanges: arguments.list("allow-change"), signals: signals
        ).rawValue)
    } catch {
      end("\(error)")
    }
  }

  private static func end(_ line: String) -> Never {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
    exit(ExitCode.usage.rawValue)
  }
}
