import Glibc
import Operations
import Testing

@Suite struct ChildProcessTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func shell(
    _ script: String, environment: [String: String?] = [:], lifeline: Lifeline? = nil
  ) throws -> ChildProcess {
    try ChildProcess(
      "sh", ["-c", script], environment: environment, output: .pipe, lifeline: lifeline)
  }

  /// What it wrote; the child lives at least as long, or its end would be closed under the reader.
  func output(of child: ChildProcess) throws -> String {
    defer { withExtendedLifetime(child) {} }
    return try readToEnd(try #require(child.outputDescriptor))
  }

  @Test func `a child's status and signal come back in words`() throws {
    let deadline = Deadline.after(seconds: patience)
    let fenced = try shell("exit 83")
    #expect(fenced.wait(deadline: deadline) == .exited(83))
    #expect(fenced.poll()?.exitCode == .fenced)
    #expect(
      "\(fenced.poll()!)" == "exited with status 83 (a newer learner took over)")
    let killed = try shell("kill -9 $$")
    #expect(killed.wait(deadline: deadline) == .signaled(SIGKILL))
    #expect("\(killed.poll()!)" == "ended by SIGKILL")
    #expect(try shell("true").wait(deadline: deadline)?.isSuccess == true)
  }

  @Test func `polling and waiting with a deadline do not block`() throws {
    let child = try shell("sleep 100")
    let start = MonotonicClock.now
    #expect(child.poll() == nil)
    #expect(child.wait(deadline: .after(seconds: 0.05)) == nil)
    #expect(MonotonicClock.seconds(since: start) < patience)
    child.terminate()
    #expect(child.wait(deadline: .after(seconds: patience)) == .signaled(SIGTERM))
    child.terminate()  // nothing, and no stranger hit
  }

  @Test func `the end of a child is a readable descriptor`() throws {
    let child = try shell("sleep 0.05")
    let descriptor = try #require(child.exitDescriptor, "this kernel has no process descriptors")
    #expect(!Descriptor.waitReadable([descriptor], deadline: .after(seconds: patience)).isEmpty)
    #expect(child.poll() == .exited(0))
  }

  @Test func `a stop that is ignored becomes a kill of the whole group`() throws {
    // The grandchild holds the pipe open until it is dead as well.
    let child = try shell("trap '' TERM; sleep 100 & echo ready; wait; wait")
    var buffer = [UInt8](repeating: 0, count: 16)
    #expect(read(try #require(child.outputDescriptor), &buffer, 16) == 6)
    #expect(child.stop(deadline: .after(seconds: 0.1)) == .signaled(SIGKILL))
    #expect(try output(of: child).isEmpty)
  }

  @Test func `a child starts with the default dispositions and an empty mask`() throws {
    // Ours: SIGPIPE ignored and SIGUSR1 blocked on this thread.
    let before = signal(SIGPIPE, SIG_IGN)
    var (blocked, old) = (sigset_t(), sigset_t())
    sigemptyset(&blocked)
    sigaddset(&blocked, SIGUSR1)
    pthread_sigmask(SIG_BLOCK, &blocked, &old)
    defer {
      pthread_sigmask(SIG_SETMASK, &old, nil)
      signal(SIGPIPE, before)
    }
    let child = try ChildProcess(
      "grep", ["-E", "^Sig(Blk|Ign)", "/proc/self/status"], output: .pipe)
    // glibc leaves its own two signals, 32 and 33, ignored until the child starts a thread.
    let text = try output(of: child)
    #expect(text == "SigBlk:\t0000000000000000\nSigIgn:\t0000000180000000\n")
  }

  @Test func `a child has a group of its own and nothing of ours open`() throws {
    let held = open("/dev/null", O_RDONLY)  // inheritable, as a careless library leaves it
    defer { close(held) }
    let lifeline = try Lifeline()
    // The shell's own tests of a path open nothing, unlike a listing.
    let listing = "for n in $(seq 3 300); do [ -e /proc/$$/fd/$n ] && echo $n; done;"
    let child = try shell(listing + "cut -d' ' -f 5 /proc/$$/stat", lifeline: lifeline)
    let words = try output(of: child).split { $0 == " " || $0 == "\n" }
    #expect(words == ["3", "\(child.processID)"])
    #expect(try output(of: shell(listing)) == "")
  }

  @Test func `when the supervisor's end closes the child reads an end of file`() throws {
    var lifeline: Lifeline? = try Lifeline()
    let child = try shell(
      "echo $FORAGE_PARENT_FD; cat <&3; echo gone", lifeline: lifeline)
    var buffer = [UInt8](repeating: 0, count: 16)
    #expect(read(child.outputDescriptor!, &buffer, 16) == 2)
    #expect(child.wait(deadline: .after(seconds: 0.05)) == nil)
    lifeline = nil
    #expect(try output(of: child) == "gone\n")
    #expect(child.wait(deadline: .after(seconds: patience))?.isSuccess == true)
  }

  @Test func `a child sees that its supervisor is gone, and only then`() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let parent = ParentPipe(descriptor: ends[0])
    #expect(!parent.isOrphaned)
    close(ends[1])
    #expect(parent.isOrphaned)
  }

  @Test func `output goes to a file and the environment is added to`() throws {
    let path = folder.file("out")
    for _ in 0..<2 {
      let child = try ChildProcess(
        "sh", ["-c", "echo $A$HOME-; echo error >&2"],
        environment: ["A": "x", "HOME": nil], output: .append(path), error: .append(path))
      #expect(child.wait(deadline: .after(seconds: patience)) == .exited(0))
    }
    #expect(try Files.readText(path) == "x-\nerror\nx-\nerror\n")
  }

  @Test func `standard input is empty`() throws {
    #expect(try output(of: shell("cat; echo end")) == "end\n")
  }

  @Test func `a program that is not there is an error, not a child`() throws {
    let failure = try #require(throws: Failure.self) { try ChildProcess("/nonexistent/program") }
    #expect(failure.exitCode == .noInput && failure.on == "/nonexistent/program")
  }

  @Test func `a child dropped is a child killed`() throws {
    let process: pid_t
    do {
      let child = try shell("sleep 100")
      process = child.processID
    }
    #expect(kill(process, 0) != 0 && errno == ESRCH)
  }
}

@Suite(.serialized) struct SignalTests {
  @Test func `a stop signal makes the descriptor readable and is counted`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      alarm(20)
      let watch = try SignalWatch()
      precondition(!watch.isStopping && watch.lastSignal == nil)
      kill(getpid(), SIGTERM)
      let ready = Descriptor.waitReadable(
        [watch.fileDescriptor], deadline: .after(seconds: 10))
      precondition(ready == [watch.fileDescriptor] && watch.isStopping)
      precondition(watch.lastSignal == "SIGTERM" && watch.count == 1)
      watch.drain()
      precondition(Descriptor.waitReadable([watch.fileDescriptor], deadline: .now).isEmpty)
      kill(getpid(), SIGINT)
      while watch.count < 2 { usleep(1000) }
      exit(0)
    }
  }

  @Test func `a stop signal that was held until the watch began is one that it sees`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      alarm(20)
      var held = sigset_t()
      sigemptyset(&held)
      sigaddset(&held, SIGTERM)
      precondition(sigprocmask(SIG_BLOCK, &held, nil) == 0)
      // To this thread: others of the test's process hold nothing.
      pthread_kill(pthread_self(), SIGTERM)
      let watch = try SignalWatch()
      while !watch.isStopping { usleep(1000) }
      exit(watch.lastSignal == "SIGTERM" ? 0 : 1)
    }
  }

  @Test func `a child born with stop signals held is not ended by one`() throws {
    let child = try ChildProcess("sleep", ["100"], holdsStopSignals: true)
    child.send(SIGTERM)
    #expect(child.wait(deadline: .after(seconds: 0.2)) == nil)
    child.killGroup()
    #expect(child.wait(deadline: .after(seconds: 10)) == .signaled(SIGKILL))
    let plain = try ChildProcess("sleep", ["100"])
    plain.send(SIGTERM)
    #expect(plain.wait(deadline: .after(seconds: 10)) == .signaled(SIGTERM))
  }

  @Test func `no stop signal is lost while other threads work`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      alarm(30)
      let watch = try SignalWatch()
      let stop = Monitor(false)
      for index in 0..<3 {
        _ = try WorkerThread(name: "busy-\(index)") {
          while !stop.withLock({ $0 }) {}
        }
      }
      for expected in 1...50 {
        kill(getpid(), SIGTERM)
        let deadline = Deadline.after(seconds: 10)
        while watch.count < expected { precondition(!deadline.hasPassed, "signal \(expected)") }
      }
      stop.withLock { $0 = true }
      exit(0)
    }
  }

  @Test func `a write to a pipe nobody reads is an error, not the end`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let watch = try SignalWatch()
      var ends: [Int32] = [0, 0]
      precondition(pipe(&ends) == 0)
      close(ends[0])
      precondition(write(ends[1], "x", 1) == -1 && errno == EPIPE)
      exit(watch.isStopping ? 1 : 0)
    }
  }

  @Test func `after the watch SIGTERM ends the process again`() async {
    await #expect(processExitsWith: .signal(SIGTERM)) {
      do { _ = try SignalWatch() }
      kill(getpid(), SIGTERM)
      sleep(20)
    }
  }

  @Test func `an inherited pipe is taken by its number, and a wrong number refused`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let none = try ParentPipe.inherited()
      precondition(none == nil)
      setenv("FORAGE_PARENT_FD", "917", 1)
      do {
        _ = try ParentPipe.inherited()
        exit(1)
      } catch {
        precondition((error as? Failure)?.exitCode == .usage)
      }
      var ends: [Int32] = [0, 0]
      precondition(pipe(&ends) == 0)
      setenv("FORAGE_PARENT_FD", "\(ends[0])", 1)
      let pipe = try ParentPipe.inherited()
      precondition(pipe?.isOrphaned == false && Environment.value("FORAGE_PARENT_FD") == nil)
      close(ends[1])
      precondition(pipe?.isOrphaned == true)
      exit(0)
    }
  }
}

@Suite struct RunLockTests {
  @Test func `one holder at a time, named to the other`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("learner.lock")
    #expect(RunLock.holder(path: path) == nil)
    var lock: RunLock? = try RunLock(path: path)
    let failure = try #require(throws: Failure.self) { try RunLock(path: path) }
    #expect(failure.exitCode == .locked && failure.happened == "process \(getpid()) holds it")
    #expect(RunLock.holder(path: path) == Int(getpid()))
    _ = lock
    lock = nil
    #expect(RunLock.holder(path: path) == nil)
    _ = try RunLock(path: path)
  }

  @Test func `a child does not keep its parent's lock`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.lock")
    var lock: RunLock? = try RunLock(path: path)
    let child = try ChildProcess("sleep", ["100"])
    _ = lock
    lock = nil
    _ = try RunLock(path: path)
    child.killGroup()
  }

  @Test func `a holder that was killed holds nothing`() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.lock")
    let child = try ChildProcess(
      "flock", ["--no-fork", path, "sh", "-c", "echo held; exec sleep 100"], output: .pipe)
    // Its five bytes and no more: the end of the pipe is the end of the holder.
    let said = try Descriptor.read(child.outputDescriptor!, count: 5, path: path)
    #expect(said == Array("held\n".utf8))
    #expect(throws: Failure.self) { try RunLock(path: path) }
    child.killGroup()
    #expect(child.wait(deadline: .after(seconds: patience)) == .signaled(SIGKILL))
    _ = try RunLock(path: path)
  }

  @Test func `one that is refused closes its own descriptor alone`() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let folder = try TemporaryFolder()
      let path = folder.file("x.lock")
      let lock = try RunLock(path: path)
      let stolen = try descriptorsStolen {
        for _ in 0..<20_000 { precondition((try? RunLock(path: path)) == nil) }
      }
      withExtendedLifetime((folder, lock)) {}
      exit(stolen == 0 ? 0 : 1)
    }
  }
}
