// One completion with its tokens colored: by the probability they were sampled with, or by the
// ratio of what the newest checkpoint gives them to that. A ratio far from 1 is where training
// pulled.

import Documents
import Experience
import Glibc
import Operations
import Policy
import Replay
import Synchronization

/// What the newest checkpoint says of a completion's tokens.
struct NewestScores {
  var checkpoint: String
  /// One a token, natural logarithms, at the completion's temperature.
  var logProbs: [Float]
}

struct CompletionPage {
  let whole: WholeTrajectory
  let look: LedgerLook
  /// Nil where there is no checkpoint to ask, or it cannot be.
  let newest: NewestScores?

  private var completion: Completion { whole.trajectory.completion }

  func html() -> String {
    """
    <h1>\(escape(whole.group.exercise)), sample \(whole.row.sample)</h1>
    <input type="radio" name="color" id="by-probability" checked>
    <label for="by-probability" class="pick">by the probability it was sampled with</label>
    <input type="radio" name="color" id="by-ratio"\(newest == nil ? " disabled" : "")>
    <label for="by-ratio" class="pick">\(ratioWords)</label>
    <div class="tokens"><em>\(escape(look.text(whole.group.prompt)))</em>\(tokens())</div>
    <div class="shades">probability 0 <i style="background:linear-gradient(90deg,
    \(Self.shade(probability: 0)),\(Self.shade(probability: 1)))"></i> 1
    &nbsp; ratio 1/4 <i style="background:linear-gradient(90deg,\(Self.shade(ratio: 0.25)),
    \(Self.shade(ratio: 1)),\(Self.shade(ratio: 4)))"></i> 4</div>
    <pre>\(escape(TrajectoryPage(whole, look).text))</pre>
    """
  }

  private var ratioWords: String {
    guard let newest else { return "by ratio: there is no checkpoint to ask" }
    return "by ratio: what \(escape(newest.checkpoint)) gives it over that"
  }

  private func tokens() -> String {
    var out = ""
    for (position, token) in completion.tokens.enumerated() {
      let probability = exp(Double(completion.behaviorLogProbs[position]))
      var hint = "\(look.display(token)) (\(token)): probability \(RunView.format(probability, 4))"
      var style = "--p:\(Self.shade(probability: probability))"
      if let newest, newest.logProbs.indices.contains(position) {
        let difference = newest.logProbs[position] - completion.behaviorLogProbs[position]
        let ratio = exp(Double(difference))
        style += ";--r:\(Self.shade(ratio: ratio))"
        hint += ", ratio \(RunView.format(ratio, 4))"
      }
      let text = look.text([token])
      out += "<span style=\"\(style)\" title=\"\(escape(hint))\">"
      // What decodes to nothing, as a stop token, is shown by its name.
      out += escape(text.isEmpty ? look.display(token) : text) + "</span>"
    }
    return out
  }

  /// Nothing at 1, orange at 0.
  static func shade(probability: Double) -> String {
    let strength = 1 - min(1, max(0, probability.isFinite ? probability : 0))
    return "rgba(213,94,0,\(RunView.format(0.75 * strength, 3)))"
  }

  /// Nothing at 1, blue above and orange below, full at 4 and a quarter.
  static func shade(ratio: Double) -> String {
    let share = ratio > 0 ? log2(ratio) / 2 : -1
    let strength = RunView.format(0.75 * min(1, abs(share)), 3)
    return share >= 0 ? "rgba(0,114,178,\(strength))" : "rgba(213,94,0,\(strength))"
  }
}

/// Asks a run's newest checkpoint, keeping it in memory while it is the newest. Threads take turns.
final class NewestScorer: Sendable {
  /// A model a page may wait for: weights of more bytes are not read for a look.
  static let maximumModelBytes = 4 << 30

  private struct Held {
    var path: String
    var model: LoadedModel
  }

  private let held = Mutex<Held?>(nil)

  /// Nil where there is none, or it cannot take the completion.
  func scores(of whole: WholeTrajectory, in run: RunFolder) throws -> NewestScores? {
    guard let name = try FolderFacts(run).checkpoint else { return nil }
    let path = "\(run.checkpoints)/\(name)"
    let (prompt, tokens) = (whole.group.prompt, whole.trajectory.completion.tokens)
    let temperature = whole.group.temperature
    let logProbs = try held.withLock { held -> [Float]? in
      if held?.path != path {
        held = nil
        let bytes = Files.byteCount("\(path)/model.safetensors") ?? .max
        guard bytes <= Self.maximumModelBytes else { return nil }
        held = Held(path: path, model: try LoadedModel(path: path, threads: nil))
      }
      guard let policy = held?.model.policy,
        prompt.count + tokens.count <= policy.configuration.maximumPositions + 1
      else { return nil }
      return TokenScorer(policy, temperature: temperature).score([prompt + tokens])[0].logProbs
    }
    return logProbs.map {
      NewestScores(checkpoint: name, logProbs: Array($0.suffix(tokens.count)))
    }
  }
}
