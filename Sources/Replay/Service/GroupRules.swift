// What a submitted group must be before the ledger hears of it: whole, of this run, in range.

import Digests
import Documents
import Experience
import Operations
import Wire

struct GroupRules {
  /// A model's config.json is a page.
  private static let maximumConfigBytes = 1 << 20

  let settings: RunSettings
  let configPath: String
  /// Of the model's config.json; nil until the run has one.
  private var model: (vocabulary: Int, positions: Int)?

  init(settings: RunSettings, initialModel: String) {
    self.settings = settings
    configPath = "\(initialModel)/config.json"
  }

  /// Learns the vocabulary once the run has its first model: replay knows nothing else of it.
  mutating func readModel(log: Log) {
    guard model == nil, Files.exists(configPath) else { return }
    do {
      let bytes = try Files.read(configPath, maximumBytes: Self.maximumConfigBytes)
      let config = try JSON.parse(bytes, source: configPath)
      guard case .integer(let vocabulary)? = config["vocab_size"]?.value else {
        return log.warning("\(configPath) names no vocab_size: token ids are not checked")
      }
      var positions = settings.model.maximumPositions
      if case .integer(let most)? = config["max_position_embeddings"]?.value { positions = most }
      model = (vocabulary, positions)
    } catch {
      log.warning("read the vocabulary's size from \(configPath) failed: \(error)")
    }
  }

  func limits(for key: TicketKey) -> GroupLimits {
    let samples: Int =
      switch key.purpose {
      case .train: settings.sampling.groupSize
      case .evaluate: settings.evaluation.samples
      }
    return GroupLimits(
      groupSize: samples, maximumPositions: model?.positions ?? settings.model.maximumPositions,
      maximumNewTokens: settings.sampling.maximumNewTokens,
      vocabularySize: model?.vocabulary ?? Int(Int32.max))
  }

  /// The group of a submission; throws why it is none.
  func read(_ blob: [UInt8], _ submission: Submission) throws(Refusal) -> PendingGroup {
    let digest = Digest(of: blob)
    guard digest == submission.digest else {
      throw Refusal(
        .corrupt,
        "the payload of \(submission.key) has digest \(digest.short), and "
          + "\(submission.digest.short) was said: send it again")
    }
    let group = try TrajectoryGroup(decoding: blob, limits: limits(for: submission.key))
    guard group.key == submission.key else {
      throw Refusal(.invalid, "\(submission.key) was submitted with the group of \(group.key)")
    }
    guard group.seed == settings.run.seed else {
      throw Refusal(
        .anotherRun,
        "the group of \(group.key) was sampled under seed \(group.seed); this run's is "
          + "\(settings.run.seed)")
    }
    let temperature =
      group.key.purpose == .train
      ? settings.sampling.temperature : settings.evaluation.temperature
    guard group.temperature == Float(temperature) else {
      throw Refusal(
        .invalid,
        "the group of \(group.key) was sampled at temperature \(group.temperature); this "
          + "run's is \(temperature)")
    }
    return PendingGroup(
      group: group, tally: GroupTally(group), blob: blob, blobDigest: digest)
  }
}
