// metrics.jsonl as it counts: a resumed run takes steps again and writes their lines again, and the
// newest line of a step or an evaluation is the one that holds.

import Documents
import Operations

struct RunMetrics {
  /// One record a step, ascending.
  private(set) var steps: [Document] = []
  /// One record an evaluated version, in the order they were made.
  private(set) var evaluations: [Document] = []

  /// The step after the newest recorded one.
  var nextStep: Int {
    guard let last = steps.last, let step = last.number("step") else { return 0 }
    return Int(step) + 1
  }

  /// Empty where the run has written none yet.
  init(_ run: RunFolder) throws {
    guard Files.exists(run.metrics) else { return }
    var reader = MetricsReader(path: run.metrics)
    for record in try reader.read() {
      if let version = record["evaluation"] {
        evaluations.removeAll { $0["evaluation"] == version }
        evaluations.append(record)
      } else if let step = record["step"]?.integerValue {
        while let last = steps.last?["step"]?.integerValue, last >= step { steps.removeLast() }
        steps.append(record)
      }
    }
  }
}
