// Links: what the pace and the rate are counted by, on a clock of the test's own; then two real
// ends on this host.

import Commands
import Documents
import Glibc
import Operations
import Testing

@Suite(.serialized) struct LinkBenchTests {
  private struct Clock {
    var now: Int64 = 0
  }

  // MARK: pace

  @Test func `a stall of a second is felt by every round trip it delayed`() {
    // Each takes 1 ms and is due every 4 ms, but for one that takes a second.
    let probes = PacedProbes(typical: 1_000_000, seconds: 4)
    #expect(probes.count == 1_000 && probes.intervalNanoseconds == 4_000_000)
    var clock = Clock()
    var index = 0
    let trips = probes.run(
      now: { clock.now }, wait: { clock.now = max(clock.now, $0) },
      probe: {
        index += 1
        clock.now += index == 100 ? 1_000_000_000 : 1_000_000
        return clock.now
      })
    #expect(trips.count == 1_000)
    #expect(trips.greatest == 1_000_000_000)
    // The backlog of 996 ms shrinks by 3 ms a round trip: 332 more of 1000 are late. A prober that
    // waits for its answers would have seen one.
    #expect(trips.percentile(0.66) <= 1_010_000)
    #expect(trips.percentile(0.75) > 200_000_000)
  }

  @Test func `without a stall each counts from the moment it began`() {
    var clock = Clock()
    let trips = PacedProbes(typical: 500_000, seconds: 0.1).run(
      now: { clock.now }, wait: { clock.now = max(clock.now, $0) },
      probe: {
        clock.now += 500_000
        // What is done with an answer is not its round trip.
        defer { clock.now += 300_000 }
        return clock.now
      })
    #expect(trips.count == 50 && trips.least == 500_000 && trips.greatest == 500_000)
  }

  @Test func `a slow link is still asked a few times, a fast one not for ever`() {
    #expect(PacedProbes(typical: 5_000_000_000, seconds: 0.5).count == PacedProbes.minimumCount)
    #expect(PacedProbes(typical: 1, seconds: 60).count == PacedProbes.maximumCount)
  }

  @Test func `a wait ends at its moment, not a time slice later`() {
    let moment = MonotonicClock.now + 3_000_000
    PacedProbes.wait(until: moment)
    #expect(MonotonicClock.now >= moment)
  }

  // MARK: rate

  @Test func `what a full bucket let through at once is no rate`() {
    var rate = SteadyRate(warmSeconds: 0.5)
    // 10 MB at once, then 1 MB every tenth of a second: 10 MB/s.
    rate.note(10_000_000, now: 0)
    for tenth in 1...20 { rate.note(1_000_000, now: Int64(tenth) * 100_000_000) }
    #expect(rate.totalBytes == 30_000_000)
    #expect(rate.bytesPerSecond == 10_000_000)
  }

  @Test func `nothing after the warm-up is no rate, and not an infinite one`() {
    var rate = SteadyRate(warmSeconds: 0.5)
    rate.note(1000, now: 0)
    #expect(rate.bytesPerSecond == nil)
    rate.note(1000, now: 600_000_000)
    #expect(rate.bytesPerSecond == nil)
    rate.note(1000, now: 1_600_000_000)
    #expect(rate.bytesPerSecond == 1000)
  }

  // MARK: two ends

  /// `forage bench link` to its end.
  private func link(_ words: [String]) throws -> (exit: ChildExit?, output: String, error: String) {
    try BenchTests().bench(["link"] + words)
  }

  private final class FarEnd {
    let folder: String
    let child: ChildProcess
    let address: String

    init() throws {
      var template = Array("/tmp/forage-link-test-XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { throw Failure.system("make a folder in", on: "/tmp") }
      folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
      let output = "\(folder)/output"
      child = try ChildProcess(
        BenchTests.program, ["bench", "link", "--listen", "tcp://127.0.0.1:0"],
        output: .append(output), error: .append(output))
      let deadline = Deadline.after(seconds: 30)
      var text = ""
      while !text.contains("\n"), !deadline.hasPassed {
        usleep(20_000)
        text = try Files.readText(output, maximumBytes: 1 << 16)
      }
      let port = try #require(
        text.split(separator: " ").last { $0.hasPrefix("tcp://HOST:") }?.dropFirst(11))
      address = "tcp://127.0.0.1:\(port.filter(\.isNumber))"
    }

    deinit {
      _ = child.stop(deadline: .after(seconds: 10))
      try? Files.remove(folder)
    }
  }

  @Test func `TCP, ZeroMQ and CURVE stand side by side, with their spread and a sentence`() throws {
    let end = try FarEnd()
    let words = [
      end.address, "--sizes", "64,4096,2097152", "--seconds", "0.05", "--repeats", "2", "--json",
    ]
    let (exit, output, error) = try link(words)
    #expect(exit == .exited(0), "\(error)")
    let document = try JSON.parse(Array(output.utf8), source: "output")
    #expect(document["machine"]?["fingerprint"] == .string(Machine.fingerprint))
    for transport in ["tcp", "zeromq", "curve"] {
      let names = [
        "64 B round trip p50", "64 B round trip p99", "4 KiB there", "4 KiB back",
        "2 MiB round trip max", "both ways at once there", "4 at once back",
      ]
      for name in names {
        let median = BenchTests().figure("\(transport) \(name)", in: document)
        #expect((median ?? 0) > 0, "\(transport) \(name)")
      }
      #expect(error.contains("repeat 2 of 2: \(transport) answers in"))
    }
    guard case .string(let sentence)? = document["sentence"]?.value else {
      Issue.record("no sentence")
      return
    }
    #expect(sentence.contains("a version of 256 MB takes"))
  }

  @Test func `what an actor found reads as it was written, and moves no cursor`() throws {
    var written = BenchReport(
      what: "link", settings: [("seconds", .number(0.5))],
      figures: [BenchFigure("zeromq 64 B there", "MB/s", [1, 3, 2])],
      sentence: "It is \u{1B}[2Jfast.")
    written.table = ["zeromq \u{1B}]0;x\u{7} 2 MB/s"]
    let read = try #require(BenchReport(reading: written.document, from: "actor-0"))
    #expect(read.table == ["zeromq ]0;x 2 MB/s"])
    #expect(read.sentence == "Measured by actor-0, from where it stands:\nIt is [2Jfast.")
    #expect(read.figures.map(\.samples) == [[1, 3, 2]])
    #expect(read.document["settings"]?["from"] == "actor-0")
    #expect(read.document["machine"] == written.document["machine"])
    #expect(BenchReport(reading: .object([("bench", "disk")]), from: "actor-0") == nil)
  }

  @Test(arguments: [
    (["tcp://127.0.0.1:1"], ExitCode.unavailable, "--listen"),
    (["tcp://127.0.0.1"], .usage, "tcp://HOST:PORT"),
    (["tcp://127.0.0.1:1", "--sizes", "63"], .usage, "67108864"),
    (["tcp://127.0.0.1:1", "--sizes", "64,67108865"], .usage, "67108864"),
    (["/tmp/no-such-run"], .noInput, "no such folder"), ([], .usage, "ADDRESS"),
    (["--listen", "nowhere"], .usage, "tcp://HOST:PORT"),
    (["--from", "actor-0"], .usage, "RUN"),
    (["/tmp/no-such-run", "--from", "actor-0"], .noInput, "no such folder"),
    (["tcp://127.0.0.1:1", "--from", "a", "--megabytes", "1"], .usage, "--from"),
    (["tcp://127.0.0.1:1", "--keys", "/tmp/no-such.key"], .noInput, "no-such.key"),
  ])
  func `what cannot be measured is refused with one line and the remedy`(
    words: [String], status: ExitCode, remedy: String
  ) throws {
    let (exit, output, error) = try link(words)
    #expect(exit == .exited(status.rawValue), "\(error)")
    #expect(output.isEmpty && error.contains(remedy), "\(error)")
    #expect(error.split(separator: "\n").count == 1, "\(error)")
  }
}
