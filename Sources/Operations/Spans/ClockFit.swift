// How far another process's clock is ahead of this one's, from the four moments of a heartbeat:
//
//     sent t0 here, received t1 there, answered t2 there, returned t3 here
//     round trip = (t3 - t0) - (t2 - t1)      offset = ((t1 - t0) + (t2 - t3)) / 2
//
// (Mills, RFC 5905). Were both ways equally long the offset would be exact; whatever they are, it
// is wrong by at most half of the round trip, and that bar goes with every figure made of it. What
// waits in a queue makes a round trip longer, so of each window of samples the shortest alone
// counts. Crystals differ by some parts in a million: a line through those of all windows follows.

import Glibc

/// One round trip, nanoseconds.
public struct ClockSample: Equatable, Sendable {
  /// When it began, by the clock here.
  public var at: Int64
  public var roundTrip: Int64
  /// What the other clock is ahead of this one, had both ways been equal.
  public var offset: Int64

  public init(at: Int64, roundTrip: Int64, offset: Int64) {
    self.at = at
    self.roundTrip = roundTrip
    self.offset = offset
  }

  /// Nil for moments that no clock which only goes forward can have given.
  public init?(sent: Int64, received: Int64, answered: Int64, returned: Int64) {
    // Sums of a few must not overflow, whatever a peer says.
    let sane = Int64(0)...(1 << 61)
    guard [sent, received, answered, returned].allSatisfy(sane.contains), returned >= sent,
      answered >= received
    else { return nil }
    let roundTrip = (returned - sent) - (answered - received)
    guard roundTrip >= 0 else { return nil }
    self.init(
      at: sent, roundTrip: roundTrip, offset: ((received - sent) + (answered - returned)) / 2)
  }

  /// As heartbeats and their answers have them; nil where replay told none.
  public init?(
    sentMicroseconds sent: Int?, receivedMicroseconds received: Int?,
    answeredMicroseconds answered: Int?, returned: Int64
  ) {
    guard let sent, let received, let answered else { return nil }
    // Far beyond any machine's age, and well below what overflows.
    let sane = 0...(1 << 50)
    guard sane.contains(sent), sane.contains(received), sane.contains(answered) else { return nil }
    self.init(
      sent: Int64(sent) * 1000, received: Int64(received) * 1000, answered: Int64(answered) * 1000,
      returned: returned)
  }

  /// Half of the round trip: as wrong as the offset can be.
  public var bar: Int64 { (roundTrip + 1) / 2 }
}

/// The newest samples, for a figure while things run.
public struct ClockWatch: Sendable {
  /// A window of heartbeats, one a second.
  public static let windowCount = 16

  private var samples: [ClockSample] = []

  public init() {}

  public mutating func take(_ sample: ClockSample) {
    samples.append(sample)
    if samples.count > Self.windowCount { samples.removeFirst() }
  }

  /// The one of the shortest round trip; nil before the first.
  public var best: ClockSample? { samples.min { $0.roundTrip < $1.roundTrip } }
}

/// A clock fitted over all samples there are.
public struct ClockFit: Sendable {
  /// Samples of which the one with the shortest round trip counts: eight seconds of heartbeats.
  public static let windowCount = 8
  /// No crystal of a computer is worse: what an offset may move beyond the samples it rests on.
  static let driftLimitPartsPerMillion = 100.0
  /// What one clock may gain on another while somebody sets it right: Linux lets a tick be a tenth
  /// longer or shorter (adjtimex). Samples that say more are made up, or lie too close together.
  package static let slopeLimitPartsPerMillion = 100_000.0
  /// As far as samples may say clocks are apart, so that it can be added to any moment of a span.
  package static let offsetLimit = Int64(1) << 61

  /// The sample of each window.
  public let chosen: [ClockSample]
  /// What the other clock gains on this one.
  public let driftPartsPerMillion: Double
  private let middle: Int64
  private let offsetAtMiddle: Double

  /// The clocks are one: every offset is 0, exactly.
  public static let same = ClockFit()

  private init() {
    chosen = []
    driftPartsPerMillion = 0
    (middle, offsetAtMiddle) = (0, 0)
  }

  /// Nil without samples, which are in the order of time.
  public init?(_ samples: [ClockSample]) {
    guard !samples.isEmpty else { return nil }
    var chosen: [ClockSample] = []
    for start in stride(from: 0, to: samples.count, by: Self.windowCount) {
      let window = samples[start..<min(samples.count, start + Self.windowCount)]
      chosen.append(window.min { $0.roundTrip < $1.roundTrip }!)
    }
    // A last window of a few may have met no quiet moment.
    if chosen.count > 1, samples.count % Self.windowCount != 0,
      chosen[chosen.count - 1].roundTrip > 2 * chosen[chosen.count - 2].roundTrip
    {
      chosen.removeLast()
    }
    self.chosen = chosen
    // Least squares, a sample's weight 1 / bar^2, about the middle so that no digit is lost.
    let middle = chosen[chosen.count / 2].at
    var (weights, times, offsets, squares, products) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for sample in chosen {
      let weight = 1 / pow(Double(max(1, sample.bar)), 2)
      let time = Double(sample.at - middle)
      weights += weight
      times += weight * time
      offsets += weight * Double(sample.offset)
      squares += weight * time * time
      products += weight * time * Double(sample.offset)
    }
    let spread = weights * squares - times * times
    let limit = Self.slopeLimitPartsPerMillion / 1e6
    let slope =
      chosen.count < 2 || spread <= 0
      ? 0 : max(-limit, min(limit, (weights * products - times * offsets) / spread))
    self.middle = middle
    driftPartsPerMillion = slope * 1e6
    offsetAtMiddle = (offsets - slope * times) / weights
  }

  /// What the other clock is ahead at a moment of the clock here.
  public func offset(at moment: Int64) -> Int64 {
    let limit = Double(Self.offsetLimit)
    let offset = offsetAtMiddle + driftPartsPerMillion / 1e6 * Double(moment - middle)
    return Int64(max(-limit, min(limit, offset.rounded())))
  }

  /// A moment of the clock here, by the other one.
  public func shifted(_ moment: Int64) -> Int64 { moment + offset(at: moment) }

  /// As wrong as `offset` can be there. At a chosen sample that is half of its round trip and what
  /// the line misses it by; between two, as both the line and the truth are straight, no more than
  /// at the worse of them; beyond the last, what a bad crystal gains comes on top.
  public func bar(at moment: Int64) -> Int64 {
    guard let first = chosen.first, let last = chosen.last else { return 0 }
    let next = following(moment)
    let beyond = max(0, max(first.at - moment, moment - last.at))
    let gained = Double(beyond) * Self.driftLimitPartsPerMillion / 1e6
    let around = chosen[max(0, next - 1)...next]
    return around.reduce(0) { max($0, $1.bar + abs(offset(at: $1.at) - $1.offset)) }
      + Int64(gained)
  }

  /// The shortest round trip of all, nanoseconds; 0 for one clock.
  public var leastRoundTrip: Int64 { chosen.map(\.roundTrip).min() ?? 0 }

  /// The first chosen sample at or after the moment, or the last.
  private func following(_ moment: Int64) -> Int {
    var (low, high) = (0, chosen.count - 1)
    while low < high {
      let half = (low + high) / 2
      if chosen[half].at < moment { low = half + 1 } else { high = half }
    }
    return low
  }
}

/// A duration from a moment of one clock to a moment of another.
public struct OneWay: Equatable, Sendable {
  public var nanoseconds: Int64
  /// As wrong as it can be; 0 where both moments are of one clock.
  public var bar: Int64

  public init(nanoseconds: Int64, bar: Int64) {
    self.nanoseconds = nanoseconds
    self.bar = bar
  }

  /// False of one that is not larger than its own bar: it may as well be nothing.
  public var isSeparable: Bool { nanoseconds > bar }
}
