// A person's verifier as a child process: one line in, one line out, with a deadline for each
// exchange and a limit for each answer. It is started when it is first needed, and anew after it
// died, was late or said too much; a child that fails is killed with all it started.

import Glibc
import Operations
import Synchronization
import Tasks

/// Speaks to one child at a time.
package final class ProgramChild: LineProgram {
  /// Bytes read at once.
  private static let chunkBytes = 1 << 16

  private let plan: LineProgramPlan
  private let state = Mutex(State())

  private struct State: ~Copyable {
    var child: ChildProcess?
    /// What was read beyond the last answer.
    var rest: [UInt8] = []
  }

  package init(_ plan: LineProgramPlan) {
    precondition(!plan.words.isEmpty, "a program without a name")
    self.plan = plan
  }

  package var seconds: Double { plan.seconds }

  /// What task settings call programs by.
  package static let maker: LineProgramMaker = { ProgramChild($0) }

  package func answer(_ line: [UInt8]) -> Result<[UInt8], LineProgramFailure> {
    state.withLock { state in
      let deadline = Deadline.after(seconds: plan.seconds)
      do throws(LineProgramFailure) {
        let child = try running(&state)
        try send(line + [0x0A], to: child, deadline)
        return .success(try receive(from: child, &state.rest, deadline))
      } catch {
        // What it may still say belongs to a line that is given up.
        giveUp(&state)
        return .failure(error)
      }
    }
  }

  package func reject() { state.withLock { giveUp(&$0) } }

  private func giveUp(_ state: inout State) {
    state.child?.killGroup()
    state.child = nil
    state.rest = []
  }

  private func running(_ state: inout State) throws(LineProgramFailure) -> ChildProcess {
    if let child = state.child, !child.hasEnded, isSilent(child, state.rest) { return child }
    giveUp(&state)
    do {
      let child = try ChildProcess(
        plan.words[0], Array(plan.words.dropFirst()), output: .pipe, takesInput: true,
        isWard: true)
      state.child = child
      return child
    } catch {
      throw LineProgramFailure(error.description)
    }
  }

  /// What a program says unasked would be taken for its next answer, and that for the one after.
  private func isSilent(_ child: ChildProcess, _ rest: [UInt8]) -> Bool {
    guard let descriptor = child.outputDescriptor else { preconditionFailure("no output") }
    return rest.isEmpty && Descriptor.waitReadable([descriptor], deadline: .now).isEmpty
  }

  private func send(
    _ bytes: [UInt8], to child: ChildProcess, _ deadline: Deadline
  ) throws(LineProgramFailure) {
    guard let descriptor = child.inputDescriptor else { preconditionFailure("no input") }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if count > 0 {
        done += count
      } else if errno == EAGAIN {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&entry, 1, deadline.pollMilliseconds)
        if deadline.hasPassed { throw late("took no line") }
      } else if errno != EINTR {
        throw ended(child, deadline)
      }
    }
  }

  private func receive(
    from child: ChildProcess, _ rest: inout [UInt8], _ deadline: Deadline
  ) throws(LineProgramFailure) -> [UInt8] {
    guard let descriptor = child.outputDescriptor else { preconditionFailure("no output") }
    var searched = 0
    while true {
      if let end = rest[searched...].firstIndex(of: 0x0A) {
        let line = Array(rest[..<end])
        rest.removeFirst(end + 1)
        guard line.count <= plan.maximumBytes else { throw tooLong() }
        return line
      }
      searched = rest.count
      guard rest.count <= plan.maximumBytes else { throw tooLong() }
      guard !Descriptor.waitReadable([descriptor], deadline: deadline).isEmpty else {
        throw late("gave no verdict")
      }
      var chunk = [UInt8](repeating: 0, count: Self.chunkBytes)
      let count = read(descriptor, &chunk, chunk.count)
      if count > 0 {
        rest += chunk[..<count]
      } else if count == 0 || errno != EINTR {
        throw ended(child, deadline)
      }
    }
  }

  private var name: String { plan.words[0] }

  private func late(_ what: String) -> LineProgramFailure {
    LineProgramFailure("\(name) \(what) within \(plan.seconds) s")
  }

  private func tooLong() -> LineProgramFailure {
    LineProgramFailure("\(name) said more than \(plan.maximumBytes) bytes")
  }

  private func ended(_ child: ChildProcess, _ deadline: Deadline) -> LineProgramFailure {
    let exit = child.waitForGroup(deadline: min(deadline, .after(seconds: 1)))
    return LineProgramFailure(
      "\(name) \(exit?.description ?? "closed its output") before it gave a verdict")
  }
}
