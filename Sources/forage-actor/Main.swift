// An actor: joins a run by the address of its replay and samples completions for it.

import Acting
import Glibc
import Operations

@main struct Main {
  static func main() {
    do {
      // First of all: a stop signal that comes from here on is one to end well by.
      let signals = try SignalWatch()
      guard let options = try ActorOptions(arguments: Array(CommandLine.arguments.dropFirst()))
      else {
        print(ActorOptions.usage.help, terminator: "")
        return
      }
      exit(RolloutActor.main(options, signals: signals).rawValue)
    } catch {
      Log.standardError("forage-actor").error("\(error)")
      exit(ExitCode.usage.rawValue)
    }
  }
}
