// What long work of the head tells its watchdog, and hears of whoever wants it to end.

import Experience
import Operations
import Policy
import Tasks

/// Turns a strand from within long work.
struct Pulse {
  private let strand: Strand
  private let doing: String
  private let isStopping: () -> Bool

  /// `doing` says in the watchdog's words what the work is.
  init(_ strand: Strand, doing: String, isStopping: @escaping () -> Bool) {
    self.strand = strand
    self.doing = doing
    self.isStopping = isStopping
  }

  /// Of work that nobody watches and nobody stops.
  static var none: Pulse { Pulse(Strand("work"), doing: "working") { false } }

  /// True once the work is to end.
  func shouldStop() -> Bool {
    strand.work(doing)
    return isStopping()
  }

  /// The completions with their verdicts; nil where the work is to end before all are judged.
  func judged(
    _ completions: [Completion], of exercise: Exercise, by exercises: any Exercises,
    _ tokenizer: Tokenizer
  ) -> [Trajectory]? {
    var judged: [Trajectory] = []
    for completion in completions {
      if shouldStop() { return nil }
      if exercises.verdictSeconds > 0 {
        // A program has its own deadline, and one that keeps it is not taken for hung.
        strand.wait(
          for: "the verifier's program to give its verdict",
          until: .after(seconds: exercises.verdictSeconds))
      }
      let verdict = exercises.judge(
        exercise, completion: tokenizer.text(of: completion),
        tokenCount: completion.tokens.count, isTruncated: completion.isTruncated)
      judged.append(Trajectory(completion: completion, verdict: verdict))
    }
    return shouldStop() ? nil : judged
  }

  /// The work waits for something that is no process, as the disk to give a checkpoint.
  func use(_ resource: String) { strand.use(resource) }
}
