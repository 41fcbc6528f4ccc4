// Percentiles of a histogram against the durations themselves, sorted.

import Operations
import Testing

@Suite struct HistogramTests {
  /// Durations of every size from nanoseconds to an hour, in a fixed disorder.
  private static let durations: [Int64] = {
    var state: UInt64 = 7
    return (0..<20_000).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let octave = Int64(state >> 58) % 42
      let mantissa = Int64(bitPattern: state >> 1) & ((1 << octave) - 1)
      return min((1 << octave) | mantissa, 3_600_000_000_000)
    }
  }()

  private static func histogram(_ durations: some Sequence<Int64>) -> Histogram {
    var histogram = Histogram()
    for duration in durations { histogram.record(duration) }
    return histogram
  }

  @Test(arguments: [0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1])
  func `a percentile is within half a percent of the sorted one`(share: Double) {
    let sorted = Self.durations.sorted()
    let rank = max(1, Int((share * Double(sorted.count)).rounded(.up)))
    let exact = sorted[rank - 1]
    let told = Self.histogram(sorted).percentile(share)
    #expect(Double(abs(told - exact)) <= 0.005 * Double(exact), "\(told) for \(exact)")
  }

  @Test func `percentiles lean to neither side`() {
    // Of durations evenly spread over an octave, the middles of buckets are right on average.
    let errors = stride(from: 131_072, to: 262_144, by: 131).map { (exact: Int64) -> Double in
      let told = Self.histogram([1, exact, 1_000_000]).percentile(0.5)
      return Double(told - exact) / Double(exact)
    }
    #expect(abs(errors.reduce(0, +) / Double(errors.count)) < 0.0005)
    #expect(errors.contains { $0 > 0.002 } && errors.contains { $0 < -0.002 })
  }

  @Test func `two histograms merged are the histogram of both`() {
    let (left, right) = (Self.durations.prefix(7000), Self.durations.dropFirst(7000))
    var merged = Self.histogram(left)
    merged.merge(Self.histogram(right))
    merged.merge(Histogram())
    var whole = Self.histogram(Self.durations)
    #expect(merged.percentile(0.999) == whole.percentile(0.999))
    #expect(merged.least == whole.least)
    #expect(merged.greatest == whole.greatest)
    #expect(merged.count == 20_000)
    whole.merge(merged)
    #expect(whole.count == 40_000)
  }

  @Test func `the ends are exact, and what is beyond an hour is counted at its own length`() {
    var histogram = Histogram()
    #expect(histogram.percentile(0.5) == 0 && histogram.mean == 0)
    let tenHours: Int64 = 36_000_000_000_000
    for duration in [-5, 3, 1000, tenHours] { histogram.record(duration) }
    #expect(histogram.least == 0)
    #expect(histogram.greatest == tenHours)
    #expect(histogram.percentile(1) == tenHours)
    #expect(histogram.percentile(0.5) == 3)
    let mean = Double(1003 + tenHours) / 4
    #expect(histogram.mean == mean)
  }
}
