// Two clocks told apart by heartbeats alone, on made links whose delays are known: what is read
// must be what was put in, and what cannot be read must lie within the stated bar.

import Operations
import Testing

@Suite struct ClockFitTests {
  private static let millisecond: Int64 = 1_000_000
  private static let second: Int64 = 1_000_000_000
  /// Of the clock here, when the first heartbeat goes.
  private static let began: Int64 = 100 * second

  /// A link between a clock and another that is ahead by `ahead` and gains `drift`.
  private struct Link {
    var there: Int64 = 0
    var back: Int64 = 0
    var ahead: Int64 = 0
    var drift = 0.0
    /// Mean of what queues add to each way.
    var jitter = 0.0
    private var state: UInt64 = 99

    init(
      there: Int64, back: Int64, ahead: Int64, drift: Double = 0, jitter: Double = 0
    ) {
      self.there = there
      self.back = back
      self.ahead = ahead
      self.drift = drift
      self.jitter = jitter
    }

    private mutating func uniform() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53)
    }

    /// Mostly short, now and then long.
    private mutating func queue() -> Int64 { Int64(jitter * uniform() * uniform() * uniform() * 8) }

    func other(_ moment: Int64) -> Int64 {
      moment + ahead + Int64(Double(moment) * drift / 1e6)
    }

    mutating func samples(_ count: Int) -> [ClockSample] {
      (0..<count).map { index in
        let sent = ClockFitTests.began + Int64(index) * ClockFitTests.second
        let received = sent + there + queue()
        let answered = received + 300_000
        let returned = answered + back + queue()
        return ClockSample(
          sent: sent, received: other(received), answered: other(answered), returned: returned)!
      }
    }
  }

  @Test func `20 ms each way read as 40 ms, and the offset as it is, within a millisecond`() throws
  {
    var link = Link(
      there: 20 * Self.millisecond, back: 20 * Self.millisecond, ahead: 3 * 3600 * Self.second,
      jitter: 5e6)
    let fit = try #require(ClockFit(link.samples(120)))
    let error = fit.leastRoundTrip - 40 * Self.millisecond
    #expect((0...Self.millisecond).contains(error), "\(fit.leastRoundTrip)")
    let middle = Self.began + 60 * Self.second
    #expect(abs(fit.offset(at: middle) - link.ahead) < Self.millisecond)
    #expect(fit.bar(at: middle) >= 20 * Self.millisecond)
  }

  @Test func `a delay on one way alone stays within the stated bar`() throws {
    for (there, back) in [(Int64(40), Int64(0)), (0, 40), (7, 90)] {
      var link = Link(
        there: there * Self.millisecond, back: back * Self.millisecond, ahead: -5 * Self.second,
        jitter: 1e6)
      let fit = try #require(ClockFit(link.samples(64)))
      for passed in stride(from: 0, to: 64 * Self.second, by: Int(Self.second) / 3) {
        let moment = Self.began + passed
        let wrong = abs(fit.offset(at: moment) - link.ahead)
        #expect(wrong <= fit.bar(at: moment), "\(there) and \(back) ms: wrong by \(wrong)")
      }
      // And the bar is no empty promise: it is of the size of the delay.
      #expect(fit.bar(at: Self.began + 30 * Self.second) < (there + back) * Self.millisecond)
    }
  }

  @Test func `a drift of 50 parts in a million is found, and followed`() throws {
    var link = Link(
      there: Self.millisecond, back: Self.millisecond, ahead: Self.second, drift: 50, jitter: 5e5)
    let fit = try #require(ClockFit(link.samples(300)))
    // Windows differ by some ten microseconds; over 300 s that is a few parts in 10^8.
    #expect(abs(fit.driftPartsPerMillion - 50) < 1)
    for passed in [Int64(0), 150 * Self.second, 299 * Self.second] {
      let moment = Self.began + passed
      let truth = link.other(moment) - moment
      #expect(abs(fit.offset(at: moment) - truth) <= fit.bar(at: moment))
      #expect(abs(fit.offset(at: moment) - truth) < Self.millisecond / 2)
    }
  }

  @Test func `one sample has no drift, and its bar grows with the time from it`() throws {
    let fit = try #require(ClockFit([ClockSample(at: 0, roundTrip: 2000, offset: 70)]))
    #expect(fit.driftPartsPerMillion == 0)
    #expect(fit.offset(at: 0) == 70)
    #expect(fit.bar(at: 0) == 1000)
    #expect(fit.bar(at: Self.second) == 1000 + 100_000)
    #expect(ClockFit([]) == nil)
  }

  @Test func `samples beyond belief put a clock no further away than can be added to a moment`()
    throws
  {
    let limit = ClockFit.offsetLimit
    /// Two windows, eight nanoseconds apart.
    func fit(_ first: Int64, _ second: Int64) throws -> ClockFit {
      let samples = (0..<2 * ClockFit.windowCount).map { index in
        ClockSample(
          at: Int64(index), roundTrip: 2000,
          offset: index < ClockFit.windowCount ? first : second)
      }
      return try #require(ClockFit(samples))
    }
    // From 73 years behind to 73 years ahead; the bar says what such a line is worth.
    let torn = try fit(-limit, limit)
    #expect(torn.driftPartsPerMillion == ClockFit.slopeLimitPartsPerMillion)
    for moment in [0, limit] {
      #expect(abs(torn.offset(at: moment)) < limit)
      #expect(torn.bar(at: moment) >= limit)
    }
    // A tenth of 73 years more, and still what can be added to a moment.
    let far = try fit(limit - 1_000_000, limit)
    #expect(far.offset(at: limit) == limit)
    #expect(far.shifted(limit) == 2 * limit)
  }

  @Test func `clocks that are one have no offset and no bar`() {
    #expect(ClockFit.same.shifted(123) == 123)
    #expect(ClockFit.same.bar(at: 123) == 0)
  }

  @Test func `moments that no clock gave make no sample`() {
    #expect(ClockSample(sent: 10, received: 0, answered: 0, returned: 9) == nil)
    #expect(ClockSample(sent: 10, received: 5, answered: 4, returned: 20) == nil)
    #expect(ClockSample(sent: 10, received: 0, answered: 50, returned: 20) == nil)
    #expect(ClockSample(sent: 10, received: .max, answered: .max, returned: 20) == nil)
  }

  @Test func `the watch keeps the shortest of the newest round trips`() {
    var watch = ClockWatch()
    #expect(watch.best == nil)
    watch.take(ClockSample(at: 0, roundTrip: 5, offset: 1))
    for index in 1...ClockWatch.windowCount {
      #expect(watch.best?.roundTrip == 5)
      watch.take(ClockSample(at: Int64(index), roundTrip: 9, offset: 2))
    }
    #expect(watch.best?.roundTrip == 9)
  }

  @Test func `a way shorter than its bar is not separable`() {
    #expect(!OneWay(nanoseconds: 900, bar: 1000).isSeparable)
    #expect(!OneWay(nanoseconds: -50, bar: 0).isSeparable)
    #expect(OneWay(nanoseconds: 1100, bar: 1000).isSeparable)
  }
}
