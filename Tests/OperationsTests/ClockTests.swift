import Operations
import Testing

@Suite struct ClockTests {
  @Test func `a deadline passes once its seconds have`() {
    let deadline = Deadline.after(seconds: 0.02)
    #expect(!deadline.hasPassed)
    while !deadline.hasPassed {}
    #expect(deadline.remainingSeconds == 0 && deadline.pollMilliseconds == 0)
  }

  @Test func `never is after everything and now before`() {
    #expect(Deadline.now < .after(seconds: 1) && .after(seconds: 1e9) < Deadline.never)
    #expect(Deadline.now.hasPassed && !Deadline.never.hasPassed)
    #expect(Deadline.never.pollMilliseconds == -1)
    #expect(Deadline.after(seconds: .infinity) == .never)
    #expect(Deadline.after(seconds: 1e30) == .never)
    #expect(Deadline.after(seconds: -5).hasPassed)
  }

  @Test func `a poll is asked for no less than what is left, or it would spin`() {
    #expect(Deadline.after(seconds: 0.0001).pollMilliseconds <= 1)
    let deadline = Deadline.after(seconds: 0.5)
    let asked = Double(deadline.pollMilliseconds) / 1000
    #expect(asked >= deadline.remainingSeconds)
  }

  @Test func `a wait names whom it waits for and how long`() {
    let second = MonotonicClock.nanosecondsPerSecond
    let waiting = Waiting(for: "replay at ipc://x", since: MonotonicClock.now - 32 * second / 10)
    #expect("\(waiting)" == "waiting for replay at ipc://x, for 3.2 s")
    let failure = waiting.expired(remedy: "start it")
    #expect(failure.exitCode == .unavailable)
    #expect(
      "\(failure)"
        == "wait for replay at ipc://x failed: nothing came for 3.2 s; start it")
  }

  @Test func `a stamp has the form of a clock`() throws {
    #expect(try /\d\d:\d\d:\d\d\.\d\d\d/.wholeMatch(in: WallClock.timeStamp) != nil)
    #expect(try /20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/.wholeMatch(in: WallClock.dateStamp) != nil)
  }
}

@Suite struct PhaseTests {
  @Test func `each nanosecond is counted once, in the innermost phase`() {
    var timer = PhaseTimer(now: 100)
    timer.begin("forward", now: 110)  // 10 in none
    timer.begin("pack", now: 130)  // 20 forward
    timer.end(now: 160)  // 30 pack
    timer.enter("backward", now: 200)  // 40 forward
    timer.enter("forward", now: 250)  // 50 backward
    let report = timer.finish(now: 310)  // 60 forward
    #expect(report.wallNanoseconds == 210)
    #expect(report.phases.map(\.name) == ["forward", "pack", "backward"])
    #expect(report.phases.map(\.nanoseconds) == [20 + 40 + 60, 30, 50])
    #expect(report.otherNanoseconds == 10)
    #expect(abs(report.coverage - 200.0 / 210) < 1e-15)
  }

  @Test func `a step begins where the last ended`() {
    var timer = PhaseTimer(now: 0)
    timer.begin("a", now: 0)
    _ = timer.finish(now: 5)
    timer.begin("b", now: 7)
    let report = timer.finish(now: 9)
    #expect(report.wallNanoseconds == 4 && report.phases.map(\.nanoseconds) == [2])
  }

  @Test func `a phase that throws is ended all the same`() {
    struct Fault: Error {}
    var timer = PhaseTimer()
    try? timer.measure("a") { throw Fault() }
    timer.begin("b")
    let report = timer.finish()
    #expect(report.phases.map(\.name) == ["a", "b"])
    #expect(report.otherNanoseconds >= 0)
  }
}

@Suite struct MachineTests {
  @Test func `a quota of processors is rounded up`() {
    #expect(Machine.quota(cpuMax: "150000 100000\n") == 2)
    #expect(Machine.quota(cpuMax: "200000 100000\n") == 2)
    #expect(Machine.quota(cpuMax: "max 100000\n") == nil)
    #expect(Machine.quota(cpuMax: "") == nil)
  }

  @Test func `a fingerprint holds the model and what decides the kernels`() {
    let text =
      "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.0GHz\n"
      + "flags\t\t: fpu fma avx2 sse\n"
    let fingerprint = Machine.fingerprint(cpuInformation: text)
    #expect(fingerprint.hasSuffix("Some CPU @ 2.0GHz [avx2 fma]"))
    #expect(Machine.fingerprint == Machine.fingerprint)
  }

  @Test func `this machine has processors and memory, and less is available than there is`() {
    #expect(Machine.coreCount >= 1)
    #expect(Machine.memoryBytes > 64 << 20)
    #expect((1...Machine.memoryBytes).contains(Machine.availableMemoryBytes))
    #expect((1 << 20...Machine.memoryBytes).contains(Machine.residentBytes))
  }
}
