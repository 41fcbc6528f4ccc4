// Bytes as bare ZeroMQ messages of 1 MiB, asked for with a window of requests on their way: what
// the messaging library gives without our protocol, pieces and digests.

import Messaging
import Operations

enum RawTransfer {
  static let chunkBytes = 1 << 20
  /// Requests on their way from one receiver: as many bytes as a fetcher's window.
  private static let window = 8
  static let patienceMilliseconds = 120_000

  /// Bytes that differ from one another, quickly made.
  static func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var state: UInt32 = 1
      for index in 0..<count {
        state = state &* 1_664_525 &+ 1_013_904_223
        buffer[index] = UInt8(truncatingIfNeeded: state >> 24)
      }
      initialized = count
    }
  }

  /// Seconds each of `receivers` took to get `count` bytes from a router bound at `address`.
  static func race(to receivers: Int, at address: String, count: Int) throws -> [Double] {
    let chunks = (count + chunkBytes - 1) / chunkBytes
    let bound = Monitor<Result<String, any Error>?>(nil)
    let stop = try EventFD()
    let sender = try WorkerThread(name: "raw") {
      do {
        try serve(address, stop: stop) { endpoint in
          bound.withLock { $0 = .success(endpoint) }
          bound.wakeAll()
        }
      } catch {
        bound.withLock { if $0 == nil { $0 = .failure(error) } }
        bound.wakeAll()
        throw error
      }
    }
    defer {
      stop.signal()
      _ = sender.join(deadline: .after(seconds: 10))
    }
    guard let result = bound.wait(deadline: .after(seconds: 10), until: { $0 }) else {
      throw Waiting(for: "a thread to bind").expired(remedy: "check the load of this machine")
    }
    let endpoint = try result.get()
    return try StartingLine.race(receivers, name: "receiver") { _, line in
      let client = try DealerClient(to: endpoint, peer: "the sender", in: MessagingContext())
      // One answer, and the connection stands.
      _ = try client.exchange(
        [[0]], matching: { _ in true }, deadlineMilliseconds: patienceMilliseconds)
      try line.wait()
      try receive(chunks, client)
    }
  }

  /// Answers every message of one byte with a chunk, until told to stop.
  private static func serve(_ address: String, stop: EventFD, bound: (String) -> Void) throws {
    var limits = SocketLimits()
    limits.maximumFrameBytes = chunkBytes
    let router = try Socket(.router, in: MessagingContext(), limits: limits)
    bound(try router.bind(to: address))
    let chunk = bytes(chunkBytes)
    let poller = Poller()
    poller.add(router)
    let stopped = poller.add(fileDescriptor: stop.fileDescriptor)
    while true {
      try poller.wait(timeoutMilliseconds: 1000)
      if !poller[stopped].isEmpty { return }
      while let frames = try router.receive() { _ = try router.send([frames[0], chunk]) }
    }
  }

  private static func receive(_ chunks: Int, _ client: DealerClient) throws {
    var asked = 0
    var received = 0
    while received < chunks {
      while asked < chunks, asked - received < window {
        try client.send([[0]], deadlineMilliseconds: patienceMilliseconds)
        asked += 1
      }
      _ = try client.awaitReply(
        matching: { _ in true }, deadlineMilliseconds: patienceMilliseconds)
      received += 1
    }
  }
}
