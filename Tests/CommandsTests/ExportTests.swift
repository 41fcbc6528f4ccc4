// What other programs are given: a table's every row as wide as its head, and event files whose
// check sums are the ones published. TensorBoard itself reads one in Tests/EndToEnd/export.sh.

import Commands
import Documents
import Testing

@Suite struct ExportTests {
  private static let records: [Document] = [
    .object([("step", 0), ("outcome", "trained, at last"), ("reward", 0.5)]),
    .object([("step", 1), ("outcome", "a \"word\""), ("kl", 1e-7)]),
    .object([("evaluation", 1), ("eval/pass@1", 0.25)]),
  ]

  @Test func `a table has a column for every key and a row for every record`() {
    let lines = MetricsTable(records: Self.records).csv.split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(
      lines == [
        "step,evaluation,outcome,reward,kl,eval/pass@1",
        "0,,\"trained, at last\",0.5,,",
        "1,,\"a \"\"word\"\"\",,1e-07,",
        ",1,,,,0.25",
        "",
      ])
  }

  @Test func `the check sum of nine digits is the one its standard prints`() {
    #expect(CRC32C.of(Array("123456789".utf8)) == 0xE306_9283)
  }

  @Test func `an event file begins with its version, as TensorFlow writes it`() {
    let file = EventFile(steps: [], evaluations: [])
    // wall_time 0, then field 3 with 13 letters.
    let message = [0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x1A, 13] + Array("brain.Event:2".utf8)
    #expect(file.bytes.count == 8 + 4 + message.count + 4)
    #expect(Array(file.bytes[12..<12 + message.count]) == message)
    #expect(file.bytes[0] == UInt8(message.count))
  }
}

@Suite struct TraceTests {
  @Test func `a trace has each step and its phases one after another, in microseconds`() throws {
    let records: [Document] = [
      .object([
        ("step", 7), ("time/step", 0.5), ("time/forward", 0.2), ("time/backward", 0.25),
        ("time/coverage", 0.9),
      ]),
      .object([("step", 8), ("time/step", 1), ("time/forward", 1)]),
    ]
    let trace = try JSON.parse(
      Array(TraceFile(steps: records, name: "run").text.utf8), source: "trace")
    guard case .array(let all)? = trace["traceEvents"]?.value else {
      Issue.record("no events")
      return
    }
    let events = all.filter { $0["ph"] == "X" }
    #expect(
      events.map { $0["name"] } == ["step 7", "forward", "backward", "step 8", "forward"])
    #expect(events.map { $0["ts"] } == [0.0, 0.0, 200_000.0, 500_000.0, 500_000.0])
    #expect(events.last?["dur"] == 1_000_000.0)
  }
}
