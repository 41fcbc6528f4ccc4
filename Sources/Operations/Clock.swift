// Two clocks. Every timeout, lease, order and duration uses the monotonic one, because wall time
// jumps; wall time serves only to stamp lines and rows that people read.

import Glibc

/// Nanoseconds since the machine started, which never go back.
public enum MonotonicClock {
  public static let nanosecondsPerSecond: Int64 = 1_000_000_000

  /// Nanoseconds of CLOCK_MONOTONIC.
  public static var now: Int64 {
    var time = timespec()
    let result = clock_gettime(CLOCK_MONOTONIC, &time)
    precondition(result == 0, "CLOCK_MONOTONIC failed with errno \(errno)")
    return Int64(time.tv_sec) * nanosecondsPerSecond + Int64(time.tv_nsec)
  }

  /// Seconds passed since a moment of this clock.
  public static func seconds(since moment: Int64) -> Double {
    Double(now - moment) / Double(nanosecondsPerSecond)
  }
}

/// Wall time, for stamps alone.
public enum WallClock {
  /// Milliseconds since 1970, for rows that people read.
  public static var milliseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// `12:03:44.123` in the machine's time zone.
  public static var timeStamp: String {
    let milliseconds = milliseconds
    let parts = local(milliseconds / 1000)
    return "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))."
      + padded(Int32(milliseconds % 1000), 3)
  }

  /// `2025-03-01 12:03:44` in the machine's time zone.
  public static var dateStamp: String {
    let parts = local(milliseconds / 1000)
    return "\(1900 + parts.tm_year)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
      + " \(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
  }

  /// `07:04` in so many seconds, with its date where that is a day away or more.
  public static func moment(after seconds: Double) -> String {
    let left = Int64(min(max(0, seconds), 1e10))
    let parts = local(milliseconds / 1000 + left)
    let time = "\(padded(parts.tm_hour)):\(padded(parts.tm_min))"
    guard left >= 86_400 else { return time }
    return "\(1900 + parts.tm_year)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday)) \(time)"
  }

  private static func local(_ seconds: Int64) -> tm {
    var time = time_t(seconds)
    var parts = tm()
    localtime_r(&time, &parts)
    return parts
  }

  private static func padded(_ number: Int32, _ width: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
