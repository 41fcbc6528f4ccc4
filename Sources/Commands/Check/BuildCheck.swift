// What a run's bits depended on, held against what they would depend on here: said part by part
// before anything is repeated, instead of guessed at from digests that differ.

import Experience
import Learning
import Operations
import Replay

enum BuildCheck {
  static let flag = Usage.Option.flag(
    "allow-other-build", "go on although programs or libraries are not those recorded")

  /// Says what differs; throws when it matters and was not allowed. `steps` nil is what counts now.
  static func check(
    _ record: RunRecord, steps: Range<Int>?, isAllowed: Bool, on run: String, say: (String) -> Void
  ) throws {
    let here = try Fingerprint.ofThisMachine()
    let recorded = spans(record, steps)
    guard !recorded.isEmpty else {
      return say("fingerprint: none is recorded, so equal bits are not promised")
    }
    var matters: [String] = []
    for (step, fingerprint) in recorded {
      let differences = here.differences(from: fingerprint)
      let place = recorded.count > 1 ? " (from step \(step) on)" : ""
      for difference in differences {
        say(
          "fingerprint differs: \(difference)\(place)"
            + (difference.matters ? "" : "; no bit depends on it"))
      }
      matters += differences.filter(\.matters).map(\.name)
    }
    guard !matters.isEmpty else {
      let numbers = here.parts.first?.value ?? ""
      return say("fingerprint: as recorded, \(numbers)")
    }
    guard isAllowed else {
      throw Failure(
        "repeat", on: run,
        happened: "it was computed under other " + Set(matters).sorted().joined(separator: ", "),
        remedy: "use the build and machine it ran on, or try with --allow-other-build",
        exitCode: .otherBuild)
    }
  }

  private static func spans(
    _ record: RunRecord, _ steps: Range<Int>?
  ) -> [(step: Int, fingerprint: Fingerprint)] {
    guard let steps else { return record.fingerprints.suffix(1) }
    let first = record.fingerprints.lastIndex { $0.step <= steps.lowerBound } ?? 0
    return record.fingerprints.enumerated().filter { index, span in
      index >= first && (index == first || span.step < steps.upperBound)
    }.map(\.element)
  }
}
