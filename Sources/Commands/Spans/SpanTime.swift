// Durations and clock offsets in words, with as many digits as they deserve.

enum SpanTime {
  /// "850 ns", "12.3 us", "4.56 ms", "1.23 s"; "-" for none.
  static func words(nanoseconds: Double?) -> String {
    guard let nanoseconds else { return "-" }
    switch abs(nanoseconds) {
    case ..<1e3: return "\(Int(nanoseconds)) ns"
    case ..<1e6: return "\(digits(nanoseconds / 1e3)) us"
    case ..<1e9: return "\(digits(nanoseconds / 1e6)) ms"
    default: return "\(digits(nanoseconds / 1e9)) s"
    }
  }

  static func words(_ nanoseconds: Int64) -> String { words(nanoseconds: Double(nanoseconds)) }

  static func words(microseconds: Double?) -> String {
    words(nanoseconds: microseconds.map { $0 * 1000 })
  }

  /// "1.20 ms ± 400 us": how far a clock is off, and as wrong as that can be; "-" for none.
  static func offset(microseconds: Double?, roundTrip: Double?) -> String {
    guard let microseconds, let roundTrip else { return "-" }
    return words(microseconds: microseconds) + " ± " + words(microseconds: roundTrip / 2)
  }

  /// Three digits, so that a column of them can be read down.
  private static func digits(_ value: Double) -> String {
    RunView.format(value, abs(value) < 10 ? 2 : abs(value) < 100 ? 1 : 0)
  }
}
