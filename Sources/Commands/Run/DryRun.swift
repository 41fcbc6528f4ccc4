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
  /// What replay keeps free by default (`ReplayService`).
  let reserveBytes: Int

  /// Of a row of the ledger with its indices: of a completion, and of a group besides its blob.
  /// 22,400 training groups of eight and 1,856 of evaluations, blobs of 3,711 bytes, made 168 MB.
  private static let completionRowBytes = 410
  private static let groupRowBytes = 300
  /// Of the ledger's log, which replay's reserve holds twice.
  private static let logBytes = 2 * (64 << 20)

  /// `measured` is what a group came to, where some have been sampled.
  init(_ parts: RunParts, groupBytes measured: Int? = nil) {
    let settings = parts.settings
    let shape = parts.configuration
    parameters = shape.parameterShapes.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let isRounded = settings.model.precision == .bf16
    let weightBytes = 4 * parameters
    snapshotBytes = isRounded ? weightBytes / 2 : weightBytes
    let rows = settings.learner.microbatchTokens
    let attention = shape.headSize * (2 * shape.heads + 2 * shape.keyValueHeads)
    // Floats a row that a tape keeps in each layer, and that the backward pass adds once.
    let layerFloats = 2 * shape.hiddenSize + attention + 2 * shape.feedForwardSize
    let backwardFloats = 5 * shape.hiddenSize + attention + 4 * shape.feedForwardSize
    // Weights, laid out once more, gradients, two moments, masters where those are apart; a
    // reference, laid out once more; a snapshot a served version.
    let copies = 5 + (isRounded ? 1 : 0) + (parts.objective.needsReference ? 2 : 0)
    learnerBytes =
      weightBytes * copies + snapshotBytes * (settings.learner.lagMax + 2)
      + 4 * rows * (shape.layers * layerFloats + backwardFloats)
    let slots = settings.actor.ticketsPerRequest * settings.sampling.groupSize
    let positions = 64 + settings.sampling.maximumNewTokens
    let cacheFloats =
      slots * positions * shape.layers * 2 * shape.keyValueHeads * shape.headSize
    // Weights, laid out once more; a snapshot.
    actorBytes = 2 * weightBytes + snapshotBytes + 4 * cacheFloats
    // Token, log-prob and version a token; some hundred bytes of verdict a completion.
    let samples = settings.sampling.groupSize
    let bytes = measured ?? 2048 + samples * (12 * settings.sampling.maximumNewTokens + 300)
    groupBytes = bytes
    let evaluation = settings.evaluation
    let evaluations = evaluation.every > 0 ? settings.run.steps / evaluation.every + 2 : 0
    func ledger(groups: Int, of completions: Int) -> Int {
      groups
        * (bytes * completions / samples + Self.groupRowBytes
          + completions * Self.completionRowBytes)
    }
    ledgerBytes =
      ledger(groups: settings.run.steps * settings.learner.groupsPerStep, of: samples)
      + ledger(groups: evaluations * evaluation.prompts, of: evaluation.samples)
    checkpointBytes = (settings.learner.keepCheckpoints + 2) * (isRounded ? 4 : 3) * weightBytes
    reserveBytes =
      settings.replay.diskReserveBytes > 0
      ? settings.replay.diskReserveBytes : 5 * weightBytes + Self.logBytes
  }
}
