// The digests an actor declares with its hello, and replay holds against the run's: what its task
// and its verifier do, beside the files it fetched. A run's own are made with its folder.

import Digests
import Experience
import Operations
import Tasks
import Wire

package enum Definitions {
  /// Names beside those of the files; no file is named so.
  package static let task = "task"
  package static let verifier = "verifier"

  package static func of(_ exercises: any Exercises, seed: UInt64) -> [NamedDigest] {
    [
      NamedDigest(
        name: task, digest: Digest(of: Array(exercises.taskDefinition(seed: seed).utf8))),
      NamedDigest(
        name: verifier, digest: Digest(of: Array(exercises.verifierDefinition(seed: seed).utf8))),
    ]
  }

  /// One a line, as `RunFolder.definitions` holds them.
  package static func text(_ definitions: [NamedDigest]) -> String {
    definitions.map { "\($0.name) \($0.digest.hexadecimal)\n" }.joined()
  }
}
