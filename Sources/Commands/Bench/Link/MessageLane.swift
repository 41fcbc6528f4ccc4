// ZeroMQ, bare or under CURVE: probes to whoever answers them, a live run's replay and weight
// server as well as the far end of this benchmark.

import Experience
import Messaging
import Operations
import Wire

final class MessageLane: LinkLane {
  /// Requests on their way: as deep as a fetcher's window, and half of what a server queues.
  private static let window = 32
  private static let answerMilliseconds = 30_000
  /// Of the first answer, which a handshake comes before.
  static let firstMilliseconds = 8_000
  /// Answers a rate is told by at the least.
  private static let leastArrivals = 8
  /// A stream ends by then, however few they are.
  private static let longestSeconds = 30.0

  private let client: DealerClient
  private let noise = RawTransfer.bytes(LinkLimits.maximumPiece)
  private var nextID = 0
  /// The next round trip's request.
  private var ready: (bytes: Int, frames: Frames)?
  /// Who answers: "replay", "weights", "bench".
  private(set) var service = ""

  init(_ endpoint: String, keys: ClientKeys?) throws {
    client = try DealerClient(
      to: endpoint, peer: "the other end", in: MessagingContext(), keys: keys)
    let answer = try exchange(
      Probe(answerBytes: 0), payload: [], milliseconds: Self.firstMilliseconds)
    service = answer.service
  }

  /// The size of the newest version; nil of who serves none.
  func versionBytes() throws -> Int? {
    guard service == "weights" else { return nil }
    let frames = try client.exchange(
      Envelope(id: 0, body: BlobRequest.locate(version: nil)).encoded(), matching: { _ in true },
      deadlineMilliseconds: Self.answerMilliseconds)
    guard case .located(let snapshot) = try Envelope<BlobReply>(decoding: frames).body else {
      return nil
    }
    return snapshot.byteCount
  }

  private func probe(_ bytes: Int, wanting answerBytes: Int) -> Frames {
    nextID += 1
    return Envelope(
      id: nextID, body: Request.probe(Probe(answerBytes: answerBytes)),
      payload: [bytes == noise.count ? noise : Array(noise.prefix(bytes))]
    ).encoded()
  }

  private func send(_ frames: Frames) throws {
    try client.send(frames, deadlineMilliseconds: Self.answerMilliseconds)
  }

  private func receive(milliseconds: Int = answerMilliseconds) throws -> Probed {
    try read(
      client.awaitReply(matching: { _ in true }, deadlineMilliseconds: milliseconds))
  }

  private func read(_ frames: Frames) throws -> Probed {
    switch try Envelope<Reply>(decoding: frames).body {
    case .probed(let probed): return probed
    case .refused(let refusal):
      throw Failure(
        "measure the link to", on: client.endpoint,
        happened: "it was refused: \(refusal.sentence)",
        remedy: refusal.code == .busy
          ? "wait until others have measured, or lower --parallel"
          : "run the same release of Forage on both sides, and take a key of this run",
        exitCode: .refused)
    case let other:
      throw Failure(
        "measure the link to", on: client.endpoint, happened: "the answer was \(other)",
        remedy: "check that replay or the weights of a run are there", exitCode: .badInput)
    }
  }

  private func exchange(_ probe: Probe, payload: [UInt8], milliseconds: Int) throws -> Probed {
    nextID += 1
    let envelope = Envelope(id: nextID, body: Request.probe(probe), payload: [payload])
    try client.send(envelope.encoded(), deadlineMilliseconds: milliseconds)
    return try receive(milliseconds: milliseconds)
  }

  func roundTrip(bytes: Int) throws -> Int64 {
    guard bytes <= LinkLimits.maximumPiece else { return try roundTripInPieces(bytes) }
    // Made before its time from the second on: nor is writing JSON the link's time.
    let request = ready?.bytes == bytes ? ready!.frames : probe(bytes, wanting: bytes)
    try send(request)
    let answer = try client.awaitReply(
      matching: { _ in true }, deadlineMilliseconds: Self.answerMilliseconds)
    let moment = MonotonicClock.now
    _ = try read(answer)
    ready = (bytes, probe(bytes, wanting: bytes))
    return moment
  }

  /// All there, the last of them asks for the first one back.
  private func roundTripInPieces(_ bytes: Int) throws -> Int64 {
    let pieces = stride(from: 0, to: bytes, by: LinkLimits.maximumPiece).map {
      min(LinkLimits.maximumPiece, bytes - $0)
    }
    var requests = pieces.dropLast().map { (bytes: $0, answer: 0) }
    requests.append((pieces[pieces.count - 1], pieces[0]))
    requests += pieces.dropFirst().map { (bytes: 0, answer: $0) }
    var sent = 0
    for received in requests.indices {
      while sent < requests.count, sent - received < Self.window {
        try send(probe(requests[sent].bytes, wanting: requests[sent].answer))
        sent += 1
      }
      _ = try receive()
    }
    return MonotonicClock.now
  }

  func stream(_ way: LinkWay, bytes: Int, seconds: Double) throws -> Double {
    let size = min(bytes, LinkLimits.maximumPiece)
    var rate = SteadyRate(warmSeconds: LinkLimits.warmSeconds(seconds))
    let end = Deadline.after(seconds: seconds)
    let last = Deadline.after(seconds: Self.longestSeconds)
    var flying = 0
    // One more with each answer: a thin link is filled and not flooded, because what is on its way
    // at the end must still be waited for.
    var window = 2
    while true {
      let isTold = rate.arrivals >= Self.leastArrivals && rate.isTold(by: seconds)
      if (end.hasPassed && isTold) || last.hasPassed { break }
      while flying < window {
        try send(way == .there ? probe(size, wanting: 0) : probe(0, wanting: size))
        flying += 1
      }
      _ = try receive()
      flying -= 1
      rate.note(size, now: MonotonicClock.now)
      if window < Self.window, !end.hasPassed { window += 1 }
    }
    while flying > 0 {
      _ = try receive()
      flying -= 1
    }
    guard let rate = rate.bytesPerSecond else { throw RawLane.empty(client.endpoint) }
    return rate
  }
}
