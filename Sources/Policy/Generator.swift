// Batched sampling with a key/value cache: prefill each prompt once, copy its keys and values to
// its samples, then one row a live sample and token.
//
// Randomness is addressed, so a sample does not depend on who shares its batch; the layers are the
// learner's own, so its log-probs are the bits the learner will compute.

import Experience
import Tensors

/// A ticket's worth of sampling.
public struct GenerationRequest: Equatable, Sendable {
  public var prompt: [Int32]
  public var samples: Int
  /// Where the random numbers are addressed: token at position p of sample s takes the uniform
  /// `AddressedRandom.uniform(seed:, domain:, ticket, s, p)`; p counts completion tokens from 0.
  public var seed: UInt64
  public var domain: RandomDomain
  public var ticket: UInt64
  /// 0 is greedy.
  public var temperature: Float
  /// Which tokens may be drawn; nil is any, as training asks.
  public var cut: SamplingCut?
  public var maximumNewTokens: Int
  public var stopTokens: Set<Int32>

  public init(
    prompt: [Int32], samples: Int, seed: UInt64, domain: RandomDomain, ticket: UInt64,
    temperature: Float, cut: SamplingCut? = nil, maximumNewTokens: Int, stopTokens: Set<Int32>
  ) {
    self.prompt = prompt
    self.samples = samples
    self.seed = seed
    self.domain = domain
    self.ticket = ticket
    self.temperature = temperature
    self.cut = cut
    self.maximumNewTokens = maximumNewTokens
    self.stopTokens = stopTokens
  }
}

/// What a generator does next.
public enum GenerationPart: Sendable {
  case prefill, decode
  /// A wave is done: its completions are put together.
  case gather
}

extension GenerationRequest {
  /// For rooms that do not see tensors.
  public typealias Cut = SamplingCut
}

/// Samples completions from a transformer.
public final class Generator<B: Backend> {
  /// Keys and values held at a time; requests beyond it wait for a wave of their own.
  public static var maximumCacheBytes: Int { 2 << 30 }
  /// Prompt rows prefilled at a time: bounds the activations of a long few-shot prompt.
  public static var prefillRows: Int { 4096 }

  private let transformer: Transformer<B>
  private var backend: B { transformer.backend }
  /// One a layer, reused while large enough.
  private var caches: [B.Cache] = []
  private var cacheSlots = 0
  private var cacheCapacity = 0

  public init(_ transformer: Transformer<B>) { self.transformer = transformer }

  /// The samples of each request, in order. `shouldStop` is asked once a token step; true ends at
  /// once with nil. `progress` hears how many tokens have been sampled so far, `enter` what begins.
  public func generate(
    _ requests: [GenerationRequest], shouldStop: () -> Bool = { false },
    progress: (Int) -> Void = { _ in }, enter: (GenerationPart) -> Void = { _ in }
  ) -> [[Completion]]? {
    var answers: [[Completion]] = []
    var sampled = 0
    for wave in waves(requests) {
      guard
        let part = generateWave(
          Array(requests[wave]), shouldStop: shouldStop, progress: { progress(sampled + $0) },
          enter: enter)
      else { return nil }
      sampled += part.reduce(0) { $0 + $1.reduce(0) { $0 + $1.tokens.count } }
      answers += part
    }
    return answers
  }

  /// Keys and values of one position of one sample, over all layers.
  private var positionBytes: Int {
    let shape = transformer.configuration
    return shape.layers * 2 * shape.keyValueHeads * shape.headSize * 4
  }

  /// Cuts the requests where their caches would not fit together.
  private func waves(_ requests: [GenerationRequest]) -> [Range<Int>] {
    var waves: [Range<Int>] = []
    var (start, slots, capacity) = (0, 0, 0)
    for (index, request) in requests.enumerated() {
      let newCapacity = max(capacity, request.prompt.count + request.maximumNewTokens)
      let newSlots = slots + request.samples
      if index > start, newSlots * newCapacity * positionBytes > Self.maximumCacheBytes {
        waves.append(start..<index)
        (start, slots, capacity) =
          (index, request.samples, request.prompt.count + request.maximumNewTokens)
      } else {
        (slots, capacity) = (newSlots, newCapacity)
      }
    }
    if start < requests.count { waves.append(start..<requests.count) }
    return waves
  }

  private func generateWave(
    _ requests: [GenerationRequest], shouldStop: () -> Bool, progress: (Int) -> Void,
    enter: (GenerationPart) -> Void
  ) -> [[Completion]]? {
    var samples: [Sample] = []
    for (index, request) in requests.enumerated() {
      precondition(!request.prompt.isEmpty, "a prompt has at least one token")
      let last = request.prompt.count + request.maximumNewTokens - 1
      precondition(
        last <= transformer.configuration.maximumPositions,
        "position \(last) is beyond the model's \(transformer.configuration.maximumPositions)")
      for sample in 0..<request.samples {
        samples.append(Sample(request: index, sample: sample, slot: samples.count))
      }
    }
    prepareCaches(
      slots: samples.count,
      capacity: requests.map { $0.prompt.count + $0.maximumNewTokens }.max() ?? 0)
    enter(.prefill)
    guard prefill(requests, &samples, shouldStop: shouldStop) else { return nil }
    enter(.decode)
    var sampled = samples.count
    var live = samples.indices.filter { samples[$0].finish == nil }
    while !live.isEmpty {
      if shouldStop() { return nil }
      decode(requests, &samples, live)
      sampled += live.count
      progress(sampled)
      live.removeAll { samples[$0].finish != nil }
    }
    enter(.gather)
    return gather(requests, samples)
  }

  private func gather(_ requests: [GenerationRequest], _ samples: [Sample]) -> [[Completion]] {
    var answers = requests.map { _ in [Completion]() }
    for sample in samples {
      guard let finish = sample.finish else { preconditionFailure("a sample without an end") }
      answers[sample.request].append(
        Completion(tokens: sample.tokens, behaviorLogProbs: sample.logProbs, finish: finish))
    }
    return answers
  }

  private func prepareCaches(slots: Int, capacity: Int) {
    if slots <= cacheSlots, capacity <= cacheCapacity { return }
    // The larger of both shapes serves both, unless together they would exceed the limit.
    let (widest, longest) = (max(slots, cacheSlots), max(capacity, cacheCapacity))
    let fits = widest * longest * positionBytes <= Self.maximumCacheBytes
    (cacheSlots, cacheCapacity) = fits ? (widest, longest) : (slots, capacity)
    caches = []
    let shape = transformer.workspace.attentionShape
    caches = (0..<transformer.configuration.layers).map { _ in
      backend.makeCache(slots: cacheSlots, capacity: cacheCapacity, shape: shape)
    }
  }
}

/// One completion in the making.
private struct Sample {
  let request: Int
  let sample: Int
  let slot: Int
  var tokens: [Int32] = []
  var logProbs: [Float] = []
  /// nil while it lives.
  var finish: FinishReason?

  init(request: Int, sample: Int, slot: Int) {
    self.request = request
    self.sample = sample
    self.slot = slot
  }

  mutating func take(_ token: Int32, logProb: Float, _ request: GenerationRequest) {
    tokens.append(token)
    logProbs.append(logProb)
    if request.stopTokens.contains(token) {
      finish = .stop
    } else if tokens.count == request.maximumNewTokens {
      finish = .length
    }
  }

  /// How its next token is drawn.
  func sampling(_ request: GenerationRequest) -> SamplingRow {
    guard request.temperature > 0 else {
      return SamplingRow(inverseTemperature: 1, uniform: nil)
    }
    let uniform = AddressedRandom.uniform(
      seed: request.seed, domain: request.domain, request.ticket, UInt64(sample),
      UInt64(tokens.count))
    return SamplingRow(
      inverseTemperature: 1 / request.temperature, uniform: uniform, cut: request.cut)
  }
}

extension Generator {
  /// Runs every prompt through the layers into the cache of its first sample, copies it to the
  /// others and draws all first tokens.
  private func prefill(
    _ requests: [GenerationRequest], _ samples: inout [Sample], shouldStop: () -> Bool
  ) -> Bool {
    var firstSample: [Int] = []
    var count = 0
    for request in requests {
      firstSample.append(count)
      count += request.samples
    }
    var start = 0
    while start < requests.count {
      if shouldStop() { return false }
      var end = start
      var rowCount = 0
      while end < requests.count,
        end == start || rowCount + requests[end].prompt.count <= Self.prefillRows
      {
        rowCount += requests[end].prompt.count
        end += 1
      }
      prefill(requests, start..<end, firstSample, &samples)
      start = end
    }
    return true
  }

  private func prefill(
    _ requests: [GenerationRequest], _ range: Range<Int>, _ firstSample: [Int],
    _ samples: inout [Sample]
  ) {
    var tokens: [Int32] = []
    var rows: [CacheRow] = []
    var drawnRows: [Int32] = []
    var drawn: [Int] = []
    for index in range where requests[index].samples > 0 {
      for (position, token) in requests[index].prompt.enumerated() {
        tokens.append(token)
        rows.append(CacheRow(slot: firstSample[index], position: position))
      }
      for sample in 0..<requests[index].samples {
        drawn.append(firstSample[index] + sample)
        drawnRows.append(Int32(tokens.count - 1))
      }
    }
    if tokens.isEmpty { return }
    draw(requests, &samples, drawn, tokens: tokens, rows: rows, drawnRows: drawnRows)
    for index in range where requests[index].samples > 1 {
      for sample in 1..<requests[index].samples {
        for cache in caches {
          backend.copy(
            cache, from: firstSample[index], to: firstSample[index] + sample,
            count: requests[index].prompt.count)
        }
      }
    }
  }

  /// Feeds each live sample its newest token and draws the next.
  private func decode(
    _ requests: [GenerationRequest], _ samples: inout [Sample], _ live: [Int]
  ) {
    let tokens = live.map { samples[$0].tokens[samples[$0].tokens.count - 1] }
    let rows = live.map {
      CacheRow(
        slot: samples[$0].slot,
        position: requests[samples[$0].request].prompt.count + samples[$0].tokens.count - 1)
    }
    draw(requests, &samples, live, tokens: tokens, rows: rows, drawnRows: nil)
  }

  /// One pass over `tokens`, then a draw for each of `drawn` from the row at `drawnRows` (nil: row
  /// i draws for `drawn[i]`).
  private func draw(
    _ requests: [GenerationRequest], _ samples: inout [Sample], _ drawn: [Int], tokens: [Int32],
    rows: [CacheRow], drawnRows: [Int32]?
  ) {
    let answer = transformer.drawNext(
      caches: caches, tokens: tokens, rows: rows, drawnRows: drawnRows,
      sampling: drawn.map { samples[$0].sampling(requests[samples[$0].request]) })
    for (index, sample) in drawn.enumerated() {
      samples[sample].take(
        answer.tokens[index], logProb: answer.logProbs[index], requests[samples[sample].request])
    }
  }
}
