// A child process under control: in a process group of its own, so that one kill reaches all it
// started; with signal mask and dispositions reset, so that it does not inherit our ignored
// SIGPIPE (a program of ours may be born with stop signals held until it watches for them); with
// nothing open but standard streams and the supervisor's pipe at descriptor 3.
//
// Its end is found by a process descriptor that a poller can watch; nothing here waits without a
// deadline.

import CSystem
import Glibc
import Synchronization

/// How a process ended.
public enum ChildExit: Sendable, Equatable, CustomStringConvertible {
  case exited(Int32)
  case signaled(Int32)

  public var isSuccess: Bool { self == .exited(0) }

  /// The named status, if it is one of ours.
  public var exitCode: ExitCode? {
    if case .exited(let status) = self { ExitCode(rawValue: status) } else { nil }
  }

  /// "exited with status 83 (a newer learner took over)", "ended by SIGKILL".
  public var description: String {
    switch self {
    case .exited(let status):
      if let code = ExitCode(rawValue: status) {
        "exited with status \(status) (\(code.meaning))"
      } else {
        "exited with status \(status)"
      }
    case .signaled(let signal): "ended by \(Signals.name(signal))"
    }
  }
}

/// A spawned program. Confined to one thread, or locked by its owner.
public final class ChildProcess {
  /// Where a child finds its supervisor's pipe.
  public static let parentDescriptor: Int32 = 3

  /// Where a standard stream of the child goes.
  public enum Output: Sendable, Equatable {
    /// Where ours goes.
    case inherit
    /// Appended to a file, made if missing.
    case append(String)
    /// A pipe to be read from `outputDescriptor` or `errorDescriptor`.
    case pipe
    /// Nowhere.
    case discard
  }

  /// The path or name it was started by, for messages.
  public let program: String
  public let processID: pid_t
  /// Writing end of the child's standard input where it was asked for, else nil; never blocks.
  /// Closed with this object.
  public let inputDescriptor: Int32?
  /// Reading end of the child's standard output under `.pipe`, else nil. Closed with this object.
  public let outputDescriptor: Int32?
  /// The same of standard error.
  public let errorDescriptor: Int32?
  /// Readable once the child ended; nil on a kernel without process descriptors.
  public let exitDescriptor: Int32?
  private var known: ChildExit?
  private let isWard: Bool

  /// Children that are not to outlive this process, however it ends by itself.
  private static let wards = Mutex<Set<pid_t>>([])

  /// Kills every ward with all it started: what a process does that ends while they are at work.
  public static func killWards() {
    wards.withLock { for ward in $0 { kill(-ward, SIGKILL) } }
  }

  /// Starts `program`, a path or a name looked up in PATH. `environment` adds to ours; a nil value
  /// removes. Standard input is empty unless `takesInput`. A program of ours is told by
  /// `holdsStopSignals` that it will watch for them: one that comes while it is still being loaded
  /// waits, where it would end the process otherwise. `isWard`: see `killWards`.
  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
    output: Output = .inherit, error: Output = .inherit, takesInput: Bool = false,
    lifeline: Lifeline? = nil, holdsStopSignals: Bool = false, isWard: Bool = false
  ) throws(Failure) {
    var plan = SpawnPlan(program: program)
    defer { plan.dispose() }
    outputDescriptor = try plan.connect(STDOUT_FILENO, to: output)
    var input: Int32?
    var errors: Int32?
    do {
      if takesInput { input = try plan.connectInput() }
      errors = try plan.connect(STDERR_FILENO, to: error)
      var additions = environment
      additions[ParentPipe.environmentName] = .some(nil)
      if let lifeline {
        try plan.inherit(lifeline.readingEnd, as: Self.parentDescriptor)
        additions[ParentPipe.environmentName] = "\(Self.parentDescriptor)"
      }
      processID = try plan.spawn(
        [program] + arguments, environment: Environment.merged(additions),
        firstClosed: lifeline == nil ? 3 : Self.parentDescriptor + 1,
        holdsStopSignals: holdsStopSignals)
    } catch {
      for descriptor in [input, outputDescriptor, errors] {
        if let descriptor { close(descriptor) }
      }
      throw error
    }
    inputDescriptor = input
    errorDescriptor = errors
    self.program = program
    let descriptor = forage_process_descriptor(processID)
    exitDescriptor = descriptor >= 0 ? descriptor : nil
    self.isWard = isWard
    if isWard { _ = Self.wards.withLock { $0.insert(processID) } }
  }

  /// Kills and reaps a child that is still there: nothing outlives its owner unnoticed.
  deinit {
    if poll() == nil {
      killGroup()
      _ = wait(deadline: .after(seconds: 5))
    }
    for descriptor in [inputDescriptor, outputDescriptor, errorDescriptor, exitDescriptor] {
      if let descriptor { close(descriptor) }
    }
  }

  /// How it ended, or nil while it runs. Never waits.
  public func poll() -> ChildExit? {
    guard isWard, known == nil else { return reap() }
    // Once it is reaped its number may be another's.
    return Self.wards.withLock { wards in
      let exit = reap()
      if exit != nil { wards.remove(processID) }
      return exit
    }
  }

  private func reap() -> ChildExit? {
    if let known { return known }
    var status: Int32 = 0
    switch forage_child_state(processID, &status) {
    case 1: known = .exited(status)
    case 2: known = .signaled(status)
    case 0: break
    default: preconditionFailure("process \(processID) is not our child (errno \(errno))")
    }
    return known
  }

  /// Waits for its end; nil when the deadline passed first.
  public func wait(deadline: Deadline) -> ChildExit? {
    while true {
      if let exit = poll() { return exit }
      if deadline.hasPassed { return nil }
      if let exitDescriptor {
        _ = Descriptor.waitReadable([exitDescriptor], deadline: deadline)
      } else {
        usleep(5000)
      }
    }
  }

  /// Whether it ended, without reaping it: until `poll` its number is still its own. On a kernel
  /// without process descriptors it is reaped.
  public var hasEnded: Bool {
    if known != nil { return true }
    guard let exitDescriptor else { return poll() != nil }
    return !Descriptor.waitReadable([exitDescriptor], deadline: .now).isEmpty
  }

  /// Waits for its end, and kills what it started and left behind in its group; how it ended.
  public func waitForGroup(deadline: Deadline) -> ChildExit? {
    if known == nil, let exitDescriptor {
      guard !Descriptor.waitReadable([exitDescriptor], deadline: deadline).isEmpty else {
        return nil
      }
      killGroup()
    }
    return wait(deadline: deadline)
  }

  /// Asks it to stop: SIGTERM to the process alone, which stops its own children in its order.
  public func terminate() { send(SIGTERM) }

  /// Sends a signal to the process; nothing once it ended.
  public func send(_ signal: Int32) {
    // Not reaped yet, so the number is still its own.
    if poll() == nil { kill(processID, signal) }
  }

  /// SIGKILL to the process and all it started that stayed in its group. Safe after it ended only
  /// while something of the group is left, so call it before reaping where that matters.
  public func killGroup() {
    if known == nil { kill(-processID, SIGKILL) }
  }

  /// Asks, waits, and kills at the deadline; how it ended.
  public func stop(deadline: Deadline) -> ChildExit? {
    terminate()
    if let exit = wait(deadline: deadline) { return exit }
    killGroup()
    return wait(deadline: .after(seconds: 5))
  }
}
