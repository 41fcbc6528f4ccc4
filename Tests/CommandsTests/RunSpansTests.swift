// What a report makes of spans, on a made run whose every duration is known: a learner and a replay
// on one host, and an actor on another, whose clock is five seconds behind.

import Commands
import Documents
import Operations
import Testing

/// A run of some steps of 100 ms, each of one ticket.
private struct MadeRun {
  static let millisecond: Int64 = 1_000_000
  static let behind: Int64 = 5_000_000_000
  /// On the way, each direction.
  static let wire: Int64 = 4 * millisecond

  var learner = SpanLog(process: "learner", clock: "head", spans: [])
  var replay = SpanLog(process: "replay", clock: "head", spans: [])
  var actor = SpanLog(process: "far-0", clock: "other", spans: [])

  /// The learner waits `waits` ms of each step for its batch, and computes it in so many packs.
  init(steps: Int = 12, waits: Int64 = 60, packs: Int64 = 1, hasClock: Bool = true) {
    for step in 0..<steps {
      let start = Int64(10_000 + 100 * step) * Self.millisecond
      addStep(step, from: start, waits: waits, packs: packs)
      if hasClock { addClock(step) }
    }
  }

  private static func span(
    _ name: SpanName, _ thread: SpanThread, _ id: Int, _ start: Int64, _ milliseconds: Int64,
    _ amount: Int = 0
  ) -> SpanLog.Span {
    SpanLog.Span(
      name, thread: thread, id: id, start: start, duration: milliseconds * millisecond,
      amount: amount)
  }

  /// By the far clock, a moment of replay's.
  private static func far(_ moment: Int64) -> Int64 { moment - behind }

  private mutating func addStep(_ step: Int, from start: Int64, waits: Int64, packs: Int64) {
    let ms = Self.millisecond
    func learn(_ name: SpanName, _ at: Int64, _ long: Int64) {
      learner.spans.append(Self.span(name, .train, step, start + at * ms, long))
    }
    learn(.step, 0, 100)
    learn(.leaseWait, 0, waits)
    learn(.fetch, waits, 5)
    for pack in 0..<packs {
      learn(.forward, waits + 5 + pack * 25 / packs, 10 / packs)
      learn(.backward, waits + 5 + (pack * 25 + 10) / packs, 15 / packs)
    }
    learn(.commitWait, waits + 30, 10)
    func act(_ name: SpanName, _ thread: SpanThread, _ at: Int64, _ long: Int64, _ amount: Int = 0)
    {
      actor.spans.append(
        Self.span(name, thread, step, Self.far(start) + at * ms, long, amount))
    }
    act(.ticketWait, .compute, 0, 5)
    act(.ticket, .compute, 0, 5)
    act(.rollout, .judge, 5, 26, 64)
    act(.prefill, .compute, 5, 3, 8)
    act(.decode, .compute, 8, 20, 64)
    act(.verify, .judge, 28, 2)
    act(.encode, .judge, 30, 1, 4000)
    act(.sendQueue, .sockets, 31, 1, 4000)
    act(.submit, .sockets, 32, 0, 4000)
    act(.fetchWeights, .sockets, 40, 10, 1 << 20)
    // The time on the wire is not in a span: 32 to 36 ms.
    func keep(_ name: SpanName, _ at: Int64, _ long: Int64, _ amount: Int = 0) {
      replay.spans.append(Self.span(name, .serve, step, start + at * ms, long, amount))
    }
    keep(.receive, 36, 1, 4000)
    keep(.validate, 37, 1, 4000)
    keep(.groupWait, 38, 2)
    keep(.fsync, 40, 5)
    keep(.commit, 40, 5, 1)
    keep(.acknowledge, 45, 0)
    keep(.queued, 38, waits - 1 - 38, step)
    keep(.lease, waits - 1, 1, 4000)
    act(.inFlight, .sockets, 32, 17)
  }

  private mutating func addClock(_ step: Int) {
    let sent = Int64(10_000 + 100 * step) * Self.millisecond
    actor.spans.append(
      SpanLog.Span(
        .clock, thread: .sockets, id: Int(Self.behind), start: Self.far(sent),
        duration: 2 * Self.wire))
  }

  var spans: RunSpans { RunSpans([actor, replay, learner]) }
}

@Suite struct RunSpansTests {
  @Test func `processes stand in order, and each has its way to replay's clock`() throws {
    let spans = MadeRun().spans
    #expect(spans.processes.map(\.name) == ["learner", "replay", "far-0"])
    #expect(spans.learner?.fit?.bar(at: 10_500 * MadeRun.millisecond) == 0)
    let actor = try #require(spans.actors.first)
    let prefill = try #require(actor.spans.first { $0.name == .prefill })
    let placed = try #require(actor.place(prefill))
    #expect(placed.start == 10_005 * MadeRun.millisecond)
    #expect(placed.bar == MadeRun.wire)
  }

  @Test func `an actor whose clock nobody knows is in no figure that needs it`() {
    let spans = MadeRun(hasClock: false).spans
    #expect(spans.actors[0].fit == nil)
    #expect(TrajectoryLife.median(spans) == nil)
    #expect(RunLink.all(spans)[1].groupBytesPerSecond == nil)
    #expect(RunLink.all(spans)[1].fetches == 12)
  }

  // MARK: What bounds the run

  @Test func `a learner that waits for busy actors has them as its bottleneck`() throws {
    let bound = try #require(RunBound(MadeRun(waits: 60).spans))
    #expect(bound.steps == 11)
    #expect(abs(bound.learner[.leaseWait] - 0.6) < 1e-9)
    #expect(abs(bound.learner[.commitWait] - 0.1) < 1e-9)
    #expect(abs(bound.learner.waiting - 0.7) < 1e-9)
    // The actor waits 5 of every 100 ms, but for the time before its first span and after its last.
    #expect(abs(bound.actors[.ticketWait] - 0.05) < 0.005)
    #expect(bound.verdict == .actors)
    #expect(bound.sentence.contains("the learner waited 60 % of the step"))
  }

  @Test(arguments: [
    (0.02, 0.01, [SpanName.ticketWait: 0.7], RunBound.Verdict.learner),
    (0.4, 0.01, [.ticketWait: 0.3, .pause: 0.2], .turns),
    (0.05, 0.5, [.ticketWait: 0.2], .disk),
    (0.3, 0.01, [.weightsWait: 0.5, .ticketWait: 0.1], .weights),
    (0.05, 0.02, [.ticketWait: 0.1], .balance),
  ])
  func `who waits says who is waited for`(
    lease: Double, commit: Double, actors: [SpanName: Double], verdict: RunBound.Verdict
  ) {
    let bound = RunBound(
      steps: 9, learner: .init(byName: [.leaseWait: lease, .commitWait: commit]),
      actors: .init(byName: actors), actorCount: 2)
    #expect(bound.verdict == verdict)
    #expect(bound.sentence.hasSuffix("."))
  }

  // MARK: The life of a group

  @Test func `a life has every hop, the ways between clocks with their bars`() throws {
    let life = try #require(TrajectoryLife.median(MadeRun().spans))
    let names = life.hops.map(\.name)
    #expect(
      names == [
        "ask for a ticket", "prefill", "decode", "verify", "encode", "send queue", "wire",
        "receive", "validate", "wait for the commit", "commit and fsync", "acknowledge",
        "wait for the lease", "wire", "fetch", "forward", "backward", "commit_wait",
      ])
    let wires = life.hops.filter { $0.name == "wire" }
    #expect(wires[0].place == "far-0 to replay")
    #expect(wires[0].way == OneWay(nanoseconds: MadeRun.wire, bar: MadeRun.wire))
    #expect(!wires[0].way.isSeparable)
    #expect(wires[1].way == OneWay(nanoseconds: MadeRun.millisecond, bar: 0))
    #expect(wires[1].way.isSeparable)
    #expect(life.nanoseconds == 100 * MadeRun.millisecond)
    let drawn = Gantt.life(life)
    #expect(drawn.rows[6].note == "within ± 4.00 ms, far-0 to replay")
  }

  @Test func `passes over many packs are one hop each, with a part for each pack`() throws {
    let life = try #require(TrajectoryLife.median(MadeRun(packs: 5).spans))
    let whole = try #require(TrajectoryLife.median(MadeRun().spans))
    #expect(life.hops.map(\.name) == whole.hops.map(\.name))
    let backward = try #require(life.hops.first { $0.name == "backward" })
    #expect(backward.parts.count == 5 && backward.nanoseconds == 15 * MadeRun.millisecond)
    let row = try #require(Gantt.life(life).rows.first { $0.title == "backward" })
    #expect(row.note == "15.0 ms in 5 parts, learner" && row.bars.count == 5)
  }

  @Test func `the step in the middle is drawn, everybody's spans within it`() throws {
    let median = try #require(Gantt.medianStep(MadeRun().spans))
    #expect(median.chart.nanoseconds == 100 * MadeRun.millisecond)
    let learner = try #require(median.chart.rows.first)
    let phases = ["lease_wait", "fetch", "forward", "backward", "commit_wait"]
    #expect(learner.bars.map(\.name) == phases)
    #expect(learner.bars.map(\.isWait) == [true, false, false, false, true])
    #expect(learner.bars.last?.end == median.chart.nanoseconds)
    let compute = try #require(median.chart.rows.first { $0.title == "far-0" })
    #expect(compute.bars.map(\.start) == [0, 5, 8].map { $0 * MadeRun.millisecond })
    #expect(median.chart.svg().hasSuffix("</div>"))
  }

  // MARK: Links

  @Test func `a link has what went over it, its round trip and its clock with a bar`() throws {
    let links = RunLink.all(MadeRun().spans)
    #expect(links.map(\.name) == ["replay to learner", "far-0 to replay"])
    let far = links[1]
    #expect(far.messages == 12)
    #expect(far.bytes == 48_000)
    #expect(far.roundTrips.percentile(0.5) >= 8 * MadeRun.millisecond)
    #expect(far.offset == OneWay(nanoseconds: MadeRun.behind, bar: MadeRun.wire))
    #expect(!far.isOneClock)
    // 4 ms on the way, and as much in doubt: that is no measurement of a bandwidth.
    #expect(far.groupBytesPerSecond == nil)
    #expect(far.fetchBytesPerSecond == Double(1 << 20) / 0.010)
    #expect(links[0].isOneClock)
    #expect(links[0].messages == 12)
  }

  @Test func `durations are told apart by role and name`() throws {
    let rows = MadeRun().spans.distributions()
    let decode = try #require(rows.first { $0.name == .decode })
    #expect(decode.role == .actor)
    #expect(decode.durations.count == 12)
    #expect(decode.durations.greatest == 20 * MadeRun.millisecond)
  }

  // MARK: The trace

  @Test func `a trace opens: spans nest, ways are paired, arrows go forward`() throws {
    let trace = try #require(SpanTrace(MadeRun().spans, name: "made"))
    let seen = try TraceChecker(trace.text)
    #expect(seen.faults == [])
    #expect(seen.processes == ["learner", "replay", "far-0"])
    #expect(seen.arrows == 12)
    #expect(seen.spans > 12 * 10)
    #expect(seen.ways > 12 * 6)
    let clocks = seen.document["otherData"]?["clocks"]
    guard case .array(let rows)? = clocks?.value else {
      Issue.record("no clocks")
      return
    }
    #expect(rows.last?["offsetNanoseconds"] == .integer(Int(MadeRun.behind)))
    #expect(rows.last?["errorNanoseconds"] == .integer(Int(MadeRun.wire)))
  }

  @Test func `a trace keeps the newest where there are too many`() throws {
    let trace = try #require(SpanTrace(MadeRun().spans, name: "made", maximumEvents: 90))
    let seen = try TraceChecker(trace.text)
    #expect(seen.faults == [])
    #expect((1...90).contains(seen.spans + 2 * seen.ways + 3 * seen.arrows))
    #expect(trace.text.contains("\"step\":11"))
    #expect(!trace.text.contains("\"step\":2,"))
  }

  @Test func `the checker finds what is wrong`() throws {
    let good = try #require(SpanTrace(MadeRun(steps: 2).spans, name: "made")).text
    for (part, other) in [
      ("\"ph\":\"e\"", "\"ph\":\"b\""), ("\"ph\":\"t\"", "\"ph\":\"s\""),
      ("\"dur\":100000.000", "\"dur\":50000.000"), ("thread_name", "thread_game"),
      ("\"name\":\"forward\"", "\"game\":\"forward\""),
    ] {
      let bad = good.replacing(part, with: other, maxReplacements: 1)
      #expect(bad != good)
      #expect(try !TraceChecker(bad).faults.isEmpty, "\(part) as \(other)")
    }
  }
}
