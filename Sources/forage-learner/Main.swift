// The learner's process; all it does is in Learning.

import Glibc
import Learning

@main
struct Main {
  static func main() {
    exit(LearnerProgram.main(Array(CommandLine.arguments.dropFirst())).rawValue)
  }
}
