// What a run will need, told before it is started: settings as resolved, memory, bytes a step,
// disk.
//
// The arithmetic is the program's own: buffers are counted as Workspace makes them, messages as the
// codecs write them. What cannot be known (how long completions are) is taken at its limit.

import Documents
import Operations
import Policy

struct DryRun {
  private let parts: RunParts

  init(_ parts: RunParts) throws { self.parts = parts }

  func text() -> String {
    let settings = parts.settings
    let needs = Needs(parts)
    var text = YAML.write(parts.resolved)
    text += """

      # \(RunView.count(Double(needs.parameters))) parameters, \
      \(settings.run.steps) steps of \(settings.learner.groupsPerStep) groups x \
      \(settings.sampling.groupSize) completions
      # memory:  learner \(Self.bytes(needs.learnerBytes)), each of \(settings.actor.count) actors \
      \(Self.bytes(needs.actorBytes)); this machine has \(Self.bytes(Machine.memoryBytes))
      # a step:  up to \(Self.bytes(needs.groupBytes * settings.learner.groupsPerStep)) of groups \
      to replay and as much to the learner, \(Self.bytes(needs.snapshotBytes)) of weights to each \
      actor
      # disk:    up to \(Self.bytes(needs.ledgerBytes)) of ledger, \
      \(Self.bytes(needs.checkpointBytes)) of checkpoints

      """
    return text
  }

  static func bytes(_ count: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return "\(RunView.format(value, unit == 0 ? 0 : 1)) \(units[unit])"
  }
}

/// Predicted sizes, in bytes.
struct Needs {
  let parameters: Int
  let snapshotBytes: Int
  let learnerBytes: Int
  let actorBytes: Int
  let groupBytes: Int
  let ledgerBytes: Int
  let checkpointBytes: Int

  init(_ parts: RunParts) {
    let settings = parts.settings
    let shape = parts.configuration
    parameters = shape.parameterShapes.reduce(0) { $0 + $1.shape.reduce(1, *) }
    snapshotBytes = 4 * parameters
    let rows = settings.learner.microbatchTokens
    let attention = shape.headSize * (2 * shape.heads + 2 * shape.keyValueHeads)
    // Floats a row that a tape keeps in each layer, and that the backward pass adds once.
    let layerFloats = 2 * shape.hiddenSize + attention + 2 * shape.feedForwardSize
    let backwardFloats = 5 * shape.hiddenSize + attention + 4 * shape.feedForwardSize
    // Weights, gradients, two moments, reference; weights and reference laid out once more; a
    // snapshot a served version.
    let copies = 7 + settings.learner.lagMax + 2
    learnerBytes =
      4 * (parameters * copies + rows * (shape.layers * layerFloats + backwardFloats))
    let slots = settings.actor.ticketsPerRequest * settings.sampling.groupSize
    let positions = 64 + settings.sampling.maximumNewTokens
    let cacheFloats =
      slots * positions * shape.layers * 2 * shape.keyValueHeads * shape.headSize
    actorBytes = 4 * (parameters * 3 + cacheFloats)
    // Token, log-prob and version a token; some hundred bytes of verdict a completion.
    groupBytes =
      2048 + settings.sampling.groupSize * (12 * settings.sampling.maximumNewTokens + 300)
    ledgerBytes = settings.run.steps * settings.learner.groupsPerStep * groupBytes
    checkpointBytes = (settings.learner.keepCheckpoints + 2) * 3 * snapshotBytes
  }
}
