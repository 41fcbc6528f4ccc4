// The text a scraper reads, to the letter; Prometheus' own parser reads it in Tests/EndToEnd.

import Operations
import Testing

@Suite struct MetersTests {
  static let asked = Meter(
    "forage_test_asked_total", .counter, "Questions, of \\ and\nmore.", labels: ["whose"])
  static let level = Meter("forage_test_level", .gauge, "A level.")
  static let waits = Meter("forage_test_wait_seconds", .histogram, "Waits.")

  @Test func `counters and gauges are written with help, type and escaped labels`() {
    let meters = Meters()
    meters.add(Self.asked, labels: ["a \"b\" \\ c\nd"])
    meters.add(Self.asked, 2, labels: ["a \"b\" \\ c\nd"])
    meters.add(Self.asked, labels: ["A"])
    meters.set(Self.level, 0.25)
    #expect(
      meters.text() == """
        # HELP forage_test_asked_total Questions, of \\\\ and\\nmore.
        # TYPE forage_test_asked_total counter
        forage_test_asked_total{whose="A"} 1
        forage_test_asked_total{whose="a \\"b\\" \\\\ c\\nd"} 3
        # HELP forage_test_level A level.
        # TYPE forage_test_level gauge
        forage_test_level 0.25

        """)
  }

  @Test func `durations are counted at or below each bound, and all of them below infinity`() {
    let meters = Meters()
    for milliseconds in [1, 3, 3, 40, 2_000_000] {
      meters.observe(Self.waits, nanoseconds: Int64(milliseconds) * 1_000_000)
    }
    let text = meters.text()
    func value(_ name: String) -> String? {
      text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.map {
        String($0.dropFirst(name.count + 1))
      }
    }
    #expect(value("forage_test_wait_seconds_bucket{le=\"0.0005\"}") == "0")
    #expect(value("forage_test_wait_seconds_bucket{le=\"0.0025\"}") == "1")
    #expect(value("forage_test_wait_seconds_bucket{le=\"0.005\"}") == "3")
    #expect(value("forage_test_wait_seconds_bucket{le=\"1000\"}") == "4")
    #expect(value("forage_test_wait_seconds_bucket{le=\"+Inf\"}") == "5")
    #expect(value("forage_test_wait_seconds_count") == "5")
    #expect(value("forage_test_wait_seconds_sum") == "2000.047")
  }

  @Test func `what the strands say comes with it`() {
    let account = ProcessAccount(
      name: "actor-0", processID: 5, at: 0,
      strands: [
        ProcessAccount.Line(
          strand: "compute", activity: .peer, text: "tickets", milliseconds: 1500,
          sinceTurnMilliseconds: 20, isLate: false)
      ], gauges: [Watchdog.Gauge(name: "groups", value: 3, maximum: 256)])
    let lines = Meters().text(account).split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(lines.first?.hasPrefix("forage_process_resident_bytes ") == true)
    #expect(
      lines.dropFirst() == [
        "forage_strand_seconds{strand=\"compute\",activity=\"peer\"} 1.5",
        "forage_strand_turn_seconds{strand=\"compute\"} 0.02",
        "forage_queue_level{queue=\"groups\"} 3", "forage_queue_limit{queue=\"groups\"} 256",
      ])
  }

  @Test func `a label with ever new values fills no memory`() {
    let meters = Meters()
    for number in 0..<5000 { meters.add(Self.asked, labels: ["\(number)"]) }
    #expect(meters.text().split(separator: "\n").count == 2 + 256)
    meters.add(Self.asked, labels: ["0"])
    #expect(meters.text().contains("{whose=\"0\"} 2\n"))
  }
}
