// alarms.jsonl: each alarm of a run as it was raised and cleared, written by `forage run`, read by
// whoever looks at the run.

import Documents
import Operations

struct AlarmFile {
  /// In the order they came about.
  let events: [AlarmEvent]

  /// Empty where the run has raised none.
  init(_ run: RunFolder) throws(Failure) {
    guard Files.exists(run.alarms) else {
      events = []
      return
    }
    var reader = MetricsReader(path: run.alarms)
    events = try reader.read().compactMap(AlarmEvent.init)
  }

  /// Raised and not cleared.
  var standing: [Alarm] {
    var standing: [Alarm] = []
    for event in events {
      standing.removeAll { $0.kind == event.alarm.kind }
      if event.isRaised { standing.append(event.alarm) }
    }
    return standing
  }
}

/// What `forage run` rings with.
final class AlarmBell {
  private let path: String
  private let log: Log
  private var watch: AlarmWatch
  private var writer: MetricsWriter?
  /// Of the ledger when this session began, to tell how fast it grows.
  private let ledgerBytes: Int
  private let firstStep: Int
  private let settings: RunSettings
  private let run: RunFolder

  var standing: [Alarm] { watch.standing }

  init(_ run: RunFolder, _ settings: RunSettings, log: Log) throws {
    self.run = run
    self.settings = settings
    self.log = log
    path = run.alarms
    firstStep = try RunMetrics(run).nextStep
    ledgerBytes = Files.byteCount(run.ledger) ?? 0
    watch = AlarmWatch(
      settings.alarms, standing: try AlarmFile(run).standing, firstJudged: firstStep)
  }

  func take(_ records: [Document]) {
    for record in records { ring(watch.take(step: record)) }
  }

  /// `status` is replay's own account.
  func look(_ status: Document?, step: Int) {
    guard let status else { return }
    var health = RunHealth()
    health.goneActors = goneActors(status)
    health.freeBytes = status["service"]?["freeBytes"]?.integerValue
    health.reserveBytes = status["service"]?["reserveBytes"]?.integerValue ?? 0
    let taken = step - firstStep
    if taken >= settings.alarms.window, let now = Files.byteCount(run.ledger) {
      health.neededBytes =
        max(0, now - ledgerBytes) / taken * max(0, settings.run.steps - step)
    }
    ring(watch.take(health: health, step: step))
  }

  /// Silent for long, and nobody of that name is back.
  private func goneActors(_ status: Document) -> [String] {
    var silent: [String] = []
    var present: Set<String> = []
    for peer in status["peers"]?.elements ?? [] where peer.text("role") == "actor" {
      guard let name = peer.text("name") else { continue }
      let seconds = (peer.number("silentMilliseconds") ?? 0) / 1000
      if seconds < settings.alarms.actorSeconds {
        present.insert(name)
      } else if !silent.contains(name) {
        silent.append(name)
      }
    }
    return silent.filter { !present.contains($0) }.sorted()
  }

  private func ring(_ events: [AlarmEvent]) {
    for event in events {
      var event = event
      event.time = WallClock.dateStamp
      event.isRaised ? log.warning(event.line) : log.info(event.line)
      do throws(Failure) {
        if writer == nil { writer = try MetricsWriter(path: path) }
        try writer?.append(event.document)
      } catch {
        // A full disk is what one of them tells of: the log has it, and no run ends for it.
        log.warning("\(error)")
      }
    }
  }
}
