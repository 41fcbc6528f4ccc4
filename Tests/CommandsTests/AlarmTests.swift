// Each alarm is raised by a series that was made for it, cleared when the figure comes back, and by
// a healthy run's series none is.

import Commands
import Documents
import Operations
import Testing

@Suite struct AlarmTests {
  /// A step of a run that learns: reward and KL rise, entropy falls to a third.
  private static func healthy(_ step: Int) -> [String: Double] {
    let share = Double(step) / 300
    // Steps differ by chance: a fixed zigzag stands for it.
    let noise = 0.02 * Double([0, 1, -1, 2, -2, 1, -1][step % 7])
    return [
      "reward": 0.3 + 0.6 * share + noise, "accuracy/strict": 0.2 + 0.5 * share,
      "frac_reward_zero_std": 0.1 + 0.3 * share, "completions/clipped_ratio": 0.05,
      "entropy": 0.6 - 0.4 * share, "kl": 0.1 * share, "rewards/format/mean": 0.2,
    ]
  }

  private static func record(_ step: Int, _ values: [String: Double]) -> Document {
    .object(
      [("step", .integer(step))]
        + values.sorted { $0.key < $1.key }.map {
          ($0.key, .number($0.value))
        })
  }

  private static func settings(_ overrides: String...) throws -> AlarmsSection {
    try RunSettings(document: .object([]), source: "test", overrides: overrides).alarms
  }

  /// The events of a healthy series with changes from step 150 to 249.
  private static func events(
    _ settings: AlarmsSection, changed change: (Int) -> [String: Double]
  ) -> [AlarmEvent] {
    var watch = AlarmWatch(settings)
    var events: [AlarmEvent] = []
    for step in 0..<300 {
      var values = healthy(step)
      if (150..<250).contains(step) { values.merge(change(step)) { $1 } }
      events += watch.take(step: record(step, values))
    }
    return events
  }

  @Test func `a healthy run raises none`() throws {
    #expect(Self.events(try Self.settings()) { _ in [:] }.isEmpty)
  }

  @Test(arguments: [
    ("truncation", "completions/clipped_ratio", 0.9), ("no-spread", "frac_reward_zero_std", 0.97),
    ("entropy", "entropy", 0.01), ("kl", "kl", 5), ("format", "rewards/format/mean", 0),
  ])
  func `what goes wrong from step 150 on is raised, and cleared when it is over`(
    _ name: String, _ metric: String, _ value: Double
  ) throws {
    let events = Self.events(try Self.settings()) { _ in [metric: value] }
    #expect(events.map { $0.alarm.kind.rawValue } == [name, name])
    #expect(events.map(\.isRaised) == [true, false])
    let steps = events.map(\.alarm.step)
    #expect((150..<165).contains(steps[0]) && (250..<270).contains(steps[1]), "\(steps)")
    #expect(events[0].line.contains(events[0].alarm.kind.remedy))
  }

  @Test func `a reward that rises no more is flat, one of a solved task is not`() throws {
    var watch = AlarmWatch(try Self.settings())
    var solved = AlarmWatch(try Self.settings())
    var raised: [AlarmEvent] = []
    for step in 0..<400 {
      var values = Self.healthy(min(step, 120))
      values["reward"]! += Self.healthy(step)["reward"]! - Self.healthy(step - step % 7)["reward"]!
      raised += watch.take(step: Self.record(step, values))
      values["accuracy/strict"] = 0.95
      #expect(solved.take(step: Self.record(step, values)).isEmpty)
    }
    #expect(raised.map(\.alarm.kind) == [.flatReward])
    let step = try #require(raised.first).alarm.step
    // 120 and the better part of the steps compared, and half as many again.
    #expect((220..<320).contains(step), "\(step)")
    #expect(watch.standing.map(\.kind) == [.flatReward])
  }

  @Test func `a reward that falls because a curriculum's level opens is not flat`() throws {
    var levels = AlarmWatch(try Self.settings())
    var none = AlarmWatch(try Self.settings())
    var raised: [AlarmEvent] = []
    for step in 0..<300 {
      // It rises, and starts anew each hundred steps.
      var values = Self.healthy(step % 100 * 3)
      raised += none.take(step: Self.record(step, values))
      values["curriculum/level"] = Double(step / 100)
      #expect(levels.take(step: Self.record(step, values)).isEmpty)
    }
    #expect(raised.contains { $0.alarm.kind == .flatReward })
  }

  @Test func `a figure on its limit rings once`() throws {
    let events = Self.events(try Self.settings("alarms.window=1")) { step in
      ["completions/clipped_ratio": step % 2 == 0 ? 0.51 : 0.49]
    }
    #expect(events.map(\.isRaised) == [true, false])
  }

  @Test func `a silent actor and a disk that fills are told`() throws {
    var watch = AlarmWatch(try Self.settings())
    var health = RunHealth()
    (health.freeBytes, health.reserveBytes) = (100 << 30, 1 << 30)
    #expect(watch.take(health: health, step: 1).isEmpty)
    health.goneActors = ["actor-1"]
    let gone = watch.take(health: health, step: 2)
    #expect(gone.map(\.alarm.kind) == [.actorGone])
    #expect(gone.first?.line.contains("actor-1") == true)
    #expect(watch.take(health: health, step: 3).isEmpty)
    // What the run will still write counts before the disk is nearly full.
    health.goneActors = []
    health.neededBytes = 200 << 30
    let events = watch.take(health: health, step: 4)
    #expect(events.map(\.alarm.kind) == [.actorGone, .disk])
    #expect(events.map(\.isRaised) == [false, true])
    health.neededBytes = 0
    health.freeBytes = 3 << 29
    #expect(watch.take(health: health, step: 5).isEmpty)
    health.freeBytes = 3 << 30
    #expect(watch.take(health: health, step: 6).map(\.isRaised) == [false])
  }

  @Test func `a session that resumes goes on with what stands and judges what is new`() throws {
    let settings = try Self.settings()
    let standing = Alarm(
      kind: .truncation, step: 5, figure: 0.9, limit: 0.5, text: "90 % are cut")
    var watch = AlarmWatch(settings, standing: [standing], firstJudged: 20)
    for step in 0..<20 {
      var values = Self.healthy(step)
      values["kl"] = 50
      #expect(watch.take(step: Self.record(step, values)).isEmpty)
    }
    let events = watch.take(step: Self.record(20, Self.healthy(20)))
    // The window still holds what the earlier session saw.
    #expect(Set(events.map(\.alarm.kind)) == [.truncation, .divergence])
    #expect(watch.standing.map(\.kind) == [.divergence])
  }

  @Test func `turned off, nothing rings`() throws {
    let events = Self.events(try Self.settings("alarms.enabled=false")) { _ in ["kl": 50] }
    #expect(events.isEmpty)
  }

  @Test func `a line of the file reads back as the event it was`() throws {
    let alarm = Alarm(kind: .disk, step: 7, figure: 10, limit: 20, text: "10 bytes are free")
    let event = AlarmEvent(alarm: alarm, isRaised: true, time: "2026-01-02 03:04:05")
    #expect(AlarmEvent(event.document) == event)
    #expect(AlarmEvent(.object([("alarm", "of-another-build"), ("event", "raised")])) == nil)
  }

  @Test func `every line of the view that tells of an alarm fits the terminal`() throws {
    var state = RunState(name: "a", steps: 10)
    state.alarms = [
      Alarm(
        kind: .flatReward, step: 41, figure: 0, limit: 0, text: String(repeating: "x", count: 99))
    ]
    let lines = RunView.lines(state, elapsedSeconds: 5, width: 60)
    #expect(lines.allSatisfy { $0.count <= 60 })
    #expect(lines.contains { $0.contains("alarm flat-reward since step 41") })
    #expect(
      RunView.plainLine(state, elapsedSeconds: 5).contains("alarm flat-reward since step 41"))
  }
}
