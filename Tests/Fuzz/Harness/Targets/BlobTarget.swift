// The talk with the weight server: requests, replies and announcements, of which the first frame
// tells one from another only by trying.

import Experience
import Wire

extension FuzzTarget {
  static let blobs = FuzzTarget("blobs", .frames) {
    let chunk = Envelope(
      id: 2, body: BlobReply.chunk(digest: Samples.digest, offset: 3, total: 5), payload: [[8, 9]])
    let probe = Envelope(id: 3, body: BlobRequest.probe(Probe(answerBytes: 9)), payload: [[1, 2]])
    let probed = Envelope(
      id: 3, body: BlobReply.probed(Probed(service: "weights", receivedBytes: 2)),
      payload: [[3, 4, 5]])
    let json =
      try Corpus.wireExamples("blob-request", without: ["probe"])
      + Corpus.wireExamples("announcement")
      + Corpus.wireExamples("blob-reply", without: ["chunk", "probed"])
    return json.map { FrameList.write([$0]) }
      + [chunk.encoded(), probe.encoded(), probed.encoded()].map(FrameList.write)
  } attempt: { bytes in
    let frames = FrameList.read(bytes)
    var isAccepted = false
    if let request = try? Envelope<BlobRequest>(decoding: frames) {
      try expectStable("a request for bytes", request.encoded()) {
        try Envelope<BlobRequest>(decoding: $0).encoded()
      }
      isAccepted = true
    }
    if let reply = try? Envelope<BlobReply>(decoding: frames) {
      try expectStable("a reply of bytes", reply.encoded()) {
        try Envelope<BlobReply>(decoding: $0).encoded()
      }
      isAccepted = true
    }
    if let first = frames.first, let heard = try? Snapshot(decodingAnnouncement: first) {
      try expectStable("an announcement", [heard.encodedAnnouncement()]) {
        [try Snapshot(decodingAnnouncement: $0[0]).encodedAnnouncement()]
      }
      isAccepted = true
    }
    return isAccepted
  }
}
