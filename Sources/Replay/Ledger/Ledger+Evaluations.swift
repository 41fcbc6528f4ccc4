// Evaluation while training: tickets with a purpose, first in line for actors at exactly that
// version, and never a reason for training to wait.

import Experience
import Wire

extension Ledger {
  /// After a step, and once version 0 is known.
  mutating func openEvaluationIfDue() {
    guard let version, configuration.isEvaluated(version: version.number),
      closedEvaluations[version.number] == nil,
      !evaluations.contains(where: { $0.version == version })
    else { return }
    if evaluations.count == Limits.maximumOpenEvaluations { abandonEvaluation(at: 0) }
    evaluations.append(
      Evaluation(version: version, prompts: configuration.evaluationPrompts))
    isStirred = true
  }

  /// Tickets of the evaluation of exactly this version, if one is open.
  mutating func grantEvaluation(of held: PolicyVersion, _ count: Int, to peer: Peer) -> [Ticket] {
    guard let index = evaluations.firstIndex(where: { $0.version == held }) else { return [] }
    return evaluations[index].grant(count, to: peer, at: now)
  }

  /// The version an idle actor should fetch for the sake of an evaluation, newest first. The
  /// newest version can always be had. An older one may be gone from the weight server, so an
  /// actor is sent back for it once; when every actor has come home without it, it is abandoned.
  mutating func evaluationToFetch(for peer: Peer, holding held: PolicyVersion) -> PolicyVersion? {
    for index in evaluations.indices.reversed() {
      let wanted = evaluations[index].version
      guard evaluations[index].openCount > 0, wanted != held else { continue }
      if wanted == version { return wanted }
      if evaluations[index].invited.insert(peer).inserted { return wanted }
      evaluations[index].declined.insert(peer)
    }
    while let index = evaluations.firstIndex(where: isUnobtainable) { abandonEvaluation(at: index) }
    return nil
  }

  private func isUnobtainable(_ evaluation: Evaluation) -> Bool {
    guard evaluation.version != version, evaluation.openCount > 0 else { return false }
    let actors = peers.filter { $0.value.role == .actor && isPresent($0.value) }.keys
    return actors.allSatisfy { evaluation.declined.contains($0) }
  }

  private mutating func abandonEvaluation(at index: Int) {
    let evaluation = evaluations.remove(at: index)
    for (number, slot) in evaluation.slots.enumerated() {
      guard case .storing(_, let waiters) = slot else { continue }
      let purpose = Purpose.evaluate(version: evaluation.version.number)
      let sentence = sentenceClosed(TicketKey(purpose: purpose, number: number))
      for waiter in waiters { refuse(waiter, .unknownTicket, sentence) }
    }
    closedEvaluations[evaluation.version.number] = false
    outbox.append(.recordAbandonedEvaluation(version: evaluation.version.number))
    isStirred = true
  }

  private func sentenceClosed(_ key: TicketKey) -> String {
    "\(key) is of an evaluation that was given up: drop the group"
  }

  mutating func handleEvaluationGroup(_ asker: Asker, _ arrival: Arrival, of number: Int) {
    let key = arrival.key
    guard let index = evaluations.firstIndex(where: { $0.version.number == number }),
      evaluations[index].contains(key.number)
    else {
      switch closedEvaluations[number] {
      case true? where (0..<configuration.evaluationPrompts).contains(key.number):
        return reply(asker, .acknowledged(key))
      case false?: return refuse(asker, .unknownTicket, sentenceClosed(key))
      default: return refuseUnknown(asker, key)
      }
    }
    switch evaluations[index].slots[key.number] {
    case .done: return reply(asker, .acknowledged(key))
    case .storing(let facts, let waiters):
      return evaluations[index].store(key.number, facts, waiters: waiters + [asker])
    case .open, .held: break
    }
    let refusal =
      judgeVersion(arrival.version) ?? judgeDigest(arrival.version)
      ?? (arrival.version == evaluations[index].version
        ? nil
        : Refusal(.stale, "\(key) was sampled with version \(arrival.version.number)"))
    if let refusal {
      return turnAway(asker, key, refusal, tokens: arrival.tally.tokens, bytes: arrival.bytes)
    }
    let facts = GroupFacts(version: number, bytes: arrival.bytes, tally: arrival.tally)
    evaluations[index].store(key.number, facts, waiters: [asker])
    outbox.append(.store(key))
  }

  mutating func storedEvaluationGroup(_ key: TicketKey, of number: Int) {
    // Nil when it was abandoned in the meantime: its waiters have been answered.
    guard let index = evaluations.firstIndex(where: { $0.version.number == number }),
      case .storing(let facts, let waiters) = evaluations[index].slots[key.number]
    else { return }
    evaluations[index].finish(key.number, facts)
    for waiter in waiters { reply(waiter, .acknowledged(key)) }
    finishEvaluation(at: index)
  }

  private mutating func finishEvaluation(at index: Int) {
    guard evaluations[index].isDone else { return }
    let summary = evaluations.remove(at: index).summary()
    closedEvaluations[summary.version] = true
    undelivered.append(Undelivered(summary: summary))
    outbox.append(.recordEvaluation(summary))
    isStirred = true
  }

  /// One whose last group was committed and whose summary was lost with the process.
  mutating func finishCompleteEvaluations() {
    while let index = evaluations.firstIndex(where: \.isDone) { finishEvaluation(at: index) }
  }

  /// After a restart: due evaluations without an end are open again with the groups they had.
  mutating func reopenEvaluations(_ groups: [Int: [Int: GroupFacts]]) {
    guard let version, configuration.evaluationEvery > 0 else { return }
    let regular = stride(from: 0, through: version.number, by: configuration.evaluationEvery)
    var due = Array(regular)
    if version.number == configuration.steps, due.last != version.number {
      due.append(version.number)
    }
    let open = due.filter { closedEvaluations[$0] == nil }.suffix(Limits.maximumOpenEvaluations)
    for number in open {
      guard let digest = digests[number] else { continue }
      var evaluation = Evaluation(
        version: PolicyVersion(lineage: version.lineage, number: number, digest: digest),
        prompts: configuration.evaluationPrompts)
      for (prompt, facts) in groups[number] ?? [:] where evaluation.contains(prompt) {
        evaluation.finish(prompt, facts)
      }
      evaluations.append(evaluation)
    }
  }
}
