// One completion, whole: where it came from, every token with its log-prob, what the verifier said
// and why, and what training saw of it.

import Documents
import Experience
import Glibc
import Replay

struct TrajectoryPage {
  private let whole: WholeTrajectory
  private let look: LedgerLook

  init(_ whole: WholeTrajectory, _ look: LedgerLook) {
    self.whole = whole
    self.look = look
  }

  private var group: TrajectoryGroup { whole.group }
  private var row: TrajectoryRow { whole.row }
  private var completion: Completion { whole.trajectory.completion }

  // MARK: Text

  var text: String {
    ([head, origin, "", texts, "", verdict, training, "", tokens].joined(separator: "\n")) + "\n"
  }

  private var head: String {
    "\(row.key), sample \(row.sample) of \(group.trajectories.count), exercise \(group.exercise)"
      + (row.step.map { ", trained by step \($0)" } ?? "")
  }

  private var origin: String {
    let times = group.times
    func seconds(_ from: Int64, _ to: Int64) -> String {
      RunView.format(Double(to - from) / 1e9, 3) + " s"
    }
    return """
      sampled by \(group.actor) with version \(group.version) at temperature \
      \(group.temperature), seed \(group.seed)
      the group took \(seconds(times.ticketNanoseconds, times.sampledNanoseconds)) to sample and \
      \(seconds(times.sampledNanoseconds, times.judgedNanoseconds)) to judge, \
      numeric class \(group.numericClass)
      """
  }

  private var texts: String {
    """
    prompt      \(look.visible(group.prompt))
    completion  \(look.visible(completion.tokens))
    finish      \(completion.finish.rawValue), \(completion.tokens.count) tokens
    """
  }

  private var verdict: String {
    let parts = row.parts.map { "\($0.part) \(RunView.format(Double($0.value), 3))" }
    return """
      reward      \(RunView.format(row.reward, 3)) = \
      \(parts.isEmpty ? "no part" : parts.joined(separator: " + "))
      right       \(row.correctness == "no" ? "no" : row.correctness + "ly"): \(row.reason)
      """
  }

  private var training: String {
    guard let trained = row.trained else { return "training    no step has trained it" }
    func number(_ value: Float, _ digits: Int) -> String { RunView.format(Double(value), digits) }
    return """
      training    advantage \(number(trained.advantage, 3))\
      \(trained.isTrained ? "" : ", not trained: its group had no spread, or it was masked")
      ratio       \(number(trained.ratioLeast, 4)) to \(number(trained.ratioGreatest, 4)), mean \
      \(number(trained.ratioMean, 4)); clipped \(RunView.percent(Double(trained.clippedShare))) of \
      its tokens
      divergence  kl \(number(trained.kl, 5)) and entropy \(number(trained.entropy, 4)), \
      nats a token
      """
  }

  private var tokens: String {
    var table = TextTable([
      ("position", .right), ("token", .left), ("id", .right), ("log-prob", .right),
      ("probability", .right), ("version", .right), ("reward", .left),
    ])
    for (position, token) in completion.tokens.enumerated() {
      let logProb = Double(completion.behaviorLogProbs[position])
      let parts = row.parts.filter { $0.position == position }
        .map { "\($0.part) \(RunView.format(Double($0.value), 3))" }
      table.add([
        String(position), look.display(token), String(token), RunView.format(logProb, 5),
        RunView.format(exp(logProb), 4), String(group.version.number),
        parts.joined(separator: ", "),
      ])
    }
    return table.lines().joined(separator: "\n")
  }

  // MARK: JSON

  var document: Document {
    .object(
      row.members.filter { $0.0 != "tokens" } + [
        ("exercise", .string(group.exercise)),
        ("version", .integer(group.version.number)),
        ("version_digest", .string(group.version.digest.hexadecimal)),
        ("lineage", .string(group.version.lineage)),
        ("actor", .string(group.actor)), ("numeric_class", .string(group.numericClass)),
        ("temperature", .shortest(group.temperature)), ("seed", .integer(Int(group.seed))),
        ("ticket_ns", .integer(Int(group.times.ticketNanoseconds))),
        ("sampled_ns", .integer(Int(group.times.sampledNanoseconds))),
        ("judged_ns", .integer(Int(group.times.judgedNanoseconds))),
        ("prompt", .string(look.text(group.prompt))),
        ("prompt_tokens", .array(group.prompt.map { .integer(Int($0)) })),
        ("completion", .string(look.text(completion.tokens))),
        (
          "tokens",
          .array(
            zip(completion.tokens, completion.behaviorLogProbs).map { token, logProb in
              .object([
                ("id", .integer(Int(token))), ("text", .string(look.display(token))),
                ("logprob", .shortest(logProb)), ("version", .integer(group.version.number)),
              ])
            })
        ),
      ])
  }
}
