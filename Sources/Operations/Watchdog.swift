// Ends a process that could go on and does not, and says of one that waits for whom it waits.
//
// It runs on a thread of its own, which waits for nothing but its own clock: what it shares with
// others lies under locks held for a few instructions, and an alarm signal ends the process should
// its last words block. A process that was stopped from outside or starved of processors it knows
// by its own sleep having been too long, and pardons.

import CSystem
import Glibc
import Synchronization

public final class Watchdog: Sendable {
  /// How a strand is, by the watchdog's rule.
  public enum Verdict: Equatable, Sendable {
    case fine
    /// It waits for somebody or something for this long: said, and no more.
    case late(seconds: Double)
    /// It could have turned for this long and has not.
    case hung(seconds: Double)
  }

  /// A level of a queue: bytes or elements inside, and the most there may be; or a count, of which
  /// there is no most.
  public struct Gauge: Sendable {
    /// Strangers at a process's own doors, since its start.
    public static let turnedAway = "turned away at the door"
    /// What no sound peer asks, since its start.
    public static let refused = "faulty requests refused"

    public var name: String
    public var value: Int
    /// 0 for a count.
    public var maximum: Int

    public init(name: String, value: Int, maximum: Int) {
      self.name = name
      self.value = value
      self.maximum = maximum
    }
  }

  /// Until settings say otherwise.
  public static let patienceSeconds = 100.0
  /// Strands of one process: its threads, give or take.
  public static let maximumStrands = 16
  public static let maximumGauges = 32
  /// How often it looks.
  static let lookNanoseconds: Int64 = 250_000_000
  /// A look so late means that this process stood still as a whole.
  static let stoodStillNanoseconds: Int64 = 1_000_000_000
  /// The last words may take so long; then a signal ends the process.
  static let lastWordsSeconds: UInt32 = 10

  private struct State {
    var strands: [Strand] = []
    var gauges: [Gauge] = []
    var patience: Int64
    /// Time in which the whole process stood still, by when it was noticed.
    var pardoned: Int64 = 0
    var isDone = false
    /// Whether it does what it is for, or what it does first.
    var readiness: (isReady: Bool, text: String) = (false, "starting")
    /// When it must have ended, once asked to.
    var end: Int64?
    var alarmed: [String: (since: Int64, next: Int64)] = [:]
  }

  /// "learner", "actor-0".
  public let name: String
  public let events: EventRing
  private let log: Log
  /// What this process says to a scraper beside what its strands say.
  public let meters = Meters()
  /// Where the strands note what took time; nil where nobody keeps that.
  public let spans: SpanRecorder?
  private let state: Mutex<State>
  private let stopping: Mutex<Stop?>

  private struct Stop: Sendable {
    var isAsked: @Sendable () -> Bool
    var nanoseconds: Int64
    var because: String
  }

  /// `accountPath`: where to write once a second what the strands say (`ProcessAccount`); `spans`
  /// go to their file as often.
  public init(
    _ name: String, log: Log, patienceSeconds: Double = patienceSeconds,
    accountPath: String? = nil, spans: SpanRecorder? = nil
  ) throws(Failure) {
    self.name = name
    self.log = log
    self.spans = spans
    events = log.events
    state = Mutex(State(patience: Self.nanoseconds(patienceSeconds)))
    stopping = Mutex(nil)
    _ = try WorkerThread(name: "watchdog") { [weak self] in
      var looked = MonotonicClock.now
      while true {
        usleep(UInt32(Self.lookNanoseconds / 1000))
        guard let self, !self.isDone else { return }
        let now = MonotonicClock.now
        self.look(at: now, after: now - looked)
        looked = now
      }
    }
    guard let accountPath else { return }
    // Writing a file may block, so the watchdog leaves it to another.
    _ = try WorkerThread(name: "account") { [weak self] in
      let file = AccountFile(path: accountPath)
      var isFirst = true
      while true {
        // The strands come a moment after the watchdog.
        usleep(isFirst ? 100_000 : ProcessAccount.intervalMicroseconds)
        isFirst = false
        guard let self, !self.isDone else { return }
        file.write(self.account)
        self.spans?.flush()
      }
    }
  }

  /// A strand of this process, watched from now on; its first is what the process is about.
  public func strand(_ name: String) -> Strand {
    let strand = Strand(name, events: events, spans: spans?.ring(strand: name))
    state.withLock {
      precondition($0.strands.count < Self.maximumStrands, "\($0.strands.count + 1) strands")
      $0.strands.append(strand)
    }
    return strand
  }

  /// The strand ended well: nobody expects it to turn any more.
  public func forget(_ strand: Strand) {
    state.withLock { $0.strands.removeAll { $0 === strand } }
  }

  public func setPatience(seconds: Double) {
    state.withLock { $0.patience = Self.nanoseconds(seconds) }
  }

  /// It does what it is for from here on, or not.
  public func setReady(_ isReady: Bool = true, _ text: String = "ready") {
    state.withLock { $0.readiness = (isReady, text) }
  }

  /// Whether it does what it is for: not before it said so, nor while a strand waits for longer
  /// than the patience.
  public var readiness: (isReady: Bool, text: String) {
    let said = state.withLock { $0.readiness }
    guard said.isReady, let late = account.strands.first(where: \.isLate) else { return said }
    return (false, "\(late.strand) waits for \(late.text)")
  }

  /// The text a scraper reads.
  public var metricsText: String { meters.text(account, durations: spans?.durations ?? [:]) }

  /// Spans are counted by their lengths from here on, for `metricsText`.
  public func countDurations() { spans?.countDurations() }

  /// How full a queue is.
  public func set(_ gauge: String, to value: Int, of maximum: Int) {
    state.withLock {
      if let index = $0.gauges.firstIndex(where: { $0.name == gauge }) {
        $0.gauges[index].value = value
        $0.gauges[index].maximum = maximum
      } else if $0.gauges.count < Self.maximumGauges {
        $0.gauges.append(Gauge(name: gauge, value: value, maximum: maximum))
      }
    }
  }

  /// Ends the process, well, so long after `isAsked` first said that it should stop, whatever its
  /// threads are at then: for one whose every promise is on the disk already. `because` is said if
  /// it comes to that.
  public func endStopping(
    withinSeconds seconds: Double, because reason: String, isAsked: @escaping @Sendable () -> Bool
  ) {
    stopping.withLock {
      $0 = Stop(isAsked: isAsked, nanoseconds: Self.nanoseconds(seconds), because: reason)
    }
  }

  /// No more watching: the process is about to end by itself.
  public func finish() {
    state.withLock { $0.isDone = true }
    spans?.flush()
  }

  deinit { finish() }

  private var isDone: Bool { state.withLock { $0.isDone } }

  private static func nanoseconds(_ seconds: Double) -> Int64 {
    Int64(min(seconds, 1e9) * Double(MonotonicClock.nanosecondsPerSecond))
  }

  // MARK: The rule

  /// `pardoned` is time after the strand's last turn in which the whole process stood still.
  public static func judge(
    _ facts: Strand.Facts, at now: Int64, patience: Int64, pardoned: Int64 = 0
  ) -> Verdict {
    func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }
    if facts.activity != .resource {
      let overdue = now - max(facts.turned, facts.due) - pardoned
      if overdue > patience { return .hung(seconds: seconds(overdue)) }
    }
    if facts.activity != .work, now - facts.since > patience {
      return .late(seconds: seconds(now - facts.since))
    }
    return .fine
  }

  private func look(at now: Int64, after gap: Int64) {
    if gap > Self.stoodStillNanoseconds + Self.lookNanoseconds {
      state.withLock { $0.pardoned = now }
    }
    endIfOverdue(at: now)
    let (strands, patience, pardoned) = state.withLock {
      ($0.strands, $0.patience, $0.pardoned)
    }
    for strand in strands {
      guard let facts = strand.reading else { continue }
      // After standing still a strand gets its whole patience again.
      let stood = max(0, pardoned - max(facts.turned, facts.due))
      switch Self.judge(facts, at: now, patience: patience, pardoned: stood) {
      case .fine: _ = state.withLock { $0.alarmed.removeValue(forKey: strand.name) }
      case .late(let seconds): alarm(strand.name, facts, seconds, at: now, patience: patience)
      case .hung(let seconds): die(strand.name, facts, seconds)
      }
    }
  }

  private func endIfOverdue(at now: Int64) {
    guard let stop = stopping.withLock({ $0 }), stop.isAsked() else { return }
    let end = state.withLock { state -> Int64 in
      let end = state.end ?? now + stop.nanoseconds
      state.end = end
      return end
    }
    guard now >= end else { return }
    lastWords {
      log.warning(
        "asked to stop \(stop.nanoseconds / 1_000_000_000) s ago, and still "
          + account.lines.joined(separator: "; ") + ": it ends now; " + stop.because)
    }
    ChildProcess.killWards()
    _exit(ExitCode.success.rawValue)
  }

  /// Said once a patience, then after twice, four times as long.
  private func alarm(
    _ strand: String, _ facts: Strand.Facts, _ seconds: Double, at now: Int64, patience: Int64
  ) {
    let isDue = state.withLock { state -> Bool in
      let known = state.alarmed[strand]
      if let known, known.since == facts.since, now < known.next { return false }
      let waited = now - facts.since
      state.alarmed[strand] = (facts.since, now + max(patience, waited))
      return true
    }
    if isDue {
      log.warning("\(strand) has been waiting for \(facts.text) for \(Int(seconds)) s")
    }
  }

  private func die(_ strand: String, _ facts: Strand.Facts, _ seconds: Double) {
    lastWords {
      log.error(
        "\(strand) could go on and has not for \(Int(seconds)) s; who does what in this process:")
      for line in account.lines { log.error("  " + line) }
      log.error("the last events:")
      let now = MonotonicClock.now
      for event in events.last {
        let tenths = (now - event.at) / 100_000_000
        log.error("  \(tenths / 10).\(tenths % 10) s before: \(event.text)")
      }
      log.error("the process ends with status \(ExitCode.stalled.rawValue) (no progress)")
    }
    ChildProcess.killWards()
    _exit(ExitCode.stalled.rawValue)
  }

  /// Standard error may be a terminal that was stopped or a pipe nobody reads.
  private func lastWords(_ say: () -> Void) {
    signal(SIGALRM, SIG_DFL)
    Glibc.alarm(Self.lastWordsSeconds)
    say()
  }

  /// What every strand says now.
  public var account: ProcessAccount {
    let (strands, gauges, patience) = state.withLock { ($0.strands, $0.gauges, $0.patience) }
    let now = MonotonicClock.now
    return ProcessAccount(
      name: name, processID: Int(getpid()), at: now,
      strands: strands.compactMap { strand in
        strand.reading.map { facts in
          let verdict = Self.judge(facts, at: now, patience: patience)
          return ProcessAccount.Line(
            strand: strand.name, activity: facts.activity, text: facts.text,
            milliseconds: Int((now - facts.since) / 1_000_000),
            sinceTurnMilliseconds: Int((now - facts.turned) / 1_000_000),
            isLate: verdict != .fine)
        }
      }, gauges: gauges)
  }
}
