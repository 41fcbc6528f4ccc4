// What any peer may say to replay: the first decoder that bytes from a socket meet.

import Experience
import Wire

extension FuzzTarget {
  static let requests = FuzzTarget("requests", .frames) {
    let examples = try Corpus.wireExamples(
      "request", without: ["submit", "commit", "heartbeat", "probe"])
    let probe = Envelope(id: 5, body: Request.probe(Probe(answerBytes: 9)), payload: [[1, 2]])
    let commit = StepCommit(
      step: 6, epoch: 2, outcome: .trained, tickets: [12, 13], version: Samples.version,
      stateDigest: Samples.digest, checkpoint: "step-000007", trajectories: Samples.trained)
    let group = Samples.group(Samples.train).encoded()
    let submission = Submission(key: Samples.train, digest: Samples.digest)
    var heartbeat = Heartbeat(
      holding: [Samples.train], version: Samples.version, state: "sampling", stateMilliseconds: 1,
      tokensSampled: 2, groupsSubmitted: 3, idleMilliseconds: 4)
    let plain = heartbeat
    heartbeat.sentMicroseconds = 5
    heartbeat.offsetMicroseconds = -6
    heartbeat.roundTripMicroseconds = 7
    heartbeat.spans = SpanBatch(
      clock: "boot/time", names: ["decode"], threads: ["compute"],
      rows: [.init(name: 0, thread: 0, id: 1, start: 2, duration: 3, amount: 4)])
    return examples.map { FrameList.write([$0]) } + [
      FrameList.write(Envelope(id: 3, body: Request.heartbeat(plain)).encoded()),
      FrameList.write(Envelope(id: 4, body: Request.heartbeat(heartbeat)).encoded()),
      FrameList.write(Envelope(id: 1, body: Request.commit(commit)).encoded()),
      FrameList.write(probe.encoded()),
      FrameList.write(
        Envelope(id: 2, body: Request.submit(submission), payload: [group]).encoded()),
    ]
  } attempt: { bytes in
    let frames = FrameList.read(bytes)
    let request: Envelope<Request>
    do throws(Refusal) {
      request = try Envelope<Request>(decoding: frames)
    } catch {
      // What a service does with every message it refuses.
      _ = Envelope<Reply>(refusing: frames, error).encoded()
      return false
    }
    try expectStable("a request", request.encoded()) {
      try Envelope<Request>(decoding: $0).encoded()
    }
    return true
  }
}
