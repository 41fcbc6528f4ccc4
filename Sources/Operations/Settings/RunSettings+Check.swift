// What no single key can see: values that are each in range and together can never progress. A run
// that would wait for ever is refused before it starts, with the arithmetic that shows it.

import Documents

extension RunSettings {
  /// Bytes a token takes in a group message at the least: its id, log-prob and policy version.
  static let bytesPerGroupToken = 12
  /// The rest of a completion in a group message, at the most: the verifier's sentence, the parts
  /// of its reward.
  static let bytesPerCompletion = 1024 + 16 * 64
  /// Names, times and the prompt of a group message.
  static let bytesPerGroup = 65_536
  /// One message holds a whole batch; libzmq and both ends keep it in memory.
  public static let maximumLeaseBytes = 1 << 30

  /// Throws at the key to change.
  func check(_ fields: SettingsFields) throws(DocumentError) {
    try checkPacing(fields)
    try checkModel(fields)
    try checkSizes(fields)
    try checkReplay(fields)
    try checkLease(fields)
    try checkTimes(fields)
    try checkNetwork(fields)
  }

  private func checkPacing(_ fields: SettingsFields) throws(DocumentError) {
    // Ticket n is granted once n/B <= version + lagMax, so this many are open at once.
    let open = learner.groupsPerStep * (learner.lagMax + 1)
    if actor.ticketsPerRequest > open, replay.mode != .offline {
      throw fields.actor.error(
        "ticketsPerRequest",
        "\(actor.ticketsPerRequest) tickets can never be granted together: pacing opens"
          + " groupsPerStep x (lagMax + 1) = \(learner.groupsPerStep) x \(learner.lagMax + 1)"
          + " = \(open) at a time; ask for \(open) at most, or raise learner.groupsPerStep")
    }
    if learner.finalLearningRate > learner.learningRate {
      throw fields.learner.error(
        "finalLearningRate",
        "\(learner.finalLearningRate) is above learningRate \(learner.learningRate), and the rate"
          + " decays; set both")
    }
  }

  private func checkModel(_ fields: SettingsFields) throws(DocumentError) {
    // A model that is read brings its own shape.
    guard model.path.isEmpty else { return }
    if model.hiddenSize % model.heads != 0 || model.hiddenSize / model.heads % 2 != 0 {
      throw fields.model.error(
        "heads",
        "hiddenSize \(model.hiddenSize) does not divide into \(model.heads) heads of an even size,"
          + " which rotary positions need")
    }
    if model.heads % model.keyValueHeads != 0 {
      throw fields.model.error(
        "keyValueHeads",
        "\(model.heads) heads cannot share \(model.keyValueHeads) key-value heads evenly")
    }
    if sampling.maximumNewTokens >= model.maximumPositions {
      throw fields.sampling.error(
        "maximumNewTokens",
        "\(sampling.maximumNewTokens) tokens leave no place for a prompt in"
          + " model.maximumPositions \(model.maximumPositions)")
    }
  }

  private func checkSizes(_ fields: SettingsFields) throws(DocumentError) {
    if learner.microbatchTokens <= sampling.maximumNewTokens {
      throw fields.learner.error(
        "microbatchTokens",
        "\(learner.microbatchTokens) tokens cannot hold one completion of"
          + " sampling.maximumNewTokens \(sampling.maximumNewTokens) and its prompt")
    }
    let groupBytes = sampling.groupSize * sampling.maximumNewTokens * Self.bytesPerGroupToken
    if groupBytes > replay.maximumGroupBytes {
      throw fields.replay.error(
        "maximumGroupBytes",
        "\(replay.maximumGroupBytes) bytes cannot hold a group of sampling.groupSize x"
          + " maximumNewTokens = \(sampling.groupSize) x \(sampling.maximumNewTokens) tokens, about"
          + " \(groupBytes) bytes")
    }
    let evaluationBytes =
      evaluation.samples * sampling.maximumNewTokens * Self.bytesPerGroupToken
    if evaluation.every > 0, evaluationBytes > replay.maximumGroupBytes {
      throw fields.replay.error(
        "maximumGroupBytes",
        "\(replay.maximumGroupBytes) bytes cannot hold a group of evaluation.samples x"
          + " sampling.maximumNewTokens = \(evaluation.samples) x \(sampling.maximumNewTokens)"
          + " tokens, about \(evaluationBytes) bytes")
    }
    if replay.maximumGroupBytes > replay.maximumQueuedBytes {
      throw fields.replay.error(
        "maximumQueuedBytes",
        "\(replay.maximumQueuedBytes) bytes cannot take one group of maximumGroupBytes"
          + " \(replay.maximumGroupBytes)")
    }
  }

  /// Groups of one lease at the most.
  public var leaseGroups: Int { learner.groupsPerStep + replay.reusedGroups }

  /// No group larger than this is accepted, so that a lease of them always fits one message.
  public var admissibleGroupBytes: Int {
    min(replay.maximumGroupBytes, Self.maximumLeaseBytes / leaseGroups)
  }

  private func checkLease(_ fields: SettingsFields) throws(DocumentError) {
    if leaseGroups > 65_536 {
      throw fields.replay.error(
        "reusedGroups",
        "\(replay.reusedGroups) groups beside learner.groupsPerStep \(learner.groupsPerStep) are"
          + " \(leaseGroups), and a lease carries 65536 at most")
    }
    let completion =
      sampling.maximumNewTokens * Self.bytesPerGroupToken + Self.bytesPerCompletion
    let group = sampling.groupSize * completion + Self.bytesPerGroup
    if group * leaseGroups > Self.maximumLeaseBytes {
      throw fields.learner.error(
        "groupsPerStep",
        "a batch of \(leaseGroups) groups of sampling.groupSize x maximumNewTokens ="
          + " \(sampling.groupSize) x \(sampling.maximumNewTokens) tokens may take"
          + " \(group * leaseGroups) bytes, and one lease message holds \(Self.maximumLeaseBytes);"
          + " lower one of the three\(replay.reusedGroups > 0 ? " or replay.reusedGroups" : "")")
    }
  }

  private func checkReplay(_ fields: SettingsFields) throws(DocumentError) {
    if (replay.mode == .replay) != (replay.reusedGroups > 0) {
      throw fields.replay.error(
        "reusedGroups",
        replay.mode == .replay
          ? "mode replay reuses no group with 0; say how many a batch carries beside its fresh ones"
          : "\(replay.reusedGroups) groups are reused in mode replay only; the mode is"
            + " \(replay.mode.rawValue)")
    }
    if replay.mode == .replay, replay.maximumUses < 2 {
      throw fields.replay.error(
        "maximumUses", "1 use in all is the first one: nothing could be reused; take 2 or more")
    }
    if replay.mode == .replay, replay.selection == .recorded {
      throw fields.replay.error(
        "selection", "recorded is an order for mode offline; take uniform, newest or prioritized")
    }
    if (replay.mode == .offline) == replay.source.isEmpty {
      throw fields.replay.error(
        "source",
        replay.mode == .offline
          ? "mode offline needs one: the folder, or the ledger.sqlite, of the run to learn from"
          : "\"\(replay.source)\" is read in mode offline only; the mode is"
            + " \(replay.mode.rawValue)")
    }
  }

  private func checkTimes(_ fields: SettingsFields) throws(DocumentError) {
    if supervisor.firstBackoffSeconds > supervisor.maximumBackoffSeconds {
      throw fields.supervisor.error(
        "firstBackoffSeconds",
        "\(supervisor.firstBackoffSeconds) s is above maximumBackoffSeconds"
          + " \(supervisor.maximumBackoffSeconds) s")
    }
    if supervisor.hangSeconds >= supervisor.stallSeconds {
      throw fields.supervisor.error(
        "hangSeconds",
        "\(supervisor.hangSeconds) s are not below stallSeconds = \(supervisor.stallSeconds): the"
          + " run would end before a process that hangs is started again; lower hangSeconds")
    }
    if supervisor.stallSeconds <= replay.ticketLeaseSeconds {
      throw fields.supervisor.error(
        "stallSeconds",
        "\(supervisor.stallSeconds) s end the run before a dead actor's tickets are reissued, which"
          + " takes replay.ticketLeaseSeconds \(replay.ticketLeaseSeconds) s")
    }
  }

  private func checkNetwork(_ fields: SettingsFields) throws(DocumentError) {
    let ports = [network.replayPort, network.weightsPort, network.announcePort]
    if !network.listen.isEmpty, Set(ports).count < ports.count {
      throw fields.network.error(
        "announcePort", "replayPort, weightsPort and announcePort must differ, not be \(ports)")
    }
    do {
      try network.checkListen()
    } catch {
      throw fields.network.error("listen", "\(error.happened); \(error.remedy)")
    }
  }
}

/// The sections as they are read, in the order of a settings file, kept to name a key's line in the
/// error of a check between them.
struct SettingsFields {
  let run: Fields
  let task: Document
  let model: Fields
  let warmStart: Fields
  let sampling: Fields
  let objective: Document
  let learner: Fields
  let replay: Fields
  let actor: Fields
  let evaluation: Fields
  let network: Fields
  let supervisor: Fields
  let trace: Fields
  let preflight: Fields
  let alarms: Fields
  let metrics: Fields

  init(_ fields: Fields) throws(DocumentError) {
    run = try fields.section("run")
    task = fields.document("task") ?? .object([])
    model = try fields.section("model")
    warmStart = try fields.section("warmStart")
    sampling = try fields.section("sampling")
    objective = fields.document("objective") ?? .object([])
    learner = try fields.section("learner")
    replay = try fields.section("replay")
    actor = try fields.section("actor")
    evaluation = try fields.section("evaluation")
    network = try fields.section("network")
    supervisor = try fields.section("supervisor")
    trace = try fields.section("trace")
    preflight = try fields.section("preflight")
    alarms = try fields.section("alarms")
    metrics = try fields.section("metrics")
  }
}
