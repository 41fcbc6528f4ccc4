// The person's program; all it does is in Commands.

import Commands
import Glibc

@main
struct Main {
  static func main() {
    exit(ForageProgram.main(Array(CommandLine.arguments.dropFirst())).rawValue)
  }
}
