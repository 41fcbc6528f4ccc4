// One connection over which a link is measured, by whatever transport: each measures the same
// things, so that their figures stand side by side.

import Operations

/// From the measuring end: away from it, or toward it.
enum LinkWay: String, CaseIterable { case there, back }

protocol LinkLane {
  /// A message of so many bytes goes there, whole, and as many come back. The moment they were
  /// back: what the prober then makes of them is not the link's time.
  func roundTrip(bytes: Int) throws -> Int64
  /// Messages of so many bytes one after another for about `seconds`; bytes a second, once they
  /// flow.
  func stream(_ way: LinkWay, bytes: Int, seconds: Double) throws -> Double
}

/// How lanes are made; each on the thread that will use it.
struct LinkTransport: Sendable {
  /// "tcp", "zeromq", "curve".
  let name: String
  let open: @Sendable () throws -> any LinkLane
}

enum LinkLimits {
  static let sizes = 64...(64 << 20)
  /// Messages of a stream: what Forage's own are at most. Larger ones are cut.
  static let maximumPiece = 1 << 20
  /// Of a stream, before it counts.
  static func warmSeconds(_ seconds: Double) -> Double { seconds / 4 }
}

/// Bare TCP to `forage bench link --listen`.
final class RawLane: LinkLane {
  static let connectSeconds = 5

  private let address: LinkAddress
  private let memory: UnsafeMutableRawPointer
  /// The connection that echoes, and messages of which size.
  private var echo: (stream: TCPStream, bytes: Int)?

  init(_ address: LinkAddress) {
    self.address = address
    memory = .allocate(byteCount: LinkLimits.sizes.upperBound, alignment: 4096)
    LinkNoise.fill(memory, count: LinkLimits.sizes.upperBound)
  }

  deinit { memory.deallocate() }

  private func open(_ request: String) throws -> TCPStream {
    let stream = try TCPStream.connect(to: address, seconds: Self.connectSeconds)
    _ = try LinkGreeting(reading: stream)
    try stream.writeLine(request)
    return stream
  }

  func roundTrip(bytes: Int) throws -> Int64 {
    let stream: TCPStream
    if let echo, echo.bytes == bytes {
      stream = echo.stream
    } else {
      stream = try open("echo \(bytes)")
      echo = (stream, bytes)
    }
    try stream.write(memory, count: bytes)
    try stream.readAll(memory, count: bytes)
    return MonotonicClock.now
  }

  /// A machine that is busy with other things is asked again.
  private static let attempts = 5

  func stream(_ way: LinkWay, bytes: Int, seconds: Double) throws -> Double {
    for _ in 0..<Self.attempts {
      let rate = try attempt(way, bytes: bytes, seconds: seconds)
      if Double(rate.nanoseconds) / 1e9 >= seconds / 2 {
        return Double(rate.bytes) * 1e9 / Double(rate.nanoseconds)
      }
    }
    throw Self.empty(address.text)
  }

  /// What came once it flowed.
  private func attempt(
    _ way: LinkWay, bytes: Int, seconds: Double
  ) throws -> (bytes: Int, nanoseconds: Int) {
    let milliseconds = Int(seconds * 1000)
    let warm = Int(LinkLimits.warmSeconds(seconds) * 1000)
    switch way {
    case .there:
      let stream = try open("sink \(warm)")
      let end = Deadline.after(seconds: seconds)
      while !end.hasPassed { try stream.write(memory, count: bytes) }
      stream.finish()
      guard let words = try stream.readLine(), words.count == 2, let count = Int(words[0]),
        let nanoseconds = Int(words[1])
      else { throw Self.empty(address.text) }
      return (count, nanoseconds)
    case .back:
      let stream = try open("source \(bytes) \(milliseconds)")
      var rate = SteadyRate(warmSeconds: LinkLimits.warmSeconds(seconds))
      while true {
        let got = try stream.read(memory, atMost: LinkLimits.maximumPiece)
        if got == 0 { break }
        rate.note(got, now: MonotonicClock.now)
      }
      return (rate.steadyBytes, Int(rate.steadyNanoseconds))
    }
  }

  static func empty(_ address: String) -> Failure {
    Failure(
      "measure", on: address, happened: "too little came to tell a rate by",
      remedy: "measure longer (--seconds) or smaller messages (--sizes)", exitCode: .unavailable)
  }
}

enum LinkNoise {
  /// Bytes that no link's compression makes smaller.
  static func fill(_ memory: UnsafeMutableRawPointer, count: Int) {
    let pattern = RawTransfer.bytes(min(count, LinkLimits.maximumPiece))
    var done = 0
    while done < count {
      let part = min(pattern.count, count - done)
      pattern.withUnsafeBytes { (memory + done).copyMemory(from: $0.baseAddress!, byteCount: part) }
      done += part
    }
  }
}
