// What a report says of more actors, on made runs whose every part is known.

import Commands
import Operations
import Testing

@Suite struct RunForecastTests {
  private static let ms: Int64 = 1_000_000

  /// Spans in milliseconds of one clock.
  private struct Log {
    var spans: [SpanLog.Span] = []

    mutating func add(
      _ name: SpanName, _ thread: SpanThread, _ id: Int, from start: Int64, to end: Int64,
      _ amount: Int = 0
    ) {
      spans.append(
        SpanLog.Span(
          name, thread: thread, id: id, start: start * ms, duration: (end - start) * ms,
          amount: amount))
    }
  }

  /// Twenty steps of one actor at lag 0: a version fetched in 50 ms and swapped in 10, a batch of
  /// four groups sampled in 100, and 40 of the learner, which then waits for the next.
  private func turns(
    clock: String, fetch: Int64 = 50, swap: Int64 = 10, bytes: Int = 1_000_000
  ) -> RunSpans {
    var (learner, actor) = (Log(), Log())
    let ready = fetch + swap
    for step in 0..<20 {
      let at = Int64(1_000) + Int64(step) * (ready + 140)
      learner.add(.step, .train, step, from: at, to: at + ready + 140)
      learner.add(.leaseWait, .train, step, from: at, to: at + ready + 100)
      actor.add(.weightsWait, .compute, step, from: at, to: at + fetch)
      actor.add(.fetchWeights, .sockets, step, from: at, to: at + fetch, bytes)
      actor.add(.swap, .compute, step, from: at + fetch, to: at + ready, bytes)
      actor.add(.ticketWait, .compute, 0, from: at + ready, to: at + ready)
      actor.add(.handOver, .compute, 0, from: at + ready + 100, to: at + ready + 100, 4)
    }
    actor.add(.clock, .sockets, 0, from: 1_000, to: 1_000)
    return RunSpans([
      SpanLog(process: "learner", clock: "head", spans: learner.spans),
      SpanLog(process: "replay", clock: "head", spans: []),
      SpanLog(process: "actor-0", clock: clock, spans: actor.spans),
    ])
  }

  private func plan(cores: Int = 8, lagMax: Int = 0) -> RunForecast.Plan {
    RunForecast.Plan(
      groupsPerStep: 4, lagMax: lagMax, actorThreads: 1, learnerThreads: 1, cores: cores)
  }

  @Test func `for as many actors as there were it says what there was`() throws {
    for clock in ["head", "far"] {
      let forecast = try #require(RunForecast(turns(clock: clock), plan()))
      #expect(forecast.actors == 1)
      #expect(abs(forecast.stepSeconds - 0.2) < 1e-9)
      #expect(abs(forecast.model.forecast(actors: 1).stepSeconds - 0.2) < 1e-9, "\(clock)")
      #expect(forecast.model.link.bytesPerSecond == 1_000_000 / 0.050)
      #expect(forecast.model.sharesCores == (clock == "head"))
    }
  }

  @Test func `each actor fetches each version, over the one link`() throws {
    let forecast = try #require(RunForecast(turns(clock: "far"), plan()))
    // One batch a step: three actors of four only fetch. 4 x 50 + 10 + 100 + 40.
    let four = forecast.model.forecast(actors: 4)
    #expect(abs(four.stepSeconds - 0.350) < 1e-9)
    #expect(four.bound == .linkToActors)
    #expect(
      forecast.sentence == "One more actor would make a step 25 % longer: all fetch "
        + "versions over the one link.")
  }

  @Test func `on one core another actor's swap costs as much as a link would, and is no link's`()
    throws
  {
    let spans = turns(clock: "head", fetch: 1, swap: 80)
    let forecast = try #require(RunForecast(spans, plan(cores: 1)))
    // 2 x 1 for the fetches, 2 x 80 for the swaps, 100 and 40; of one actor 221.
    #expect(abs(forecast.model.forecast(actors: 2).stepSeconds - 0.302) < 1e-9)
    #expect(
      forecast.sentence == "One more actor would make a step 37 % longer: all share these cores.")
  }

  @Test func `threads are those that the supervisor gives`() throws {
    func plan(_ overrides: String...) throws -> RunForecast.Plan? {
      RunForecast.Plan(
        try RunSettings(document: .object([]), source: "test", overrides: overrides), cores: 8)
    }
    let divided = try #require(try plan("actor.count=4"))
    #expect(divided.actorThreads == 2 && divided.learnerThreads == 8 && divided.cores == 8)
    let given = try #require(try plan("actor.threads=3", "learner.threads=2", "run.threads=6"))
    #expect(given.actorThreads == 3 && given.learnerThreads == 2 && given.cores == 6)
    // All actors are elsewhere: each has a host's cores.
    #expect(try plan("actor.count=0")?.actorThreads == 8)
  }

  @Test func `two actors that fetch at once share the link`() {
    let ms = Self.ms
    let fetches = [
      RunLink.Fetch(start: 0, end: 40 * ms, bytes: 1000),
      RunLink.Fetch(start: 20 * ms, end: 60 * ms, bytes: 1000),
      RunLink.Fetch(start: 30 * ms, end: 35 * ms, bytes: 500),
      RunLink.Fetch(start: 100 * ms, end: 120 * ms, bytes: 500),
    ]
    // 60 ms and 20 ms with something on the way.
    #expect(RunLink.together(fetches) == 3000 / 0.080)
    #expect(RunLink.together([]) == nil)
  }

  /// Twenty steps of 100 ms on one core: the learner waits 20 of them, the actor swaps and samples
  /// all the time.
  private func crowded() -> RunSpans {
    var (learner, actor) = (Log(), Log())
    for step in 0..<20 {
      let at = Int64(1_000) + Int64(step) * 100
      learner.add(.step, .train, step, from: at, to: at + 100)
      learner.add(.leaseWait, .train, step, from: at, to: at + 20)
      actor.add(.fetchWeights, .sockets, step, from: at - 10, to: at, 1_000_000)
      actor.add(.swap, .compute, step, from: at, to: at + 10, 1_000_000)
      actor.add(.ticketWait, .compute, 0, from: at + 10, to: at + 10)
      actor.add(.handOver, .compute, 0, from: at + 100, to: at + 100, 4)
    }
    return RunSpans([
      SpanLog(process: "learner", clock: "head", spans: learner.spans),
      SpanLog(process: "replay", clock: "head", spans: []),
      SpanLog(process: "actor-0", clock: "head", spans: actor.spans),
    ])
  }

  @Test func `on a core that all share, parts are as long as they would be alone`() throws {
    let forecast = try #require(RunForecast(crowded(), plan(cores: 1, lagMax: 4)))
    // The actor wants the core all the time and the learner 80 % of it: all took 1.8 times as long.
    #expect(abs(forecast.model.parts.batchSeconds - 0.090 / 1.8) < 1e-9)
    #expect(abs(forecast.model.parts.learnerSeconds - 0.080 / 1.8) < 1e-9)
    // Put back on the one core they come to the step there was, and another actor to its swap more.
    #expect(abs(forecast.model.forecast(actors: 1).stepSeconds - 0.1) < 1e-9)
    let two = forecast.model.forecast(actors: 2)
    #expect(abs(two.stepSeconds - (0.1 + 0.010 / 1.8)) < 1e-9)
    #expect(two.bound == .cores)
  }

  @Test func `versions of no bytes say nothing of a link, and every step has an end`() throws {
    let forecast = try #require(RunForecast(turns(clock: "far", bytes: 0), plan()))
    #expect(forecast.model.link.bytesPerSecond == .infinity)
    #expect(forecast.forecasts.allSatisfy { $0.stepSeconds.isFinite })
  }

  @Test func `a step that never ends is a dash`() throws {
    let parts = try #require(RunForecast(turns(clock: "far"), plan())).model.parts
    let link = LoopLink(bytesPerSecond: 0, roundTripSeconds: 0)
    let never = LoopModel(parts, link: link, sharesCores: false).forecast(actors: 1)
    #expect(!never.stepSeconds.isFinite)
    #expect(SpanSections.cells(never)[1] == "-")
  }

  @Test func `groups that went faster than an Int holds are told all the same`() {
    let groups = (0..<3).map { ticket in
      SpanLog.Span(
        .submit, thread: .sockets, id: ticket, start: 1000, duration: 1, amount: Int(UInt32.max))
    }
    let spans = RunSpans([
      SpanLog(process: "replay", clock: "head", spans: []),
      SpanLog(process: "actor-0", clock: "head", spans: groups),
    ])
    // 12.9 GB within a nanosecond are 1.29e19 bytes a second; an Int ends at 9.22e18.
    let line = SpanText.lines(spans).first { $0.contains("actor-0 to replay") }
    #expect(line?.contains("TiB/s") == true, "\(line ?? "no line")")
  }

  @Test func `without a whole step, a batch or a fetch it says nothing`() {
    #expect(RunForecast(RunSpans([]), plan()) == nil)
    let spans = turns(clock: "head")
    let learner = spans.learner!
    let alone = RunSpans([SpanLog(process: "learner", clock: "head", spans: learner.spans)])
    #expect(RunForecast(alone, plan()) == nil)
  }
}
