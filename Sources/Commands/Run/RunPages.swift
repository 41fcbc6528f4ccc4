// The pages of a run's processes for a scraper: that they can be had is found out before anything
// is started; and what `forage run` says itself.

import HTTP
import Operations

enum RunMeters {
  static let step = Meter("forage_run_step", .gauge, "Steps committed.")
  static let steps = Meter("forage_run_steps", .gauge, "Steps the run is to take.")
  static let processes = Meter(
    "forage_run_processes", .gauge, "Processes of the run that live, this one left out.")
  static let deaths = Meter(
    "forage_run_deaths_total", .counter, "Ends of processes that nobody asked for.")
  static let alarms = Meter("forage_run_alarms", .gauge, "Alarms that stand.")
}

extension Meters {
  /// Once a look of the supervisor.
  func tell(_ state: RunState, _ supervisor: Supervisor) {
    set(RunMeters.step, Double(state.step))
    set(RunMeters.steps, Double(state.steps))
    set(RunMeters.processes, Double(supervisor.processes.count))
    set(RunMeters.deaths, Double(supervisor.totalDeaths))
    set(RunMeters.alarms, Double(state.alarms.count))
  }
}

enum RunPages {
  /// Throws when an address is refused or taken.
  static func check(_ settings: RunSettings) throws {
    guard !settings.metrics.listen.isEmpty else { return }
    let actors = settings.replay.mode == .offline ? 0 : settings.actor.count
    let pages: [MetricsSection.Page] =
      [.run, .replay, .learner] + (0..<actors).map { .actor($0) }
    for page in pages {
      guard let text = settings.metrics.address(of: page) else {
        throw Failure(
          "find a port for", on: "each of \(pages.count) processes",
          happened: "they begin at \(settings.metrics.listen), and the last port is 65535",
          remedy: "name a lower one in metrics.listen", exitCode: .settings)
      }
      let address = try HTTPAddress(text)
      try StatusPages.check(address, allowRoutable: settings.metrics.allowRoutable)
      try address.tryBinding()
    }
  }

  static func start(_ settings: RunSettings, _ watchdog: Watchdog, _ log: Log) -> StatusPages? {
    let metrics = settings.metrics
    guard let address = metrics.address(of: .run) else { return nil }
    return StatusPages.start(
      at: address, allowRoutable: metrics.allowRoutable, say: { log.warning($0) },
      metrics: { watchdog.metricsText }, readiness: { watchdog.readiness })
  }

  static func actorArguments(_ metrics: MetricsSection, _ index: Int) -> [String] {
    guard let address = metrics.address(of: .actor(index)) else { return [] }
    return ["--metrics", address] + (metrics.allowRoutable ? ["--allow-routable-metrics"] : [])
  }
}
