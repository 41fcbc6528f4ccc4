// An offline run before it is made: does the source fit its model, and does it last.

import Digests
import Documents
import Experience
import Operations
import Replay
import Wire

enum OfflineCheck {
  /// What the run will learn from, in words; throws when it cannot. Nil unless it is offline.
  static func words(_ parts: RunParts) throws -> String? {
    let settings = parts.settings
    guard settings.replay.mode == .offline else { return nil }
    let source = try OfflineSource(settings.replay.source)
    let own = Digest(of: parts.tokenizer.json)
    if let theirs = try source.fileDigest("tokenizer.json"), theirs != own {
      throw Failure(
        "run offline from", on: source.path,
        happened: "its tokenizer has digest \(theirs.short), this run's model has \(own.short)",
        remedy: "name a model of the source in model.path: its checkpoints are model folders",
        exitCode: .settings)
    }
    let stock: OfflineStock
    do {
      stock = try source.stock(
        limits: GroupLimits(
          groupSize: settings.sampling.groupSize,
          maximumPositions: parts.configuration.maximumPositions,
          maximumNewTokens: settings.sampling.maximumNewTokens,
          vocabularySize: parts.configuration.vocabularySize),
        temperature: Float(settings.sampling.temperature))
    } catch let refusal as Refusal {
      throw Failure(
        "run offline from", on: source.path, happened: refusal.sentence,
        remedy: "give this run the source's sampling.groupSize, maximumNewTokens and temperature, "
          + "and a model with its vocabulary", exitCode: .settings)
    }
    try stock.check(settings)
    let needed = settings.run.steps * settings.learner.groupsPerStep
    return "offline: \(needed) groups from the \(stock.count) of \(stock.lineage), "
      + "\(RunView.format(Double(needed) / Double(stock.count), 2)) passes of at most "
      + "\(settings.replay.maximumUses), by \(settings.replay.selection.rawValue)"
      + (stock.damaged > 0 ? "; \(stock.damaged) damaged groups are left out" : "")
      + "; nobody samples, so there is no validation while training"
  }
}
