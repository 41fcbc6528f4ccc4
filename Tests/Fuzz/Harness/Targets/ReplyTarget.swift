// What replay says to actors and learner, who must not fall over a replay that lies either.

import Experience
import Wire

extension FuzzTarget {
  static let replies = FuzzTarget("replies", .frames) {
    let lease = BatchLease(
      step: 3, epoch: 2, tickets: [9, 4],
      evaluations: [
        EvaluationSummary(
          version: 2, prompts: 64, samples: 2, reward: 1.0 / 3, strict: 0.1, lenient: 1,
          completed: 0.1, invalid: 3, passAtK: 0, meanLength: 21.5)
      ], pinnedVersions: [2], dropped: [DropCount(reason: "stale", groups: 1, tokens: 9)],
      readyGroups: 5)
    let probed = Envelope(
      id: 6, body: Reply.probed(Probed(service: "replay", receivedBytes: 2)), payload: [[3, 4]])
    let json = try Corpus.wireExamples("reply", without: ["lease", "probed"])
    return json.map { FrameList.write([$0]) } + [
      FrameList.write(probed.encoded()),
      FrameList.write(
        Envelope(id: 5, body: Reply.lease(lease), payload: [[1], [2, 3]]).encoded()),
    ]
  } attempt: { bytes in
    let reply = try Envelope<Reply>(decoding: FrameList.read(bytes))
    try expectStable("a reply", reply.encoded()) { try Envelope<Reply>(decoding: $0).encoded() }
    return true
  }
}
