// Measures this actor's links when somebody asks (`forage bench link RUN --from ACTOR`): runs
// `forage bench link` as a child, with this actor's addresses and key, so that what is measured is
// what an actor of this host has. Sampling goes on meanwhile, and shares cores and links with it.

import Documents
import Experience
import Glibc
import Operations
import Synchronization
import Wire

/// Belongs to the thread of the sockets; the child has a thread of its own.
package final class LinkErrandRunner {
  /// The usual sizes over two links take a minute; on a thin link a few.
  private static let maximumSeconds = 600.0
  private static let stopSeconds = 5.0
  /// Of what the child complains of: the end of it tells why.
  private static let maximumComplaintBytes = 4096

  private final class State: Sendable {
    let finding: Mutex<LinkFinding>
    let isCancelled = Atomic(false)

    init(_ token: String) { finding = Mutex(LinkFinding(token: token, outcome: .underway)) }
  }

  private let program: String
  private let keys: String
  private let log: Log
  /// The child ends when this does, however the process ends.
  private let lifeline: Lifeline?
  private var state: State?
  private var workers: [WorkerThread] = []

  /// `keys` names this actor's key file, "" for none. The program lies beside this one.
  package init(keys: String, log: Log, program: String? = nil) {
    self.keys = keys
    self.log = log
    lifeline = try? Lifeline()
    self.program =
      program ?? (try? Files.realPath("/proc/self/exe")).map { "\(Files.folder(of: $0))/forage" }
      ?? "forage"
  }

  /// The actor ends, and the child with it.
  package func stop() {
    state?.isCancelled.store(true, ordering: .relaxed)
    let end = Deadline.after(seconds: Self.stopSeconds)
    for worker in workers { _ = worker.join(deadline: end) }
  }

  /// What to tell with a heartbeat; nil where nobody asks.
  package var finding: LinkFinding? { state?.finding.withLock { $0 } }

  /// Takes an errand that is new, and lets one go that nobody asks for any more.
  package func hear(_ errand: LinkErrand?, links addresses: [String]) {
    guard errand?.token != finding?.token else { return }
    if let old = state {
      old.isCancelled.store(true, ordering: .relaxed)
      state = nil
    }
    guard let errand, !addresses.isEmpty else { return }
    let new = State(errand.token)
    state = new
    log.info("measuring the links to \(addresses.joined(separator: " and ")): somebody asks")
    let words = [program] + Self.arguments(errand, addresses, keys: keys)
    workers.removeAll {
      if case .running = $0.outcome { false } else { true }
    }
    do {
      workers.append(try Self.start(words, new, lifeline))
    } catch {
      new.finding.withLock { $0.outcome = .problem(error.description) }
    }
  }

  private static func start(
    _ words: [String], _ state: State, _ lifeline: Lifeline?
  ) throws(Failure) -> WorkerThread {
    try WorkerThread(name: "link") {
      let outcome = measure(words, state, lifeline)
      state.finding.withLock { $0.outcome = outcome }
    }
  }

  private static func arguments(_ errand: LinkErrand, _ addresses: [String], keys: String)
    -> [String]
  {
    var words = ["bench", "link"] + addresses
    words += ["--json", "--repeats", "\(errand.repeats)", "--parallel", "\(errand.parallel)"]
    words += ["--seconds", "\(Double(errand.milliseconds) / 1000)"]
    if !errand.sizes.isEmpty {
      words += ["--sizes", errand.sizes.map(String.init).joined(separator: ",")]
    }
    return keys.isEmpty ? words : words + ["--keys", keys]
  }

  private static func tooLong(_ program: String) -> LinkFinding.Outcome {
    .problem("\(program) printed more than \(WireLimits.maximumFindingBytes) bytes")
  }

  /// What lies in a pipe; nothing at its end.
  private static func readSome(_ descriptor: Int32) -> ArraySlice<UInt8> {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count >= 0 { return chunk[..<count] }
      if errno != EINTR { return [] }
    }
  }

  /// Runs the program to its end, reading both its outputs as they come.
  private static func measure(
    _ words: [String], _ state: State, _ lifeline: Lifeline?
  ) -> LinkFinding.Outcome {
    do {
      let child = try ChildProcess(
        words[0], Array(words.dropFirst()), output: .pipe, error: .pipe, lifeline: lifeline)
      defer { child.killGroup() }
      var (report, complaint): ([UInt8], [UInt8]) = ([], [])
      let end = Deadline.after(seconds: maximumSeconds)
      var open = [child.outputDescriptor, child.errorDescriptor].compactMap(\.self)
      while !open.isEmpty {
        if state.isCancelled.load(ordering: .relaxed) { return .problem("nobody asks any more") }
        if end.hasPassed { return .problem("\(Int(maximumSeconds)) s were not enough") }
        let ready = Descriptor.waitReadable(open, deadline: min(end, .after(seconds: 0.5)))
        for descriptor in ready {
          let bytes = readSome(descriptor)
          if bytes.isEmpty { open.removeAll { $0 == descriptor } }
          if descriptor == child.outputDescriptor {
            report += bytes
          } else {
            complaint = Array((complaint + bytes).suffix(maximumComplaintBytes))
          }
        }
        if report.count > WireLimits.maximumFindingBytes {
          return tooLong(words[0])
        }
      }
      let exit = child.wait(deadline: .after(seconds: stopSeconds))
      guard exit?.isSuccess == true else {
        // What it said last tells why, where it came to say it.
        let lines = String(decoding: complaint, as: UTF8.self).split(separator: "\n")
        if case .exited? = exit, let last = lines.last { return .problem(String(last)) }
        return .problem("\(words[0]) \(exit?.description ?? "did not end")")
      }
      let outcome = LinkFinding.Outcome.report(try JSON.parse(report, source: words[0]))
      return outcome.bytes <= WireLimits.maximumFindingBytes ? outcome : tooLong(words[0])
    } catch {
      return .problem("\(error)")
    }
  }
}
