// How long things took, as counts by length: any number of durations in 37 KB, percentiles to two
// significant digits, and two histograms add up to the histogram of both.
//
// A mean hides the one wait in a thousand that stops a step, and keeping every duration of a night
// is a file of its own. Buckets are linear within each power of two (Tene's HdrHistogram): 128 to
// an octave, so that a bucket is narrower than 1 % of what it holds.

/// Durations in nanoseconds, from 0 to above an hour; longer ones count in the last bucket.
public struct Histogram: Sendable, Equatable {
  private static let subBuckets = 128
  private static let subBucketBits = 7
  /// The highest octave starts at 2^41 ns, 37 minutes; an hour is in it.
  private static let highestOctave = 41
  private static let bucketCount = 2 * subBuckets + (highestOctave - subBucketBits) * subBuckets

  private var buckets: [UInt64] = Array(repeating: 0, count: bucketCount)
  public private(set) var count: UInt64 = 0
  /// Exact, unlike the percentiles; 0 without durations.
  public private(set) var greatest: Int64 = 0
  /// Exact; 0 without durations.
  public private(set) var least: Int64 = 0
  /// Of all durations, in nanoseconds.
  public private(set) var sum: Double = 0

  public init() {}

  /// Counts one duration. A negative one, which a monotonic clock never gives, counts as 0.
  public mutating func record(_ nanoseconds: Int64) {
    let duration = max(0, nanoseconds)
    buckets[Self.bucket(of: duration)] += 1
    least = count == 0 ? duration : min(least, duration)
    greatest = max(greatest, duration)
    sum += Double(duration)
    count += 1
  }

  public mutating func merge(_ other: Histogram) {
    guard other.count > 0 else { return }
    for index in buckets.indices { buckets[index] += other.buckets[index] }
    least = count == 0 ? other.least : min(least, other.least)
    greatest = max(greatest, other.greatest)
    sum += other.sum
    count += other.count
  }

  /// Nanoseconds; 0 without durations.
  public var mean: Double { count == 0 ? 0 : sum / Double(count) }

  /// The duration that `share` (0 to 1) of all do not exceed, told by the middle of its bucket:
  /// within 0.5 % of it, to either side alike; the greatest one exact. 0 without durations.
  public func percentile(_ share: Double) -> Int64 {
    precondition((0...1).contains(share), "the share \(share), expected 0 to 1")
    // The smallest rank that covers the share, and the shortest duration of all for 0.
    let rank = max(1, UInt64((share * Double(count)).rounded(.up)))
    guard rank < count else { return greatest }
    var seen: UInt64 = 0
    for (index, here) in buckets.enumerated() where here > 0 {
      seen += here
      if seen >= rank { return min(max(Self.middle(of: index), least), greatest) }
    }
    return greatest
  }

  /// How many durations are known not to exceed this one: those in the bucket it falls in, less
  /// than 1 % wide, count only where the bucket ends there.
  public func count(atMost nanoseconds: Int64) -> UInt64 {
    var seen: UInt64 = 0
    for (index, here) in buckets.enumerated() where here > 0 {
      guard Self.upperEnd(of: index) <= nanoseconds else { break }
      seen += here
    }
    return seen
  }

  /// Exact below 256 ns; above, the octave and the seven bits after the leading one.
  private static func bucket(of duration: Int64) -> Int {
    guard duration >= 2 * subBuckets else { return Int(duration) }
    let octave = 63 - duration.leadingZeroBitCount
    guard octave <= highestOctave else { return bucketCount - 1 }
    let shift = octave - subBucketBits
    return shift * subBuckets + Int(duration >> shift)
  }

  private static func middle(of bucket: Int) -> Int64 {
    let longest = upperEnd(of: bucket)
    guard bucket > 0, longest < .max else { return longest }
    return longest - (longest - upperEnd(of: bucket - 1)) / 2
  }

  /// The longest duration the bucket holds.
  private static func upperEnd(of bucket: Int) -> Int64 {
    guard bucket >= 2 * subBuckets else { return Int64(bucket) }
    guard bucket < bucketCount - 1 else { return .max }
    let shift = bucket / subBuckets - 1
    return (Int64(bucket - shift * subBuckets + 1) << shift) - 1
  }
}
