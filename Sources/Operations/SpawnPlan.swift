// What posix_spawn needs for one child: the descriptors it gets, and those of ours to close after.

import CSystem
import Glibc

struct SpawnPlan {
  let program: String
  private var actions = posix_spawn_file_actions_t()
  /// Ours for the length of the spawn.
  private var temporary: [Int32] = []

  init(program: String) {
    self.program = program
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
  }

  mutating func dispose() {
    posix_spawn_file_actions_destroy(&actions)
    for descriptor in temporary { close(descriptor) }
    temporary = []
  }

  /// Connects a standard stream; the reading end of a pipe, if one was made.
  mutating func connect(
    _ stream: Int32, to output: ChildProcess.Output
  ) throws(Failure) -> Int32? {
    switch output {
    case .inherit:
      return nil
    case .discard:
      posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0)
      return nil
    case .append(let path):
      let file = try Descriptor.open(
        path, O_WRONLY | O_APPEND | O_CREAT, tried: "open for \(program)'s output")
      temporary.append(file)
      try inherit(file, as: stream)
      return nil
    case .pipe:
      let (reading, writing) = try Pipes.make("a pipe for \(program)'s output")
      temporary.append(writing)
      do {
        try inherit(writing, as: stream)
      } catch {
        close(reading)
        throw error
      }
      return reading
    }
  }

  /// A pipe in place of the empty standard input; its writing end, which never blocks.
  mutating func connectInput() throws(Failure) -> Int32 {
    let (reading, writing) = try Pipes.make("a pipe for \(program)'s input")
    temporary.append(reading)
    do {
      try inherit(reading, as: STDIN_FILENO)
    } catch {
      close(writing)
      throw error
    }
    _ = forage_fcntl(writing, F_SETFL, O_NONBLOCK)
    // A child that died is an error of the write to it, not the end of this process.
    _ = forage_ignore_sigpipe()
    return writing
  }

  /// Gives the child a descriptor of ours under a number. The source is first moved beyond all
  /// numbers given out, or one hand-over could overwrite the source of the next.
  mutating func inherit(_ source: Int32, as target: Int32) throws(Failure) {
    let moved = forage_fcntl(source, F_DUPFD_CLOEXEC, 10)
    guard moved >= 0 else {
      throw .system(
        "prepare descriptors for", on: program, remedy: "raise the limit of open files (ulimit -n)",
        exitCode: .unavailable)
    }
    temporary.append(moved)
    posix_spawn_file_actions_adddup2(&actions, moved, target)
  }

  /// Starts the child; everything from `firstClosed` up is closed in it.
  /// Stop signals wait for a child that holds them until its `SignalWatch` lets them in.
  mutating func spawn(
    _ arguments: [String], environment: [String], firstClosed: Int32, holdsStopSignals: Bool
  ) throws(Failure) -> pid_t {
    forage_spawn_close_from(&actions, firstClosed)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = sigset_t()
    sigemptyset(&mask)
    if holdsStopSignals {
      for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&mask, signal) }
    }
    posix_spawnattr_setsigmask(&attributes, &mask)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    var process: pid_t = 0
    let result = withCStrings(arguments) { arguments in
      withCStrings(environment) { environment in
        posix_spawnp(&process, program, &actions, &attributes, arguments, environment)
      }
    }
    guard result == 0 else {
      throw .system(
        "start", on: program, code: result,
        remedy: "check that the program is there and can be executed",
        exitCode: result == ENOENT ? .noInput : .unavailable)
    }
    return process
  }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(
  _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  let copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return body(copies + [nil])
}

/// The environment of this process.
public enum Environment {
  /// A variable's value; nil when unset.
  public static func value(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// Ours with additions, in `NAME=value` form; a nil value removes.
  static func merged(_ additions: [String: String?]) -> [String] {
    var entries: [String] = []
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      let name = String(text.prefix { $0 != "=" })
      if additions[name] == nil { entries.append(text) }
      next += 1
    }
    for (name, value) in additions.sorted(by: { $0.key < $1.key }) {
      if let value { entries.append("\(name)=\(value)") }
    }
    return entries
  }
}
