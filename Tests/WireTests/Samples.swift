// Messages with every field set, and with every optional one left out.

import Digests
import Documents
import Experience
import Wire

enum Samples {
  static let digest = Digest(of: Array("weights".utf8))
  static let version = PolicyVersion(lineage: "arithmetic-001-é", number: 7, digest: digest)
  static let train = TicketKey(purpose: .train, number: WireLimits.maximumNumber)
  static let evaluate = TicketKey(purpose: .evaluate(version: 3), number: 0)
  static let file = NamedDigest(name: "config.json", digest: digest)

  static let trajectories = (0..<3).map { index in
    TrainedTrajectory(
      ticket: 1 << 40 + index, sample: index, isTrained: index > 0, advantage: -1.0 / 3,
      ratioLeast: 0.1, ratioMean: 1.0000001, ratioGreatest: 1e30, kl: .leastNonzeroMagnitude,
      clippedShare: .ulpOfOne, entropy: 0.7)
  }

  static func commit(_ trajectories: [TrainedTrajectory], checkpoint: String? = nil) -> StepCommit {
    StepCommit(
      step: 6, epoch: 2, outcome: .trained, tickets: [12, 13], reused: [3],
      version: version,
      stateDigest: digest, checkpoint: checkpoint,
      curriculum: checkpoint.map { _ in CurriculumState(level: 2, count: 9, correct: 4) },
      trajectories: trajectories)
  }

  static let requests: [Envelope<Request>] =
    [
      Envelope(
        id: 1,
        body: .hello(
          Hello(
            role: .learner, name: "learner", numericClass: "x86", holding: [train, evaluate],
            weightsAddress: "tcp://10.0.0.1:45911", announceAddress: "ipc:///tmp/x",
            version: version, files: [file],
            fingerprint: Fingerprint([.init("numbers", "f32/a"), .init("libm", "")]),
            allowsOtherBuild: true, instance: "9f2c"))),
      Envelope(id: 0, body: .hello(Hello(role: .actor, name: "", numericClass: ""))),
      Envelope(id: 2, body: .tickets(TicketRequest(version: version, count: 16))),
      Envelope(id: 2, body: .tickets(TicketRequest(version: nil, count: 1))),
      Envelope(id: 3, body: .submit(Submission(key: train, digest: digest)), payload: [[1, 2]]),
      Envelope(id: 3, body: .submit(Submission(key: evaluate, digest: digest)), payload: [[]]),
      Envelope(
        id: WireLimits.maximumNumber,
        body: .heartbeat(
          Heartbeat(
            holding: [evaluate], version: version, state: "says \"so\" \u{1F600}",
            stateMilliseconds: 1, tokensSampled: 2, groupsSubmitted: 3, idleMilliseconds: 4))),
      Envelope(id: 4, body: .heartbeat(farHeartbeat)),
      Envelope(id: 5, body: .lease(LeaseRequest(step: 3, epoch: 2))),
      Envelope(id: 6, body: .commit(commit(trajectories, checkpoint: "step-000007"))),
      Envelope(id: 6, body: .commit(commit([]))),
      Envelope(id: 7, body: .status),
      Envelope(id: 8, body: .probe(Probe(answerBytes: 64)), payload: [[1, 2]]),
      Envelope(id: 8, body: .probe(Probe(answerBytes: 0)), payload: [[]]),
      Envelope(id: 9, body: .measure(MeasureRequest(actor: "actor-0", errand: errand))),
    ]
    + findings.map { finding in
      var heartbeat = farHeartbeat
      heartbeat.finding = finding
      return Envelope(id: 9, body: .heartbeat(heartbeat))
    }

  static let errand = LinkErrand(
    token: "4be1", repeats: WireLimits.maximumErrandRepeats, milliseconds: 1,
    parallel: WireLimits.maximumErrandParallel, sizes: [64, WireLimits.maximumErrandBytes])

  static let findings = [
    LinkFinding(token: "", outcome: .underway),
    LinkFinding(token: "4be1", outcome: .report(settings)),
    LinkFinding(token: "4be1", outcome: .problem("no route to host")),
  ]

  /// With its clock and with spans of each end of the numbers.
  static let farHeartbeat: Heartbeat = {
    var heartbeat = Heartbeat(
      holding: [], version: nil, state: "", stateMilliseconds: 0, tokensSampled: 0,
      groupsSubmitted: 0, idleMilliseconds: 0)
    heartbeat.sentMicroseconds = WireLimits.maximumNumber
    heartbeat.offsetMicroseconds = -WireLimits.maximumNumber
    heartbeat.roundTripMicroseconds = 40_012
    heartbeat.spans = spans
    return heartbeat
  }()

  static let spans = SpanBatch(
    clock: "boot/time", names: ["decode", "chunk"], threads: ["compute"],
    rows: [
      .init(name: 0, thread: 0, id: -1, start: 5, duration: 0, amount: 0),
      .init(name: 1, thread: 0, id: .max, start: .min, duration: .max, amount: 1 << 20),
    ])

  static let alive: Alive = {
    var alive = Alive(version: nil, isFinished: false)
    alive.sentMicroseconds = 1
    alive.receivedMicroseconds = 2
    alive.answeredMicroseconds = 3
    alive.errand = errand
    return alive
  }()

  static let settings = Document.object([
    ("run", .object([("seed", 1), ("name", "a")])), ("rate", 1e-4), ("one", 1.0), ("list", [1, 2]),
  ])

  static let replies: [Envelope<Reply>] =
    [
      Envelope(
        id: 1,
        body: .welcome(
          Welcome(
            run: "arithmetic-001", lineage: "l", settings: settings, files: [file, file],
            weightsAddress: "a", announceAddress: "b", version: version, epoch: 4,
            lastCommit: commit(trajectories),
            settingsSpans: [
              SettingsSpan(step: 0, settings: settings), SettingsSpan(step: 9, settings: settings),
            ]))),
      Envelope(
        id: 1,
        body: .welcome(
          Welcome(
            run: "", lineage: "", settings: .object([]), files: [], weightsAddress: "",
            announceAddress: "", version: nil, epoch: 0, lastCommit: nil))),
      Envelope(
        id: 2,
        body: .tickets([
          Ticket(key: train, minimumVersion: 2, level: 3), Ticket(key: evaluate, minimumVersion: 3),
        ])),
      Envelope(id: 2, body: .tickets([])),
      Envelope(id: 2, body: .fetch(version)),
      Envelope(id: 2, body: .wait(Wait(milliseconds: 50, reason: "the learner"))),
      Envelope(id: 3, body: .acknowledged(evaluate)),
      Envelope(id: 4, body: .alive(Alive(version: version, isFinished: true))),
      Envelope(id: 4, body: .alive(Alive(version: nil, isFinished: false))),
      Envelope(id: 4, body: .alive(alive)),
      Envelope(
        id: 5,
        body: .lease(
          BatchLease(
            step: 3, epoch: 2, tickets: [9, 4], reused: [2, 1],
            evaluations: [
              EvaluationSummary(
                version: 2, prompts: 64, samples: 2, reward: 1.0 / 3, strict: 0.1, lenient: 1,
                completed: 0.0625, invalid: 3, passAtK: 0, meanLength: 21.5)
            ], pinnedVersions: [2], dropped: [DropCount(reason: "stale", groups: 1, tokens: 9)],
            readyGroups: 5, waitMeanMilliseconds: 41, waitMaxMilliseconds: 97,
            actors: [
              ActorShare(name: "a", tokensSampled: 1, idleMilliseconds: 2, bytesReceived: 3)
            ])), payload: [[1], [2, 3], [4], [5]]),
      Envelope(id: 5, body: .lease(BatchLease(step: 0, epoch: 0, tickets: []))),
      Envelope(id: 6, body: .committed(Committed(step: 3, isFinished: true))),
      Envelope(id: 7, body: .status(settings)),
      Envelope(
        id: 8, body: .probed(Probed(service: "replay", receivedBytes: 2)), payload: [[9]]),
      Envelope(id: 9, body: .measured(nil)),
    ]
    + findings.map { Envelope(id: 9, body: .measured($0)) }
    + Refusal.Code.allCases.map {
      Envelope(id: 8, body: .refused(Refusal($0, "because of \($0.rawValue)")))
    }

  static let snapshot = Snapshot(
    version: version, blob: digest, byteCount: WireLimits.maximumBlobBytes, encoding: "f32")

  static let blobRequests: [Envelope<BlobRequest>] = [
    Envelope(id: 1, body: .locate(version: 4)), Envelope(id: 1, body: .locate(version: nil)),
    Envelope(
      id: 2, body: .chunk(digest: digest, offset: 0, count: WireLimits.maximumChunkBytes)),
    Envelope(id: 3, body: .probe(Probe(answerBytes: 5)), payload: [[1]]),
  ]

  static let blobReplies: [Envelope<BlobReply>] = [
    Envelope(id: 1, body: .located(snapshot)),
    Envelope(id: 2, body: .chunk(digest: digest, offset: 3, total: 5), payload: [[8, 9]]),
    Envelope(id: 2, body: .chunk(digest: digest, offset: 0, total: 0), payload: [[]]),
    Envelope(id: 3, body: .probed(Probed(service: "weights", receivedBytes: 1)), payload: [[2]]),
    Envelope(id: 3, body: .refused(Refusal(.gone, "the newest is version 4"))),
  ]

  static let group = TrajectoryGroup(
    key: TicketKey(purpose: .train, number: 96), version: version, exercise: "12+34",
    prompt: [5, 0, 31],
    trajectories: [
      Trajectory(
        completion: Completion(
          tokens: [1, 2, 3], behaviorLogProbs: [-0.5, -100, -0.0], finish: .stop),
        verdict: Verdict(
          parts: [
            RewardPart(position: 0, part: "format", value: 0.1),
            RewardPart(position: 2, part: "answer", value: 1),
          ], reason: "right: é", isStrictlyCorrect: true, isLenientlyCorrect: true)),
      Trajectory(
        completion: Completion(
          tokens: [31], behaviorLogProbs: [-.leastNonzeroMagnitude], finish: .length),
        verdict: Verdict(
          parts: [], reason: "", isStrictlyCorrect: false, isLenientlyCorrect: false)),
      Trajectory(
        completion: Completion(
          tokens: [4, 4], behaviorLogProbs: [-1, -2], finish: .length),
        verdict: Verdict(
          parts: [RewardPart(position: 1, part: "answer", value: -1.0 / 3)],
          reason: "no answer", isStrictlyCorrect: false, isLenientlyCorrect: true)),
    ], temperature: 0.7, seed: .max, actor: "actor-0", numericClass: "x86-64-avx512",
    times: RolloutTimes(ticketNanoseconds: -1, sampledNanoseconds: 2, judgedNanoseconds: .max))

  static let limits = GroupLimits(
    groupSize: 3, maximumPositions: 5, maximumNewTokens: 3, vocabularySize: 32)
}
