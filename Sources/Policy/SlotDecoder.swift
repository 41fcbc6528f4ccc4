// Sampling for whoever comes and goes: sequences enter free slots of one cache while others are
// being continued, and leave it one by one. `Generator` answers a batch as a whole; a server cannot
// wait for one.
//
// A sequence's tokens depend on its prompt, its address and its settings alone: neither on its slot
// nor on who shares the pass.

import Experience
import Tensors

/// How the tokens of a sequence are drawn.
public struct SequenceSampling: Equatable, Sendable {
  /// As in `GenerationRequest`: the token at position p of sample s takes the uniform at (seed,
  /// domain, ticket, s, p).
  public var seed: UInt64
  public var domain: RandomDomain
  public var ticket: UInt64
  /// 0 is greedy.
  public var temperature: Float
  /// Below 1: drawn from the fewest most probable tokens whose probabilities reach it.
  public var topP: Double
  /// How many of the most probable tokens are told with each one drawn.
  public var alternatives: Int

  public init(
    seed: UInt64, domain: RandomDomain, ticket: UInt64, temperature: Float, topP: Double = 1,
    alternatives: Int = 0
  ) {
    self.seed = seed
    self.domain = domain
    self.ticket = ticket
    self.temperature = temperature
    self.topP = topP
    self.alternatives = alternatives
  }

  var inverseTemperature: Float { temperature > 0 ? 1 / temperature : 1 }

  func uniform(sample: Int, position: Int) -> Float? {
    guard temperature > 0 else { return nil }
    return AddressedRandom.uniform(
      seed: seed, domain: domain, ticket, UInt64(sample), UInt64(position))
  }

  /// Whether the backend's own draw is not all of it.
  var needsLogits: Bool { alternatives > 0 || (topP < 1 && temperature > 0) }
}

/// A token that was drawn.
public struct DrawnToken: Equatable, Sendable {
  public var slot: Int
  public var token: Int32
  /// Under logits / temperature (greedy: 1), before `topP`.
  public var logProb: Float
  /// The most probable tokens, the most probable first.
  public var alternatives: [RankedToken]
}

/// A token with its log-prob.
public struct RankedToken: Equatable, Sendable {
  public var token: Int32
  public var logProb: Float
}

/// Continues sequences in the slots of a cache. One thread uses it.
public final class SlotDecoder<B: Backend> {
  private struct Sequence {
    var sampling: SequenceSampling
    var sample: Int
    /// Where the token drawn last goes.
    var position: Int
    var last: Int32
    var drawn: Int
  }

  public let slots: Int
  /// Positions of a slot: prompt and new tokens together, less the last, which is never fed.
  public let capacity: Int
  private let transformer: Transformer<B>
  private let caches: [B.Cache]
  private var sequences: [Sequence?]

  public init(_ transformer: Transformer<B>, slots: Int, capacity: Int) {
    precondition(slots > 0 && capacity > 0, "\(slots) slots of \(capacity) positions")
    let most = transformer.configuration.maximumPositions
    precondition(capacity <= most, "\(capacity) positions, and the model has \(most)")
    self.transformer = transformer
    self.slots = slots
    self.capacity = capacity
    caches = (0..<transformer.configuration.layers).map { _ in
      transformer.backend.makeCache(
        slots: slots, capacity: capacity, shape: transformer.workspace.attentionShape)
    }
    sequences = Array(repeating: nil, count: slots)
  }

  /// Bytes of keys and values of one position in one slot, over all layers.
  public static func positionBytes(_ shape: ModelConfiguration) -> Int {
    shape.layers * 2 * shape.keyValueHeads * shape.headSize * 4
  }

  public var freeSlots: Int { sequences.count { $0 == nil } }
  public var busySlots: Int { slots - freeSlots }

  /// Takes a slot for each of `samples` (their numbers), runs the prompt once and draws the first
  /// token of each, in their order.
  public func start(
    prompt: [Int32], samples: [Int], _ sampling: SequenceSampling
  ) -> [DrawnToken] {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    precondition(prompt.count <= capacity, "\(prompt.count) tokens in \(capacity) positions")
    let free = sequences.indices.filter { sequences[$0] == nil }
    precondition(samples.count <= free.count, "\(samples.count) samples, \(free.count) free slots")
    guard !samples.isEmpty else { return [] }
    let taken = Array(free.prefix(samples.count))
    for (slot, sample) in zip(taken, samples) {
      sequences[slot] = Sequence(
        sampling: sampling, sample: sample, position: prompt.count, last: 0, drawn: 0)
    }
    let answer = draw(
      taken, tokens: prompt,
      rows: prompt.indices.map { CacheRow(slot: taken[0], position: $0) },
      drawnRows: taken.map { _ in Int32(prompt.count - 1) })
    for slot in taken.dropFirst() {
      for cache in caches {
        transformer.backend.copy(cache, from: taken[0], to: slot, count: prompt.count)
      }
    }
    return answer
  }

  /// Draws the next token of every sequence, in order of slots.
  ///
  /// A sequence that filled its slot must have been released.
  public func step() -> [DrawnToken] {
    let busy = sequences.indices.filter { sequences[$0] != nil }
    guard !busy.isEmpty else { return [] }
    var tokens: [Int32] = []
    var rows: [CacheRow] = []
    for slot in busy {
      guard let sequence = sequences[slot] else { continue }
      precondition(sequence.position < capacity, "slot \(slot) is full at \(capacity)")
      tokens.append(sequence.last)
      rows.append(CacheRow(slot: slot, position: sequence.position))
      sequences[slot]?.position += 1
    }
    return draw(busy, tokens: tokens, rows: rows, drawnRows: nil)
  }

  /// The sequence ended; its slot is free.
  public func release(_ slot: Int) { sequences[slot] = nil }

  private func draw(
    _ slots: [Int], tokens: [Int32], rows: [CacheRow], drawnRows: [Int32]?
  ) -> [DrawnToken] {
    let drawing = slots.compactMap { sequences[$0] }
    let answer = transformer.drawNext(
      caches: caches, tokens: tokens, rows: rows, drawnRows: drawnRows,
      sampling: drawing.map {
        SamplingRow(
          inverseTemperature: $0.sampling.inverseTemperature,
          uniform: $0.sampling.uniform(sample: $0.sample, position: $0.drawn))
      })
    var drawn = slots.indices.map {
      DrawnToken(
        slot: slots[$0], token: answer.tokens[$0], logProb: answer.logProbs[$0], alternatives: [])
    }
    let special = drawing.indices.filter { drawing[$0].sampling.needsLogits }
    if !special.isEmpty {
      transformer.logits(ofDrawn: special, drawnCount: slots.count) { index, logits in
        let row = special[index]
        refine(&drawn[row], drawing[row], logits)
      }
    }
    for one in drawn {
      sequences[one.slot]?.last = one.token
      sequences[one.slot]?.drawn += 1
    }
    return drawn
  }

  private func refine(
    _ drawn: inout DrawnToken, _ sequence: Sequence, _ logits: UnsafeBufferPointer<Float>
  ) {
    let row = RankedRow(logits, inverseTemperature: sequence.sampling.inverseTemperature)
    if sequence.sampling.topP < 1,
      let uniform = sequence.sampling.uniform(sample: sequence.sample, position: sequence.drawn)
    {
      drawn.token = row.nucleusToken(topP: sequence.sampling.topP, uniform: uniform)
      drawn.logProb = row.logProb(drawn.token)
    }
    drawn.alternatives = row.best(sequence.sampling.alternatives).map { token in
      // The drawn one is told with one number, wherever it stands.
      RankedToken(
        token: token, logProb: token == drawn.token ? drawn.logProb : row.logProb(token))
    }
  }
}
