// An actor: joins a run by the address of its replay and samples completions for it.

import Acting
import Glibc
import Operations

@main struct Main {
  static func main() {
    do {
      guard let options = try ActorOptions(arguments: Array(CommandLine.arguments.dropFirst()))
      else {
        print(ActorOptions.usage.help, terminator: "")
        return
      }
      exit(RolloutActor.main(options).rawValue)
    } catch {
      Log.standardError("forage-actor").error(error.description)
      exit(ExitCode.usage.rawValue)
    }
  }
}
