// The few settings the ledger's rules depend on.

import Documents
import Experience
import Operations
import Wire

package struct LedgerConfiguration: Sendable {
  package var run: String
  package var lineage: String
  /// The resolved settings, for whoever says hello.
  package var settings: Document
  /// Groups a step: B.
  package var groupsPerStep: Int
  package var lagMax: Int
  package var steps: Int
  package var ticketLeaseNanoseconds: Int64
  /// Steps between evaluations; 0 never.
  package var evaluationEvery: Int
  package var evaluationPrompts: Int
  package var evaluationSamples: Int
  /// Nil where each group is trained on once.
  package var reuse: ReuseRules?
  /// Nil where all tickets are of one level.
  package var curriculum: CurriculumRules?
  package var seed: UInt64 = 0
  /// What the run's task and verifier do; empty for a run that was made without.
  package var definitions: [NamedDigest] = []
  /// Groups come from another run's ledger, and nobody samples.
  package var isOffline = false

  package init(
    run: String, lineage: String, settings: Document, groupsPerStep: Int, lagMax: Int, steps: Int,
    ticketLeaseNanoseconds: Int64, evaluationEvery: Int = 0, evaluationPrompts: Int = 1,
    evaluationSamples: Int = 1, reuse: ReuseRules? = nil
  ) {
    self.run = run
    self.lineage = lineage
    self.settings = settings
    self.groupsPerStep = groupsPerStep
    self.lagMax = lagMax
    self.steps = steps
    self.ticketLeaseNanoseconds = ticketLeaseNanoseconds
    self.evaluationEvery = evaluationEvery
    self.evaluationPrompts = evaluationPrompts
    self.evaluationSamples = evaluationSamples
    self.reuse = reuse
  }

  package init(_ settings: RunSettings, lineage: String) {
    let isOffline = settings.replay.mode == .offline
    self.init(
      run: settings.run.name, lineage: lineage, settings: settings.resolved,
      groupsPerStep: settings.learner.groupsPerStep, lagMax: settings.learner.lagMax,
      steps: settings.run.steps,
      ticketLeaseNanoseconds: Int64(settings.replay.ticketLeaseSeconds * 1e9),
      evaluationEvery: isOffline ? 0 : settings.evaluation.every,
      evaluationPrompts: settings.evaluation.prompts,
      evaluationSamples: settings.evaluation.samples, reuse: ReuseRules(settings))
    self.isOffline = isOffline
    seed = settings.run.seed
  }

  /// Training tickets of the whole run.
  var totalTickets: Int { steps * groupsPerStep }

  /// Is version `number` one that is evaluated?
  func isEvaluated(version number: Int) -> Bool {
    evaluationEvery > 0 && (number % evaluationEvery == 0 || number == steps)
  }
}

extension ReuseRules {
  init?(_ settings: RunSettings) {
    guard settings.replay.mode == .replay else { return nil }
    self.init(
      groups: settings.replay.reusedGroups, selection: settings.replay.selection,
      maximumUses: settings.replay.maximumUses, maximumLag: settings.replay.reuseLagMax,
      seed: settings.run.seed)
  }
}
