// The one thread that computes, and the queue before it. Requests enter free slots in the order
// they came, every pass draws one token for each sequence that runs, and one that ends makes room
// at once: nobody waits for the longest answer of a batch.
//
// Another version of the weights takes its place in the same queue: who came before it is answered
// by the old weights whole, who comes after by the new.

import Experience
import Operations
import Policy
import Tensors

final class Scheduler: Sendable {
  enum Admission {
    /// By the model of this name.
    case taken(by: String)
    case full, stopping
  }

  private enum Entry {
    case job(CompletionJob)
    case version(OfferedVersion)

    var job: CompletionJob? { if case .job(let job) = self { job } else { nil } }
  }

  private struct State {
    /// Of who submits now: the version offered last.
    var names: [String]
    var waiting: [Entry] = []
    var isStopping = false
    var isAborted = false
    /// Jobs whose sequences run.
    var running = 0
  }

  private let monitor: Monitor<State>
  private let maximumQueued: Int
  private let meters: ServeMeters
  private let strand: Strand

  /// `names` are what the model is called, its own name first.
  init(names: [String], maximumQueued: Int, meters: ServeMeters, strand: Strand) {
    monitor = Monitor(State(names: names))
    self.maximumQueued = maximumQueued
    self.meters = meters
    self.strand = strand
  }

  func submit(_ job: CompletionJob) -> Admission {
    let admission = monitor.withLock { state -> Admission in
      if state.isStopping { return .stopping }
      state.waiting.removeAll { $0.job?.isCancelled ?? false }
      guard state.waiting.count(where: { $0.job != nil }) < maximumQueued else { return .full }
      state.waiting.append(.job(job))
      return .taken(by: state.names[0])
    }
    monitor.wakeAll()
    return admission
  }

  /// Puts other weights in the queue.
  func offer(_ version: OfferedVersion) {
    monitor.withLock { state in
      state.names = version.names
      state.waiting.append(.version(version))
    }
    monitor.wakeAll()
  }

  /// Whether weights that were offered wait for those who came before them.
  var isChanging: Bool { monitor.withLock { !$0.waiting.allSatisfy { $0.job != nil } } }

  var names: [String] { monitor.withLock { $0.names } }

  /// Takes nothing new; what waits and runs goes on.
  func drain() {
    monitor.withLock { $0.isStopping = true }
    monitor.wakeAll()
  }

  /// Ends everything.
  func abort() {
    monitor.withLock { ($0.isStopping, $0.isAborted) = (true, true) }
    monitor.wakeAll()
  }

  var isStopping: Bool { monitor.withLock { $0.isStopping } }
  var waitingCount: Int { monitor.withLock { $0.waiting.count { $0.job != nil } } }

  /// Computes until drained or aborted; belongs to one thread.
  func run(_ decoder: SlotDecoder<CPUBackend>) {
    var pass = ComputePass(decoder, meters, strand)
    while true {
      let isIdle = pass.isIdle
      let deadline = Deadline.after(seconds: isIdle ? 1 : 0)
      if isIdle { strand.wait(for: "requests", until: deadline) }
      // Idle, it waits for a request or the end; busy, it takes what is there.
      let next = monitor.wait(deadline: isIdle ? deadline : .now) { state -> Next? in
        if state.isAborted { return .abort }
        switch state.waiting.first {
        case .job(let job) where pass.hasRoom:
          state.waiting.removeFirst()
          return .start(job)
        case .version(let version) where isIdle:
          state.waiting.removeFirst()
          return .change(version)
        default: break
        }
        return isIdle && state.isStopping ? .end : nil
      }
      switch next {
      case .abort:
        pass.abort()
        for entry in monitor.withLock({ $0.waiting }) { entry.job?.tell([.aborted]) }
        return
      case .end: return
      case .start(let job):
        pass.enter(job)
      case .change(let version):
        strand.work("the weights of \(version.names[0])")
        pass = ComputePass(version.decoder, meters, strand)
      case nil:
        guard !pass.isIdle else { continue }
        strand.work("a token for each of \(pass.runningCount) sequences")
        pass.step()
      }
    }
  }

  private enum Next {
    case start(CompletionJob)
    case change(OfferedVersion)
    case abort, end
  }
}

/// Other weights, on their way to the thread that computes: nobody else touches them from here on.
struct OfferedVersion: @unchecked Sendable {
  /// Its own name first.
  let names: [String]
  let decoder: SlotDecoder<CPUBackend>
}

/// What runs on the computing thread.
private struct ComputePass {
  private struct Running {
    var job: CompletionJob
    var choice: Int
    var left: Int
  }

  private let decoder: SlotDecoder<CPUBackend>
  private let meters: ServeMeters
  private let strand: Strand
  private var running: [Running?]
  /// What a job still has to start, one prompt at a time: its samples may outnumber the slots.
  private var pending: [(job: CompletionJob, work: PromptWork)] = []

  init(_ decoder: SlotDecoder<CPUBackend>, _ meters: ServeMeters, _ strand: Strand) {
    self.decoder = decoder
    self.meters = meters
    self.strand = strand
    running = Array(repeating: nil, count: decoder.slots)
  }

  var runningCount: Int { decoder.busySlots }
  var isIdle: Bool { runningCount == 0 && pending.isEmpty }
  /// A job enters once those before it have all started.
  var hasRoom: Bool { pending.isEmpty && decoder.freeSlots > 0 }

  mutating func enter(_ job: CompletionJob) {
    pending = job.work.map { (job, $0) }
    fill()
  }

  /// Starts what fits.
  private mutating func fill() {
    while let (job, work) = pending.first, decoder.freeSlots > 0 {
      if job.isCancelled {
        pending.removeFirst()
        continue
      }
      let samples = work.samples.prefix(decoder.freeSlots)
      let drawn = strand.runPrompt(tokenCount: work.prompt.count) {
        decoder.start(prompt: work.prompt, samples: Array(samples), work.sampling)
      }
      meters.started(job, promptTokens: work.prompt.count)
      for (sample, one) in zip(samples, drawn) {
        running[one.slot] = Running(
          job: job, choice: work.choicesBefore + sample, left: work.maximumNewTokens)
      }
      pending[0].work.samples = samples.upperBound..<work.samples.upperBound
      if pending[0].work.samples.isEmpty { pending.removeFirst() }
      take(drawn)
    }
  }

  mutating func step() {
    // Whoever left since the last pass makes room before it.
    for slot in running.indices {
      if let one = running[slot], !one.job.wants(choice: one.choice) { release(slot) }
    }
    take(decoder.step())
    fill()
  }

  private mutating func take(_ drawn: [DrawnToken]) {
    for token in drawn {
      guard var one = running[token.slot] else { continue }
      one.left -= 1
      running[token.slot] = one
      var events = [CompletionJob.Event.token(choice: one.choice, token)]
      let isStopped = one.job.stopTokens.contains(token.token)
      if isStopped || one.left == 0 {
        events.append(.end(choice: one.choice, isStopped ? .stop : .length))
        release(token.slot)
      }
      one.job.tell(events)
    }
    meters.drew(drawn.count, running: runningCount)
  }

  private mutating func release(_ slot: Int) {
    running[slot] = nil
    decoder.release(slot)
  }

  mutating func abort() {
    for one in running { one?.job.tell([.aborted]) }
    for (job, _) in pending { job.tell([.aborted]) }
  }
}

extension Strand {
  /// Runs one prompt, which is one pass that nothing turns in. What it takes follows from the
  /// prompt and the model, and no patience of the watchdog's is right for all of them: so it counts
  /// as a call that lasts as long as it lasts, and what follows it begins anew.
  package func runPrompt<Drawn>(tokenCount: Int, _ pass: () -> Drawn) -> Drawn {
    use("a prompt of \(tokenCount) tokens to go through the model")
    defer { work("the prompts of a request") }
    return pass()
  }
}
